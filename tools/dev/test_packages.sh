# shellcheck shell=bash
# Python packages that tests use and no distribution has: kept in the cache, by what they are. Sourced by dev.

fetch_test_packages() { # STAGED
    install_python_packages "$1" "$root/tools/dev/test-requirements.txt"
}

# setup_test_packages: let Python find them. Where a registry cannot be reached, tests that need them say so. After
# setup_build.
setup_test_packages() {
    local key kept staged log=$logs/test-packages.log
    setup_packages 'test' need_to_build_examples
    key=$({
        printf '%s\n' "$platform"
        python3 --version
        sha256sum <"$root/tools/dev/test-requirements.txt"
    } | key_of)
    kept=$cache/test-packages/$key
    if [[ ! -e $kept/venv ]]; then
        lock "$cache/test-packages/lock" 'fetching packages for tests'
        if [[ ! -e $kept/venv ]]; then
            staged=$cache/test-packages/new.$$
            temporary+=("$staged")
            mkdir -p "$staged"
            step 'fetching packages for tests' "$log" progress_unknown fetch_or_mark test_packages "$staged"
            if [[ -e $staged/unfetched ]]; then
                ! grep -q 'DO NOT MATCH THE HASHES' "$log" ||
                    fail "what a registry gave for tests is not what its hash says: see $log"
                rm -rf "$staged"
                say "tests that decode OpenTelemetry's messages are skipped: $(first_error "$log") (the whole log is $log)"
                unlock
                return
            fi
            keep "$staged" "$kept"
            prune "$cache/test-packages" 3
        fi
        unlock
    fi
    touch "$kept"
    PYTHONPATH=$(python_package "$kept" '')${PYTHONPATH:+:$PYTHONPATH}
    export PYTHONPATH
}
