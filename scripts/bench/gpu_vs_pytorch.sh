#!/usr/bin/env bash
# Times training on a GPU beside PyTorch's, see usage.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

usage() {
    cat <<'TEXT'
Usage: scripts/bench/gpu_vs_pytorch.sh [OPTION...] [MODEL:BATCH...]

Times a training step of mnist_gpu and of PyTorch on the first NVIDIA GPU in turn, in rounds: here in
graphs of many steps, in a graph for each, and without graphs, with its fused kernels and with cuDNN's;
there eager, the whole step in a CUDA graph, and torch.compile with max-autotune (pytorch_gpu.py). fp32
with TF32 off in both, all images on the device. Prints the medians; all goes to a JSON file. Without
a GPU it says so and ends with status 77.

  --out FILE       where it goes, from the repository [scripts/bench/results/gpu-YYYYMMDD.json]
  --rounds N       [3]
  --seconds S      for each measurement [1]
  --kernels LIST   of those that mnist_gpu bench --kernels knows [auto,cudnn]
  --modes LIST     of PyTorch, see pytorch_gpu.py [eager,graph,compile,compile-graph]
  --program FILE   [build/mnist_gpu]
  --python FILE    a Python that has PyTorch for CUDA [python3]
  --device cpu     a rehearsal on the CPU: PyTorch eager, and only to see that the scripts work

MODEL is a preset that pytorch_gpu.py has too [lenet5 with batches of 32, 128, 512, 1024]. For steady
figures nothing else should run.
TEXT
}

out=scripts/bench/results/gpu-$(date +%Y%m%d).json rounds=3 seconds=1 kernels=auto,cudnn modes=''
program=build/mnist_gpu python=python3 device=cuda
cases=()
while [ $# -gt 0 ]; do
    case $1 in
        -h | --help) usage && exit ;;
        --out | --rounds | --seconds | --kernels | --modes | --program | --python | --device)
            [ $# -gt 1 ] || die "$1: the value is missing"
            declare "${1#--}=$2"
            shift 2
            ;;
        *:*)
            cases+=("$1")
            shift
            ;;
        *) usage >&2 && exit 2 ;;
    esac
done
[ ${#cases[@]} -gt 0 ] || cases=(lenet5:32 lenet5:128 lenet5:512 lenet5:1024)
driver=none
case $device in
    cpu) ;;
    cuda)
        driver=$(nvidia-smi --query-gpu=driver_version --format=csv,noheader 2>/dev/null | head -1) || {
            echo "skipped: no NVIDIA GPU here (nvidia-smi finds none)"
            exit 77
        }
        ;;
    *) die "--device: expected cuda or cpu, found $device" ;;
esac
[ -x "$program" ] || die "$program is not there: build it first, or name another with --program"
"$python" -c 'import torch' 2>/dev/null || die "$python has no PyTorch: name another with --python"
theirs=()
if [ -n "$modes" ]; then theirs=(--modes "$modes"); fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# measure CASE ROUND: a file for each kind of kernels, and one for PyTorch.
measure() {
    local -r model=${1%:*} batch=${1#*:}
    local kind
    for kind in ${kernels//,/ }; do
        "$program" bench --json --device "$device" --model "$model" --batch "$batch" \
            --kernels "$kind" --seconds "$seconds" >"$work/$1.$2.$kind" ||
            die "$1: mnist_gpu bench failed ($kind kernels)"
    done
    "$python" scripts/bench/pytorch_gpu.py --device "$device" --model "$model" --batch "$batch" \
        --seconds "$seconds" "${theirs[@]}" >"$work/$1.$2.pytorch" || die "$1: PyTorch failed"
}

for ((round = 1; round <= rounds; round++)); do
    say "Round $round of $rounds"
    for case in "${cases[@]}"; do measure "$case" "$round"; done
done
mkdir -p "$(dirname "$out")"
"$python" scripts/bench/compare_gpu.py "$work" "$out" "$driver" "$kernels" "${cases[@]}"
