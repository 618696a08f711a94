#!/usr/bin/env bash
# What the built program and module say of how they were hardened. Usage: test_hardening.sh PROGRAM
set -u
[ $# = 1 ] || { echo "usage: $0 PROGRAM" >&2; exit 2; }
command -v readelf >/dev/null || { echo "skipped: readelf (binutils) is not there"; exit 77; }
build=$(dirname "$1")
type=$(sed -n 's/^CMAKE_BUILD_TYPE:STRING=//p' "$build/CMakeCache.txt")
sanitizer=$(sed -n 's/^MNIST_GPU_SANITIZE:STRING=//p' "$build/CMakeCache.txt")
failures=0

# says FILE WHAT OPTION PATTERN: the pattern is in what readelf says of it
says() {
    readelf -W "$3" "$1" 2>/dev/null | grep -Eq "$4" && return
    echo "FAILED: $1: $2" >&2
    failures=$((failures + 1))
}

check() {
    says "$1" "no lazy binding" -d 'FLAGS.*(BIND_NOW|NOW)'
    says "$1" "tables are read-only after relocation" -l GNU_RELRO
    says "$1" "no executable stack" -l 'GNU_STACK .* RW '
    says "$1" "a random address" -h 'Type: *DYN'
    says "$1" "protected stacks" -s __stack_chk_fail
}

check "$1"
says "$1" "an executable that is independent of its position" -d 'FLAGS_1.* PIE'
if [ "$sanitizer" = OFF ] && [ "$type" != Debug ]; then
    says "$1" "checked copies" -s '__[a-z]+_chk'
else
    echo "skipped: checked copies: a build with a sanitizer, or not optimised"
fi
if [ -e "$build/mnist_gpu_cuda.so" ]; then
    check "$build/mnist_gpu_cuda.so"
else
    echo "skipped: the CUDA module is not built"
fi
[ $failures = 0 ]
