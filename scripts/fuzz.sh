#!/usr/bin/env bash
# Fuzzes every reader of what comes from outside, see usage.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

usage() {
    cat <<'TEXT'
Usage: scripts/fuzz.sh [--seconds N] [TARGET...]

Builds the fuzz targets (tests/fuzz) with Clang, libFuzzer, AddressSanitizer and
UndefinedBehaviorSanitizer, into build-fuzz/, and runs each for N seconds (600), one per core at a
time. TARGET: those alone, such as idx or png. What reaches new code is kept in
build-fuzz/corpus/TARGET, where the next run goes on from it.

Prints for each target how many inputs it ran and how many of them are kept, then the total. Fails
where a target found something: build-fuzz/findings/TARGET/ has the input and the log. To see it again:
build-fuzz/tests/fuzz/fuzz_TARGET FILE. Mended, it belongs into tests/fuzz/hostile/TARGET/, whose
files the tests replay.
TEXT
}

# fuzz_one TARGET: runs it; its log becomes findings/TARGET/log.
fuzz_one() {
    local -r target=$1 root=$PWD
    local -r findings=$root/build-fuzz/findings/$target corpus=$root/build-fuzz/corpus/$target
    local -r scratch=$root/build-fuzz/scratch/$target
    local -a seeds=()
    local folder
    rm -rf "$findings" "$scratch"
    mkdir -p "$findings" "$corpus" "$scratch"
    for folder in "$root"/build-fuzz/seeds "$root"/tests/fuzz/{seeds,hostile}; do
        if [ -d "$folder/$target" ]; then seeds+=("$folder/$target"); fi
    done
    cd "$scratch"
    "$root/build-fuzz/tests/fuzz/fuzz_$target" -max_total_time="$seconds" -max_len=16384 -timeout=30 \
        -rss_limit_mb=4096 -print_final_stats=1 -artifact_prefix="$findings/" "$corpus" "${seeds[@]}" \
        >"$findings/log" 2>&1 || touch "$findings/failed"
}

# stat_of NAME LOG: one of libFuzzer's final figures; 0 where it ended before.
stat_of() { awk -v name="stat::$1:" '$1 == name { n = $2 } END { print n + 0 }' "$2"; }

seconds=600
targets=()
while [ $# -gt 0 ]; do
    case $1 in
        -h | --help) usage && exit ;;
        --seconds)
            [[ ${2-} =~ ^[1-9][0-9]*$ ]] || die "--seconds: expected a whole number, found \"${2-}\""
            seconds=$2
            shift
            ;;
        -*) usage >&2 && exit 2 ;;
        *)
            [ -f "tests/fuzz/$1.c" ] || die "no target \"$1\" (a target is a file tests/fuzz/TARGET.c)"
            targets+=("$1")
            ;;
    esac
    shift
done

command -v clang >/dev/null || die "clang is missing (Debian: clang and libclang-rt-dev)"
install_missing tests
configure fuzz
build fuzz fuzz
build-fuzz/tests/fuzz/fuzz_seeds build-fuzz/seeds
if [ "${#targets[@]}" -eq 0 ]; then
    for program in build-fuzz/tests/fuzz/fuzz_*; do
        case ${program##*/fuzz_} in seeds) ;; *) targets+=("${program##*/fuzz_}") ;; esac
    done
fi

say "Fuzzing (${#targets[@]} targets, $seconds s each, $(nproc) at a time)"
total=0
failed=0
for target in "${targets[@]}"; do
    while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do wait -n; done
    fuzz_one "$target" &
done
wait
for target in "${targets[@]}"; do
    findings=build-fuzz/findings/$target
    runs=$(stat_of number_of_executed_units "$findings/log")
    total=$((total + runs))
    printf '%-12s %10d executions, %5d inputs kept' "$target" "$runs" \
        "$(find "build-fuzz/corpus/$target" -type f | wc -l)"
    if [ -e "$findings/failed" ]; then
        printf ', FAILED: %s\n' "$(grep -m1 -E 'not so:|SUMMARY' "$findings/log" || echo "see $findings/log")"
        failed=$((failed + 1))
    else
        printf '\n'
    fi
done
printf '%-12s %10d executions\n' all "$total"
[ "$failed" = 0 ] || die "$failed of ${#targets[@]} targets failed, see build-fuzz/findings/"
