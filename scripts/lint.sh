#!/usr/bin/env bash
# Checks the style of every file in git and the direction of imports, or rewrites what can be.
#
#   eg: scripts/lint.sh          scripts/lint.sh --fix
#
# Exit 0: clean. 1: not; each tool says where.
set -Eeuo pipefail
trap 'echo "lint: FAILED" >&2' ERR
cd "$(dirname "${BASH_SOURCE[0]}")/.."
PATH=$PWD/.venv/bin:$PATH

# What the packages import is not what scripts/ imports: mypy finds it in a folder of its own.
readonly TYPES=.cache/package-types

install_types() {
  if cmp --silent packages/requirements-types.lock "$TYPES/lock"; then return; fi
  uv venv --quiet --clear --python .venv/bin/python "$TYPES"
  VIRTUAL_ENV=$TYPES uv pip install --quiet --only-binary :all: --require-hashes \
    -r packages/requirements-types.lock
  cp packages/requirements-types.lock "$TYPES/lock"
}

check_package() { # check_package FOLDER: its sources, tests and programs
  local files
  mapfile -t files < <(git ls-files --cached --others --exclude-standard "$1/*.py")
  MYPYPATH=packages/sutra-service/src:packages/sutra-service/tests:$1/src:$1/tests \
    mypy --explicit-package-bases --python-executable "$TYPES/bin/python" \
    --cache-dir ".mypy_cache/${1##*/}" "${files[@]}"
}

mapfile -t shell < <(git ls-files --cached --others --exclude-standard '*.sh' .ci/run)
mapfile -t dockerfiles < <(git ls-files --cached --others --exclude-standard '*Dockerfile*')

if [[ ${1:-} == --fix ]]; then
  ruff check --fix --quiet .
  ruff format .
  shfmt -i 2 -ci -w "${shell[@]}"
  exit
fi

ruff check .
ruff format --check .
mypy
install_types
for package in packages/*/src; do
  if compgen -G "${package%src}tests/*.py" >/dev/null; then check_package "${package%/src}"; fi
done
lint-imports
shellcheck "${shell[@]}"
shfmt -i 2 -ci -d "${shell[@]}"
hadolint --config .hadolint.yaml "${dockerfiles[@]}"
yamllint --strict .

# no wheel carries it: the package of its name on PyPI downloads a binary from elsewhere
if command -v actionlint >/dev/null; then
  actionlint
elif command -v go >/dev/null; then
  go run github.com/rhysd/actionlint/cmd/actionlint@v1.7.7
else
  echo "lint: actionlint: not run, neither it nor go is on PATH" >&2
fi
