#!/usr/bin/env bash
# Everything that only a GPU can show, in one command, see usage.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

usage() {
    cat <<'TEXT'
Usage: scripts/gpu_suite.sh [--standin BUILD] OUT

On a machine with an NVIDIA GPU: builds the program and its tests for that GPU, runs the tests, the
checks against the CPU, NVIDIA's compute-sanitizer, trainings of 5 and 30 epochs, the benchmark, the
start-up in parts, the speedrun over 20 seeds, and a short comparison with PyTorch where there is one
(the whole of it: scripts/bench/gpu_vs_pytorch.sh). Ends within ten minutes. A step that fails does
not hide the others; each leaves OUT/<step>.log, all together OUT/results.json, and a table comes
last. Exit status: 0 all passed, 1 some failed, 77 no GPU.

MNIST_GPU_DATA     MNIST, if it is not where the program looks for it
MNIST_GPU_WHEELS   CUDA and cuDNN from NVIDIA's Python wheels: a folder site-packages/nvidia
PYTHON             a Python that has PyTorch for CUDA [python3]
CMAKE_PREFIX_PATH  where jansson, stb, zlib and cmocka are, if not in the system's folders

--standin BUILD    a rehearsal without a GPU: the programs of that build on the CPU's stand-in for
                   CUDA, with little data; what needs a GPU is skipped
TEXT
}

readonly minutes=10 spare=15 # seconds, for the last words
standin=''
while [ $# -gt 0 ]; do
    case $1 in
        -h | --help) usage && exit ;;
        --standin) standin=$(realpath "${2:?--standin: a build folder is missing}") && shift ;;
        -*) usage >&2 && exit 2 ;;
        *) break ;;
    esac
    shift
done
[ $# = 1 ] || { usage >&2 && exit 2; }

if [ -z "$standin" ] && ! nvidia-smi --query-gpu=name --format=csv,noheader >/dev/null 2>&1; then
    echo "skipped: no NVIDIA GPU here (nvidia-smi finds none)"
    exit 77
fi
mkdir -p "$1"
out=$(realpath "$1")
build=${standin:-$out/build}
program=$build/mnist_gpu
rm -rf "$out"/*.log "$out"/*.json "$out"/epochs-*
cd "$root"

# ---- steps ----

names=() verdicts=() seconds=() notes=()
failed=0

# add NAME VERDICT SECONDS [NOTE]
add() {
    names+=("$1") verdicts+=("$2") seconds+=("$3") notes+=("${4:-}")
    printf '%-12s %-8s %5s s  %s\n' "$1" "$2" "$3" "${4:-}"
    if [ "$2" = failed ]; then failed=1; fi
}

# step NAME LIMIT COMMAND...: runs it for at most LIMIT seconds, and within the time left.
step() {
    local -r name=$1 begin=$SECONDS left=$((minutes * 60 - spare - SECONDS))
    local limit=$2 status=0
    shift 2
    if [ $left -le 0 ]; then
        add "$name" failed 0 "no time left"
        return
    fi
    if [ "$limit" -gt $left ]; then limit=$left; fi
    timeout -k 3 "$limit" "$@" >"$out/$name.log" 2>&1 </dev/null || status=$?
    case $status in
        0) add "$name" passed $((SECONDS - begin)) ;;
        77) add "$name" skipped $((SECONDS - begin)) "$(grep -m1 '^skipped: ' "$out/$name.log" || true)" ;;
        124 | 137) add "$name" failed $((SECONDS - begin)) "not done after $limit s" ;;
        *) add "$name" failed $((SECONDS - begin)) "exit status $status: $(grep -v '^ *$' "$out/$name.log" | tail -1 | cut -c1-150)" ;;
    esac
}

# passed NAME: that step did.
passed() {
    local i
    for i in "${!names[@]}"; do
        if [ "${names[i]}" = "$1" ]; then [ "${verdicts[i]}" = passed ] && return; fi
    done
    return 1
}

# last_note TEXT: of the last step. judge TEXT: it failed after all.
last_note() { notes[-1]=$1; }
judge() {
    verdicts[-1]=failed
    last_note "$1"
    failed=1
}

# forget: that the last step failed; it is done again.
forget() {
    unset 'names[-1]' 'verdicts[-1]' 'seconds[-1]' 'notes[-1]'
    failed=0
}

# ---- building ----

configure() {
    local -a options=(-DCMAKE_BUILD_TYPE=Release -DMNIST_GPU_CUDA=ON
        "-DCMAKE_CUDA_ARCHITECTURES=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader | head -1 | tr -d .)-real")
    if [ -n "${MNIST_GPU_WHEELS:-}" ]; then options+=("-DMNIST_GPU_WHEELS=$MNIST_GPU_WHEELS"); fi
    step configure 60 cmake -S . -B "$build" "${options[@]}"
    if ! passed configure && grep -q 'cmocka is missing' "$out/configure.log"; then
        forget
        step configure 60 cmake -S . -B "$build" "${options[@]}" -DBUILD_TESTING=OFF
        last_note "without tests: cmocka is missing"
    fi
}

if [ -z "$standin" ]; then
    configure
    step build 240 cmake --build "$build" --parallel "$(nproc)"
else
    export MNIST_GPU_MODULE_DIR=$standin/tests/standin/module
fi

# ---- tests and checks ----

if [ -n "$standin" ]; then
    add tests skipped 0 "a rehearsal: ctest runs them"
elif [ -e "$build/tests/CTestTestfile.cmake" ]; then
    step tests 150 ctest --test-dir "$build" -L cuda --output-on-failure --no-tests=error
else
    add tests skipped 0 "cmocka is missing"
fi

check=("$program" check --device cuda --json)
if [ -n "$standin" ]; then check+=(--only relu); fi
step check 90 sh -c "\"\$@\" >'$out/check.json'" sh "${check[@]}"

# A few steps with a recording, validation and test.
small=("$program" train --device cuda --limit 80 --batch 16 --val-split 0.2 --epochs 2 --quiet)
for tool in memcheck racecheck initcheck synccheck; do
    if [ -n "$standin" ]; then
        add $tool skipped 0 "a rehearsal: it needs a GPU"
    elif ! command -v compute-sanitizer >/dev/null && [ ! -x /usr/local/cuda/bin/compute-sanitizer ]; then
        add $tool skipped 0 "compute-sanitizer is not there"
    else
        step $tool 45 env "PATH=$PATH:/usr/local/cuda/bin" compute-sanitizer --tool $tool \
            --error-exitcode 9 "${small[@]}" --out "$out/$tool-run"
    fi
done

# ---- trainings ----

training=(--device cuda --batch 32)
if [ -n "$standin" ]; then training+=(--model lenet-valid --limit 10); fi
for epochs in 5 30; do
    step epochs-$epochs $((60 + 3 * epochs)) "$program" train "${training[@]}" --epochs $epochs \
        --out "$out/epochs-$epochs"
    passed epochs-$epochs || continue
    accuracy=$(sed -n 's/^test: \([0-9.]*\) %.*/\1/p' "$out/epochs-$epochs.log")
    last_note "test accuracy ${accuracy:=0} %"
    if [ $epochs = 30 ] && [ -z "$standin" ] && ! awk "BEGIN { exit !($accuracy >= 98.9) }"; then
        judge "test accuracy $accuracy % is below 98.9 %"
    fi
done

bench=("$program" bench --device cuda --json)
if [ -n "$standin" ]; then bench+=(--model lenet-valid --batch 1 --seconds 0); fi
step bench 60 sh -c "\"\$@\" >'$out/bench.json'" sh "${bench[@]}"

startup=("$program" bench --startup --device cuda --json)
if [ -n "$standin" ]; then startup+=(--model lenet-valid --batch 2); fi
step startup 30 sh -c "\"\$@\" >'$out/startup.json'" sh "${startup[@]}"
if passed startup; then
    last_note "first step after $(sed -n 's/.*"first_step_seconds": \([0-9.]*\).*/\1/p' "$out/startup.json") s"
fi

speedrun=("$program" speedrun --device cuda --seeds 20 --json)
if [ -n "$standin" ]; then
    speedrun+=(--seeds 2 --model lenet-valid --batch 2 --epochs 0.04 --warmup 0)
fi
step speedrun 60 sh -c "\"\$@\" >'$out/speedrun.json'" sh "${speedrun[@]}"
# mean NAME: of these figures of the speedrun.
mean() { sed -n "/^  \"$1\": {/,/}/s/.*\"mean\": \([0-9.]*\).*/\1/p" "$out/speedrun.json"; }
if passed speedrun; then
    accuracy=$(mean accuracy)
    last_note "accuracy $accuracy, training loop $(mean loop_seconds) s, means"
    if [ -z "$standin" ] && ! awk "BEGIN { exit !($accuracy >= 0.99) }"; then
        judge "mean accuracy $accuracy is below 0.99"
    fi
fi

python=${PYTHON:-python3}
if [ -n "$standin" ]; then
    add pytorch skipped 0 "a rehearsal: it needs a GPU"
elif ! "$python" -c 'import torch; assert torch.cuda.is_available()' 2>/dev/null; then
    add pytorch skipped 0 "$python has no PyTorch that finds the GPU"
else
    step pytorch 120 scripts/bench/gpu_vs_pytorch.sh --rounds 1 --seconds 0.5 --modes eager,graph \
        --program "$program" --python "$python" --out "$out/pytorch.json"
fi

# ---- results ----

# quote TEXT: as a JSON string.
quote() { printf '"%s"' "$(printf '%s' "$1" | tr -d '\000-\037' | sed 's/[\\"]/\\&/g')"; }
# whole FILE: that JSON, if a step left a whole one; else null.
whole() { if passed "$1" && [ -s "$out/$1.json" ]; then cat "$out/$1.json"; else echo null; fi; }
# info NAME: what `mnist_gpu info` says of it.
info() { sed -n "s/^$1: *//p" "$out/info.log" | head -1; }
# gpu PROPERTY: of the GPU, as nvidia-smi calls it.
gpu() {
    case $standin$1 in
        */*name) info 'GPU 0' ;;
        */*) echo none ;;
        *) nvidia-smi --query-gpu="$1" --format=csv,noheader | head -1 ;;
    esac
}

"$program" info >"$out/info.log" 2>&1 || true
{
    printf '{\n  "date": %s,\n' "$(quote "$(date -u +%Y-%m-%dT%H:%M:%SZ)")"
    printf '  "commit": %s,\n' "$(quote "$(git describe --always --dirty --abbrev=40 2>/dev/null || echo unknown)")"
    printf '  "gpu": %s,\n  "driver": %s,\n' "$(quote "$(gpu name)")" "$(quote "$(gpu driver_version)")"
    printf '  "cuda": %s,\n  "cudnn": %s,\n  "cublas": %s,\n' "$(quote "$(info 'CUDA runtime')")" \
        "$(quote "$(info cuDNN)")" "$(quote "$(info cuBLAS)")"
    printf '  "seconds": %d,\n  "passed": %s,\n  "steps": [\n' $SECONDS "$([ $failed = 0 ] && echo true || echo false)"
    for i in "${!names[@]}"; do
        printf '    {"step": "%s", "verdict": "%s", "seconds": %d, "note": %s}%s\n' "${names[i]}" \
            "${verdicts[i]}" "${seconds[i]}" "$(quote "${notes[i]}")" "$([ "$i" = $((${#names[@]} - 1)) ] || echo ,)"
    done
    printf '  ]'
    for name in check bench startup speedrun pytorch; do printf ',\n  "%s": %s' $name "$(whole $name)"; done
    printf '\n}\n'
} >"$out/results.json"

printf '\n%s, driver %s\n%-12s %-8s %7s\n' "$(gpu name)" "$(gpu driver_version)" step verdict seconds
for i in "${!names[@]}"; do
    printf '%-12s %-8s %7d  %s\n' "${names[i]}" "${verdicts[i]}" "${seconds[i]}" "${notes[i]}"
done
echo "$SECONDS s in all; results: $out/results.json"
exit $failed
