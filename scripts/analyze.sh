#!/usr/bin/env bash
# Reads all C sources for mistakes, see usage.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

usage() {
    cat <<'TEXT'
Usage: scripts/analyze.sh [-DOPTION=VALUE...]

Has three tools look for mistakes in the C sources of the program and its tests, as it compiles them
into build-analyze/: gcc -fanalyzer, clang-tidy (its checks are in .clang-tidy) and cppcheck. A tool
that is not here is said and left out. Files that did not change since they were found clean are not
read again. Fails where a tool finds anything; what is no mistake is marked so at its place.

  -D...      goes to CMake, for instance -DMNIST_GPU_CUDA=OFF
TEXT
}

# is_here TOOL: says so if it is not.
is_here() {
    command -v "$1" >/dev/null || { say "No $1: left out (a Debian package of that name)" && false; }
}

for argument in "$@"; do
    case $argument in
        -h | --help) usage && exit ;;
        -D*) ;;
        *) usage >&2 && exit 2 ;;
    esac
done

# Not the CPU's unrolled inner loops, which take minutes and own no memory. gcc 12's malloc-leak takes
# memory for lost that is kept by way of a pointer; clang's analyzer and AddressSanitizer look for leaks.
# sh runs COMPILER ARGUMENT... as the launcher, since clang-tidy, which gets what the compiler gets from
# CMake, does not know -fanalyzer.
# shellcheck disable=SC2016 # sh expands it
readonly gcc='sh;-c;[ "${*#*/cpu/isa/}" != "$*" ] || set -- "$@" -fanalyzer -Wno-analyzer-malloc-leak && exec "$0" "$@"'
readonly clang_tidy='clang-tidy;--quiet;--warnings-as-errors=*'
# invalidPointerCast: tables of a struct's members by their offsets reach them through a char *.
readonly cppcheck='cppcheck;--quiet;--inline-suppr;--error-exitcode=1;--template=gcc;--enable=warning,performance,portability;--suppress=invalidPointerCast'

install_missing tests
tools=(-DCMAKE_C_COMPILER_LAUNCHER= -DCMAKE_C_CLANG_TIDY= -DCMAKE_C_CPPCHECK=)
is_here gcc && tools+=(-DCMAKE_C_COMPILER=gcc "-DCMAKE_C_COMPILER_LAUNCHER=$gcc")
is_here clang-tidy && tools+=("-DCMAKE_C_CLANG_TIDY=$clang_tidy")
is_here cppcheck && tools+=("-DCMAKE_C_CPPCHECK=$cppcheck")
configure analyze "${tools[@]}" "$@"
build analyze all -- --keep-going
say "No findings"
