# shellcheck shell=bash
# What dev needs from the system, and how it gets there: apt on Debian 12 and 13 and Ubuntu 24.04. Sourced by dev.

# What is missing, each "what it is|package|another package that may bring it|...". A name with @ before it is a function
# choose_NAME that prints the packages, which depend on what the system offers; none when they cannot come from there and
# dev has another way.
missing=()

need() { # WHAT PACKAGE...
    local IFS='|'
    missing+=("$*")
}

# need_command COMMAND PACKAGE...
need_command() {
    command -v "$1" >/dev/null || need "$@"
}

# need_header FILE PACKAGE...: below /usr/include or its folder for this architecture
need_header() {
    local found
    for found in "/usr/include/$1" /usr/include/*-linux-gnu*/"$1"; do
        [[ -e $found ]] && return
    done
    need "$@"
}

# need_library NAME PACKAGE...: what a linker would find as -lNAME
need_library() {
    local found
    for found in /usr/lib/*-linux-gnu*/"lib$1".{so,a} /usr/lib{,64}/"lib$1".{so,a}; do
        [[ -e $found ]] && return
    done
    need "-l$1" "${@:2}"
}

need_to_build() {
    need_command gcc gcc
    need_header stdio.h libc6-dev
    need_command ld binutils
    need_command flock util-linux
    need_command cmake cmake
    need_command ninja ninja-build
    need_command pkg-config pkg-config pkgconf
    need_command msgfmt gettext
    need_command clang clang
    need_command wasm-ld lld
    need_header wasm32-wasi/stdio.h wasi-libc
    need_header jansson.h libjansson-dev
    need_header xxhash.h libxxhash-dev
    need_header seccomp.h libseccomp-dev
    need_header sqlite3.h libsqlite3-dev
    need_header uthash.h uthash-dev
    [[ -s /etc/ssl/certs/ca-certificates.crt ]] || need 'certificates' ca-certificates
    if ! command -v clang >/dev/null || ! [[ -e $(clang --target=wasm32-wasi --print-libgcc-file-name) ]]; then
        need "clang's run-time library for wasm32" @wasm_runtime
    fi
    find_rust || need "Rust $rust_minimum" @rust
}

need_to_test() {
    need_to_format
    need_command clang-tidy clang-tidy
    have_fuzzer_runtime || need "clang's run-time library for fuzzers" @fuzzer_runtime
    need_command shellcheck shellcheck
    need_header cmocka.h libcmocka-dev
    need_command "qemu-$machine" qemu-user
    need_command prlimit util-linux
    need_command strace strace
    need_command g++ g++
    need_command mandoc mandoc
    need_command wrk wrk
    if [[ $machine == x86_64 ]]; then
        need_command qemu-system-x86_64 qemu-system-x86
        need_command busybox busybox-static
    fi
    if [[ $machine != aarch64 ]]; then
        need_command aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu
        [[ -e /usr/aarch64-linux-gnu/include/stdio.h ]] || need "aarch64's stdio.h" libc6-dev-arm64-cross
    fi
    find_pytest || need pytest python3-pytest
    need_browser
}

# For the tests of the status page, which say that they are skipped where apt has none.
need_browser() {
    if command -v chromium >/dev/null && command -v chromedriver >/dev/null; then
        return
    fi
    ! command -v apt-get >/dev/null || need 'a browser' @browser
}

need_to_format() {
    # One version everywhere, for each lays some lines out in its own way; this one all three systems have.
    need_command clang-format-19 clang-format-19
}

need_to_bench() {
    need_command wrk wrk
    need_command python3 python3
    need_command prlimit util-linux
    need_command "qemu-$machine" qemu-user
    need_header microhttpd.h libmicrohttpd-dev
}

# A Python that has pytest: the first one, or the system's.
find_pytest() {
    local candidate
    for candidate in "${PYTHON:-}" python3 /usr/bin/python3; do
        [[ -n $candidate ]] && command -v "$candidate" >/dev/null || continue
        # Python itself is asked only where no file tells: it takes a quarter of a second to import pytest.
        if "$candidate" -c 'import importlib.util as u, sys; sys.exit(u.find_spec("pytest") is None)' 2>/dev/null; then
            python=$(command -v "$candidate")
            return
        fi
    done
    return 1
}

# ---- apt -----------------------------------------------------------------------------------------------------------

# The version that apt would install, or nothing.
apt_candidate() {
    LC_ALL=C apt-cache policy "$1" 2>/dev/null | sed -n 's/^ *Candidate: *//p' | grep -vx '(none)' | head -n 1
}

# apt_offers PACKAGE VERSION: that version or a newer one
apt_offers() {
    local candidate
    candidate=$(apt_candidate "$1")
    [[ -n $candidate ]] && dpkg --compare-versions "$candidate" ge "$2"
}

# The packages of clang's run-time libraries carry clang's version in their names: the one that is here, or that which
# there will be.
clang_version() {
    local version
    if command -v clang >/dev/null; then
        version=$(clang -dumpversion)
    else
        version=$(LC_ALL=C apt-cache depends clang 2>/dev/null | sed -n 's/^ *Depends: *clang-\([0-9]*\)$/\1/p' | head -n 1)
    fi
    printf '%s' "${version%%.*}"
}

choose_wasm_runtime() {
    local version
    version=$(clang_version)
    printf 'libclang-rt-%sdev-wasm32' "${version:+$version-}"
}

choose_fuzzer_runtime() {
    local version
    version=$(clang_version)
    printf 'libclang-rt-%sdev' "${version:+$version-}"
}

# Ubuntu's packages of Chromium only fetch it with snapd, which is no test's business.
choose_browser() {
    if [[ -n $(apt_candidate chromium) && -n $(apt_candidate chromium-driver) ]]; then
        printf 'chromium chromium-driver'
    fi
}

# have_fuzzer_runtime: the library with libFuzzer's main program, wherever this clang keeps it
have_fuzzer_runtime() {
    local found
    for found in "$(clang -print-resource-dir 2>/dev/null)"/lib/*/libclang_rt.fuzzer*.a; do
        [[ -e $found ]] && return
    done
    return 1
}

# Pick, for every missing thing, the first of its packages that this system has. Fills `packages`; what no package here
# brings is left with its first name, so that apt says so.
choose_packages() {
    local entry names name chosen
    packages=()
    for entry in "${missing[@]}"; do
        IFS='|' read -ra names <<<"$entry"
        names=("${names[@]:1}")
        if [[ ${names[0]} == @* ]]; then
            read -ra chosen <<<"$("choose_${names[0]#@}")"
        else
            chosen=("${names[0]}")
            for name in "${names[@]}"; do
                if [[ -n $(apt_candidate "$name") ]]; then
                    chosen=("$name")
                    break
                fi
            done
        fi
        for name in ${chosen[@]+"${chosen[@]}"}; do
            [[ " ${packages[*]-} " == *" $name "* ]] || packages+=("$name")
        done
    done
}

# How to become root: nothing when dev is, else sudo when it may be used. Fails when neither is so.
choose_privilege() {
    privilege=()
    ((EUID != 0)) || return 0
    command -v sudo >/dev/null || return 1
    privilege=(sudo)
    sudo -n true 2>/dev/null && return
    # A password must be typed, which takes a person at a terminal.
    [[ -t 0 && -t 2 ]] || return 1
    say 'sudo asks for your password, to install packages.'
    sudo -v
}

# install_packages PURPOSE: install what the need_* calls found missing.
install_packages() {
    local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3)
    local entry what=''
    for entry in "${missing[@]}"; do
        what+="${what:+, }${entry%%|*}"
    done
    if ! command -v apt-get >/dev/null; then
        say "To $1, weir needs: $what"
        fail 'dev installs packages with apt, which this system does not have: please install these by hand' \
            "$STATUS_CANNOT_INSTALL"
    fi
    choose_packages
    ((${#packages[@]} > 0)) || return 0
    if ! choose_privilege; then
        say "To $1, weir needs: $what"
        say 'dev is not root and cannot use sudo here. Run this as root, and then dev again:'
        say ''
        say "    apt-get update && apt-get install --no-install-recommends -y ${packages[*]}"
        say ''
        fail 'packages are missing' "$STATUS_CANNOT_INSTALL"
    fi
    step 'fetching the lists of packages (apt-get update)' "$logs/apt-update.log" progress_unknown \
        ${privilege[@]+"${privilege[@]}"} "${apt[@]}" update
    choose_packages # again, from the new lists
    ((${#packages[@]} > 0)) || return 0
    say "To $1, installing with apt: ${bold}${packages[*]}${reset}"
    # --no-remove: nothing that is there may go for it.
    step "installing ${#packages[@]} packages and what they depend on" "$logs/apt-install.log" progress_unknown \
        ${privilege[@]+"${privilege[@]}"} "${apt[@]}" install --no-install-recommends --no-remove "${packages[@]}"
    hash -r
}

# setup_packages PURPOSE NEED: find what is missing by the function NEED, install it, and see that it is there now.
setup_packages() {
    local entry left=''
    missing=()
    "$2"
    ((${#missing[@]} > 0)) || return 0
    install_packages "$1"
    missing=()
    "$2"
    for entry in ${missing[@]+"${missing[@]}"}; do
        # Rust has other ways too, which come next; without a browser a few tests are skipped.
        [[ $entry == *'|@rust' || $entry == *'|@browser' ]] || left+="${left:+, }${entry%%|*}"
    done
    [[ -z $left ]] || fail "these are still missing after apt has installed what it could: $left" "$STATUS_CANNOT_INSTALL"
}
