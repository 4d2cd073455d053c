#!/usr/bin/env bash
# Builds the production images, checks them against images.yaml and promotes what
# passed to :latest. Sets up what is missing: an engine, a virtual environment, a
# root image.
#
#   eg: ./build-prod.sh
#       APT_MIRROR=… ./build-prod.sh     (knobs: see `make help`)
#
# Exit 0: promoted. 1: a check failed, or there are uncommitted changes (ALLOW_DIRTY=1
# promotes them): nothing promoted. 2: the call or a file is wrong, or no engine.
set -Eeuo pipefail
trap 'echo "build-prod: FAILED" >&2' ERR
cd "$(dirname "${BASH_SOURCE[0]}")"

if [[ $# -gt 0 ]]; then
  sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0"
  [[ $1 == -h || $1 == --help ]] && exit 0
  exit 2
fi

if [[ ! -w . ]]; then
  echo "build-prod: checkout: not writable \"$PWD\"" >&2
  echo "tip: mount it for writing, or clone it to a folder of yours: \`git clone $PWD ~/sutra\`" >&2
  exit 2
fi
# each says itself what it lacks
scripts/timed.sh engine scripts/engine.sh || exit
# a first build needs both, and neither needs the other
[[ -e .venv ]] || scripts/root-ahead.sh &
scripts/timed.sh venv scripts/venv.sh || {
  status=$?
  wait # a bootstrap must not go on after this script has ended
  exit "$status"
}
exec .venv/bin/python -m scripts prod
