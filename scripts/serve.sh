#!/usr/bin/env bash
# Runs the Procfile on an installation that exists: LETHE_HOME, else var/, else the demo's of that seed.
# Usage: scripts/serve.sh PORT [SEED[-lineage]]
set -euo pipefail
. "$(dirname "$0")/common.sh"

port=${1:-8000}
home=${LETHE_HOME:-$ROOT/var}
if [ -z "${LETHE_HOME:-}" ] && [ ! -e "$home/secrets" ] && [ -d "$ROOT/var/demo-${2:-1}" ]; then
    home=$ROOT/var/demo-${2:-1}
    export LETHE_ORGANISATION="${LETHE_ORGANISATION:-Meridian Loom}" # as `manage.py demo` calls it in what it sealed
fi
[ -e "$home/secrets/django.key" ] || [ -n "${LETHE_SECRETS:-}" ] || fail "There is no installation in $home yet." \
    "make demo builds one, or: .venv/bin/python manage.py bootstrap"
if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
    fail "Port $port is in use." "Choose another: make serve PORT=$((port + 1))"
fi
# The Procfile names programs of the virtual environment, also where nobody switched it on.
export PATH="$VENV/bin:$PATH" LETHE_HOME="$home"
for database in keyring default; do
    "$VENV/bin/python" manage.py migrate --check --database "$database" >/dev/null || fail \
        "The database '$database' of $home lacks changes that this code needs, or cannot be reached (then the lines above say why)." \
        "Back up first, then: LETHE_HOME=$home .venv/bin/python manage.py bootstrap"
done
# honcho gives every process a PORT of its own, so the address is fixed here for all of them.
export LETHE_URL="${LETHE_URL:-http://127.0.0.1:$port}"
exec "$VENV/bin/python" -m honcho start --port "$port"
