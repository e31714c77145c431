#!/usr/bin/env bash
# Makes this clone ready to run: system libraries, a virtual environment, the pinned packages.
# Usage: scripts/setup.sh [--dev]     --dev adds what tests and checks need.
# PYTHON=PROGRAM chooses the interpreter (3.11 to 3.13). A second run finds everything in place.
set -euo pipefail
. "$(dirname "$0")/common.sh"
. "$ROOT/scripts/system.sh"

NEED_MB=4096
REQUIREMENTS=(requirements.txt)
[ "${1:-}" != --dev ] || REQUIREMENTS+=(requirements-dev.txt)
STARTED=$SECONDS

one_at_a_time() {
    command -v flock >/dev/null || return 0
    exec 9<"$ROOT/requirements.txt" # a lock needs no file of its own
    flock -n 9 && return 0
    say "Another set-up of this clone is running; waiting for it ..."
    flock 9
}

free_mb() { df -Pm "$1" | awk 'NR == 2 { print $4 }'; }

check_disk() {
    local have
    have=$(free_mb "$ROOT")
    [ "$have" -ge "$NEED_MB" ] || fail \
        "Not enough disk space: $have MB are free in this folder, the set-up needs $NEED_MB MB." \
        "Free some space (or clone onto a larger disk) and run the same command again."
    have=$(free_mb "${TMPDIR:-/tmp}")
    [ "$have" -ge 1024 ] || fail \
        "Not enough disk space for downloads: $have MB are free in ${TMPDIR:-/tmp}, 1024 MB are needed." \
        "Free some space there, or set TMPDIR to a folder with more, and run the same command again."
}

# A stamp says what was last checked in full: the requirements' text, the interpreter and the folder.
fingerprint() { # fingerprint REQUIREMENTS...
    { cat "$@"; "$VENV/bin/python" -VV; say "$ROOT"; } | sha256sum | cut -d ' ' -f 1
}

# A virtual environment that was moved still starts, but its programs name the old place.
venv_works() {
    [ -x "$VENV/bin/python" ] && good_python "$VENV/bin/python" &&
        grep -qF "$VENV/bin/python" "$VENV/bin/pip" 2>/dev/null &&
        "$VENV/bin/python" -c 'import pip._internal.cli.main' >/dev/null 2>&1
}

make_venv() {
    if [ -e "$VENV" ]; then
        say "The virtual environment .venv does not work (half-built, moved or damaged): building it anew."
    else
        say "Making the virtual environment .venv with $("$FOUND_PYTHON" -V) ..."
    fi
    local log
    log=$(mktemp)
    if ! "$FOUND_PYTHON" -m venv --clear "$VENV" >"$log" 2>&1; then
        tail -n 3 "$log" >&2
        rm -rf "$VENV"
        fail "$FOUND_PYTHON could not make a virtual environment (its last words are above)." \
            "On Debian and Ubuntu: apt-get install python3-venv. Or name another interpreter: make setup PYTHON=python3.12"
    fi
    rm -f "$log"
}

explain_pip() { # explain_pip LOG
    local again="Run the same command again: what is already installed is kept."
    if grep -qiE 'no space left|Errno 28' "$1"; then
        fail "The disk became full while packages were installed." "Free some space. $again"
    elif grep -qiE 'connection broken|NewConnectionError|NameResolutionError|name resolution|timed out|unreachable|ProxyError|refused|Could not fetch URL|SSLError|from versions: none' "$1"; then
        fail "The Python package index cannot be reached: packages are missing and pip could not download them." \
            "Check the network, or PIP_INDEX_URL and the proxy settings. $again"
    elif grep -qiE 'No matching distribution' "$1"; then
        fail "A pinned package is not offered for this interpreter and machine (pip's last lines are above)." \
            "Try another interpreter: make setup PYTHON=python3.11"
    fi
    fail "pip failed (its last lines are above; all of them: $1)." "$again"
}

# pip's last step. While it installs it says nothing more for minutes: then how many packages are there since.
pip_step() { # pip_step LOG BEGUN
    local step commas
    step=$(grep -E '^ *(Collecting|Downloading|Installing|Using|Processing)' "$1" | tail -n 1) || true
    if [[ $step == Installing* ]]; then
        commas=${step//[^,]/}
        say "Installing: $(find "$VENV"/lib/python*/site-packages -maxdepth 1 -name '*.dist-info' -newer "$2" | wc -l) of $((${#commas} + 1)) packages are in place"
    else
        say "${step:0:90}"
    fi
}

pip_install() { # pip_install WORDS ARGUMENT...
    local log begun start=$SECONDS words=$1 pid next=15
    shift
    log=$(mktemp) begun=$(mktemp)
    say "$words"
    # Three of four modules are never imported: byte code is written for what is (load_everything), not for all of it.
    "$VENV/bin/python" -m pip install --disable-pip-version-check --no-input --no-compile --progress-bar off "$@" \
        >"$log" 2>&1 </dev/null &
    pid=$!
    while kill -0 "$pid" 2>/dev/null; do
        sleep 0.5
        system_failed && kill "$pid" && break # finish_system says why, now and not after minutes
        if [ $((SECONDS - start)) -ge "$next" ]; then
            say "  $((SECONDS - start)) s: $(pip_step "$log" "$begun")"
            next=$((next + 15))
        fi
    done
    if ! wait "$pid"; then
        system_failed && finish_system
        tail -n 4 "$log" >&2
        explain_pip "$log"
    fi
    rm -f "$log" "$begun"
    say "  done in $((SECONDS - start)) s."
}

install_packages() {
    local bad=() arguments=() file
    mapfile -t bad < <("$VENV/bin/python" scripts/check_venv.py "${REQUIREMENTS[@]}")
    [ ${#bad[@]} -gt 0 ] || return 0
    for file in "${REQUIREMENTS[@]}"; do arguments+=(-r "$file"); done
    check_disk
    if [ ${#bad[@]} -ge 20 ]; then
        pip_install "Installing ${#bad[@]} packages and what they need (2 to 5 minutes, 2 GB) ..." "${arguments[@]}"
    else
        pip_install "Installing or repairing: ${bad[*]} ..." "${arguments[@]}"
    fi
    mapfile -t bad < <("$VENV/bin/python" scripts/check_venv.py "${REQUIREMENTS[@]}")
    [ ${#bad[@]} -gt 0 ] || return 0
    pip_install "Repairing ${#bad[@]} damaged packages: ${bad[*]} ..." --force-reinstall --no-deps "${bad[@]}"
    "$VENV/bin/python" scripts/check_venv.py "${REQUIREMENTS[@]}" >/dev/null || fail \
        "The virtual environment .venv is damaged beyond repair by pip." "Remove the folder .venv and run the same command again."
}

# The packages of this clone become importable from any folder, as the engine's fresh processes need.
link_clone() {
    local site
    site=$("$VENV/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    say "$ROOT" >"$site/lethe.pth"
}

# Imports what the processes of the house import: a library that does not load is told now, and byte code lies ready
# for processes whose user may not write here.
load_everything() {
    local log start=$SECONDS part parts=() code=0
    log=$(mktemp)
    say "Loading what was installed, once ..."
    for part in house engine; do
        "$VENV/bin/python" scripts/load_everything.py "$part" >>"$log" 2>&1 </dev/null &
        parts+=($!)
    done
    for part in "${parts[@]}"; do wait "$part" || code=$?; done
    if [ $code != 0 ]; then
        tail -n 4 "$log" >&2
        fail "An installed library does not load (the last lines are above; all of them: $log)." \
            "Run the same command again; if it says the same, remove the folder .venv first."
    fi
    rm -f "$log"
    say "  done in $((SECONDS - start)) s."
}

# Django reads compiled translations; what is newer than its source stays.
compile_translations() { "$VENV/bin/python" scripts/compile_catalogues.py; }

# Building anew empties the folder, and its stamp and paths name one clone: behind a link, all of that is another's.
refuse_a_linked_venv() {
    [ ! -L "$VENV" ] || fail "The virtual environment .venv is a link to $(readlink "$VENV"): nothing there was touched." \
        "Remove the link (rm .venv) and run the same command again: this clone gets an environment of its own."
}

main() {
    refuse_a_linked_venv
    one_at_a_time
    check_runtime_libraries
    [ ${#REQUIREMENTS[@]} -eq 1 ] || check_test_tools
    if ! venv_works; then find_python; fi
    trap finish_system EXIT # whatever stops this script, apt-get is not left half-way
    install_missing
    if ! venv_works; then
        find_python
        check_disk
        make_venv
    fi
    local stamp="$VENV/.lethe-${#REQUIREMENTS[@]}" print base
    print=$(fingerprint "${REQUIREMENTS[@]}") base=$(fingerprint requirements.txt)
    if [ "$(cat "$stamp" 2>/dev/null)" = "$print" ] && "$VENV/bin/python" scripts/check_venv.py "${REQUIREMENTS[@]}" >/dev/null; then
        compile_translations
        finish_system
        say "Set-up: everything is in place."
        return 0
    fi
    rm -f "$stamp"
    install_packages
    link_clone
    compile_translations
    finish_system
    # What --dev adds is loaded by no process of the house, and with it all that the house needs is there.
    [ "$(cat "$VENV/.lethe-1" 2>/dev/null)" = "$base" ] || load_everything
    say "$base" >"$VENV/.lethe-1"
    say "$print" >"$stamp"
    say "Set-up finished in $((SECONDS - STARTED)) s."
}

main
