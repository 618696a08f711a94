# shellcheck shell=bash
# What the scripts share: installing what is missing, configuring, building. Sourced, from the
# repository's root.

say() { printf '== %s\n' "$*"; }
die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# ---- what the build needs ----

readonly CMAKE_NEEDED=3.25

# The C compiler finds the header.
has_header() { printf '#include <%s>\n' "$1" | cc -E - >/dev/null 2>&1; }

# The CUDA toolkit's compiler is somewhere; it needs g++.
has_nvcc() { command -v nvcc >/dev/null || [ -x /usr/local/cuda/bin/nvcc ]; }

# missing_packages program|tests: the Debian packages that are missing to build them, a line each.
missing_packages() {
    local need
    local -a headers=(zlib.h=zlib1g-dev jansson.h=libjansson-dev stb/stb_image.h=libstb-dev
        curl/curl.h=libcurl4-openssl-dev cairo/cairo.h=libcairo2-dev)
    [ "$1" = program ] || headers+=(cmocka.h=libcmocka-dev)
    command -v cmake >/dev/null || echo cmake
    command -v make >/dev/null || echo make
    command -v cc >/dev/null || echo gcc
    command -v pkg-config >/dev/null || echo pkg-config
    if has_nvcc && ! command -v c++ >/dev/null; then echo g++; fi
    has_header stdio.h || echo libc6-dev
    for need in "${headers[@]}"; do
        has_header "${need%%=*}" || echo "${need#*=}"
    done
    [ -e /etc/ssl/certs/ca-certificates.crt ] || echo ca-certificates
}

# install_packages PACKAGE...: with apt, as root or through sudo. Where that cannot be, says what to
# run and ends the script.
install_packages() {
    local -a sudo=()
    local -r apt="apt-get install -y --no-install-recommends $*"
    command -v apt-get >/dev/null ||
        die "missing, by their Debian names: $* (this system has no apt-get: install them with its package manager)"
    if [ "$(id -u)" != 0 ]; then
        sudo=(sudo)
        if ! command -v sudo >/dev/null || { [ ! -t 0 ] && ! sudo -n true 2>/dev/null; }; then
            die "missing packages, and not root; run as root: $apt"
        fi
    fi
    say "Installing with apt-get: $*"
    local -a run=("${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300)
    "${run[@]}" update || say "The package lists could not be updated (no network?)"
    "${run[@]}" install -y --no-install-recommends "$@" >/dev/null ||
        die "apt-get failed (no network?); to try by hand, as root: $apt"
}

# install_missing program|tests: does nothing where nothing is missing.
install_missing() {
    local -a packages
    local version
    mapfile -t packages < <(missing_packages "$1")
    if [ "${#packages[@]}" -gt 0 ]; then install_packages "${packages[@]}"; fi
    version=$(cmake --version | sed -n '1s/[^0-9]*//p')
    printf '%s\n' "$CMAKE_NEEDED" "$version" | sort -CV ||
        die "CMake $CMAKE_NEEDED or later is needed, found $version"
}

# ---- the build ----

# configure PRESET [-D...]: prints what is built in, or everything if it fails.
configure() {
    local -r preset=$1
    local log
    shift
    say "Configuring ($preset)"
    log=$(cmake --preset "$preset" "$@" 2>&1) || {
        printf '%s\n' "$log" >&2
        die "the configuration failed"
    }
    sed -n '/^CMake Warning/,/^$/p; /^-- mnist_gpu /,/^-- Configuring/{/^-- Configuring/!p}' <<<"$log"
}

# build PRESET [TARGET...]
build() {
    local -r preset=$1
    shift
    say "Building ($preset)"
    cmake --build --preset "$preset" --parallel "$(nproc)" ${1+--target "$@"} ||
        die "the build failed"
}
