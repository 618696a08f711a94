#!/usr/bin/env bash
# Every call into CUDA, cuBLAS and cuDNN fails once, and once with all that follow it: the program ends
# with one line that names the call, exit status 1, and no crash; what a run had saved before is whole, and
# goes on. Usage: test_failures.sh PROGRAM [STRIDE RUN_STRIDE]
# Expects the stand-in in MNIST_GPU_MODULE_DIR. STRIDE, RUN_STRIDE: only every so many calls, of one step and
# of whole runs, where they are slow.
set -u
[ $# = 1 ] || [ $# = 3 ] || { echo "usage: $0 PROGRAM [STRIDE RUN_STRIDE]" >&2; exit 2; }
stride=${2:-1} run_stride=${3:-1}
# shellcheck source=tests/program.sh
. "$(dirname "$0")/../program.sh" "$1"

write_split train 6
write_split t10k 2
printf 'input 1x28x28\nconv out=1 kernel=3 stride=9\nrelu\nmaxpool size=2\ntanh\ndropout\ndense out=10\nsoftmax_xent\n' >small.net

# train FAILURES [EPOCHS]: an epoch is two steps, the first epoch's second one recorded, and a validation; at
# the end a test.
train() {
    rm -rf run
    MG_STANDIN_FAIL=$1 run "$program" train --data tiny --model small.net --device cuda --batch 2 \
        --val-split 0.34 --monitor loss --epochs "${2:-1}" --quiet --out run
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

# judge: the training with a failed call ended as it should.
judge() {
    if [ "$code" = 0 ]; then check "the result is right" cmp -s out right; fi
    if [[ $harmless == *" $failed "* ]]; then
        [ "$code" = 0 ] || exits 1 # CUDA reports it with the next launch
    elif [ "$failed $code" = "cudaStreamSynchronize 0" ]; then
        unseen=$((unseen + 1))
    elif [[ $failed == cuda* || $failed == cudnn* || $failed == cublas* || $failed == lib* ]]; then
        exits 1 "${failed%_v2}"
    else
        exits 1 'mg__launch_\|the first kernel'
    fi
}

# ---- one call fails ----

unseen=0 tried=0
for ((n = 1; ; n += stride)); do
    train "$n"
    [ -n "$failed" ] || break # it has no more calls
    judge
    tried=$((tried + 1))
done
check "the calls were counted" [ "$n" -gt 100 ]
# the waits before the three recordings (training, validation, test) and the device are freed
check "no more than 4 waits failed unseen: $unseen" [ "$unseen" -le 4 ]
echo "$tried calls failed alone, $unseen of them unseen"

# ---- the device is lost: from some call on, all fail ----

train "" 3
exits 0 '^test: '
cp out right
mv run whole

# goes_on: what the run had saved is whole, and leads to the end that a run without failures has.
goes_on() {
    local epoch
    epoch=$(wc -l <run/metrics.jsonl)
    if grep -q 'keeps epoch' err; then
        named=$((named + 1))
        check "epoch $epoch is what it keeps" grep -q "; run keeps epoch $epoch\$" err
    fi
    run "$program" eval run/last.safetensors --data tiny --device cpu
    exits 0
    if [ "$epoch" -gt 0 ]; then
        run "$program" eval run/best.safetensors --data tiny --device cpu
        exits 0
    fi
    check "nothing half written is left" [ -z "$(find run -name '*.tmp.*')" ]
    cp -r run copy
    run "$program" train --resume run --quiet
    exits 0
    check "the result is right" [ "$(tail -2 out)" = "$(cat right)" ]
    same run/best.safetensors whole/best.safetensors
    same run/last.safetensors whole/last.safetensors
    run "$program" train --resume copy --quiet --device cpu
    exits 0 '^test: '
    rm -r copy
}

unseen=0 tried=0 saved=0 named=0
for ((n = 1; ; n += run_stride)); do
    train "$n+" 3
    [ -n "$failed" ] || break
    judge
    tried=$((tried + 1))
    if [ -e run/state.safetensors ]; then
        saved=$((saved + 1))
        goes_on
    fi
done
check "the device was lost in trainings with a state saved: $named of $saved" [ "$named" -ge 3 ]
check "no more than 4 waits failed unseen: $unseen" [ "$unseen" -le 4 ]
echo "$tried calls failed with all after them, $saved of them with a state saved"

# ---- out of memory ----

needed='out of GPU memory: [0-9]* bytes needed'
# cuDNN has a workspace then, in which the convolution's gradient is summed too
sed -i 's/conv out=1 kernel=3 stride=9/conv out=3 kernel=3 stride=3/' small.net
workspaces=0
for ((n = 1; ; n++)); do
    train "cudaMalloc@$n:2"
    [ -n "$failed" ] || break
    exits 1 "$needed, [0-9]* free of [0-9]*\$"
    ! grep -q "conv1 [a-z]*: $needed" err || workspaces=$((workspaces + 1))
done
check "the allocations were counted" [ "$n" -gt 20 ]
check "a workspace is among them, with the layer's name" [ "$workspaces" -ge 1 ]
echo "$((n - 1)) allocations failed"
train cudaMalloc@9:2,cudaMemGetInfo
exits 1 "$needed, how many are free is not known\$"
for failure in cudaStreamCreateWithFlags:2 cudaGraphInstantiate:2 cublasCreate_v2:3 cudnnCreate:4003 \
    cudnnCreate:4004 cudnnConvolutionForward:4004; do
    train $failure
    exits 1 "${failure%%[_:]*}.*(.*; bytes of GPU memory: [0-9]* free of [0-9]*\$"
done

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
lacks libcublas.so:1 'conv1 forward: cuDNN cannot be loaded: libcublas.so[.0-9]*: cannot open shared object'
lacks libcudnn.so:1 'conv1 forward: cuDNN cannot be loaded: libcudnn.so[.0-9]*: cannot open shared object'
lacks 'dlsym(cudnnPoolingForward):1' 'cuDNN is too old: it has no cudnnPoolingForward'
lacks cudnnGetVersion:80000 'cuDNN 8.0.0 was loaded, but this program was built with'
for call in cudaEventCreate cudaEventRecord cudaEventSynchronize cudaEventElapsedTime; do
    MG_STANDIN_FAIL=$call:700 run "$program" bench --device cuda --model small.net --seconds 0
    sed -i '/^standin: /d' err
    exits 1 "$call"
done
MG_STANDIN_FAIL=cudaGetDeviceCount:35,cudaDriverGetVersion:35 run "$program" info
check "info says so too" grep -q '^GPU: no NVIDIA driver' out

MG_STANDIN_FAIL=libcublas.so:1 run "$program" info
exits 0 '^cuDNN: cannot be loaded: libcublas.so[.0-9]*: .* (built with'
check "info says so of cuBLAS too" grep -q '^cuBLAS: cannot be loaded: libcublas' out
check "and goes on" grep -q '^GPU 0: ' out
MG_STANDIN_FAIL=cudaGetDeviceProperties:999 run "$program" info
exits 0 '^GPU 0: its properties cannot be read'

echo "$checks checks, $failures failed"
[ $failures = 0 ]
