#!/usr/bin/env bash
# Times training on the CPU beside PyTorch's, see usage.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

usage() {
    cat <<'TEXT'
Usage: scripts/bench/cpu_vs_pytorch.sh [OPTION...] [MODEL:BATCH:THREADS...]

Times training of mnist_gpu and of PyTorch in turn, in rounds, and prints the medians beside the
time that the step's multiply-adds take at the processor's measured peak. mnist_gpu trains its first
epoch on real MNIST, as it does less where gradients are zero; PyTorch's time does not depend on the
images. The results go to scripts/bench/results/NAME.json.

  --name NAME      of the results [cpu-YYYYMMDD]
  --rounds N       [5]
  --seconds S      for each measurement of PyTorch [1]
  --images N       that mnist_gpu trains on; a tenth of it for cnn [60000]
  --isa ISA        avx2 or avx512, for both programs [the widest that the processor has]
  --program FILE   [build/mnist_gpu]
  --python FILE    a Python that has PyTorch; pytorch_cpu.py tells which ones are fast [python3]

MODEL is lenet5, lenet-valid, lenet-61k, mlp-tanh, mlp-512, mlp-200-100, or cnn: cnn-dropout without
its dropout. For steady figures nothing else should run.
TEXT
}

# model_text MODEL: the networks that are no presets, as pytorch_cpu.py has them.
model_text() {
    echo 'input 1x28x28 mean=0.1307 std=0.3081'
    case $1 in
        mlp-200-100) printf 'dense out=%d\nrelu\n' 200 100 ;;
        cnn)
            printf 'conv out=32 kernel=5 pad=same\nrelu\n%.0s' 1 2
            printf 'maxpool size=2\n'
            printf 'conv out=64 kernel=3 pad=same\nrelu\n%.0s' 1 2
            printf 'maxpool size=2\ndense out=128\nrelu\n'
            ;;
        *) return 1 ;;
    esac
    printf 'dense out=10\nsoftmax_xent\n'
}

name=cpu-$(date +%Y%m%d) rounds=5 seconds=1 images=60000 isa='' program=build/mnist_gpu python=python3
cases=()
while [ $# -gt 0 ]; do
    case $1 in
        -h | --help) usage && exit ;;
        --name | --rounds | --seconds | --images | --isa | --program | --python)
            [ $# -gt 1 ] || die "$1: the value is missing"
            declare "${1#--}=$2"
            shift 2
            ;;
        *:*:*)
            cases+=("$1")
            shift
            ;;
        *) usage >&2 && exit 2 ;;
    esac
done
[ ${#cases[@]} -gt 0 ] || cases=(lenet5:32:1 lenet5:32:2 lenet5:128:1 lenet5:128:2 lenet-valid:32:2
    lenet-61k:32:2 mlp-200-100:32:2 mlp-512:128:2 cnn:128:2)
[ -x "$program" ] || die "$program is not there: build it first, or name another with --program"
"$python" -c 'import torch' 2>/dev/null || die "$python has no PyTorch: name another with --python"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
capability=()
if [ -n "$isa" ]; then
    export MNIST_GPU_CPU=$isa
    capability=(--capability "$isa")
fi

# measure CASE ROUND: a file for each program; the first one of mnist_gpu has the peak, the second
# the time.
measure() {
    local model batch threads net count=$images
    IFS=: read -r model batch threads <<<"$1"
    net=$work/$model.net
    model_text "$model" >"$net" || net=$model
    [ "$model" != cnn ] || count=$((images / 10))
    local -a on=(--device cpu --model "$net" --batch "$batch" --threads "$threads")
    "$program" bench --json "${on[@]}" --seconds 0.2 >"$work/$1.$2.mnist_gpu" ||
        die "$1: mnist_gpu bench failed"
    rm -rf "$work/run"
    "$program" train "${on[@]}" --quiet --epochs 1 --val-split 0 --limit "$count" --seed "$2" \
        --out "$work/run" >/dev/null || die "$1: mnist_gpu train failed"
    tail -n 1 "$work/run/metrics.csv" | cut -d, -f8 >"$work/$1.$2.images_per_sec"
    "$python" scripts/bench/pytorch_cpu.py --model "$model" --batch "$batch" --threads "$threads" \
        --seconds "$seconds" "${capability[@]}" >"$work/$1.$2.pytorch" || die "$1: PyTorch failed"
}

for ((round = 1; round <= rounds; round++)); do
    say "Round $round of $rounds"
    for case in "${cases[@]}"; do measure "$case" "$round"; done
done
mkdir -p scripts/bench/results
"$python" scripts/bench/compare.py "$work" "scripts/bench/results/$name.json" "${cases[@]}"
