#!/usr/bin/env bash
# PyTorch computes the golden values; weights go from here to PyTorch and back, where both count the
# same number of right answers; and the comparison of speeds is rehearsed. Usage: test_pytorch.sh PROGRAM
# Needs a Python with PyTorch, in $PYTHON or where it usually is.
set -u
[ $# = 1 ] || { echo "usage: $0 PROGRAM" >&2; exit 2; }
program=$(realpath "$1")
scripts=$(realpath "$(dirname "$0")/../scripts/pytorch")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
export LC_ALL=C PYTHONDONTWRITEBYTECODE=1
export OMP_NUM_THREADS=1 # threads that wait for each other are slow on a machine that does other work

fail() {
    echo "FAILED: $1" >&2
    cat log >&2
    exit 1
}

skip() {
    echo "skipped: $1"
    exit 77
}

# script NAME ARGUMENT...
script() { "$python" "$scripts/$1" "${@:2}" >log 2>&1 || fail "$1"; }

# The number of right answers that a script, or the program, has printed.
script_count() { sed -n 's/^\([0-9]*\) of 10000 test images right$/\1/p' log; }
program_count() { sed -n 's/^test: .* (\([0-9]*\) of 10000), .*/\1/p' log; }

# same_counts WHAT THEIRS OURS
same_counts() {
    echo "$1: PyTorch counts ${2:-nothing}, mnist_gpu ${3:-nothing}"
    if [ -z "$2" ] || [ "$2" != "$3" ]; then fail "the counts differ"; fi
}

for python in "${PYTHON:-python3}" /usr/bin/python3 ""; do
    "$python" -c 'import torch' 2>/dev/null && break
done
[ -n "$python" ] || skip "no Python with PyTorch"
script golden.py --check
cat log
script golden_optimizers.py --check
cat log
export MNIST_GPU_DATA=$work/digits
"$program" data synth --out "$MNIST_GPU_DATA" --count 1000 >log 2>&1 || fail "data synth"

cat >normed.net <<'EOF'
input   1x28x28 mean=0.1307 std=0.3081
conv    out=6 kernel=5 stride=2
batchnorm
relu
dense   out=30
batchnorm momentum=0.2
relu
dense   out=10
mse
EOF
for model in lenet5 lenet-valid normed.net; do
    "$program" train --model $model --limit 1000 --epochs 1 --out run-$model --quiet >log 2>&1 || fail train
    ours=$(program_count)
    script load_weights.py run-$model/best.safetensors
    same_counts "$model, trained here" "$(script_count)" "$ours"
done

for model in lenet5 normed.net; do
    text=()
    [ -f $model ] && text=(--model $model)
    script save_weights.py saved.safetensors --limit 1000 "${text[@]}"
    theirs=$(script_count)
    "$program" eval --model $model saved.safetensors >log 2>&1 || fail eval
    same_counts "$model, trained by PyTorch" "$theirs" "$(program_count)"
done

# Speed on a GPU, rehearsed on the CPU; the figures mean nothing here.
versus=$scripts/../bench/gpu_vs_pytorch.sh
"$versus" --device cpu --program "$program" --python "$python" --rounds 1 --seconds 0.01 \
    --out "$work/versus.json" mlp-512:64 >log 2>&1 || fail gpu_vs_pytorch.sh
grep -q '^PyTorch  *eager  *[0-9.]*  *[0-9.]*  *[0-9]* ' log || fail "PyTorch's line"
grep -q '^mnist_gpu auto  *no GPU .* 1.00' log || fail "the program's line"
grep -q '"torch": "[0-9.]*' versus.json || fail "the versions"
if ! nvidia-smi >/dev/null 2>&1; then
    code=0
    "$versus" --out "$work/nothing.json" >log 2>&1 || code=$?
    { [ $code = 77 ] && grep -q '^skipped: no NVIDIA GPU' log && [ ! -e nothing.json ]; } || fail "skipping"
fi
