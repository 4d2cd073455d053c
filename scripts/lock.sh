#!/usr/bin/env bash
# Resolves requirements.in files into their locks, with hashes. What a lock has already stays
# at its version, unless UPGRADE names it or nothing was named at all.
#
#   eg: scripts/lock.sh                                          everything, to the newest
#       PACKAGE=sutra-api scripts/lock.sh                        one package: what its .in asks for now
#       PACKAGE=sutra-api UPGRADE=httpx scripts/lock.sh          and httpx to its newest
#       PACKAGE=sutra-storage UPGRADE=tokio scripts/lock.sh      a crate of a Rust package
#       PACKAGE=sutra-api UPGRADE=all scripts/lock.sh            everything in its locks
#       PACKAGE=samples/go scripts/lock.sh                       a sample of `make new-service`
#
# What Debian packages the bases are made of is locked as well (`make update ONLY=debian`).
# Locks hold for every platform, and for the oldest Python that installs them.
# Exit 0: locked. Exit 2: the tip says what to do.
set -Eeuo pipefail
trap 'echo "lock: FAILED" >&2' ERR
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD

readonly PACKAGE=${PACKAGE:-}
UPGRADE=${UPGRADE:-}

die() { # die PROBLEM TIP
  trap - ERR
  echo "lock: $1" >&2
  echo "tip: $2" >&2
  exit 2
}

upgrades=() everything=
if [[ -z $PACKAGE$UPGRADE || (-n $PACKAGE && $UPGRADE == all) ]]; then
  upgrades=(--upgrade) everything=1 UPGRADE=
elif [[ -z $PACKAGE ]]; then
  die "UPGRADE: of which package \"$UPGRADE\"" "name one: PACKAGE=sutra-api UPGRADE=$UPGRADE make lock"
fi
for name in ${UPGRADE//,/ }; do upgrades+=(--upgrade-package "$name"); done

lock() { # lock PYTHON FOLDER NAME [CONSTRAINTS]
  local named=("${upgrades[@]}")
  # a name that a lock does not have would be ignored without a word
  [[ -e $2/$3.in ]] || return 0
  [[ -x $root/.venv/bin/uv ]] || die "uv: not found in .venv" "run \`make venv-dev\`, then lock again"
  (cd "$2" && "$root/.venv/bin/uv" pip compile --quiet "${named[@]}" --universal --generate-hashes \
    --no-header --python-version "$1" ${4:+-c "$4"} "$3.in" -o "$3.lock") ||
    die "uv failed for $2/$3.in" "read uv's lines above; PIP_INDEX_URL and CA_BUNDLE name an index and a private CA"
  echo "lock: $2/$3.lock"
}

python_package() { # python_package FOLDER: Alpine 3.23 has Python 3.12, Debian 13 has 3.13
  lock 3.12 "$1" requirements
  lock 3.12 "$1" requirements-test requirements.lock
  lock 3.12 "$1" requirements-build
}

rust_package() { # rust_package FOLDER
  command -v cargo >/dev/null || die "cargo: not found" "install Rust, or lock in the builder image"
  local words=()
  for name in ${UPGRADE//,/ }; do words+=(--package "$name"); done
  if [[ -z $UPGRADE$everything ]]; then words=(--workspace); fi
  (cd "$1" && cargo update --quiet "${words[@]}") || die "cargo failed in $1" "read cargo's lines above; CARGO_REGISTRY and CA_BUNDLE name a mirror and a private CA"
  echo "lock: $1/Cargo.lock"
}

go_package() { # go_package FOLDER
  command -v go >/dev/null || die "go: not found" "install Go, or lock in the builder image sutra-base-go:latest"
  local names=(./...)
  [[ -z $UPGRADE ]] || IFS=, read -ra names <<<"$UPGRADE"
  (
    cd "$1"
    if [[ -n $UPGRADE$everything ]]; then GOFLAGS=-mod=mod go get -u "${names[@]}"; fi
    go mod tidy
  ) || die "go failed in $1" "read Go's lines above; GOPROXY and CA_BUNDLE name a proxy and a private CA"
  echo "lock: $1/go.sum"
}

# The lock names no registry, so that it holds for a mirror too. What is asked for and not locked
# yet is locked; `npm update` alone takes newer versions.
node_package() { # node_package FOLDER
  command -v npm >/dev/null || die "npm: not found" "install Node.js, or lock in the builder image sutra-base-node:latest"
  local words=(install) names=()
  if [[ -n $UPGRADE$everything ]]; then words=(update); fi
  [[ -z $UPGRADE ]] || IFS=, read -ra names <<<"$UPGRADE"
  (
    cd "$1"
    export npm_config_cafile=${CA_BUNDLE:-} npm_config_registry=${NPM_REGISTRY:-}
    # npm takes an empty one for a setting
    [[ -n $npm_config_cafile ]] || unset npm_config_cafile
    [[ -n $npm_config_registry ]] || unset npm_config_registry
    npm "${words[@]}" "${names[@]}" --package-lock-only --ignore-scripts \
      --omit-lockfile-registry-resolved --no-audit --no-fund --loglevel=error >/dev/null
  ) || die "npm failed in $1" "read npm's lines above; NPM_REGISTRY and CA_BUNDLE name a registry and a private CA"
  echo "lock: $1/package-lock.json"
}

if [[ -z $PACKAGE ]]; then
  lock 3.11 . requirements
  lock 3.11 . requirements-dev requirements.lock
  lock 3.11 packages requirements-types
  lock 3.11 . requirements-fuzz requirements.lock
  "$root/.venv/bin/python" -m scripts update --only debian || exit 2 # it has said why
fi
# the samples of `make new-service` are locked like packages, and can be named
case $PACKAGE in
  "") folders=(packages/*/ samples/*/) ;;
  samples/*) folders=("$PACKAGE/") ;;
  *) folders=("packages/$PACKAGE/") ;;
esac
[[ -d ${folders[0]} ]] || die "PACKAGE: no such folder \"packages/$PACKAGE\"" "one of: $(echo packages/*/ | sed 's|packages/||g; s|/||g')"
locks=()
for file in "${folders[0]}"*.lock "${folders[0]}"{go.sum,package-lock.json}; do
  if [[ -e $file ]]; then locks+=("$file"); fi
done
for name in ${UPGRADE//,/ }; do
  grep -qsE "^(name = \"$name\"|${name}==|${name} v|    \"node_modules/$name\": )" "${locks[@]}" ||
    die "UPGRADE: not in a lock of $PACKAGE \"$name\"" "its names are those of ${locks[*]}"
done
for folder in "${folders[@]}"; do
  folder=${folder%/}
  if [[ -e $folder/requirements.in ]]; then python_package "$folder"; fi
  if [[ -e $folder/Cargo.toml ]]; then rust_package "$folder"; fi
  if [[ -e $folder/go.mod ]]; then go_package "$folder"; fi
  if [[ -e $folder/package.json ]]; then node_package "$folder"; fi
done
