#!/usr/bin/env bash
# Installs what tests need, then runs them: what is about the database itself on PostgreSQL first, then everything on
# SQLite, so that the last line is the closing line of the whole suite. Exits with the worse of the two codes.
# docs/adr/0038 says which tests carry the mark, and why not all.
# Arguments go to the second run: scripts/test.sh tests/engine -k relearning
set -euo pipefail
. "$(dirname "$0")/common.sh"
"$ROOT/scripts/setup.sh" --dev
export DJANGO_ALLOW_ASYNC_UNSAFE=1

# 5: pytest found no test to run.
worst=0
tests() {
    local code=0
    "$VENV/bin/python" -m pytest --quiet -ra --durations=8 "$@" || code=$?
    [ $code = 5 ] || [ $code -le $worst ] || worst=$code
}

# A process for each processor; six at most, for the memory of those that train models.
workers=$(nproc)
[ "$workers" -ge 2 ] || workers=2
[ "$workers" -le 6 ] || workers=6

# By files in the order of their names, which has the browser's long ones early: the plugin's own order, files of few tests
# last, left processes idle at the end.
all=(--ignore=tests/bench -n "$workers" --dist loadfile --no-loadscope-reorder)

if [ $# = 0 ]; then
    say "Tests of the database itself, on PostgreSQL:"
    LETHE_TEST_DATABASE=postgresql tests -m database "${all[@]}"
    say "All tests, on SQLite:"
    set -- "${all[@]}"
fi
tests "$@"
exit $worst
