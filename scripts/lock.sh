#!/usr/bin/env bash
# Resolves every requirements.in of the repository into its lock, with hashes.
# Locks hold for every platform, and for the oldest Python that installs them.
#
#   eg: scripts/lock.sh
set -Eeuo pipefail
trap 'echo "lock: FAILED" >&2' ERR
cd "$(dirname "${BASH_SOURCE[0]}")/.."

lock() { # lock PYTHON FOLDER NAME [CONSTRAINTS]
  (cd "$2" && "$OLDPWD/.venv/bin/uv" pip compile --quiet --upgrade --universal --generate-hashes \
    --no-header --python-version "$1" ${4:+-c "$4"} "$3.in" -o "$3.lock")
  echo "lock: $2/$3.lock"
}

lock 3.11 . requirements
lock 3.11 . requirements-dev requirements.lock
for package in packages/*/requirements.in; do
  # Alpine 3.23 has Python 3.12, Debian 13 has 3.13
  lock 3.12 "$(dirname "$package")" requirements
  lock 3.12 "$(dirname "$package")" requirements-test requirements.lock
done
lock 3.12 packages/sutra-hybrid requirements-build
