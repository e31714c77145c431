# What pip cannot bring: system libraries, an interpreter, and for tests a browser and PDF tools.
# Sourced by setup.sh. Every check names the Debian package that satisfies it.
# shellcheck shell=bash

MISSING=()      # Debian packages
MISSING_TEXT=() # the same in words
SYSTEM_PID=     # apt-get, while it works

need() { # need PACKAGE WORDS COMMAND...: adds PACKAGE when COMMAND fails
    local package=$1 words=$2
    shift 2
    if ! "$@" >/dev/null 2>&1; then
        MISSING+=("$package")
        MISSING_TEXT+=("$words")
    fi
}

# Captured first: with pipefail, `ldconfig | grep -q` fails when grep closes the pipe early.
LIBRARIES=$(PATH="$PATH:/sbin:/usr/sbin" ldconfig -p 2>/dev/null || true)
has_library() { case "$LIBRARIES" in *"$1"*) true ;; *) false ;; esac; }
has_command() { command -v "$1"; }
has_fonts() { [ -n "$(fc-list 2>/dev/null | head -n 1)" ]; }
has_east_asian_font() { [ -n "$(fc-list 'Droid Sans Fallback' 2>/dev/null)" ]; }
has_browser() { command -v chromium || command -v chromium-browser || command -v google-chrome; }
has_jaxb() { compgen -G '/usr/share/java/jaxb-*.jar'; }
has_java() { command -v java && command -v javac; }
has_softhsm() { command -v softhsm2-util && compgen -G '/usr/lib/*/softhsm/libsofthsm2.so'; }
port_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
has_postgresql() { port_open 5432 || compgen -G '/usr/lib/postgresql/*/bin/initdb'; }
has_redis() { port_open 6379 || command -v redis-server; }
has_clamd() { PATH="$PATH:/usr/sbin" command -v clamd; }
has_rabbitmq() { port_open 5672 || [ -x /usr/lib/rabbitmq/bin/rabbitmq-server ]; }

check_runtime_libraries() {
    need libpango-1.0-0 "Pango (lays out the PDF reports)" has_library libpango-1.0.so.0
    need libpangoft2-1.0-0 "Pango's FreeType part" has_library libpangoft2-1.0.so.0
    need libharfbuzz-subset0 "HarfBuzz subset (without it reports are not reproducible)" has_library libharfbuzz-subset.so.0
    need fontconfig "fontconfig" has_command fc-list
    need fonts-dejavu-core "at least one font" has_fonts
    need fonts-droid-fallback "the letters of East Asia in reports" has_east_asian_font
}

check_test_tools() {
    need chromium "Chromium (browser tests)" has_browser
    need poppler-utils "Poppler's tools (tests read the PDF)" has_command pdftotext
    need qpdf "qpdf (tests check the PDF's structure)" has_command qpdf
    need openssl "OpenSSL (a time stamp authority for tests)" has_command openssl
    need softhsm2 "SoftHSM (tests keep keys in a token)" has_softhsm
    need default-jdk-headless "a Java development kit (PDF/A validation in tests)" has_java
    need libjaxb-java "JAXB for Java (PDF/A validation in tests)" has_jaxb
    # Elsewhere a missing server is a skip that is said aloud; there it would be a failure.
    if in_ci; then
        need postgresql "PostgreSQL (tests)" has_postgresql
        need redis-server "Redis (tests)" has_redis
        need rabbitmq-server "RabbitMQ (tests)" has_rabbitmq
        need clamav-daemon "ClamAV's daemon (tests)" has_clamd
    fi
}

# good_python PROGRAM: runs, is 3.11 to 3.13
good_python() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1
}

# Sets FOUND_PYTHON, or adds the packages that bring one.
find_python() {
    local candidate version
    FOUND_PYTHON=
    if [ -n "${PYTHON:-}" ]; then
        command -v "$PYTHON" >/dev/null || fail "PYTHON=$PYTHON: there is no such program." \
            "Name a Python 3.11, 3.12 or 3.13, or leave PYTHON out."
        good_python "$PYTHON" || fail "PYTHON=$PYTHON is not a working Python 3.11, 3.12 or 3.13." \
            "Name another, or leave PYTHON out."
        FOUND_PYTHON=$PYTHON
    else
        for candidate in python3.11 python3.12 python3.13 python3 /usr/bin/python3; do
            if command -v "$candidate" >/dev/null && good_python "$candidate"; then
                FOUND_PYTHON=$candidate
                break
            fi
        done
    fi
    if [ -z "$FOUND_PYTHON" ]; then
        if apt-cache show python3.11 >/dev/null 2>&1; then
            MISSING+=(python3.11 python3.11-venv)
        else
            MISSING+=(python3 python3-venv)
        fi
        MISSING_TEXT+=("Python 3.11, 3.12 or 3.13")
    elif ! "$FOUND_PYTHON" -c 'import ensurepip, venv' >/dev/null 2>&1; then
        version=$("$FOUND_PYTHON" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        MISSING+=("python$version-venv")
        MISSING_TEXT+=("Python's venv module")
    fi
}

# Begins to install MISSING where that is allowed, else prints the one command that does. `finish_system` ends it.
install_missing() {
    [ ${#MISSING[@]} -gt 0 ] || return 0
    local words as_root=()
    words=$(printf ', %s' "${MISSING_TEXT[@]}")
    say "Missing on this machine: ${words:2}."
    if ! command -v apt-get >/dev/null; then
        fail "This machine has no apt-get, so the set-up cannot install them." \
            "Install what Debian calls: ${MISSING[*]}. Then run the same command again."
    fi
    SYSTEM_COMMAND="apt-get update && apt-get install -y --no-install-recommends ${MISSING[*]}"
    if [ "$(id -u)" != 0 ]; then
        if ! { command -v sudo && sudo -n true; } >/dev/null 2>&1; then
            fail "Installing them needs the administrator. Run this one command, then the same make command again:" \
                "  sudo sh -c '$SYSTEM_COMMAND'"
        fi
        as_root=(sudo -n)
    fi
    say "Installing ${MISSING[*]} ..."
    SYSTEM_LOG=$(mktemp) SYSTEM_START=$SECONDS
    {
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive sh -c "$SYSTEM_COMMAND" >"$SYSTEM_LOG" 2>&1 </dev/null 9<&- ||
            { touch "$SYSTEM_LOG.failed" && false; }
    } &
    SYSTEM_PID=$!
    # A Python that comes with them is needed at once; all else is needed only when what pip installs is first loaded.
    case " ${MISSING[*]} " in *" python"*) finish_system ;; esac
}

# Whether apt-get has failed by now; asked while pip works.
system_failed() { [ -n "$SYSTEM_PID" ] && [ -e "$SYSTEM_LOG.failed" ]; }

# Waits for apt-get, which works beside pip, and explains its failure; at once where nothing is being installed.
finish_system() {
    [ -n "$SYSTEM_PID" ] || return 0
    local code=0
    wait "$SYSTEM_PID" || code=$?
    SYSTEM_PID=
    rm -f "$SYSTEM_LOG.failed"
    if [ $code != 0 ]; then
        tail -n 5 "$SYSTEM_LOG" >&2
        if grep -qiE 'no space left' "$SYSTEM_LOG"; then
            fail "The disk is full: the system packages were not installed." "Free some space and run the same command again."
        elif grep -qiE 'could not resolve|temporary failure|could not connect|unable to connect|failed to fetch' "$SYSTEM_LOG"; then
            fail "The package servers cannot be reached: the system packages were not installed." \
                "Check the network (or the proxy) and run the same command again, or run: $SYSTEM_COMMAND"
        fi
        fail "apt-get could not install ${MISSING[*]} (its last lines are above; all of them: $SYSTEM_LOG)." \
            "Run this yourself, then the same make command again: $SYSTEM_COMMAND"
    fi
    rm -f "$SYSTEM_LOG"
    say "System packages installed after $((SECONDS - SYSTEM_START)) s."
}
