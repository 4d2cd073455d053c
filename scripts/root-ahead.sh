#!/usr/bin/env bash
# Begins the root image that a first build needs, while the virtual environment is installed; see
# scripts/build/root_ahead.py. Without a Python for it there is nothing to do: the build makes one.
#
#   eg: scripts/root-ahead.sh &
#
# Exit: 0.
set -Eeuo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly PYTHON=${PYTHON:-python3}
# isolated: no variable of the caller's Python keeps this folder out of its path
readonly RUN='import sys; sys.path.insert(0, "."); from scripts.build.root_ahead import main; sys.exit(main())'
if "$PYTHON" -ISc 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
  exec "$PYTHON" -BISc "$RUN"
fi
