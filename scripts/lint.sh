#!/usr/bin/env bash
# Every check runs, also after one that fails; the exit code is the worst of them.
set -euo pipefail
. "$(dirname "$0")/common.sh"
"$ROOT/scripts/setup.sh" --dev

# mypy's Django plugin reads the settings, and these need secrets: throw-away ones, in a home of their own.
LETHE_HOME=$(mktemp -d)
export LETHE_HOME
trap 'rm -rf "$LETHE_HOME"' EXIT
"$VENV/bin/python" -c 'from governance.secrets import ensure_secrets, secrets_folder; ensure_secrets(secrets_folder())'

worst=0
check() { # check NAME COMMAND...
    local name=$1 start=$SECONDS code=0
    shift
    "$@" || code=$?
    say "$name: $([ $code = 0 ] && echo passed || echo FAILED) in $((SECONDS - start)) s"
    [ $code -le $worst ] || worst=$code
}
check "ruff check" "$VENV/bin/ruff" check --quiet --output-format concise .
check "ruff format" "$VENV/bin/ruff" format --check --quiet --output-format concise .
check "import rules" "$VENV/bin/lint-imports" --no-logo --no-cache
check "types" "$VENV/bin/mypy" --no-error-summary
exit $worst
