#!/usr/bin/env bash
# Builds the development images: full toolchains, tests and sources included.
#
#   eg: ./build.sh
#
# Exit 0: built and tagged :dev (bases also :latest). 2: the call or a file is
# wrong, a step failed, or there is no engine.
set -Eeuo pipefail
trap 'echo "build: FAILED" >&2' ERR
cd "$(dirname "${BASH_SOURCE[0]}")"

if [[ $# -gt 0 ]]; then
  sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0"
  [[ $1 == -h || $1 == --help ]] && exit 0
  exit 2
fi

if [[ ! -w . ]]; then
  echo "build: checkout: not writable \"$PWD\"" >&2
  echo "tip: mount it for writing, or clone it to a folder of yours: \`git clone $PWD ~/sutra\`" >&2
  exit 2
fi
# each says itself what it lacks
scripts/engine.sh || exit
scripts/venv.sh || exit
exec .venv/bin/python -m scripts build dev
