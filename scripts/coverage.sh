#!/usr/bin/env bash
# Which lines of the GPU code the tests run on a machine without a GPU, see usage.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

usage() {
    cat <<'TEXT'
Usage: scripts/coverage.sh [-DOPTION=VALUE...]

Builds the CUDA backend on its stand-in (tests/standin) with line counters, into build-coverage/, runs
the tests that use it, and prints for each file of src/cuda and kernels the share of its lines that
ran, then the lines that did not. Fails where a test fails, or less than 95 % of all lines ran.
TEXT
}

# What gcov says of all objects, a line each: FILE LINE COUNT. A header, or a template, comes several times.
counts() {
    find "$1" -name '*.gcda' -exec gcov --relative-only --source-prefix "$PWD" --stdout {} + |
        awk -F: '
            { gsub(/ /, "", $1); gsub(/ /, "", $2) }
            $2 == 0 && $3 == "Source" { file = $4; next }
            file ~ /^(src\/cuda|kernels)\// && $1 ~ /^([0-9]+\*?|#####|=====)$/ { print file, $2, $1 + 0 }'
}

# The table of files and the list of lines; exit status 1 below 95 %.
report() {
    awk '
        { key = $1 SUBSEP $2; if (!(key in ran) || $3 > ran[key]) ran[key] = $3 }
        END {
            for (key in ran) {
                split(key, at, SUBSEP)
                all[at[1]]++; total++
                if (ran[key] > 0) { covered[at[1]]++; total_covered++ }
                else print at[1], at[2] | "sort -k1,1 -k2,2n >missed"
            }
            close("sort -k1,1 -k2,2n >missed")
            for (file in all)
                printf "%-28s %4d of %4d lines  %5.1f %%\n", file, covered[file], all[file], \
                    100 * covered[file] / all[file] | "sort"
            close("sort")
            printf "%-28s %4d of %4d lines  %5.1f %%\n", "all", total_covered, total, \
                100 * total_covered / total
            exit total_covered < 0.95 * total
        }'
}

for argument in "$@"; do
    case $argument in
        -h | --help) usage && exit ;;
        -D*) ;;
        *) usage >&2 && exit 2 ;;
    esac
done

install_missing tests
configure coverage "$@"
readonly objects=build-coverage/tests/standin/CMakeFiles/mg_cuda_standin.dir
build coverage
[ -d $objects ] || die "no stand-in: it needs the headers of CUDA and cuDNN"
find $objects -name '*.gcda' -delete
say "Testing (coverage)"
ctest --preset coverage --parallel "$(nproc)" || die "tests failed"

say "Lines of src/cuda and kernels that ran"
counts $objects >build-coverage/counts
status=0
: >build-coverage/missed
(cd build-coverage && report <counts) || status=1
if [ -s build-coverage/missed ]; then say "Lines that did not"; fi
while read -r file line; do
    printf '%s:%d: %s\n' "$file" "$line" "$(sed -n "${line}s/^ *//p" "$file")"
done <build-coverage/missed
exit $status
