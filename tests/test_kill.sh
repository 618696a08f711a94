#!/usr/bin/env bash
# A run killed at any moment, and again when it has been resumed, leaves whole files, and goes on to
# the same end as one that was not killed. Usage: test_kill.sh PROGRAM KILLS
set -u
shopt -s nullglob # a kill may come before any file
[ $# = 2 ] || { echo "usage: $0 PROGRAM KILLS" >&2; exit 2; }
program=$(realpath "$1") KILLS=$2
source=$(realpath "$(dirname "$0")")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
export LC_ALL=C OMP_NUM_THREADS=1
# shellcheck source=tests/tiny_set.sh
. "$source/tiny_set.sh"
printf 'input 1x28x28\nconv out=4 kernel=5\nrelu\nmaxpool size=2\ndense out=10\nsoftmax_xent\n' >net
RANDOM=1 # the seed

fail() {
    echo "FAILED: kill $kill, after $moment ms: $1" >&2
    ls -l run >&2
    exit 1
}

now() { # in ms; $EPOCHREALTIME is in s, to the us
    local time=${EPOCHREALTIME/./}
    echo "${time%???}"
}

# mortal MS COMMAND...: COMMAND, killed after so many ms: then, the exit code is 137.
mortal() {
    timeout --foreground --signal KILL "$(($1 / 1000)).$(printf %03d $(($1 % 1000)))" "${@:2}"
}

# train DIR [COMMAND...]: COMMAND runs it.
train() {
    "${@:2}" "$program" train --data tiny --model net --device cpu --batch 7 --epochs 30 --out "$1" \
        --quiet --save best,last,epoch --keep 3 --tensorboard >log 2>&1
}

# Every file that is there is whole; what else there may be is a temporary one.
check_files() {
    local file epochs=0 writing=0
    for file in run/*; do
        case $file in
            run/epoch-????.safetensors | run/best.safetensors | run/last.safetensors)
                case $file in run/epoch-*) epochs=$((epochs + 1)) ;; esac
                "$program" eval "$file" --data tiny >log 2>&1 || fail "$(cat log)" ;;
            run/metrics.csv)
                awk -F, 'NF != 8 { exit 1 } END { exit NR < 1 }' "$file" || fail "$(cat "$file")"
                [ -z "$(tail -c 1 "$file")" ] || fail "$file ends within a line" ;;
            run/metrics.jsonl)
                not_whole=$(grep -v '^{"epoch": .*}$' "$file") && fail "$file: $not_whole"
                [ -z "$(tail -c 1 "$file")" ] || fail "$file ends within a line" ;;
            run/log.txt)
                [ -z "$(tail -c 1 "$file")" ] || fail "$file ends within a line" ;;
            run/train | run/validation) writing=$((writing + $(echo "$file"/*.tmp.* | wc -w))) ;;
            run/config.json | run/state.safetensors) ;; # --resume reads them
            run/*.tmp.[0-9]*) writing=1 ;;
            *) fail "$file is there" ;;
        esac
    done
    [ $writing = 0 ] || partial=$((partial + 1))
    [ $epochs -le 4 ] || fail "$epochs epochs are kept" # the oldest goes when the new one is there
}

# All but the times.
check_end() {
    local file
    for file in best.safetensors last.safetensors; do
        cmp -s "run/$file" "whole/$file" || fail "$file is another than without the kill"
    done
    cmp -s <(cut -d, -f1-6 run/metrics.csv) <(cut -d, -f1-6 whole/metrics.csv) ||
        fail "metrics.csv is another than without the kill"
    for file in train validation; do # the times differ, but not their size
        [ "$(wc -c <run/$file/events.out.tfevents)" = "$(wc -c <whole/$file/events.out.tfevents)" ] ||
            fail "$file is another than without the kill"
    done
    [ "$(cd run && echo ./* ./*/*)" = "$(cd whole && echo ./* ./*/*)" ] || fail "files are left behind"
    [ "$(grep -o '^epoch [0-9]*' run/log.txt)" = "$(printf 'epoch %d\n' {1..30})" ] ||
        fail "log.txt has the epochs $(grep -o '^epoch [0-9]*' run/log.txt | tr '\n' ' ')"
    [ "$(tail -1 run/log.txt | cut -d' ' -f5)" = finished ] || fail "log.txt says $(tail -1 run/log.txt)"
}

# An unbroken run, which also says how long one takes.
begin=$(now) kill=0 moment=0
train whole || { cat log >&2; exit 1; }
length=$(($(now) - begin))
[ "$(wc -l <whole/metrics.csv)" = 31 ] || { cat whole/metrics.csv >&2; exit 1; }

partial=0 # kills within the writing of a file
resumed=0 # kills of a resumed run
for ((kill = 1; kill <= KILLS; kill++)); do
    while :; do # a random moment of each KILLS-th part of the run, unless it ends before that
        moment=$(((kill - 1) * length / KILLS + RANDOM * length / KILLS / 32768))
        rm -rf run
        begin=$(now)
        train run mortal $moment
        code=$?
        [ $code = 137 ] && break
        [ $code = 0 ] || [ $code = 124 ] || fail "exit $code: $(cat log)"
        length=$(($(now) - begin))
    done
    [ -d run ] || mkdir run
    check_files
    if [ -e run/state.safetensors ] && [ $((kill % 2)) = 0 ]; then
        mortal $((RANDOM * (length - moment) / 32768)) "$program" train --resume run --quiet >log 2>&1
        [ $? != 137 ] || resumed=$((resumed + 1))
        check_files
    fi
    if [ -e run/state.safetensors ]; then
        "$program" train --resume run --quiet >log 2>&1 || fail "$(cat log)"
    else
        train run || fail "$(cat log)" # nothing was saved yet: it begins again
    fi
    check_end
done
echo "$KILLS kills in a run of $length ms, $resumed in the resumed one, $partial within the writing of a file"
