#!/usr/bin/env bash
# Everything from a fresh clone to a trained network, see usage.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

usage() {
    cat <<'TEXT'
Usage: scripts/quickstart.sh [-DOPTION=VALUE...] [ARGUMENTS OF mnist_gpu train...]

Installs what is missing, builds the program into build/, trains a network (default: --epochs 5),
evaluates it on the test set and reads a picture with it. -D... goes to CMake, for instance
-DMNIST_GPU_CUDA=OFF. Paths are relative to the repository.
TEXT
}

options=() arguments=() run=()
for argument in "$@"; do
    case $argument in
        -h | --help) usage && exit ;;
        -D*) options+=("$argument") ;;
        *) arguments+=("$argument") ;;
    esac
done
[ "${#arguments[@]}" -gt 0 ] || arguments=(--epochs 5)
for ((i = 0; i < ${#arguments[@]}; i++)); do # the run's directory, if it is not the default
    case ${arguments[i]} in
        --out | --resume) run=("${arguments[@]:i+1:1}") ;;
        --out=* | --resume=*) run=("${arguments[i]#*=}") ;;
    esac
done

install_missing program
configure release -DBUILD_TESTING=OFF "${options[@]}"
build release

say "Training: mnist_gpu train ${arguments[*]}"
build/mnist_gpu train "${arguments[@]}"
say "Evaluating: mnist_gpu eval"
build/mnist_gpu eval "${run[@]}"
for picture in data/samples/digit-*.png; do
    [ -e "$picture" ] || continue
    say "Reading a picture: mnist_gpu predict $picture"
    build/mnist_gpu predict "$picture"
    break
done
say "The program is build/mnist_gpu; \`cmake --install build --prefix DIR\` installs it."
