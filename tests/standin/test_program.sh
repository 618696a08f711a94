#!/usr/bin/env bash
# The whole program on the CUDA stand-in against the reference backend: training, going on, evaluation
# and prediction. Usage: test_program.sh PROGRAM MODEL...
# Expects the stand-in in MNIST_GPU_MODULE_DIR; works on a tiny IDX set of its own. MODEL: presets, or
# `small` for a small network that has a layer of every kind.
set -u
[ $# -ge 2 ] || { echo "usage: $0 PROGRAM MODEL..." >&2; exit 2; }
# shellcheck source=tests/program.sh
. "$(dirname "$0")/../program.sh" "$1"
shift

write_split train 230
write_split t10k 8
cat >small <<'TEXT'
input 1x28x28
conv out=2 kernel=5 stride=2
relu
maxpool size=3 stride=2
leaky_relu
avgpool size=2 stride=1
tanh
dropout rate=0.25
dense out=12
sigmoid
dense out=10
softmax_xent
TEXT

train() { run "$program" train --data tiny --quiet --limit 11 --batch 4 --epochs 2 "$@"; }

# close A B: two metrics.csv agree in every column but the time. Losses are sums of a few terms that
# each backend rounds in its own way.
close() {
    paste -d, "$1" "$2" | awk -F, '
        NR == 1 { n = NF / 2; for (i = 1; i <= n; i++) if ($i ~ /loss|accuracy|^lr$/) column[i] }
        NR > 1 { for (i in column) {
            size = ($i < 0 ? -$i : $i) + 1e-3; d = $i - $(i + n); compared++
            if (!(d <= 1e-5 * size && -d <= 1e-5 * size)) {
                print "epoch " $1 ": " $i " and " $(i + n); bad = 1
            } } }
        END { exit bad || compared != 10 }' >differences
}

# compare NAME ARGUMENTS...: the run on `cuda` goes as on `ref`.
compare() {
    local name=$1 device
    shift
    for device in ref cuda; do
        train --device $device --out "$device-$name" "$@"
        exits 0 '^test: '
    done
    check "$name trains like the reference" close {ref,cuda}-"$name"/metrics.csv || cat differences
}

run "$program" info
exits 0 '^GPU 0: CUDA stand-in'
for model in "$@"; do compare "$model" --model "$model" --val-split 0.2; done
compare sgd --model small --optimizer sgd --lr 0.01
compare momentum --model small --optimizer sgd --momentum 0.9 --lr 0.01 --val-split 0
compare large --model small --limit 230 --batch 229 --val-split 0 # sums over so much take two kernels

# ---- the same bytes every time, also after an interruption ----

train --model "$1" --device cuda --val-split 0.2 --out again
same "cuda-$1/last.safetensors" again/last.safetensors
train --model "$1" --device cuda --val-split 0.2 --max-steps 4 --out resumed
exits 0
run "$program" train --resume resumed --max-steps 0 --quiet
exits 0 '^test: '
same "cuda-$1/last.safetensors" resumed/last.safetensors
same "cuda-$1/best.safetensors" resumed/best.safetensors

# ---- eval and predict ----

for device in ref cuda; do
    run "$program" eval "cuda-$1" --device $device
    exits 0 '^test: '
    sed '/^test: /s/, loss .*//; /evice/d' out >eval-$device
    run "$program" predict --weights "cuda-$1" --device $device [0-9].pgm
    exits 0 '^9.pgm: '
    cp out predict-$device
done
same eval-ref eval-cuda
same predict-ref predict-cuda

run "$program" bench --device cuda --model small --batch 4 --seconds 0
exits 0 '^Device: CUDA stand-in'
check "every stage was timed" grep -q '^conv1 backward  *[0-9]' out
check "a graph for each step" grep -q '^step, a graph each  *[0-9]' out
check "no graph" grep -q '^step, no graph  *[0-9]' out
check "memory" grep -q '^Memory of the device: [0-9.]* MB at most' out
check "the log says it too" grep -q 'memory: [0-9.]* MB of the device at most' "cuda-$1/log.txt"

run "$program" bench --startup --device cuda --model small --data tiny --batch 4
exits 0 '^CUDA module and libraries loaded  *[0-9.]*  *[0-9.]*$'
run "$program" speedrun --device cuda --model small --data tiny --batch 50 --warmup 1 --seeds 1 --json
exits 0 '"GPU 0: CUDA stand-in'

# ---- libraries: loaded by the first op that needs them ----

printf 'input 1x28x28\ndense out=10\nsoftmax_xent\n' >dense
MG_STANDIN_FAIL=libcublas.so:1,libcudnn.so:1 run "$program" data preview --data tiny --device cuda \
    --augment all --out preview.png
exits 0
MG_STANDIN_FAIL=libcudnn.so:1 train --device cuda --model dense --out no-cudnn
exits 0 '^test: '
MG_STANDIN_FAIL=libcublas.so:1 train --device cuda --model dense --out no-cublas
sed -i '/^standin: /d' err
exits 1 'dense1 forward: cuBLAS cannot be loaded: libcublas'
for model in "$@"; do # fused from end to end
    [[ $model == lenet* ]] || continue
    MG_STANDIN_FAIL=libcublas.so:1,libcudnn.so:1 train --device cuda --model "$model" --kernels fused \
        --out "no-libraries-$model"
    exits 0 '^test: '
done

# ---- evaluation: one sequence, however many images ----

# called FUNCTION COUNTS
called() { sed -n "s/^$1 //p" "$2"; }

for images in 300 1100; do # 2 batches, 5
    write_split t10k $images
    MG_STANDIN_COUNT=counts-$images run "$program" eval no-cudnn --data tiny --device cuda
    exits 0 "of $images)"
done
check "as many waits" [ "$(called cudaStreamSynchronize counts-300)" = "$(called cudaStreamSynchronize counts-1100)" ]
batches=$(($(called advance counts-1100) - $(called advance counts-300)))
check "three batches more: $batches" [ $batches = 3 ]
write_split t10k 8
write_split train 600
for epochs in 3 4; do # of one step, and a validation of three
    MG_STANDIN_COUNT=counts-$epochs run "$program" train --data tiny --device cuda --model dense --quiet \
        --val-split 0.9 --batch 60 --epochs $epochs --out counted-$epochs
    exits 0 '^test: '
done
launches=$(($(called cudaGraphLaunch counts-4) - $(called cudaGraphLaunch counts-3)))
check "an epoch's two launches: $launches" [ $launches = 2 ]

# ---- what the GPU cannot do ----

run "$program" train --data tiny --device cuda:1
exits 1 'no GPU 1: this machine has 1'
train --batch 65536 --device cuda --model lenet5 --val-split 0
exits 1 'out of GPU memory: [0-9]* bytes needed, [0-9]* free of [0-9]*'

echo "$checks checks, $failures failed"
[ $failures = 0 ]
