#!/usr/bin/env bash
# From a fresh Debian or Ubuntu to a trained network: installs what is missing, builds, trains, evaluates, reads a
# picture. Arguments that begin with -D go to CMake, others to `mnist_gpu train` (default: --epochs 5).
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

cmake_options=() train_options=()
for argument in "$@"; do
    case $argument in
    -D*) cmake_options+=("$argument") ;;
    *) train_options+=("$argument") ;;
    esac
done
[ ${#train_options[@]} -gt 0 ] || train_options=(--epochs 5)

install_missing build
build "$root/build" "${cmake_options[@]}"
command -v nvidia-smi >/dev/null || say "no NVIDIA driver here: training on the CPU"

cd "$root"
program=build/mnist_gpu
run() { say "" && say "\$ $*" && "$@"; }
run $program train "${train_options[@]}"
run $program eval
run $program predict data/samples/*.png
