#!/usr/bin/env bash
# One process at a time trains in a run directory; others may read it.
# Usage: test_run_lock.sh PROGRAM
set -u
[ $# = 1 ] || { echo "usage: $0 PROGRAM" >&2; exit 2; }
# shellcheck source=tests/program.sh
. "$(dirname "$0")/program.sh" "$1"
printf 'input 1x28x28\navgpool size=7\ndense out=10\nsoftmax_xent\n' >net
train=(train --data tiny --model net --device cpu --threads 1 --batch 7 --quiet)

epochs_logged() {
    local count
    count=$(grep -cs '^epoch' run/log.txt)
    echo "${count:-0}"
}

# begin ARGUMENT...: a training in `run` that goes on until it is killed, once its first epoch is saved.
begin() {
    local tries epochs
    epochs=$(epochs_logged)
    "$program" train "$@" --epochs 1000000 --quiet >trainer.log 2>&1 &
    trainer=$!
    for ((tries = 0; tries < 500; tries++)); do
        [ "$(epochs_logged)" -gt "$epochs" ] && return
        sleep 0.01
    done
    cat trainer.log >&2
    kill -KILL $trainer
    exit 1
}

end() { # SIGNAL: and wait
    kill -"$1" $trainer
    wait $trainer 2>/dev/null
}

# refused ARGUMENT...: `mnist_gpu train ARGUMENT...` names the trainer, where the system shows it.
refused() {
    local who="another process"
    ! grep -q " FLOCK .* $trainer " /proc/locks 2>/dev/null || who="process $trainer"
    run "$program" train "$@"
    exits 1 "^mnist_gpu: .*run/*: $who is training here"
}

files() { (cd run && echo ./*); }

begin --data tiny --model net --device cpu --threads 1 --batch 7 --out run
refused --data tiny --model net --epochs 1 --out run
refused --resume run
refused --resume ./run/ --quiet
for command in "eval run --data tiny" "predict 3.pgm --weights run" "plot run --out curves.svg"; do
    # shellcheck disable=SC2086 # they are words
    run "$program" $command
    exits 0
done
run "$program" "${train[@]}" --epochs 1 --out run2
exits 0
check "the trainer still runs" kill -0 $trainer

end KILL
run "$program" train --resume run --epochs 1 --quiet # of which it has done more
exits 0
check "no file of the lock's: $(files)" [ "$(files)" = "./best.safetensors ./config.json ./last.safetensors ./log.txt ./metrics.csv ./metrics.jsonl ./state.safetensors" ]

begin --resume run
refused --resume run
end TERM
run "$program" train --resume run --epochs 1 --quiet
exits 0

# Of many that begin at once, one trains.
for i in 1 2 3 4 5 6; do
    "$program" "${train[@]}" --epochs 2 --out race >race.$i 2>&1 &
    racers[i]=$!
done
won=0
for i in 1 2 3 4 5 6; do
    wait "${racers[i]}"
    code=$? last="racer $i"
    mv race.$i err && : >out
    if [ $code = 0 ]; then
        won=$((won + 1))
    else
        check "it says why it does not" grep -Eq '^mnist_gpu: race: (.* is training here|holds a run already)' err
    fi
done
check "one of them trains, not $won" [ $won = 1 ]
run "$program" eval race --data tiny
exits 0

echo "$checks checks, $failures failed"
[ "$failures" = 0 ]
