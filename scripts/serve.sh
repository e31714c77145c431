#!/usr/bin/env bash
# Runs the Procfile on an installation that exists. Usage: scripts/serve.sh PORT
set -euo pipefail
. "$(dirname "$0")/common.sh"

port=${1:-8000}
home=${LETHE_HOME:-$ROOT/var}
[ -e "$home/secrets/django.key" ] || [ -n "${LETHE_SECRETS:-}" ] || fail "There is no installation in $home yet." \
    "make demo builds one, or: .venv/bin/python manage.py bootstrap"
if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
    fail "Port $port is in use." "Choose another: make serve PORT=$((port + 1))"
fi
# honcho gives every process a PORT of its own, so the address is fixed here for all of them.
export LETHE_URL="${LETHE_URL:-http://127.0.0.1:$port}"
exec "$VENV/bin/python" -m honcho start --port "$port"
