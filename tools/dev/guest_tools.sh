# shellcheck shell=bash
# Tools that make components from C, built with cargo into the cache: wit-bindgen writes the bindings, wasm-component-ld
# links. Sourced by dev.

readonly wit_bindgen_version=0.63.0 wasm_component_ld_version=0.5.31

install_tools() {
    set -euo pipefail
    # They run for milliseconds: not optimizing them saves two thirds of the time that building them takes.
    export CARGO_TARGET_DIR=$1/target CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_LTO=off \
        CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_STRIP=symbols
    cargo install --locked --root "$1/tools" "wasm-component-ld@$wasm_component_ld_version"
    cargo install --locked --root "$1/tools" --no-default-features --features c "wit-bindgen-cli@$wit_bindgen_version"
}

# Sets guest_tools: the directory with wit-bindgen and wasm-component-ld in bin/.
setup_guest_tools() {
    local staged
    guest_tools=$cache/guest-tools/$({
        printf '%s\n' "$platform" "$wit_bindgen_version" "$wasm_component_ld_version"
    } | key_of)
    if [[ ! -x $guest_tools/bin/wit-bindgen ]]; then
        lock "$cache/guest-tools/lock" 'building the tools for guests'
        if [[ ! -x $guest_tools/bin/wit-bindgen ]]; then
            staged=$cache/guest-tools/new.$$
            temporary+=("$staged")
            CARGO_TERM_PROGRESS_WHEN=always CARGO_TERM_PROGRESS_WIDTH=100 \
                step "building the tools for guests (wit-bindgen $wit_bindgen_version, wasm-component-ld $wasm_component_ld_version)" \
                "$logs/guest-tools.log" progress_of_cargo install_tools "$staged"
            keep "$staged/tools" "$guest_tools"
            rm -rf "$staged"
            prune "$cache/guest-tools" 3
        fi
        unlock
    fi
    touch "$guest_tools"
}
