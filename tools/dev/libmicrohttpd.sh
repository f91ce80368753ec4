# shellcheck shell=bash
# libmicrohttpd: the system's when it is new enough, one that WEIR_LIBMICROHTTPD names, or a newer release's source
# package, fetched and verified by apt and built into the cache. Sourced by dev.

readonly libmicrohttpd_minimum=1.0.1

# Where to take the source package from when this system's is too old: a release of the same distribution, whose archive
# and keys the system therefore knows.
declare -rA newer_release=([debian]=trixie [ubuntu]=resolute) newer_components=([debian]='main' [ubuntu]='main universe')

# prefix_is_good PREFIX: it has the header and the library, and the version will do.
prefix_is_good() {
    local version
    [[ -e $1/lib/libmicrohttpd.a || -e $1/lib/libmicrohttpd.so ]] || return 1
    version=$(sed -nE 's/^#define MHD_VERSION 0x([0-9a-fA-F]{8})$/\1/p' "$1/include/microhttpd.h" 2>/dev/null)
    [[ -n $version ]] && ((16#$version >= 16#01000100))
}

libmicrohttpd_key() {
    {
        printf '%s\n' "$platform" "$(gcc --version | head -n 1)"
        cat "$root/tools/dev/libmicrohttpd.sh"
    } | key_of
}

# Sets libmicrohttpd: the prefix, or nothing for the system's.
find_libmicrohttpd() {
    if [[ -n ${WEIR_LIBMICROHTTPD:-} ]]; then
        prefix_is_good "$WEIR_LIBMICROHTTPD" ||
            fail "WEIR_LIBMICROHTTPD names $WEIR_LIBMICROHTTPD, which has no libmicrohttpd $libmicrohttpd_minimum or newer (include/microhttpd.h, lib/libmicrohttpd.a)"
        libmicrohttpd=$(cd "$WEIR_LIBMICROHTTPD" && pwd)
    elif pkg-config --atleast-version="$libmicrohttpd_minimum" libmicrohttpd 2>/dev/null; then
        libmicrohttpd=''
    else
        command -v gcc >/dev/null || return 1
        libmicrohttpd=$cache/libmicrohttpd/$(libmicrohttpd_key)
        prefix_is_good "$libmicrohttpd"
    fi
}

choose_libmicrohttpd() {
    if apt_offers libmicrohttpd-dev "$libmicrohttpd_minimum"; then
        printf 'libmicrohttpd-dev'
    fi
}

# release_sources RELEASE COMPONENTS DIRECTORY: write the machine's own package sources, with the release replaced and asking for
# source packages, as apt configuration. Security and third-party archives are left out: they lack the release.
release_sources() {
    local codename file
    codename=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")
    [[ -n $codename ]] || { echo "/etc/os-release has no VERSION_CODENAME"; return 1; }
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
        [[ -e $file ]] || continue
        # deb [options] URI suite component...
        awk -v release="$1" -v components="$2" -v codename="$codename" '
            /^[ \t]*deb(-src)?[ \t]/ {
                sub(/^[ \t]+/, ""); sub(/#.*/, "")
                options = ""
                if (match($0, /\[[^]]*\]/)) {
                    options = substr($0, RSTART, RLENGTH) " "
                    $0 = substr($0, 1, RSTART - 1) substr($0, RSTART + RLENGTH)
                }
                if (($3 == codename || $3 == "stable" || $3 == "oldstable") && $2 !~ /security/)
                    print "deb-src " options $2 " " release " " components
            }' "$file"
    done | sort -u >"$3/release.list"
    for file in /etc/apt/sources.list.d/*.sources; do
        [[ -e $file ]] || continue
        # Stanzas of fields; a field goes on in lines that begin with a space (a key may stand there).
        awk -v release="$1" -v components="$2" -v codename="$codename" '
            function finish() {
                if (wanted && enabled && !security)
                    printf "Types: deb-src\nSuites: %s\nComponents: %s\n%s\n", release, components, kept
                wanted = security = 0; enabled = 1; kept = ""
            }
            BEGIN { enabled = 1 }
            /^[ \t]*$/ { finish(); next }
            /^#/ { next }
            /^[^ \t]/ { field = tolower($0); sub(/:.*/, "", field) }
            field == "enabled" { if (tolower($0) ~ /no[ \t]*$/) enabled = 0; next }
            field == "suites" {
                for (i = 1; i <= NF; i++) if ($i == codename || $i == "stable" || $i == "oldstable") wanted = 1
                next
            }
            field == "types" || field == "components" { next }
            field == "uris" && /security/ { security = 1 }
            { kept = kept $0 "\n" }
            END { finish() }' "$file"
        echo
    done >"$3/release.sources"
    [[ -s $3/release.list ]] || grep -q . "$3/release.sources" ||
        { echo "found no source of $codename in /etc/apt to take the release $1 from"; return 1; }
}

# build_libmicrohttpd RELEASE COMPONENTS STAGED DESTINATION
build_libmicrohttpd() {
    set -euo pipefail
    local work=$3/work staged=$3/prefix apt original series patch
    mkdir -p "$work"/{etc,lists/partial,cache/archives/partial,source} "$staged"
    release_sources "$1" "$2" "$work/etc"
    # A configuration of its own: the system's lists and sources stay as they are, its keys verify the release.
    apt=(apt-get -q -o "Dir::Etc::sourcelist=/dev/null" -o "Dir::Etc::sourceparts=$work/etc"
        -o "Dir::State::Lists=$work/lists" -o "Dir::Cache=$work/cache" -o "APT::Sandbox::User=$(id -un)"
        -o Acquire::Languages=none -o Acquire::Retries=3)
    "${apt[@]}" update
    cd "$work/source"
    "${apt[@]}" source --download-only libmicrohttpd
    original=(libmicrohttpd_*.orig.tar.?z*) # gz or xz, and not the signature beside it
    tar -xf "${original[0]}" --strip-components=1
    tar -xf libmicrohttpd_*.debian.tar.*
    series=debian/patches/series
    if [[ -e $series ]]; then
        while read -r patch _; do
            [[ -z $patch || $patch == '#'* ]] || patch -p1 --no-backup-if-mismatch <"debian/patches/$patch"
        done <"$series"
    fi
    # What was generated stays newer than what the patches touched: no automake is needed.
    find . \( -name aclocal.m4 -o -name configure -o -name '*.in' -o -name '*.info' \) -exec touch {} +
    ./configure --prefix="$4" --disable-shared --enable-static --with-pic --disable-doc --disable-examples --disable-tools \
        --disable-curl --disable-nls --disable-https \
        CFLAGS='-O2 -g1 -ffunction-sections -fdata-sections -fstack-protector-strong -fstack-clash-protection' \
        CPPFLAGS='-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2'
    make -j "$(nproc)"
    make install DESTDIR="$staged"
}

setup_libmicrohttpd() {
    local distribution release components staged
    find_libmicrohttpd && return
    distribution=$(. /etc/os-release && printf '%s' "$ID")
    release=${newer_release[$distribution]:-} components=${newer_components[$distribution]:-}
    [[ -n $release ]] && command -v apt-get >/dev/null ||
        fail "libmicrohttpd $libmicrohttpd_minimum or newer is needed: install its development package, or build it and set WEIR_LIBMICROHTTPD to its prefix" \
            "$STATUS_CANNOT_INSTALL"
    lock "$cache/libmicrohttpd/lock" 'building libmicrohttpd'
    if ! find_libmicrohttpd; then
        staged=$cache/libmicrohttpd/new.$$
        temporary+=("$staged")
        step "building libmicrohttpd from ${release}'s source package" "$logs/libmicrohttpd.log" progress_unknown \
            build_libmicrohttpd "$release" "$components" "$staged" "$libmicrohttpd"
        keep "$staged/prefix$libmicrohttpd" "$libmicrohttpd"
        find_libmicrohttpd || fail "the libmicrohttpd that was built into $libmicrohttpd cannot be used: see $logs/libmicrohttpd.log"
        prune "$cache/libmicrohttpd" 3
    fi
    unlock
}
