#!/usr/bin/env bash
# A full disk, a small one in memory, and a limit on the size of files (ulimit -f): a training ends
# with a line, and goes on to the same end when there is room. Usage: test_disk_full.sh PROGRAM
set -u
[ $# = 1 ] || { echo "usage: $0 PROGRAM" >&2; exit 2; }
# shellcheck source=tests/program.sh
. "$(dirname "$0")/program.sh" "$1"
printf 'input 1x28x28\navgpool size=7\ndense out=10\nsoftmax_xent\n' >net
train=(train --data tiny --model net --device cpu --threads 1 --batch 50 --epochs 2 --quiet
    --save "best,last,epoch" --tensorboard)
"$program" "${train[@]}" --out whole >out || exit 1

# check_end DIR: the run, which ended early, goes on to the end.
check_end() {
    local how=("${train[@]}" --out "$1") file
    [ ! -e "$1/state.safetensors" ] || how=(train --resume "$1" --quiet)
    run "$program" "${how[@]}"
    exits 0
    for file in best last epoch-0001 epoch-0002; do same "$1/$file.safetensors" "whole/$file.safetensors"; done
    check "no other files" [ "$(cd "$1" && echo ./* ./*/*)" = "$(cd whole && echo ./* ./*/*)" ]
}

# check_failure DIR REASON
check_failure() {
    exits 1 "^mnist_gpu: $1/.*: $2"
    check "no temporary file" [ -z "$(find "$1" -name '*.tmp.*')" ]
    check_end "$1"
}

# ---- ulimit ----

# limited KIB: the error and the exit status on stdout, which is to be a pipe: it has no limit.
limited() {
    ulimit -f "$1"
    { "$program" "${train[@]}" --out run >/dev/null; } 2>&1
    echo $?
}

kinds=0
for ((kib = 0; ; kib++)); do
    rm -rf run
    limited $kib | cat >err
    last="train with ulimit -f $kib"
    code=$(tail -n 1 err)
    [ "$code" != 0 ] || break
    sed -i '$d' err
    kinds=$((kinds + 1))
    check_failure run 'cannot write: File too large'
done
check "small limits are too small" [ $kinds -gt 2 ]
check_end run
echo "$kinds limits on the size of files"

# ---- a small disk ----

mkdir disk
if ! mount -t tmpfs -o size=4k none disk 2>mount.log; then
    skip "a full disk: $(cat mount.log)"
else
    trap 'umount "$work/disk"; rm -rf "$work"' EXIT
    full=0
    for ((kib = 4; ; kib += 4)); do
        rm -rf disk/run
        mount -o remount,size=${kib}k disk
        run "$program" "${train[@]}" --out disk/run
        last="train on a disk of $kib KiB"
        [ "$code" != 0 ] || break
        mount -o remount,size=1m disk
        full=$((full + 1))
        check_failure disk/run '.*No space left on device'
    done
    check "small disks are too small" [ $full -gt 5 ]
    check_end disk/run
    echo "$full full disks"
fi

echo "$checks checks, $failures failed"
[ "$failures" = 0 ]
