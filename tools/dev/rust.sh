# shellcheck shell=bash
# Rust for the bridge and the tools of guests: one that is there and new enough, else the distribution's, else rustup's.
# Sourced by dev.

rust_minimum=$(sed -n 's/^rust-version *= *"\(.*\)"/\1/p' "$root/bridge/Cargo.toml")
readonly rust_minimum
readonly rust_pinned="$rust_minimum.0" # what rustup installs

# at_least VERSION MINIMUM, of dotted numbers
at_least() {
    [[ $(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1) == "$2" ]]
}

# rust_is_good DIRECTORY: it has a cargo and a rustc that are new enough. Sets rust_identity, which tells one compiler
# from another.
rust_is_good() {
    local cargo
    [[ -x $1/cargo && -x $1/rustc ]] || return 1
    rust_identity=$(PATH="$1:$PATH" rustc -vV 2>/dev/null) || return 1
    [[ $rust_identity =~ release:\ ([0-9.]+) ]] && at_least "${BASH_REMATCH[1]}" "$rust_minimum" || return 1
    cargo=$(PATH="$1:$PATH" cargo --version 2>/dev/null) || return 1
    [[ $cargo =~ ^cargo\ ([0-9.]+) ]] && at_least "${BASH_REMATCH[1]}" "$rust_minimum"
}

# Find such a directory and put it first in PATH.
find_rust() {
    local candidates=() directory rustup
    [[ -z ${rust_identity:-} ]] || return 0
    directory=$(command -v cargo) && candidates+=("${directory%/*}")
    candidates+=("${CARGO_HOME:-$HOME/.cargo}/bin" /usr/bin)
    for directory in /usr/lib/rust-*/bin; do
        candidates+=("$directory")
    done
    for directory in "${candidates[@]}"; do
        if rust_is_good "$directory"; then
            [[ $directory/cargo -ef $(command -v cargo) ]] || PATH="$directory:$PATH"
            return 0
        fi
    done
    rustup=$(command -v rustup || command -v "${CARGO_HOME:-$HOME/.cargo}/bin/rustup") || return 1
    directory=$("$rustup" which --toolchain "$rust_pinned" rustc 2>/dev/null) || return 1
    rust_is_good "${directory%/*}" || return 1
    PATH="${directory%/*}:$PATH"
}

# The packages that bring it: Debian 12's security archive has a new one under another name, Ubuntu has some with their
# version in the name, and both newer systems have rustup.
choose_rust() {
    local version
    command -v rustup >/dev/null && return
    if apt_offers cargo-web "$rust_minimum" && apt_offers rustc-web "$rust_minimum"; then
        printf 'cargo-web rustc-web'
    elif apt_offers cargo "$rust_minimum" && apt_offers rustc "$rust_minimum"; then
        printf 'cargo rustc'
    elif version=$(apt-cache pkgnames cargo-1. | sed -n 's/^cargo-\(1\.[0-9]*\)$/\1/p' | sort -V | tail -n 1) &&
        [[ -n $version ]] && at_least "$version" "$rust_minimum"; then
        printf 'cargo-%s rustc-%s' "$version" "$version"
    elif [[ -n $(apt_candidate rustup) ]]; then
        printf 'rustup'
    fi
}

setup_rust() {
    find_rust && return
    if command -v rustup >/dev/null; then
        say "To build the bridge, installing Rust $rust_pinned with rustup"
        step "installing Rust $rust_pinned" "$logs/rustup.log" progress_unknown \
            rustup toolchain install --profile minimal "$rust_pinned"
        find_rust && return
    fi
    fail "Rust $rust_minimum or newer (cargo and rustc) is needed and no package here brings it: install it with rustup, or put one into PATH" \
        "$STATUS_CANNOT_INSTALL"
}
