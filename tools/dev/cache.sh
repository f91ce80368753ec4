# shellcheck shell=bash
# The cache outside the checkout: what takes minutes to build is built once a machine and kept under a key made from
# everything that it was built from. Sourced by dev.

readonly cache=${XDG_CACHE_HOME:-$HOME/.cache}/weir

# A cache may be shared by machines and containers, whose C libraries differ.
machine=$(uname -m)
readonly machine
readonly platform="$machine $(. /etc/os-release 2>/dev/null && printf '%s %s' "${ID:-unknown}" "${VERSION_ID:-rolling}")"

# key_of: the key of what comes on standard input
key_of() {
    sha256sum | cut -c 1-16
}

# keep STAGED DESTINATION: move a finished directory into the cache, whole or not at all.
keep() {
    rm -rf -- "$2"
    mv -- "$1" "$2"
}

# prune DIRECTORY COUNT: keep the newest so many keys, by last use, and nothing that a killed build has left.
prune() {
    local old
    find "$1" -mindepth 1 -maxdepth 1 -name 'new.*' -mtime +0 -exec rm -rf {} +
    find "$1" -mindepth 1 -maxdepth 1 -type d -name '????????????????' -printf '%T@ %p\n' | sort -rn | tail -n "+$(($2 + 1))" |
        while read -r _ old; do
            rm -rf -- "$old"
        done
}
