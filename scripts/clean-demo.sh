#!/usr/bin/env bash
# Deletes var/, which holds all that a demo wrote. FORCE=1 asks nothing.
set -euo pipefail
. "$(dirname "$0")/common.sh"

[ -d var ] || { say "There is no var/: nothing to delete."; exit 0; }
if [ "${FORCE:-}" != 1 ]; then
    [ -t 0 ] || fail "Not deleted: nobody is there to confirm." "make clean-demo FORCE=1 deletes without asking."
    printf 'Delete var/ with its database, keys, models and reports (%s)? [y/N] ' "$(du -sh var | cut -f 1)"
    read -r answer
    case "$answer" in y | Y | yes) ;; *) fail "Nothing was deleted." ;; esac
fi
rm -rf var
say "var/ is deleted. make demo builds it anew."
