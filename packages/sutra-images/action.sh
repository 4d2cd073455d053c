#!/usr/bin/env bash
# The step of action.yml: checks images of another repository, with the locked packages of this one.
#
#   eg: SUTRA_IMAGE=web:prod SUTRA_LIKE=images.yaml#web SUTRA_FORMAT=github action.sh
#
# Exit 0: all checks passed. 1: one did not. 2: the call or a file is wrong.
set -Eeuo pipefail
action=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
"$action/scripts/venv.sh"
words=(verify --like "$SUTRA_LIKE" --format "$SUTRA_FORMAT")
[[ -z $SUTRA_IMAGE ]] || words+=(-- "$SUTRA_IMAGE")
# -P: a module of the repository that is checked is never taken for one of ours
PYTHONPATH=$action/packages/sutra-images/src exec "$action/.venv/bin/python" -P -m sutra_images "${words[@]}"
