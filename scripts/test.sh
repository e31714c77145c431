#!/usr/bin/env bash
# Installs what tests need, then runs them: what touches the database on PostgreSQL first, then everything on
# SQLite, so that the last line is the closing line of the whole suite. Exits with the worse of the two codes.
# Arguments go to the second run: scripts/test.sh tests/engine -k relearning
set -euo pipefail
. "$(dirname "$0")/common.sh"
"$ROOT/scripts/setup.sh" --dev
export DJANGO_ALLOW_ASYNC_UNSAFE=1 PYTHONDONTWRITEBYTECODE=1

# 5: pytest found no test to run.
worst=0
tests() {
    local code=0
    "$VENV/bin/python" -m pytest --quiet -ra --durations=8 "$@" || code=$?
    [ $code = 5 ] || [ $code -le $worst ] || worst=$code
}

if [ $# = 0 ]; then
    say "Tests of the database, on PostgreSQL:"
    LETHE_TEST_DATABASE=postgresql tests -m database --ignore=tests/bench -n 2 --dist loadfile
    say "All tests, on SQLite:"
    set -- --ignore=tests/bench -n 2 --dist loadfile
fi
tests "$@"
exit $worst
