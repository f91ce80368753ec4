# shellcheck shell=bash
# What `./dev bench` compares weir with, in the cache: wasmtime's command line from crates.io, h2o from the distribution. A
# peer that cannot be had is left out, and the report says so; so is Spin where it is not installed. Sourced by dev.

# Run the bench itself: python3 -m bench ARGUMENT...
bench_python() {
    PYTHONPATH=$root${PYTHONPATH:+:$PYTHONPATH} PYTHONDONTWRITEBYTECODE=1 python3 -m bench "$@"
}

# have_or_say NAME LOG WHAT COMMAND...: a step that may fail
have_or_say() {
    local name=$1 log=$2 what=$3
    shift 3
    step "$what" "$log" progress_of_cargo or_mark "$log.failed" "$@"
    if [[ -e $log.failed ]]; then
        rm "$log.failed"
        say "$name is left out: $(first_error "$log") (the whole log is $log)"
    fi
}

# or_mark FILE COMMAND...: always succeeds; the file is left where the command did not.
or_mark() {
    local file=$1
    shift
    : >"$file"
    ! "$@" || rm "$file"
}

install_wasmtime() { # DIRECTORY VERSION
    CARGO_TARGET_DIR=$1.target CARGO_TERM_PROGRESS_WHEN=always CARGO_TERM_PROGRESS_WIDTH=100 \
        cargo install --locked --root "$1" "wasmtime-cli@$2" && rm -rf "$1.target"
}

setup_wasmtime() {
    local version directory
    version=$(sed -nE 's/.*wasmtime-c-api-impl", version = "=([^"]*)".*/\1/p' "$root/bridge/Cargo.toml")
    directory=$cache/peers/wasmtime-$version
    [[ ! -x $directory/bin/wasmtime ]] || return 0
    lock "$cache/peers/lock" 'building wasmtime'
    if [[ ! -x $directory/bin/wasmtime ]]; then
        setup_rust
        say 'Building wasmtime to compare with: about 15 minutes on 2 processors, once.'
        have_or_say wasmtime "$logs/bench-wasmtime.log" "building wasmtime $version" install_wasmtime "$directory" "$version"
    fi
    unlock
}

# The package as it is, and not installed: that would start a server on port 80.
fetch_h2o() { # DIRECTORY
    local work=$1.new
    rm -rf "$work"
    mkdir -p "$work/package"
    (cd "$work/package" && apt-get -q -o "APT::Sandbox::User=$(id -un)" download h2o) &&
        dpkg-deb -x "$work"/package/*.deb "$work" && rm -rf "$work/package" &&
        "$work/usr/bin/h2o" --version && mv "$work" "$1"
}

setup_h2o() {
    local directory
    if command -v h2o >/dev/null || ! command -v apt-get >/dev/null; then
        return
    fi
    directory=$cache/peers/h2o-$(apt_candidate h2o)
    [[ ! -x $directory/usr/bin/h2o ]] || return 0
    lock "$cache/peers/lock" 'fetching h2o'
    if [[ ! -x $directory/usr/bin/h2o ]]; then
        rm -rf "$directory"
        have_or_say h2o "$logs/bench-h2o.log" 'fetching h2o' fetch_h2o "$directory"
    fi
    unlock
}

# setup_peers NAME...: those that are to be measured
setup_peers() {
    local name
    for name in "$@"; do
        case $name in
        wasmtime | wasmtime-*) setup_wasmtime ;;
        h2o) setup_h2o ;;
        esac
    done
}
