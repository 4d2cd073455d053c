#!/usr/bin/env bash
# Runs a command, and shows how long it took last time. Without a Python it just runs it.
#
#   eg: scripts/timed.sh engine scripts/engine.sh
#
# Exit: as the command.
set -Eeuo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly PYTHON=${PYTHON:-python3}
# isolated: no variable of the caller's Python keeps this folder out of its path
readonly RUN='import sys; sys.path.insert(0, "."); from scripts.common.durations import main; sys.exit(main(sys.argv[1:]))'
if "$PYTHON" -ISc 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
  exec "$PYTHON" -BISc "$RUN" "$@"
fi
shift
exec "$@"
