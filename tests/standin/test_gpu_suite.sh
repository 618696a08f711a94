#!/usr/bin/env bash
# scripts/gpu_suite.sh rehearsed on the stand-in. Usage: test_gpu_suite.sh PROGRAM
set -u
[ $# = 1 ] || { echo "usage: $0 PROGRAM" >&2; exit 2; }
suite=$(realpath "$(dirname "$0")/../../scripts/gpu_suite.sh")
# shellcheck source=tests/program.sh
. "$(dirname "$0")/../program.sh" "$1"
write_split t10k 4
build=$(dirname "$program")

# value NAME: of that key of results.json itself
value() { sed -n "s/^ *\"$1\": \(.*\),$/\1/p" suite/results.json | head -1; }
verdict() { sed -n "s/.*\"step\": \"$1\", \"verdict\": \"\([a-z]*\)\".*/\1/p" suite/results.json; }

MNIST_GPU_DATA=$work/tiny run "$suite" --standin "$build" suite
exits 0 's in all; results: .*/results.json$'
for step in check epochs-5 epochs-30 bench startup speedrun; do
    check "$step passed" [ "$(verdict $step)" = passed ]
done
for step in tests memcheck racecheck initcheck synccheck pytorch; do
    check "$step is skipped" [ "$(verdict $step)" = skipped ]
    check "with a reason" grep -q "^$step  *skipped .* rehearsal" out
done
check "the JSON says so" [ "$(value passed)" = true ]
check "and names the GPU" grep -q 'CUDA stand-in' <<<"$(value gpu)"
check "and versions" grep -q '"[0-9.]*' <<<"$(value cudnn)"
check "the speedrun's figures" grep -q '"loop_seconds": {' suite/results.json
check "the start-up's" grep -q '"first_step_seconds": [0-9.]*' suite/results.json
check "and their notes" grep -q '^speedrun  *passed .*accuracy 0.[0-9]*, training loop [0-9.]* s' out
if command -v python3 >/dev/null; then
    check "it is JSON" python3 -m json.tool suite/results.json /dev/null
fi

# A step that fails does not hide the others.
MNIST_GPU_DATA=$work/tiny MG_STANDIN_FAIL='update<decltype(rule)>:700' run "$suite" --standin "$build" suite
check "exit 1" [ "$code" = 1 ]
check "the JSON says so" [ "$(value passed)" = false ]
check "the training failed" [ "$(verdict epochs-30)" = failed ]
check "its error is shown" grep -q '^epochs-30  *failed .*mg__launch_update' out
check "the other steps ran" [ "$(verdict check)" = passed ]

if ! nvidia-smi >/dev/null 2>&1; then
    run "$suite" nowhere
    check "without a GPU: exit 77" [ "$code" = 77 ]
    check "with a reason" grep -q '^skipped: no NVIDIA GPU' out
    check "and nothing done" [ ! -e nowhere ]
fi

echo "$checks checks, $failures failed"
[ $failures = 0 ]
