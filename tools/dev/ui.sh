# shellcheck shell=bash
# What dev says, and how it runs what takes long: a step shows what it does and for how long, writes to a log, and ends
# with everything it started. Sourced by dev.

# Exit statuses, as `dev help` lists them.
readonly STATUS_FAILED=1 STATUS_USAGE=2 STATUS_CANNOT_INSTALL=3

terminal=no bold='' dim='' red='' reset=''
if [[ -t 2 && ${TERM:-dumb} != dumb ]]; then
    terminal=yes
    if [[ -z ${NO_COLOR:-} ]]; then
        bold=$'\e[1m' dim=$'\e[2m' red=$'\e[31m' reset=$'\e[0m'
    fi
fi

say() {
    printf '%s\n' "$*" >&2
}

# fail MESSAGE [STATUS]
fail() {
    printf '%sdev: %s%s\n' "$red" "$1" "$reset" >&2
    exit "${2:-$STATUS_FAILED}"
}

# duration SECONDS: "12 s", "2 min 10 s"
duration() {
    if (($1 < 60)); then
        printf '%d s' "$1"
    else
        printf '%d min %d s' $(($1 / 60)) $(($1 % 60))
    fi
}

# ---- Ending --------------------------------------------------------------------------------------------------------

child='' # the process, and the process group, that dev has started and not seen the end of
temporary=() # what goes when dev ends

# Ask the child's group to end, and wait for the child; the others of the group have five seconds more.
end_child() {
    local tick deadline
    exec {tick}<> <(:)
    kill -TERM -- "-$child" 2>/dev/null || true
    wait "$child" 2>/dev/null || true
    deadline=$((SECONDS + 5))
    while kill -0 -- "-$child" 2>/dev/null; do
        ((SECONDS < deadline)) || kill -KILL -- "-$child" 2>/dev/null || break
        read -rt 0.05 -u "$tick" || true
    done
    exec {tick}>&-
    child=''
}

clean_up() {
    local path
    [[ -z $child ]] || end_child
    for path in ${temporary[@]+"${temporary[@]}"}; do
        rm -rf -- "$path"
    done
    temporary=()
}

interrupted() { # SIGNAL NUMBER
    trap - INT TERM HUP
    clean_up
    [[ $terminal == no ]] || printf '\n' >&2
    say "dev: ended by SIG$1"
    exit $((128 + $2))
}

trap clean_up EXIT
trap 'interrupted INT 2' INT
trap 'interrupted TERM 15' TERM
trap 'interrupted HUP 1' HUP

# ---- Steps ---------------------------------------------------------------------------------------------------------

# How far a log says it has come, as "N of M": the last "N/M" of cargo's progress bar or of ninja's status.
progress_of_cargo() {
    tail -c 4096 "$1" | tr '\r' '\n' | sed -nE 's|.*\] +([0-9]+)/([0-9]+).*|\1 of \2 crates|p' | tail -n 1
}

progress_of_ninja() {
    tail -c 4096 "$1" | sed -nE 's|^\[([0-9]+)/([0-9]+)\].*|\1 of \2|p' | tail -n 1
}

progress_unknown() {
    :
}

# A log as a person wants to read it: without what only told of progress.
readable() {
    tr '\r' '\n' <"$1" | sed -E $'s/\e\\[[0-9;]*[A-Za-z]//g; /^ *(Building|Updating|Downloading|Blocking) \\[/d; /^\\[[0-9]+\\/[0-9]+\\] /d; /^ *$/d'
}

show_progress() { # TITLE SECONDS PROGRESS
    local line="$1 … $(duration "$2")${3:+, $3}"
    if [[ $terminal == yes ]]; then
        printf '\r\e[K%s' "${line:0:${COLUMNS:-80}-1}" >&2
    else
        say "$line"
    fi
}

# in_background OUTPUT COMMAND...: start it as the child, a process group of its own with nothing on its standard input, so
# that it can be ended with everything that it starts.
in_background() {
    local output=$1
    shift
    set -m
    "$@" >"$output" 2>&1 </dev/null &
    child=$!
    set +m
}

# step TITLE LOG PROGRESS COMMAND...: run a command or function with its output in a log. Nothing is said of what takes
# less than a second; of the rest a line that is rewritten on a terminal, and elsewhere one every 30 seconds. When it
# fails, dev does, with the end of the log.
step() {
    local title=$1 log=$2 progress=$3 status=0 started=$SECONDS next=1 elapsed tick wait=0.02
    shift 3
    mkdir -p "${log%/*}"
    shopt -s checkwinsize
    (:) # a child that ends makes bash notice how wide the window is
    exec {tick}<> <(:)
    in_background "$log" "$@"
    while kill -0 "$child" 2>/dev/null; do
        read -rt "$wait" -u "$tick" || true # a sleep that starts no process
        elapsed=$((SECONDS - started))
        if ((elapsed >= 1)); then
            wait=0.25
        fi
        if ((elapsed >= next)); then
            show_progress "$title" "$elapsed" "$("$progress" "$log" 2>/dev/null || true)"
            next=$((elapsed + 1))
            [[ $terminal == yes ]] || next=$((elapsed + 30))
        fi
    done
    wait "$child" || status=$?
    child=''
    exec {tick}>&-
    elapsed=$((SECONDS - started))
    if ((status != 0)); then
        [[ $terminal == no || $next == 1 ]] || printf '\r\e[K' >&2
        say "$title … ${red}failed${reset} after $(duration "$elapsed"); the end of $log:"
        readable "$log" | tail -n 60 >&2
        fail "${title} failed (exit status $status); the whole log is $log" "$STATUS_FAILED"
    elif ((next > 1)); then
        [[ $terminal == no ]] || printf '\r\e[K' >&2
        say "$title … done in $(duration "$elapsed")"
    fi
}

# ---- Two at once ---------------------------------------------------------------------------------------------------

# lock FILE WHAT: hold a lock until unlock; says so when another dev holds it. One lock at a time.
lock() {
    mkdir -p "${1%/*}"
    exec {lock_descriptor}>"$1"
    if ! flock -n "$lock_descriptor"; then
        say "waiting for another dev that is $2 …"
        flock "$lock_descriptor"
    fi
}

unlock() {
    exec {lock_descriptor}>&-
}
