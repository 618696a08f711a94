# shellcheck shell=bash
# What the tests of the whole program share: checking what a command did, and a tiny data set. Sourced
# by them with PROGRAM as its argument; works in a directory of its own, which it removes.
# shellcheck disable=SC2034 # the tests run it
program=$(realpath "$1")
source=$(realpath "$(dirname "${BASH_SOURCE[0]}")") # the folder tests
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
export XDG_CACHE_HOME=$work/cache LC_ALL=C TERM=dumb
export OMP_NUM_THREADS=1 # steps this small only get slower with more
failures=0 checks=0

# ---- checking ----

# run COMMAND...: leaves its output in `out` and `err` and its exit status in $code.
run() {
    "$@" >out 2>err </dev/null
    code=$?
    last="$*"
}

fail() {
    failures=$((failures + 1))
    echo "FAILED: $1" >&2
    echo "  command: $last (exit $code)" >&2
    sed 's/^/  out: /' out | head -12 >&2
    sed 's/^/  err: /' err | head -12 >&2
}

# check WHAT CONDITION...: the condition is a command.
check() {
    checks=$((checks + 1))
    local what=$1
    shift
    "$@" || fail "$what"
}

# exits CODE [TEXT]: that status, and TEXT (a basic regular expression) on stdout if it is 0, else on
# stderr, there as the only line and beginning with the program's name.
exits() {
    check "exit $1" [ "$code" = "$1" ]
    if [ "$1" = 0 ]; then
        [ $# = 1 ] || check "stdout says '$2'" grep -q -- "$2" out
    else
        check "one line on stderr" [ "$(wc -l <err)" = 1 ]
        check "it begins with the program's name" grep -q '^mnist_gpu: ' err
        [ $# = 1 ] || check "stderr says '$2'" grep -q -- "$2" err
    fi
}

same() { check "$1 and $2 are equal" cmp -s "$1" "$2"; }
differ() { check "$1 and $2 differ" not cmp -s "$1" "$2"; }
not() { ! "$@"; }
skip() { echo "skipped: $1"; }

# shellcheck source=tests/tiny_set.sh
. "$source/tiny_set.sh"
