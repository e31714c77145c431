# Shared by the scripts: speech, failure in one clear sentence, time. Sourced, never run.
# shellcheck shell=bash

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
VENV="$ROOT/.venv"
cd "$ROOT" || exit 1

say() { printf '%s\n' "$*"; }

# fail SENTENCE [WHAT TO DO]
fail() {
    printf '\n%s\n' "$1" >&2
    [ $# -lt 2 ] || printf '%s\n' "$2" >&2
    exit 1
}

in_ci() { case "${CI:-}" in 1 | true | yes) true ;; *) false ;; esac; }

# Images of containers often set it. Every process of the engine would compile its libraries anew: 17 s in place of 6.
unset PYTHONDONTWRITEBYTECODE

# An engine beside a web server on a small machine: one thread each unless the caller knows better.
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
