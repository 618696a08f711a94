# shellcheck shell=bash
# Makes an IDX set in ./tiny, 100 training and 20 test images of ten classes, and a picture of each
# class k, a bar across rows 2k+3 to 2k+6, in ./k.pgm. Sourced.

# u32 N...: big-endian
u32() {
    local n
    for n in "$@"; do
        # shellcheck disable=SC2059 # the format is the bytes
        printf "$(printf '\\%03o' $((n >> 24 & 255)) $((n >> 16 & 255)) $((n >> 8 & 255)) $((n & 255)))"
    done
}

# write_split NAME COUNT
write_split() {
    local i
    {
        u32 2051 "$2" 28 28
        for ((i = 0; i < $2; i++)); do cat "class$((i % 10))"; done
    } >"tiny/$1-images-idx3-ubyte"
    {
        u32 2049 "$2"
        for ((i = 0; i < $2; i++)); do printf '%b' "\\00$((i % 10 / 8))$((i % 10 % 8))"; done
    } >"tiny/$1-labels-idx1-ubyte"
}

mkdir tiny
for k in 0 1 2 3 4 5 6 7 8 9; do
    {
        head -c $((28 * (2 * k + 3))) /dev/zero
        head -c 112 /dev/zero | tr '\000' '\377'
        head -c $((28 * (21 - 2 * k))) /dev/zero
    } >"class$k"
    { printf 'P5\n28 28\n255\n' && cat "class$k"; } >"$k.pgm"
done
write_split train 100
write_split t10k 20
