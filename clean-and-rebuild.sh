#!/usr/bin/env bash
# Builds everything again, verifies, promotes, deploys, and then removes what is old:
# shown first, and asked. Data and what rollback needs stay.
#
#   ./clean-and-rebuild.sh [--yes] [--data] [--all] [--free-space-first] [--dry-run]
#
#   --yes               do not ask, for pipelines
#   --data              the data volumes as well; asks for their names
#   --all               what rollback needs as well
#   --free-space-first  remove old images before the build, never :latest nor what runs
#   --dry-run           show the list, do nothing; DRY_RUN=1 as well
#
#   eg: ./clean-and-rebuild.sh --dry-run
#
# Exit 0: done. 1: a check failed or the stack is not healthy, nothing old was
# removed. 2: the call or a file is wrong, or there is no engine.
set -Eeuo pipefail
trap 'echo "clean-and-rebuild: FAILED" >&2' ERR
cd "$(dirname "${BASH_SOURCE[0]}")"

asks=yes dry=""
# other values than yes and no are refused below, by the reader of all knobs
case ${DRY_RUN:-} in "" | 0 | [Nn][Oo] | [Ff][Aa][Ll][Ss][Ee]) ;; *) dry=yes ;; esac
for word in "$@"; do
  case $word in
    -h | --help)
      sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0"
      exit 0
      ;;
    --yes) asks="" ;;
    --dry-run) dry=yes ;;
    --data | --all | --free-space-first) ;;
    *)
      echo "clean-and-rebuild: unknown argument \"$word\"" >&2
      echo "tip: \`./clean-and-rebuild.sh --help\` lists what it takes" >&2
      exit 2
      ;;
  esac
done
if [[ -n $asks && -z $dry && ! -t 0 ]]; then
  echo "clean-and-rebuild: confirmation needed, but stdin is not a terminal" >&2
  echo "tip: add --yes; nothing was touched" >&2
  exit 2
fi

if [[ ! -w . ]]; then
  echo "clean-and-rebuild: checkout: not writable \"$PWD\"" >&2
  echo "tip: mount it for writing, or clone it to a folder of yours: \`git clone $PWD ~/sutra\`" >&2
  exit 2
fi
# each says itself what it lacks
if [[ -n $dry ]]; then scripts/engine.sh check || exit; else
  scripts/engine.sh || exit
  scripts/engine.sh compose || exit
fi
scripts/venv.sh || exit
exec .venv/bin/python -m scripts rebuild "$@"
