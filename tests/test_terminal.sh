#!/usr/bin/env bash
# The program among signals, pipes, locales, terminals, file names and permissions as they come.
# Usage: test_terminal.sh PROGRAM
set -u
[ $# = 1 ] || { echo "usage: $0 PROGRAM" >&2; exit 2; }
unset MNIST_GPU_DATA COLUMNS COLORTERM NO_COLOR
# shellcheck source=tests/program.sh
. "$(dirname "$0")/program.sh" "$1"

printf 'input 1x28x28\ndense out=10\nsoftmax_xent\n' >tiny.net
tiny=(--data tiny --model tiny.net --device cpu --batch 7)
run "$program" train "${tiny[@]}" --epochs 3 --out a
exits 0

# wait_for CONDITION...: at most a minute
wait_for() {
    local i
    for ((i = 0; i < 1200; i++)); do
        "$@" && return
        sleep 0.05
    done
    fail "waited for: $*"
}

# has_lines FILE COUNT
has_lines() { [ -e "$1" ] && [ "$(wc -l <"$1")" -ge "$2" ]; }

# ---- signals ----

# begin DIR [COMMAND...]: starts a training that would take minutes, under COMMAND; its id is in $pid.
begin() {
    set -m # else a background process ignores SIGINT
    "${@:2}" "$program" train "${tiny[@]}" --epochs 100000 --out "$1" --quiet >out 2>err </dev/null &
    pid=$!
    set +m
    last="train --out $1"
    wait_for has_lines "$1/metrics.csv" 3
}
ended() { wait "$pid"; code=$?; }

for signal in INT=130 TERM=143 HUP=129; do
    begin "run$signal"
    kill "-${signal%=*}" "$pid"
    ended
    exits "${signal#*=}" "interrupted, all is saved; to go on: mnist_gpu train --resume run$signal"
    run "$program" train --resume "run$signal" --epochs 1 --quiet
    exits 0
done

begin nohupped nohup
kill -HUP "$pid"
lines=$(wc -l <nohupped/metrics.csv)
wait_for has_lines nohupped/metrics.csv $((lines + 2))
check "nohup: goes on after SIGHUP" kill -0 "$pid"
kill -TERM "$pid"
ended
exits 143 'interrupted'

# Where nobody reads, it waits in write() for as long as it takes to look at it and to signal twice.
# ignored SIGNAL: the process ignores it
ignored() {
    local mask
    mask=$(sed -n 's/^SigIgn:\s*//p' "/proc/$pid/status")
    ((0x$mask >> ($(kill -l "$1") - 1) & 1))
}
caught() {
    local mask
    mask=$(sed -n 's/^SigCgt:\s*//p' "/proc/$pid/status")
    ((0x$mask >> ($(kill -l "$1") - 1) & 1))
}
asleep() { [ "$(sed -n 's/^State:\s*\(.\).*/\1/p' "/proc/$pid/status")" = S ]; }
if [ -r /proc/self/status ]; then
    mkfifo full
    exec 7<>full
    dd if=/dev/zero of=full bs=4096 count=15 2>err # of its 16 pages: room for what comes first
    set -m
    (
        trap '' INT HUP # as in the background of a script, and under nohup
        exec "$program" train "${tiny[@]}" --epochs 100000 --out blocked >full 2>err </dev/null
    ) &
    pid=$! last="train into a full pipe"
    set +m
    wait_for caught TERM
    wait_for asleep
    check "an ignored signal stays so" eval 'ignored INT && ignored HUP'
    kill -TERM "$pid"
    wait_for not caught TERM
    check "after the first signal too" eval 'ignored INT && ignored HUP'
    kill -TERM "$pid"
    ended
    check "the second signal ends it at once" [ "$code" = 143 ]
    check "and its run is whole" "$program" train --resume blocked --epochs 1 --quiet >out 2>err
    exec 7>&-
fi

# ---- pipes ----

mkdir many
for ((i = 0; i < 250; i++)); do ln -s ../3.pgm "many/$i.pgm"; done
for command in "predict --weights a --json many" "train --help"; do
    # shellcheck disable=SC2086 # words
    "$program" $command 2>err | head -1 >out
    code=${PIPESTATUS[0]} last="$command | head -1"
    check "0 or that of SIGPIPE" [ "$code" = 141 -o "$code" = 0 ]
    check "without a word" [ ! -s err ]
done
# shellcheck disable=SC2216 # that is the point
"$program" predict --weights a --json many 2>err | true
code=${PIPESTATUS[0]} last="predict | true"
check "as if SIGPIPE had ended it" [ "$code" = 141 ]
check "without a word" [ ! -s err ]

"$program" predict --weights a --json many 2>err | { sleep 0.3; cat; } >slow
code=${PIPESTATUS[0]} last="a slow reader"
run "$program" predict --weights a --json many
exits 0
same slow out

# shellcheck disable=SC2216
"$program" train "${tiny[@]}" --epochs 100000 --out pager 2>err | head -2 >out
code=${PIPESTATUS[0]} last="train | head -2"
exits 141 'interrupted, all is saved; to go on: mnist_gpu train --resume pager'
check "its log has the last word" grep -q 'interrupted, all is saved' pager/log.txt
run "$program" train --resume pager --epochs 1 --quiet
exits 0
"$program" train "${tiny[@]}" --epochs 3 --out deaf 2> >(true) >out
code=$? last="train 2> >(true)"
check "it needs no reader of stderr" [ "$code" = 0 ]

# ---- standard files that are closed or full ----

for command in --help "eval a --data tiny" "predict --weights a 3.pgm" "summary a --json" info "plot a --out p.svg" \
    "grid a --data tiny --out g.png" "data stats tiny" recipes; do
    # shellcheck disable=SC2086
    "$program" $command >&- 2>err </dev/null
    code=$? last="$command >&-"
    exits 1 'standard output: cannot write: Bad file descriptor'
    if [ -w /dev/full ]; then
        # shellcheck disable=SC2086
        "$program" $command >/dev/full 2>err
        code=$? last="$command >/dev/full"
        exits 1 'standard output: cannot write: No space left on device'
    fi
    # shellcheck disable=SC2086
    "$program" $command <&- >out 2>&-
    code=$? last="$command <&- 2>&-"
    check "stdin and stderr are not needed" [ "$code" = 0 ]
done
"$program" train "${tiny[@]}" --epochs 2 --save last --out closed <&- >&- 2>&-
code=$? last="train <&- >&- 2>&-"
check "it fails" [ "$code" = 1 ]
run "$program" train --resume closed --quiet
exits 0
check "no output got into its files" not grep -rq 'val_accuracy .* images/s' closed --include='*.safetensors' --include='*.csv' --include=config.json
"$program" predict --weights a - <&- >out 2>err
code=$? last="predict - <&-"
exits 1 'standard input'

# ---- locales: numbers keep their point, pictures their characters ----

run "$program" plot a --out plain.svg
run "$program" eval a --data tiny --json
mv out plain.json
"$program" train --help >plain.help
mkdir locales capitals && cp 3.pgm capitals/I.PNM
for locale in de_DE.ISO-8859-1 tr_TR.ISO-8859-9; do
    if ! localedef -i "${locale%%.*}" -f "${locale#*.}" "locales/$locale" 2>err; then
        skip "locale $locale: localedef cannot make it"
        continue
    fi
    there=(env "LOCPATH=$work/locales" "LC_ALL=$locale")
    check "this locale has decimal commas" [ "$("${there[@]}" printf %.1f 1,5 2>err)" = 1,5 ]
    run "${there[@]}" "$program" eval a --data tiny --json
    exits 0
    same out plain.json
    run "${there[@]}" "$program" plot a --out "$locale.svg"
    exits 0
    same "$locale.svg" plain.svg
    run "${there[@]}" "$program" train --help
    same out plain.help
    run "${there[@]}" "$program" train "${tiny[@]}" --lr 0.001 --epochs 3 --out "run-$locale"
    exits 0
    same "run-$locale/best.safetensors" a/best.safetensors
    same <(cut -d, -f1-6 "run-$locale/metrics.csv") <(cut -d, -f1-6 a/metrics.csv)
    run "${there[@]}" "$program" train --lr 0,001
    exits 2 'expected a number'
    run "${there[@]}" "$program" predict --weights a capitals
    exits 0 I.PNM # a Turkish capital i is another one
done
run env LC_ALL=xx_YY.UTF-8 "$program" eval a --data tiny --json
exits 0
same out plain.json

# ---- terminals ----

# on_terminal COLUMNS VARIABLE=VALUE... COMMAND: stdout and stderr are a terminal that wide
on_terminal() {
    local columns=$1
    shift
    run script -qec "stty cols $columns; env $*" /dev/null
    check "exit 0" [ "$code" = 0 ]
}
if script -qec 'stty cols 80' /dev/null >/dev/null 2>&1 </dev/null; then
    utf8="LC_ALL=C.UTF-8 TERM=xterm-256color"
    for columns in 1 11 1000 65535; do
        on_terminal $columns "$utf8" "'$program' predict --weights a 3.pgm --show"
        check "$columns columns: no line is wider" not grep -q "\(▀[^▀]*\)\{$((columns < 28 ? columns + 1 : 29))\}" out
        on_terminal $columns "$utf8" "'$program' plot a --show"
        on_terminal $columns "$utf8" "'$program' train --resume a --epochs 3"
        on_terminal $columns "$utf8" "'$program' grid a --data tiny --count 4 --show"
    done
    for columns in 1 99999999999 -3 '' x; do
        COLUMNS=$columns on_terminal 80 "$utf8" "'$program' plot a --show"
        check "COLUMNS=$columns is the shell's" grep -q '\(─\)\{60\}' out
    done
    for setting in 'LC_ALL=C TERM=xterm' 'LC_ALL=C.UTF-8 TERM=dumb' 'LC_ALL=C.UTF-8 TERM=' \
        'LC_ALL=C.UTF-8 -u TERM' 'LC_ALL=POSIX TERM=xterm'; do
        setting="${setting/*-u TERM/-u TERM LC_ALL=C.UTF-8}"
        on_terminal 80 "$setting" "'$program' predict --weights a 3.pgm --show"
        check "$setting: ASCII" not grep -q '▀\|█' out
        check "$setting: it shows the picture" grep -q '@@@' out
        on_terminal 80 "$setting" "'$program' plot a --show"
        check "$setting: ASCII" not grep -q '⠤\|─' out
    done
    on_terminal 80 "$utf8" NO_COLOR=1 "'$program' predict --weights a 3.pgm --show"
    check "NO_COLOR" not grep -q $'\033' out
    on_terminal 80 "$utf8" NO_COLOR= "'$program' predict --weights a 3.pgm"
    check "an empty NO_COLOR is none" grep -q $'\033\\[1;32m' out
else
    skip "terminals: script(1) or stty is not there"
fi

# ---- names ----

# What could steer a terminal: colours, a title, C1 in UTF-8 and alone, and what is no UTF-8.
names=($'line\nbreak.pgm' "quote'.pgm" 'quote".pgm' 'back\slash.pgm' 'per%s%n.pgm' '-dash.pgm' ' space .pgm' $'\033[31mred.pgm'
    $'\033]0;title\a.pgm' $'c1\xc2\x9b31m.pgm' $'c1\x9b31m.pgm' $'no\xff\xfeutf8.pgm' 'ümläut.pgm')
mkdir names
for name in "${names[@]}"; do cp 3.pgm "names/$name"; done
run "$program" predict --weights a names
exits 0
check "off a terminal names are as they are" grep -qF $'\033[31mred.pgm' out
run "$program" predict --weights a --json names
exits 0
cp out names.json
check "an entry each" [ "$(grep -c '"image"' names.json)" = ${#names[@]} ]
check "no control character in JSON" not grep -q $'[\001-\011\013-\037]' names.json
check "JSON is UTF-8" iconv -f UTF-8 -t UTF-8 names.json -o /dev/null
check "a name in UTF-8 is itself" grep -q 'ümläut.pgm\|u00fcml' names.json
if python3 -c 'import json' 2>/dev/null; then
    check "it is JSON" python3 -c 'import json, sys; assert "names/line\nbreak.pgm" in [d["image"] for d in json.load(open(sys.argv[1]))]' names.json
fi
cd names || exit 1
for name in "${names[@]}"; do
    "$program" predict --weights ../a -- "$name" >../out 2>../err
    code=$? last="predict -- $name"
    [ $code = 0 ] || fail "a picture of this name is read"
    checks=$((checks + 1))
done
cd "$work" || exit 1
printf 'x' >names/bad$'\033'.pgm
run "$program" predict --weights a names/bad$'\033'.pgm
exits 1 'bad?.pgm'
mkdir evil && cp a/best.safetensors a/config.json evil
printf '%s\n' $'\033[31m0' '%s%n' 2 3 4 5 6 7 8 $'\xc2\x9b9' >evil/classes.txt
run "$program" predict --weights evil 3.pgm --raw
exits 1 'evil/classes.txt:1: a control character in the name "?\[31m0"'
printf '%s\n' %1000d 1 2 '%s%n' 4 5 6 7 8 9 >a/classes.txt
run "$program" predict --weights a 3.pgm --raw --json
exits 0
check "a name is no format" grep -q '"%s%n"' out
rm a/classes.txt
if script -qec true /dev/null >/dev/null 2>&1 </dev/null; then
    for command in "predict --weights a names" "predict --weights evil 3.pgm --raw" "predict --weights a --json names" \
        "plot a $'names/\\033[31mred.pgm'" "predict --weights evil 3.pgm --raw --json"; do
        run script -qec "env TERM=dumb bash -c \"'$program' $command\"" /dev/null
        check "no escape sequence reaches a terminal" not grep -q $'\033\\|\302\233\\|\a' out
    done
fi
for dir in $'run\nof' "it's" '%s%d%n' '-dash' $'\033[31m' 'ümläut' $'no\xffutf8'; do
    run "$program" train "${tiny[@]}" --epochs 1 --out "$dir" --tensorboard --curves
    exits 0
    run "$program" train --resume "$dir" --epochs 2
    exits 0
    run "$program" eval --json --data tiny -- "$dir"
    exits 0
    check "JSON is UTF-8" iconv -f UTF-8 -t UTF-8 out -o /dev/null
    run "$program" plot --out names.svg -- "$dir"
    exits 0
    check "SVG is plain" not grep -q $'[\001-\011\013-\037]' names.svg
done
cp -r tiny $'set\xff\033'
run "$program" train --data $'set\xff\033' --model tiny.net --epochs 1 --out odd_set
exits 2 'config.json: "data" cannot be written: not UTF-8'

# ---- long paths ----

long=$(printf 'd%.0s' {1..200})
deep=$long/$long/$long/$long/$long/$long
mkdir -p "$deep" && cp 3.pgm "$deep"
run "$program" predict --weights a "$deep/3.pgm"
exits 0
run "$program" predict --weights a "$deep/4.pgm"
exits 1 'd/4.pgm: cannot open: No such file or directory$'
run "$program" train "${tiny[@]}" --epochs 1 --out "$deep/run" --tensorboard
exits 0
run "$program" eval "$deep/run" --data tiny
exits 0
while [ ${#deep} -lt 5000 ]; do deep=$deep/$long; done
for command in "predict --weights a" eval plot "train --data tiny --model tiny.net --out" "train --data" "train --resume" \
    "data stats"; do
    # shellcheck disable=SC2086
    run "$program" $command "$deep"
    exits 1
done
run "$program" train "${tiny[@]}" --epochs 1 --out "$long$long"
exits 1 'File name too long'

# ---- no home, other umasks, what may not be written ----

mkdir nowhere && cd nowhere || exit 1
for unset in '-u HOME -u XDG_CACHE_HOME' 'HOME= XDG_CACHE_HOME=' 'HOME=/nonexistent XDG_CACHE_HOME=relative'; do
    # shellcheck disable=SC2086
    env $unset http_proxy=localhost:9 https_proxy=localhost:9 "$program" train --data mnist >"$work/out" 2>"$work/err"
    code=$? last="$unset train --data mnist"
    check "exit 1" [ "$code" = 1 ]
    check "a reason" grep -q '^mnist_gpu: ' "$work/err"
    # shellcheck disable=SC2086
    env $unset "$program" train "${tiny[@]/tiny/../tiny}" --epochs 1 --quiet --out ../homeless >"$work/out" 2>"$work/err"
    code=$? last="$unset train"
    check "needs no home" [ "$code" = 0 ]
    rm -rf ../homeless
done
check "nothing was left in the current directory" [ -z "$(ls -A)" ]
cd "$work" || exit 1

for mask in 077=600,700 022=644,755 027=640,750; do
    (umask "${mask%%=*}" && run "$program" train "${tiny[@]}" --epochs 2 --out "mask$mask" --tensorboard --curves --save best,last,epoch)
    modes=$(find "mask$mask" -type f -printf '%m\n' | sort -u),$(find "mask$mask" -type d -printf '%m\n' | sort -u)
    check "umask ${mask%%=*}: modes $modes" [ "$modes" = "${mask#*=}" ]
done

# Permissions do not bind root: as another user, in directories that are not its own.
as_other=()
if [ "$(id -u)" = 0 ]; then as_other=(setpriv --reuid=65534 --regid=65534 --clear-groups); fi
mkdir readonly && cp -r a readonly/run && cp "$program" readonly/mnist_gpu && cp -r tiny tiny.net 3.pgm readonly
chmod 755 "$work" && chmod -R a+rX,a-w readonly
if "${as_other[@]}" readonly/mnist_gpu --version >out 2>err && ! "${as_other[@]}" touch readonly/x 2>err; then
    cd readonly || exit 1
    other() {
        "${as_other[@]}" ./mnist_gpu "$@" >../out 2>../err </dev/null
        code=$? last="in a read-only directory: $*"
        cd ..
    }
    other eval run --data tiny && exits 0 '^test: ' && cd readonly || exit 1
    other predict --weights run 3.pgm && exits 0 && cd readonly || exit 1
    other plot run --show && exits 0 && cd readonly || exit 1
    other plot run --out run/curves.svg && exits 1 'run/curves.svg: cannot create .*Permission denied' && cd readonly || exit 1
    other train --data tiny --model tiny.net --epochs 1 && exits 1 'runs: cannot create directory: Permission denied' && cd readonly || exit 1
    other train --data tiny --model tiny.net --epochs 1 --out run/x && exits 1 'run/x: cannot create directory: Permission denied' && cd readonly || exit 1
    other train --resume run --epochs 9 && exits 1 'run/[a-z.]*: .*Permission denied' && cd readonly || exit 1
    other data synth --count 20 --test-count 10 --out tiny && exits 1 'tiny/.*Permission denied' && cd "$work" || exit 1
    mkdir unreadable && cp 3.pgm unreadable && cp -r a unreadable/run && chmod 644 unreadable/run/* && chmod 000 unreadable/3.pgm unreadable/run/best.safetensors
    chmod 755 unreadable unreadable/run && chmod -R a+rX a
    other_here() {
        "${as_other[@]}" readonly/mnist_gpu "$@" >out 2>err </dev/null
        code=$? last="unreadable: $*"
    }
    other_here predict --weights a unreadable/3.pgm
    exits 1 'unreadable/3.pgm: cannot open: Permission denied'
    other_here eval unreadable/run --data tiny
    exits 1 'best.safetensors: cannot open: Permission denied'
else
    skip "read-only directories: no other user to be (setpriv)"
fi
chmod -R u+w readonly

echo "$checks checks, $failures failed"
[ $failures = 0 ]
