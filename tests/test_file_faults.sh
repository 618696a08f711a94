#!/usr/bin/env bash
# Every call on a file fails in turn: the command says which file and why, and spoils nothing. Instead
# of every call the command is killed: that spoils nothing either.
# Usage: test_file_faults.sh PROGRAM LIBRARY STRIDE: each STRIDE-th of them; the library is faults/.
set -u
shopt -s nullglob
[ $# = 3 ] || { echo "usage: $0 PROGRAM LIBRARY STRIDE" >&2; exit 2; }
stride=$3
# AddressSanitizer, where the program has it, is to be loaded first.
library="$(ldd "$1" | awk '/libasan/ { print $3 }') $(realpath "$2")"
# shellcheck source=tests/program.sh
. "$(dirname "$0")/program.sh" "$1"
printf 'input 1x28x28\navgpool size=7\ndense out=10\nsoftmax_xent\n' >net
declare -A reasons=([EIO]='Input/output error' [ENOSPC]='No space left on device')

# faulty AT ERROR COMMAND...: runs it with that fault; its calls are in the file `calls`.
faulty() {
    run env LD_PRELOAD="$library" FAULTS_CALLS=files FAULTS_ROOT="$work" FAULTS_LOG=calls \
        FAULTS_AT="$1" FAULTS_ERROR="$2" "${@:3}"
    last="$4: fault $1, $2"
}

# ---- what must be so after a fault ----

# Calls whose failure changes nothing, so that the command succeeds all the same.
is_harmless() { # CALL PATH
    case "$1 $2" in
        close-read\ *) ;;        # all of it was read
        stat-read\ *) ;;         # for the size, which reading finds out anyway
        mkdir\ *) [ -d "$2" ] ;; # it is there already
        opendir\ run/*) ;;       # to remove leftovers of a kill, which do no harm
        stat\ *.pgm) ;;          # whether a picture is a folder: it is read all the same
        *) return 1 ;;
    esac
}

# The message names the file, a temporary one by what it is to become, and the reason.
check_message() { # CALL PATH ERROR
    local name=${2##*/}
    exits 1 "${name%.tmp.*}"
    check "stderr says why" grep -qF "${reasons[$3]}" err
}

temporaries() { echo ./*.tmp.* ./*/*.tmp.* ./*/*/*.tmp.*; }

# What there was without faults is in the log `calls`: nothing gets its name before its content is
# on the disk, every new name is on the disk before the program goes on, and only what may grow is
# written in place.
check_order() {
    # shellcheck disable=SC2016 # awk's
    check "files are written in an order that a loss of power cannot spoil" awk '
        function directory(path) { return match(path, "/[^/]*$") ? substr(path, 1, RSTART - 1) : "." }
        function bad(what) { print "call " $1 ": " what > "/dev/stderr"; wrong = 1 }
        $2 == "calls" { next }
        named != "" && $2 == "stat" && $3 == named { named = "" } # mkdir: it was there already
        named != "" && $2 == "fsync" && $3 == directory(named) { named = "" }
        named != "" && $2 !~ /^(open|close)/ { bad(named " is not on the disk yet"); named = "" }
        $2 == "write" && $3 !~ /\.tmp\.[0-9]+$|\.part$|\/log\.txt$|\/events\.out\.tfevents$/ {
            bad("writes to " $3)
        }
        $2 == "write" || $2 == "truncate" { unsynced[$3] = 1 }
        $2 == "fsync" { delete unsynced[$3] }
        $2 == "rename" {
            if (directory($3) "/" $4 in unsynced) bad("the content of " $3 " is not on the disk yet")
            renames++
        }
        $2 == "rename" || $2 == "mkdir" { named = $3 }
        END { exit wrong || named != "" || !renames }' calls
}

# sweep WHAT PREPARE CHECK ARGUMENT...: `mnist_gpu ARGUMENT...` with each fault; PREPARE before and
# CHECK after it are commands.
sweep() {
    local what=$1 prepare=$2 check=$3 error n call path found tried=0 harmless=0 kills=0 writing=0
    shift 3
    for error in EIO ENOSPC; do
        [ $error = EIO ] && n=1 || n=$((1 + stride / 2))
        for (( ; ; n += stride)); do
            $prepare
            faulty "$n" "$error" "$program" "$@"
            found=$(sed -n 's/ failed$//p' calls)
            [ -n "$found" ] || break
            tried=$((tried + 1))
            read -r _ call path _ <<<"$found"
            last="$last: $call $path"
            if is_harmless "$call" "$path"; then
                harmless=$((harmless + 1))
                check "exit 0" [ "$code" = 0 ]
            else
                check_message "$call" "$path" "$error"
            fi
            [ "$call" = unlink ] || check "no temporary file: $(temporaries)" [ -z "$(temporaries)" ]
            $check
        done
        exits 0
        check_order
        $check
    done
    for ((n = 1 + stride / 4; ; n += stride)); do
        $prepare
        faulty "$n" kill "$program" "$@" 2>/dev/null # the shell says so too
        [ "$code" != 0 ] || break
        check "it is killed" [ "$code" = 137 ]
        kills=$((kills + 1))
        [ -z "$(temporaries)" ] || writing=$((writing + 1))
        $check
    done
    for error in EINTR short; do # of all calls
        $prepare
        faulty 1+ $error "$program" "$@"
        exits 0
        $check
    done
    echo "$what: $tried faults, $harmless of them harmless; $kills kills, $writing within the writing of a file"
}

# ---- train ----

train=(train --data tiny --model net --device cpu --threads 1 --batch 50 --epochs 2 --quiet
    --save "best,last,epoch" --tensorboard)
"$program" "${train[@]}" --out whole >out || exit 1
"$program" "${train[@]}" --max-steps 3 --out half >out || exit 1 # it ends within the second epoch

# The run has come to the same end as `whole`; all but the times.
check_end() {
    local file
    for file in best last epoch-0001 epoch-0002; do same run/$file.safetensors whole/$file.safetensors; done
    check "metrics.csv is the same" cmp -s <(cut -d, -f1-6 run/metrics.csv) <(cut -d, -f1-6 whole/metrics.csv)
    check "no other files" [ "$(cd run && echo ./* ./*/*)" = "$(cd whole && echo ./* ./*/*)" ]
    check "each epoch is in log.txt" [ "$(grep -c '^epoch' run/log.txt)" = 2 ]
}

# What is there can be read, and the run goes on to its end.
check_train() {
    local fault=$last
    if [ -e run/last.safetensors ]; then
        run "$program" eval run --data tiny
        last="eval after $fault"
        exits 0
    fi
    if [ -e run/state.safetensors ]; then
        run "$program" train --resume run --epochs 2 --max-steps 0 --quiet
    else
        run "$program" "${train[@]}" --out run # nothing was saved yet: it begins again
    fi
    last="train after $fault"
    exits 0
    check_end
}

prepare_train() { rm -rf run; }
sweep train prepare_train check_train "${train[@]}" --out run
prepare_resume() { rm -rf run && cp -r half run; }
sweep "train --resume" prepare_resume check_train train --resume run --max-steps 0 --quiet

# ---- what makes files ----

# sweep_outputs WHAT ARGUMENT...: a command that replaces files in the folder `made`. Each is the old
# or the new one after a fault.
prepare_outputs() { rm -rf made && cp -r before made; }
check_outputs() {
    local file
    for file in "${files[@]}"; do
        if [ "$code" = 0 ] || ! cmp -s "made/$file" "before/$file"; then same "made/$file" "after/$file"; fi
    done
    [ "$code" != 137 ] || find made -name "*.tmp.*" -delete
    check "no other files" [ "$(cd made && find . | sort)" = "$(cd after && find . | sort)" ]
}
sweep_outputs() {
    local file
    rm -rf made before after
    mkdir made
    "$program" "${@:2}" >/dev/null || exit 1
    mv made after
    cp -r after before
    mapfile -t files < <(cd after && find . -type f)
    for file in "${files[@]}"; do echo old >"before/$file"; done
    sweep "$1" prepare_outputs check_outputs "${@:2}"
}

"$program" data export tiny --out pictures --limit 4 --format png >out || exit 1
mv pictures/0 pictures/zero
{ echo 3 && head -c 784 /dev/zero | tr '\000' 7; } | paste -sd, | sed 's/7/,7/g; s/,,/,/' >one.csv

sweep_outputs "data synth" data synth --out made --count 5 --test-count 5
sweep_outputs "data import, folders" data import pictures --out made
sweep_outputs "data import, CSV" data import one.csv --out made
sweep_outputs "data export" data export tiny --out made --limit 4
sweep_outputs "eval --confusion" eval whole --data tiny --confusion made/matrix.svg
sweep_outputs "predict --save-input" predict 3.pgm --weights whole --save-input made/seen.png
sweep_outputs "plot" plot whole --out made/curves.svg
sweep_outputs "grid" grid whole --data tiny --out made/grid.svg

# ---- a download (in the long form alone: each takes a second) ----

# Of a set that lacks its smallest file. A part of it may stay: the next download completes it.
download() {
    local port n tried=0 fault
    mkdir set
    cp "$MNIST_GPU_DATA"/t*-ubyte.gz set
    (cd "$MNIST_GPU_DATA" && exec python3 -u -m http.server 0 --bind 127.0.0.1) >server.log 2>&1 &
    trap 'kill '$!'; rm -rf "$work"' EXIT
    until port=$(sed -n 's/.* port \([0-9]*\) .*/\1/p' server.log) && [ -n "$port" ]; do sleep 0.1; done
    local command=("$program" data download --out set --mirror "http://127.0.0.1:$port/")
    rm set/t10k-labels*
    faulty 0 EIO "${command[@]}"
    exits 0
    check_order
    # shellcheck disable=SC2013 # numbers
    for n in $(awk '/t10k-labels.*part/ || /(open|fsync) set$/ { print $1 }' calls); do
        rm -f set/t10k-labels*
        faulty "$n" EIO "${command[@]}"
        fault="$last: $(grep failed calls)"
        last=$fault
        tried=$((tried + 1))
        grep -q "close.* failed" calls || exits 1 'cannot .*: Input/output error$' # close: it is on the disk
        run "${command[@]}"
        last="download after $fault"
        exits 0
        check "no part is left" [ -z "$(find set -name '*.part')" ]
        same set/t10k-labels-idx1-ubyte.gz "$MNIST_GPU_DATA/t10k-labels-idx1-ubyte.gz"
    done
    for n in EINTR short; do
        rm -f set/t10k-labels*
        faulty 1+ $n "${command[@]}"
        exits 0
        same set/t10k-labels-idx1-ubyte.gz "$MNIST_GPU_DATA/t10k-labels-idx1-ubyte.gz"
    done
    echo "data download: $tried faults"
}
if [ "$stride" = 1 ]; then
    if [ -e "${MNIST_GPU_DATA:-}/t10k-labels-idx1-ubyte.gz" ] && command -v python3 >/dev/null &&
        "$program" info | grep -q libcurl; then
        download
    else
        skip "faults of a download: needs MNIST's .gz in MNIST_GPU_DATA, python3 and libcurl"
    fi
fi

echo "$checks checks, $failures failed"
[ "$failures" = 0 ]
