# shellcheck shell=bash
# The kernel of the virtual machine that tests boot: a cloud kernel of this distribution, fetched and verified by apt, of
# which only the image goes into the cache. Without it, those tests are skipped. Sourced by dev.

# A package that names the newest: Debian's, Ubuntu's
readonly kernel_packages=(linux-image-cloud-amd64 linux-image-virtual)

# download_kernel DIRECTORY APT_OPTION...: the package that has the image, into DIRECTORY
download_kernel() {
    local directory=$1 name package
    shift
    for name in "${kernel_packages[@]}"; do
        package=$(LC_ALL=C apt-cache "$@" depends "$name" 2>/dev/null |
            sed -nE 's/^[ |]*Depends: (linux-image-[0-9][^ ]*)$/\1/p' | head -n 1)
        if [[ -n $package ]]; then
            (cd "$directory" && apt-get -q "$@" -o Acquire::Retries=3 download "$package")
            return
        fi
    done
    echo "apt knows none of: ${kernel_packages[*]}"
    return 1
}

# fetch_kernel DIRECTORY: DIRECTORY/vmlinuz. What is missing then is a test's reason to be skipped, and no failure.
fetch_kernel() {
    local work=$1/work options
    mkdir -p "$work"/{lists/partial,cache/archives/partial,package}
    options=(-o "APT::Sandbox::User=$(id -un)")
    if ! download_kernel "$work/package" "${options[@]}"; then
        # The system's lists are missing or too old: lists of our own, from its sources and with its keys.
        options+=(-o "Dir::State::Lists=$work/lists" -o "Dir::Cache=$work/cache" -o Acquire::Languages=none)
        apt-get -q "${options[@]}" update && download_kernel "$work/package" "${options[@]}" || return 0
    fi
    dpkg-deb --fsys-tarfile "$work"/package/*.deb | tar -x -C "$work" --wildcards './boot/vmlinuz-*' &&
        mv "$work"/boot/vmlinuz-* "$1/vmlinuz"
    rm -rf "$work"
}

setup_virtual_machine() {
    local kernel staged
    [[ $machine == x86_64 ]] && command -v apt-get >/dev/null || return 0
    kernel=$cache/kernel/$({
        printf '%s\n' "$platform"
        cat "$root/tools/dev/virtual_machine.sh"
    } | key_of)
    if [[ ! -e $kernel/vmlinuz ]]; then
        lock "$cache/kernel/lock" 'fetching a kernel'
        if [[ ! -e $kernel/vmlinuz ]]; then
            staged=$cache/kernel/new.$$
            temporary+=("$staged")
            step 'fetching a kernel for the virtual machine of the tests' "$logs/kernel.log" progress_unknown \
                fetch_kernel "$staged"
            if [[ -e $staged/vmlinuz ]]; then
                keep "$staged" "$kernel"
                prune "$cache/kernel" 2
            else
                say "apt has no kernel for the virtual machine ($logs/kernel.log): tests that need one will be skipped"
            fi
        fi
        unlock
    fi
    [[ ! -e $kernel ]] || touch "$kernel/vmlinuz"
}
