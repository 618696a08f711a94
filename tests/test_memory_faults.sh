#!/usr/bin/env bash
# Every request for memory fails in turn, alone and with all after it: the command says so, and
# neither crashes nor keeps what it has taken.
# Usage: test_memory_faults.sh PROGRAM LIBRARY STRIDE: each STRIDE-th of them; the library is faults/.
set -u
[ $# = 3 ] || { echo "usage: $0 PROGRAM LIBRARY STRIDE" >&2; exit 2; }
library=$(realpath "$2") stride=$3
# shellcheck source=tests/program.sh
. "$(dirname "$0")/program.sh" "$1"
printf 'input 1x28x28\navgpool size=7\ndense out=10\nsoftmax_xent\n' >net

# sweep WHAT ARGUMENT...: `mnist_gpu ARGUMENT...` with each fault. Libraries do without some memory
# (a buffer of standard output, the name of a locale), and the program's result is then as ever.
sweep() {
    local what=$1 at number total tried=0 done_without=0
    shift
    rm -rf run
    run env LD_PRELOAD="$library" FAULTS_CALLS=memory FAULTS_LOG=calls "$program" "$@"
    last="$what"
    exits 0
    total=$(sed -n 's/^calls //p' calls)
    check "its requests are counted" [ "${total:-0}" -ge 10 ]
    mv out whole_out
    for ((number = 1; number <= total; number += stride)); do
        for at in $number "$number+"; do
            rm -rf run
            run env LD_PRELOAD="$library" FAULTS_CALLS=memory FAULTS_LOG=calls FAULTS_AT="$at" \
                "$program" "$@"
            last="$what, request $at of $total: $(cat calls)"
            tried=$((tried + 1))
            if [ "$code" = 0 ]; then
                done_without=$((done_without + 1))
                check "the result is as ever" cmp -s out whole_out
            else
                exits 1 memory
            fi
            check "all memory is given back" not grep -q live calls
        done
    done
    echo "$what: $tried faults in $total requests, $done_without of them without effect"
}

train=(train --data tiny --model net --device cpu --threads 1 --batch 50 --epochs 1 --quiet
    --save "best,last,epoch" --tensorboard)
"$program" "${train[@]}" --out trained >out || exit 1

sweep train "${train[@]}" --max-steps 1 --out run
sweep eval eval trained --data tiny --device cpu --threads 1
sweep "eval --json" eval trained --data tiny --device cpu --threads 1 --json
sweep predict predict 3.pgm --weights trained --device cpu --threads 1
sweep "predict --show" predict 3.pgm --weights trained --device cpu --threads 1 --show
sweep "predict --multi --json" predict 3.pgm --weights trained --device cpu --threads 1 --multi --json
sweep summary summary --model net
sweep "data stats" data stats tiny

echo "$checks checks, $failures failed"
[ "$failures" = 0 ]
