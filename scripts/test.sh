#!/usr/bin/env bash
# Runs the tests in two parts: those that need no engine on every processor, then the others one
# after the other, since they share one engine. Words are pytest's, and go to both parts.
#
#   eg: scripts/test.sh          what `make test` runs
#       scripts/test.sh -m ""    what `make test-all` runs
#
# Exit: as pytest, of the first part that failed. The second part runs also where a test of the
# first failed, but not after an interrupt or a wrong call.
set -Eeuo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# a part's longest tests begin first, so that no processor waits for them at its end
readonly WITHOUT_ENGINE=(tests/packages tests/page tests/unit tests/kubernetes tests/swarm tests/podman tests/fuzz)

run() { # run WORDS...: pytest's exit code is in `code`
  code=0
  .venv/bin/python -m pytest "$@" || code=$?
}

# Whether words or PYTEST_ADDOPTS may choose tests: of all tests, both parts have some.
is_selection() { [[ -n ${PYTEST_ADDOPTS:-} || ($# -gt 0 && "$*" != "-m ") ]]; }

run --numprocesses auto "${WITHOUT_ENGINE[@]}" "$@"
first=$code
# pytest was interrupted, failed itself, or was called wrongly
case $first in 2 | 3 | 4) exit "$first" ;; esac
run "${WITHOUT_ENGINE[@]/#/--ignore=}" "$@"
# 5: it found no test, as where `PYTEST_ADDOPTS=-k…` names tests of the other part. On workers it is
# also the answer where a folder is missing, and then no test of the others has run.
if is_selection "$@"; then
  case $first:$code in
    0:5) code=0 ;;
    5:*) first=$code ;;
  esac
fi
((first == 0)) || code=$first
exit "$code"
