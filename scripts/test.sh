#!/usr/bin/env bash
# Builds and runs all tests: the release build, and the CPU part under AddressSanitizer and UBSan. Arguments that begin
# with -D go to CMake. Ends with a line of counts; exit status 0 if nothing failed. Real MNIST is found through
# MNIST_GPU_DATA; tests that need it are skipped without.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

install_missing tests

# One GPU architecture is enough to see that the kernels compile cleanly: all nine take minutes.
export CUDAARCHS=${CUDAARCHS:-90-real}
passed=0 failed=0 skipped=0

# run_tests FOLDER: adds ctest's counts to the sums.
run_tests() {
    local results=$1/results.txt
    ctest --test-dir "$1" --output-on-failure -j "$jobs" --output-log "$results" || true
    passed=$((passed + $(grep -cE ' Passed +[0-9.]+ sec' "$results" || true)))
    skipped=$((skipped + $(grep -cE '\*\*\*Skipped' "$results" || true)))
    failed=$((failed + $(grep -cE '\*\*\*(Failed|Timeout|Exception|Not Run)' "$results" || true)))
}

build "$root/build-test" "$@" -DMNIST_GPU_TESTS=ON
run_tests "$root/build-test"
build "$root/build-asan" "$@" -DMNIST_GPU_TESTS=ON -DMNIST_GPU_CUDA=OFF -DCMAKE_BUILD_TYPE=RelWithDebInfo \
    -DMNIST_GPU_SANITIZE=address,undefined
run_tests "$root/build-asan"

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
