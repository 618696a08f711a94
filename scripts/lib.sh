# Shared by the scripts: what the build needs, and how it gets here. Sourced with bash, `set -euo pipefail`.
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
jobs=$(nproc 2>/dev/null || echo 2)

say() { printf '%s\n' "$*" >&2; }
die() { say "$(basename "$0"): $*"; exit 1; }

# have_header FILE: the C compiler finds it.
have_header() { printf '#include <%s>\n' "$1" | cc -E -x c - >/dev/null 2>&1; }

# missing_packages build|tests: the Debian packages that lack, on one line.
missing_packages() {
    local missing=()
    command -v cc >/dev/null || missing+=(gcc libc6-dev)
    command -v make >/dev/null || missing+=(make)
    command -v cmake >/dev/null || missing+=(cmake)
    have_header zlib.h || missing+=(zlib1g-dev)
    have_header jansson.h || missing+=(libjansson-dev)
    have_header stb/stb_image.h || missing+=(libstb-dev)
    have_header curl/curl.h || missing+=(libcurl4-openssl-dev)
    if [ "$1" = tests ]; then
        have_header cmocka.h || missing+=(libcmocka-dev)
    fi
    printf '%s' "${missing[*]}"
}

# install_missing build|tests: installs them, as root or with sudo; else prints the command. Asks the network for nothing
# if all is there.
install_missing() {
    local packages sudo=()
    packages=$(missing_packages "$1")
    [ -n "$packages" ] || return 0
    command -v apt-get >/dev/null ||
        die "missing: $packages (Debian names); install them with this system's package manager"
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || die "missing packages; run as root: apt-get install -y $packages"
        sudo=(sudo)
    fi
    say "installing: $packages"
    # shellcheck disable=SC2086 # a list of words
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -qq install -y \
        --no-install-recommends $packages >/dev/null 2>&1 ||
        { "${sudo[@]}" apt-get -o DPkg::Lock::Timeout=300 -qq update >/dev/null &&
            "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -qq install -y \
                --no-install-recommends $packages >/dev/null; } ||
        die "could not install: $packages (no network?); run: apt-get install -y $packages"
}

# build FOLDER [CMake options]: configures and builds, quietly unless it fails.
build() {
    local folder=$1 log
    shift
    mkdir -p "$folder"
    log=$folder/build.log
    if ! { cmake -S "$root" -B "$folder" "$@" && cmake --build "$folder" -j "$jobs"; } >"$log" 2>&1; then
        tail -n 40 "$log" >&2
        die "the build failed; all of its output: $log"
    fi
    grep -E '^-- (mnist_gpu |.*left out)' "$log" >&2 || true
}
