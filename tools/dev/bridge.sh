# shellcheck shell=bash
# The bridge: Wasmtime's C API and weir's additions as one static library, with their headers. Building Wasmtime takes
# minutes, so the result is kept in the cache. Sourced by dev.

# Everything the library is built from. The compiler's target directory is shared by all keys, so that a change in
# bridge/src compiles that crate alone.
bridge_key() {
    {
        printf '%s\n' "$platform" "$rust_identity" "${RUSTFLAGS:-}" "${CARGO_ENCODED_RUSTFLAGS:-}" "${CFLAGS:-}"
        cd "$root/bridge"
        find . -name target -prune -o -type f \( -path './src/*' -o -name 'Cargo.*' -o -name build.rs -o -path './.cargo/*' \) \
            -print0 | sort -z | xargs -0 sha256sum
        sha256sum <"$root/tools/dev/bridge.sh"
    } | key_of
}

# The directory of a crate of the bridge's graph, from cargo's metadata on standard input
crate_directory() {
    grep -oE "\"manifest_path\":\"[^\"]*/$1-[0-9][^\"/]*/Cargo\.toml\"" | head -n 1 | cut -d '"' -f 4 | sed 's|/Cargo\.toml$||'
}

# build_bridge STAGED: leaves lib/, include/, wit/ (WASI 0.2) and wit-0.3/ there.
build_bridge() {
    set -euo pipefail
    local staged=$1 metadata crate http features conf archive=$CARGO_TARGET_DIR/release/libweir_bridge.a
    cd "$root/bridge"
    unset CARGO_BUILD_TARGET # it would put the library elsewhere
    # To cargo all checkouts are the same crate, and what is older than the last one's library is up to date.
    rm -rf "$CARGO_TARGET_DIR"/release/.fingerprint/weir-bridge-*
    cargo build --release --locked
    mkdir -p "$staged/lib" "$staged/include" "$staged/wit" "$staged/wit-0.3"
    # One call of Wasmtime's is answered by the bridge (bridge/src/written_pages.rs).
    objcopy --redefine-sym ioctl=weir_bridge_ioctl "$archive" "$staged/lib/libweir_bridge.a"

    metadata=$(cargo metadata --locked --format-version 1)
    crate=$(crate_directory wasmtime-c-api-impl <<<"$metadata")
    http=$(crate_directory wasmtime-wasi-http <<<"$metadata")
    cp "$crate"/include/*.h "$staged/include"
    cp -r "$crate/include/wasmtime" "$staged/include"
    find "$staged/include" -name '*.hh' -delete
    # Wasmtime's own build defines WASMTIME_FEATURE_X for every feature x of the crate.
    features=$(cargo tree --locked -e normal --depth 0 -p wasmtime-c-api-impl -f '{f}')
    conf=$staged/include/wasmtime/conf.h
    sed -E "$(tr ',' '\n' <<<"$features" | tr 'a-z-' 'A-Z_' | sed -E 's|(.+)|s/^#cmakedefine (WASMTIME_FEATURE_\1)$/#define \\1/|')
        /^#cmakedefine /d" "$crate/include/wasmtime/conf.h.in" >"$conf"
    grep -q '^#define WASMTIME_FEATURE_COMPONENT_MODEL$' "$conf" # else the features were misread
    rm "$conf.in"
    cp -r "$http/wit/." "$staged/wit"
    cp -r "$http/src/p3/wit/." "$staged/wit-0.3"
    # Other checkouts leave copies in the shared directory.
    find "$CARGO_TARGET_DIR/release/deps" -name 'libweir_bridge-*.a' -mtime +0 -delete
}

# Sets bridge: the directory with lib/libweir_bridge.a, include/, wit/ and wit-0.3/.
setup_bridge() {
    local key staged version
    key=$(bridge_key)
    bridge=$cache/bridge/$key
    if [[ ! -e $bridge/lib/libweir_bridge.a ]]; then
        version=$(sed -nE 's/.*wasmtime-c-api-impl", version = "=([^"]*)".*/\1/p' "$root/bridge/Cargo.toml")
        lock "$cache/bridge/lock" 'building the bridge'
        while [[ ! -e $bridge/lib/libweir_bridge.a ]]; do
            staged=$cache/bridge/new.$$
            temporary+=("$staged")
            # cargo prints its progress bar to a file too, when told to: it counts what is left to do.
            CARGO_TARGET_DIR=$cache/bridge/target CARGO_TERM_PROGRESS_WHEN=always CARGO_TERM_PROGRESS_WIDTH=100 \
                step "building the bridge (Wasmtime $version)" "$logs/bridge.log" progress_of_cargo build_bridge "$staged"
            if [[ $(bridge_key) == "$key" ]]; then
                keep "$staged" "$bridge"
            else # a source was edited meanwhile
                rm -rf "$staged"
                key=$(bridge_key)
                bridge=$cache/bridge/$key
            fi
        done
        unlock
        prune "$cache/bridge" 4
    fi
    touch "$bridge"
}
