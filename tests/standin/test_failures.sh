#!/usr/bin/env bash
# Every call into CUDA, cuBLAS and cuDNN fails once, and once with all that follow it: the program ends
# with one line that names the call, exit status 1, and no crash. Usage: test_failures.sh PROGRAM [STRIDE]
# Expects the stand-in in MNIST_GPU_MODULE_DIR. STRIDE: only every so many calls, where they are slow.
set -u
[ $# = 1 ] || [ $# = 2 ] || { echo "usage: $0 PROGRAM [STRIDE]" >&2; exit 2; }
stride=${2:-1}
# shellcheck source=tests/program.sh
. "$(dirname "$0")/../program.sh" "$1"

write_split train 6
write_split t10k 2
printf 'input 1x28x28\nconv out=1 kernel=3 stride=9\nrelu\nmaxpool size=2\ntanh\ndropout\ndense out=10\nsoftmax_xent\n' >small.net

# train FAILURES: a run of two steps, the second of which is recorded, a validation and a test.
train() {
    rm -rf run
    MG_STANDIN_FAIL=$1 run "$program" train --data tiny --model small.net --device cuda --batch 2 \
        --val-split 0.34 --epochs 1 --quiet --out run
    failed=$(sed -n 's/^standin: call [0-9]*, \(.*\), fails with .*/\1/p' err | head -1)
    sed -i '/^standin: /d' err
    last="MG_STANDIN_FAIL=$1 (call of $failed) $last"
}

train ""
exits 0 '^test: '
cp out right

# What a program can do without: versions that are only shown, and what tidies up at the end.
harmless=" cudaDriverGetVersion cudaFree cudaStreamDestroy cudaGraphDestroy cudaGraphExecDestroy \
cudnnDestroy cudnnDestroyTensorDescriptor cudnnDestroyFilterDescriptor cudnnDestroyPoolingDescriptor \
cudnnDestroyConvolutionDescriptor cublasDestroy_v2 "

# sweep STRIDE SUFFIX: until nothing fails any more.
sweep() {
    local n unseen=0
    for ((n = 1; ; n += $1)); do
        train "$n$2"
        [ -n "$failed" ] || break
        if [ "$code" = 0 ]; then check "the result is right" cmp -s out right; fi
        if [[ $harmless == *" $failed "* ]]; then
            [ "$code" = 0 ] || exits 1 # CUDA reports it with the next launch
        elif [ "$failed $code" = "cudaStreamSynchronize 0" ]; then
            unseen=$((unseen + 1))
        elif [[ $failed == cuda* || $failed == cudnn* || $failed == cublas* ]]; then
            exits 1 "${failed%_v2}"
        else
            exits 1 'mg__launch_\|the first kernel'
        fi
    done
    check "the calls were counted" [ "$n" -gt 100 ]
    # the waits before the three recordings (training, validation, test) and the device are freed
    check "no more than 4 waits failed unseen: $unseen" [ "$unseen" -le 4 ]
}
sweep "$stride" ""
sweep $((5 * stride)) +

# ---- what a machine can lack ----

# lacks FAILURES TEXT
lacks() {
    train "$1"
    exits 1 "$2"
}
lacks cudaGetDeviceCount:35,cudaDriverGetVersion:35 'no NVIDIA driver found'
lacks cudaGetDeviceCount:35 'the NVIDIA driver is too old: it runs CUDA up to [0-9.]*, this program needs'
lacks cudaGetDeviceCount:100 'no NVIDIA GPU found'
lacks advance:209 'built without code for it'
lacks cudnnGetVersion:80000 'cuDNN 8.0.0 was loaded, but this program was built with'
for call in cudaEventCreate cudaEventRecord cudaEventSynchronize cudaEventElapsedTime; do
    MG_STANDIN_FAIL=$call:700 run "$program" bench --device cuda --model small.net --seconds 0
    sed -i '/^standin: /d' err
    exits 1 "$call"
done
MG_STANDIN_FAIL=cudaGetDeviceCount:35,cudaDriverGetVersion:35 run "$program" info
check "info says so too" grep -q '^GPU: no NVIDIA driver' out

echo "$checks checks, $failures failed"
[ $failures = 0 ]
