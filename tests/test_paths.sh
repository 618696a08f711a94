#!/usr/bin/env bash
# No file that the program reads or finds in its way makes it write anywhere else: planted links,
# names that lead out of a directory. Usage: test_paths.sh PROGRAM
set -u
[ $# = 1 ] || { echo "usage: $0 PROGRAM" >&2; exit 2; }
unset MNIST_GPU_DATA
# shellcheck source=tests/program.sh
. "$(dirname "$0")/program.sh" "$1"

printf 'input 1x28x28\ndense out=10\nsoftmax_xent\n' >tiny.net
tiny=(--data tiny --model tiny.net --device cpu --batch 10)
run "$program" train "${tiny[@]}" --epochs 2 --out whole --save best,last,epoch --tensorboard --quiet
exits 0
mkdir outside

# untouched WHAT: nothing outside has changed since `keep`
keep() { (cd outside && find . -type f -exec cksum {} + | sort) >kept; }
untouched() { check "$1: what lies outside is as it was" cmp -s kept <(cd outside && find . -type f -exec cksum {} + | sort); }

# ---- links in a run directory, to a file of the same content and to none ----

for name in config.json state.safetensors best.safetensors last.safetensors epoch-0001.safetensors \
    epoch-0002.safetensors epoch-0003.safetensors metrics.csv metrics.jsonl log.txt \
    train/events.out.tfevents validation/events.out.tfevents; do
    for target in same none part; do
        rm -rf run outside && mkdir outside && cp -r whole run
        case $target in
            same) cp "run/$name" outside/victim 2>err ;;
            part) printf 'no line feed' >outside/victim ;;
            none) ;;
        esac
        keep
        ln -sf "$work/outside/victim" "run/$name"
        run "$program" train --resume run --epochs 4 --quiet
        untouched "run/$name is a link to $target"
        [ "$code" = 0 ] || exits 1 "run/$name\|symbolic link"
    done
done
rm -rf run && cp -r whole run && mv run/train outside/ && ln -s "$work/outside/train" run/train
keep
run "$program" train --resume run --epochs 4 --quiet
exits 1 'run/train: a symbolic link, expected a directory of the run'
untouched 'run/train is a link'
rm -rf run && cp -r whole run && ln -s run linked
run "$program" train --resume linked --epochs 4 --quiet
exits 0
check "the run itself may be a link" [ -L linked ]

# A link of the name that its temporary file is to have: exec keeps the process's id.
echo victim >outside/victim
keep
rm -rf run && cp -r whole run
(
    for name in config.json state.safetensors best.safetensors metrics.csv; do
        ln -s "$work/outside/victim" "run/$name.tmp.$BASHPID"
    done
    exec "$program" train --resume run --epochs 4 --quiet >out 2>err </dev/null
)
code=$? last="train among planted temporary files"
exits 0
untouched 'temporary files'
check "none is left" [ -z "$(find run -name '*.tmp.*')" ]

# ---- links where pictures and image sets are to be written ----

plant() { mkdir -p "$(dirname "$1")" && ln -sf "$work/outside/victim" "$1"; }
for file in curves.svg grid.png maps/none input.png matrix.svg set/train-images-idx3-ubyte set/train-labels-idx1-ubyte \
    set/classes.txt pictures/0/000000.png; do plant "$file"; done
mkdir -p folders/{a,b} && cp 0.pgm folders/a && cp 1.pgm folders/b
run "$program" plot whole --out curves.svg
exits 0
run "$program" grid whole --data tiny --out grid.png
exits 0
run "$program" predict --weights whole 3.pgm --save-input input.png
exits 0
run "$program" eval whole --data tiny --confusion matrix.svg
exits 0
run "$program" data import folders --out set
exits 0
check "a name a line" [ "$(cat set/classes.txt)" = $'a\nb' ]
run "$program" data export tiny --out pictures
exits 0
untouched 'pictures and image sets'
check "the links were replaced" [ -z "$(find curves.svg grid.png input.png matrix.svg set pictures -type l)" ]

mkdir -p $'folders/c\nd' && cp 2.pgm $'folders/c\nd'
run "$program" data import folders --out set
exits 1 'the name of a class holds a line break'

# ---- downloads ----

if "$program" info | grep -q '^Optional:.*download\|curl'; then
    mkdir mirror && head -c 5000 /dev/urandom >mirror/train-images-idx3-ubyte.gz
    plant fetched/train-images-idx3-ubyte.gz.part
    run "$program" data download --out fetched --mirror "file://$work/mirror"
    exits 1 'train-images-idx3-ubyte.gz.part: cannot open'
    untouched 'a download'
else
    skip "downloads: no libcurl"
fi

# ---- names in files ----

# u64le N
u64le() {
    local i
    for ((i = 0; i < 64; i += 8)); do
        # shellcheck disable=SC2059 # the format is the byte
        printf "$(printf '\\%03o' $(($1 >> i & 255)))"
    done
}
for name in ../outside/victim "$work/outside/victim" dense1.weight/../../x; do
    header="{\"$name\":{\"dtype\":\"F32\",\"shape\":[10],\"data_offsets\":[0,40]}}"
    { u64le ${#header} && printf %s "$header" && head -c 40 /dev/zero; } >named.safetensors
    run "$program" eval --model tiny.net named.safetensors --data tiny
    exits 1 named.safetensors
    run "$program" train "${tiny[@]}" --init named.safetensors --epochs 1 --out named
    exits 1 named.safetensors
done
untouched 'names of tensors'

# edit KEY VALUE: a copy of the run with that in its config.json
edit() {
    rm -rf run && cp -r whole run
    sed -i "s|\"$1\": \"[^\"]*\"|\"$1\": \"$2\"|" run/config.json
    check "config.json: $1 is edited" grep -qF "\"$1\": \"$2\"" run/config.json
}
touch mnist_gpu_cuda.so # a module is not looked for here
touch before after
find . -path ./run -prune -o -print | sort >before
for value in ../../outside/victim "$work/outside/victim" %s%n ..; do
    edit model_name "$value"
    run "$program" train --resume run --epochs 3 --quiet
    exits 0
    edit device "$value"
    run "$program" train --resume run --epochs 3 --quiet
    exits 2 'no device'
    edit data "$value"
    run "$program" train --resume run --epochs 3 --quiet
    exits 1
done
find . -path ./run -prune -o -print | sort >after
same before after
untouched 'config.json'
run "$program" info
exits 0
check "no module from the current directory" not grep -q 'file too short' out

cp tiny.net outside/..net
keep
run "$program" train --data tiny --model outside/..net --device cpu --epochs 1 --quiet
exits 0
check "the run lies in runs" [ "$(find runs -mindepth 1 -maxdepth 1 -type d | wc -l)" = 1 ]
untouched 'the name of a model'

if python3 -c 'import zipfile' 2>/dev/null; then
    python3 - "$work" <<'PY'
import sys, zipfile
with zipfile.ZipFile("evil.npz", "w") as z:
    for name in ("../outside/victim", sys.argv[1] + "/outside/victim", "../x_train.npy", "x_train.npy/../y"):
        z.writestr(name, b"x" * 100)
PY
    run "$program" data import evil.npz --out npz
    exits 1 'neither x_train.npy nor x_test.npy is in it'
    untouched 'names in an archive'
else
    skip "names in an archive: no Python"
fi

echo "$checks checks, $failures failed"
[ $failures = 0 ]
