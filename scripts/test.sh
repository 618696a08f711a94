#!/usr/bin/env bash
# Builds and runs all tests, see usage.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

usage() {
    cat <<'TEXT'
Usage: scripts/test.sh [--long] [-DOPTION=VALUE...]

Installs what is missing, builds the program with its tests, into build/ and, without a GPU but with
AddressSanitizer and UndefinedBehaviorSanitizer, into build-asan/, and runs both. Where the headers of
CUDA and cuDNN are, the GPU code runs on a CPU stand-in (tests/standin) in these and, to find races
between its threads, in build-tsan/. Tests on real MNIST need it in $MNIST_GPU_DATA.

  --long     five times as many random networks, and the longest tests with sanitizers too; last,
             scripts/analyze.sh, which counts as one test
  -D...      goes to CMake, for instance -DMNIST_GPU_CUDA=OFF
TEXT
}

passed=0 failed=0 skipped=0

# run_tests PRESET...: of all at once, adds their results to those sums, and says why tests were skipped.
run_tests() {
    local -A count=()
    local name value preset results
    say "Testing ($*)"
    results=$(mktemp -d)
    for preset in "${@:2}"; do # shown when the first one is done
        ctest --preset "$preset" --parallel "$(nproc)" --output-junit "$results/$preset" \
            >"$results/$preset.log" 2>&1 &
    done
    ctest --preset "$1" --parallel "$(nproc)" --output-junit "$results/$1" || true
    wait
    for preset in "$@"; do
        [ "$preset" = "$1" ] || { say "Testing ($preset)" && cat "$results/$preset.log"; }
        [ -s "$results/$preset" ] || die "ctest ($preset) left no results"

        # <testsuite ... tests="9" failures="0" disabled="0" skipped="1" ...>, a line to each
        while read -r name value; do count[$name]=$value; done < <(sed -nE \
            's/^\s*(tests|failures|disabled|skipped)="([0-9]+)".*/\1 \2/p; /^\s*>/q' "$results/$preset")
        failed=$((failed + count[failures]))
        skipped=$((skipped + count[skipped] + count[disabled]))
        passed=$((passed + count[tests] - count[failures] - count[skipped] - count[disabled]))
        sed -nE 's/^(<system-out>)?(skipped: .*)/\2/p' "$results/$preset" | sort -u
    done
    rm -rf "$results"
}

options=() long=false
for argument in "$@"; do
    case $argument in
        -h | --help) usage && exit ;;
        --long) long=true options+=(-DMNIST_GPU_LONG_TESTS=ON) ;;
        -D*) options+=("$argument") ;;
        *) usage >&2 && exit 2 ;;
    esac
done

# The tests' files are small and many: in memory, fsync takes no time.
if [ -w /dev/shm ] && [ "$(df --output=avail /dev/shm | tail -n 1)" -gt 1000000 ]; then
    export TMPDIR=/dev/shm
fi

install_missing tests
configure release "${options[@]}"
build release
configure asan "${options[@]}" -DMNIST_GPU_CUDA=OFF
build asan
configure tsan "${options[@]}" -DMNIST_GPU_CUDA=OFF
readonly standin=build-tsan/tests/standin/CMakeFiles/mg_cuda_standin.dir
if [ -d $standin ]; then build tsan; fi
run_tests release
if [ -d $standin ]; then run_tests asan tsan; else run_tests asan; fi # tsan has a few tests, but long ones
if $long; then
    if scripts/analyze.sh "${options[@]}" -DMNIST_GPU_CUDA=OFF; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
    fi
fi
printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
