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
# Locks hold for every platform, and for the oldest Python, Rust or Go that builds with them.
# Exit 0: locked. Exit 2: the tip says what to do, and the package's files are as they were.
set -Eeuo pipefail
trap 'echo "lock: FAILED" >&2' ERR
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD

UPGRADE=${UPGRADE:-}
PACKAGE=${PACKAGE:-}
# tab completion writes PACKAGE=packages/sutra-api/
while [[ $PACKAGE == */ ]]; do PACKAGE=${PACKAGE%/}; done
PACKAGE=${PACKAGE#packages/}
readonly PACKAGE

die() { # die PROBLEM TIP
  trap - ERR
  echo "lock: $1" >&2
  echo "tip: $2" >&2
  exit 2
}

# ---- the locks of a folder change together, or none of them ------------------

# files that a tool may change, and those of the folder under way
readonly CHANGED=(requirements{,-test,-build,-dev,-fuzz,-types}.lock Cargo.lock go.mod go.sum package-lock.json)
under_way='' kept='' locked=()

begin() { # begin FOLDER
  kept=$(mktemp -d) locked=()
  local name
  for name in "${CHANGED[@]}"; do
    if [[ -e $1/$name ]]; then cp -p "$1/$name" "$kept/"; fi
  done
  under_way=$1
}

finish() {
  rm -r "$kept"
  under_way='' kept=''
  [[ ${#locked[@]} -eq 0 ]] || printf 'lock: %s\n' "${locked[@]}"
}

put_back() { # whatever ended this run, a tool that failed or an interrupt
  [[ -n $under_way ]] || return 0
  local name
  for name in "${CHANGED[@]}"; do
    if [[ ! -e $kept/$name ]]; then
      rm -f "$under_way/$name"
    elif [[ $(<"$kept/$name") != $(cat "$under_way/$name") ]]; then
      cp -p "$kept/$name" "$under_way/"
    fi
  done
  rm -r "$kept"
}
trap put_back EXIT

# ---- what is asked for -------------------------------------------------------

upgrades=() everything=
if [[ -z $PACKAGE$UPGRADE || (-n $PACKAGE && $UPGRADE == all) ]]; then
  upgrades=(--upgrade) everything=1 UPGRADE=
elif [[ -z $PACKAGE ]]; then
  die "UPGRADE: of which package \"$UPGRADE\"" "name one: PACKAGE=sutra-api UPGRADE=$UPGRADE make lock"
fi
IFS=', ' read -ra names <<<"$UPGRADE"
for name in "${names[@]}"; do upgrades+=(--upgrade-package "$name"); done

# the same knobs as in builds, by the names that each tool has for them
[[ -z ${PIP_INDEX_URL:-} ]] || export UV_DEFAULT_INDEX=$PIP_INDEX_URL
# npm takes an empty one for a setting
[[ -z ${NPM_REGISTRY:-} ]] || export npm_config_registry=$NPM_REGISTRY
if [[ -n ${CA_BUNDLE:-} ]]; then
  [[ -f $CA_BUNDLE ]] || die "CA_BUNDLE: no such file \"$CA_BUNDLE\"" "name a PEM file, or leave CA_BUNDLE out"
  CA_BUNDLE=$(realpath "$CA_BUNDLE") # tools run in the package's folder
  export SSL_CERT_FILE=$CA_BUNDLE CARGO_HTTP_CAINFO=$CA_BUNDLE npm_config_cafile=$CA_BUNDLE
fi

# ---- one language each -------------------------------------------------------

lock() { # lock PYTHON FOLDER NAME [CONSTRAINTS]
  [[ -e $2/$3.in ]] || return 0
  [[ -x $root/.venv/bin/uv ]] || die "uv: not found in .venv" "run \`make venv-dev\`, then lock again"
  (cd "$2" && "$root/.venv/bin/uv" pip compile --quiet "${upgrades[@]}" --universal --generate-hashes \
    --no-header --python-version "$1" ${4:+-c "$4"} "$3.in" -o "$3.lock") ||
    die "uv failed for $2/$3.in" "read uv's lines above; PIP_INDEX_URL and CA_BUNDLE name an index and a private CA"
  locked+=("$2/$3.lock")
}

python_package() { # python_package FOLDER: Alpine 3.23 has Python 3.12, Debian 13 has 3.13
  lock 3.12 "$1" requirements
  lock 3.12 "$1" requirements-test requirements.lock
  lock 3.12 "$1" requirements-build
}

require() { # require PROGRAM NAME IMAGE: the builder's image has it too, and this script runs there
  command -v "$1" >/dev/null || die "$1: not found" "install $2, or lock in the builder, which \`./build.sh\` makes: \
\`docker run --rm --user \$(id -u):\$(id -g) -e HOME=/tmp -e PACKAGE=${under_way#packages/} -e UPGRADE=${UPGRADE:-${everything:+all}} \
-v \"\$PWD:/src\" -w /src sutra-base-$3:latest scripts/lock.sh\`"
}

rust_package() { # rust_package FOLDER
  require cargo Rust rust
  local words=(update --quiet) mirror=()
  for name in "${names[@]}"; do words+=(--package "$name"); done
  if [[ -z $UPGRADE$everything ]]; then words+=(--workspace); fi
  # the lock goes on naming crates.io
  if [[ -n ${CARGO_REGISTRY:-} ]]; then
    mirror=(--config 'source.crates-io.replace-with="mirror"' --config "source.mirror.registry=\"$CARGO_REGISTRY\"")
  fi
  (cd "$1" && cargo "${mirror[@]}" "${words[@]}") || die "cargo failed in $1" "read cargo's lines above; CARGO_REGISTRY and CA_BUNDLE name a mirror and a private CA"
  locked+=("$1/Cargo.lock")
}

go_package() { # go_package FOLDER
  require go Go go
  (cd "$1" && go_upgrade && go mod tidy) ||
    die "go failed in $1" "read Go's lines above; GOPROXY and CA_BUNDLE name a proxy and a private CA"
  locked+=("$1/go.sum")
}

# Joined by &&, as `set -e` does not hold before the || of the caller.
go_upgrade() { # in the package's folder
  local modules=${names[*]} module chosen versions=()
  [[ -n $UPGRADE$everything ]] || return 0
  export GOFLAGS=-mod=mod
  if [[ -n $everything ]]; then
    modules=$(go list -deps -test -f '{{with .Module}}{{if not (or .Main .Replace)}}{{.Path}}{{end}}{{end}}' ./...) || return
    modules=$(sort -u <<<"$modules")
  fi
  for module in $modules; do
    chosen=$(go_newest "$module") || return
    versions+=("$module@$chosen")
  done
  [[ ${#versions[@]} -eq 0 ]] || go get "${versions[@]}"
}

# `go get` alone takes the newest one, and raises go.mod's line `go` above the Go that builds.
go_newest() { # go_newest MODULE: print its newest release that this line allows, or what it has
  local line current all version needs told=
  line=$(go list -m -f '{{.GoVersion}}') && current=$(go list -m -f '{{.Version}}' "$1") &&
    all=$(go list -m -versions -f '{{range .Versions}}{{println .}}{{end}}' "$1") || return
  while read -r version; do
    if [[ $version == *-* ]]; then continue; fi # a pre-release
    # down to the present one; that of a commit comes before the release that it is named for
    is_newest "$version" "${current%%-*}" || break
    needs=$(go_needed "$1@$version") || return
    if is_newest "$line" "${needs:-1}"; then
      echo "$version"
      return
    fi
    [[ -n $told ]] || echo "lock: $1 $version is not taken: it needs go $needs, and go.mod has go $line" >&2
    told=1
  done < <(sort -rV <<<"$all")
  echo "$current"
}

# From its go.mod: an older Go has no word for a module that needs a newer one.
go_needed() { # go_needed MODULE@VERSION: print the Go that it needs
  local file
  file=$(go list -m -f '{{.GoMod}}' "$1") || return
  [[ -z $file ]] || sed -nE 's/^go ([^ ]+).*/\1/p' "$file"
}

is_newest() { # is_newest VERSION OTHER
  [[ $(printf '%s\n' "$@" | sort -V | tail -n 1) == "$1" ]]
}

# The lock names no registry, so that it holds for a mirror too. What is asked for and not locked
# yet is locked; `npm update` alone takes newer versions.
node_package() { # node_package FOLDER
  require npm Node.js node
  local words=(install)
  if [[ -n $UPGRADE$everything ]]; then words=(update); fi
  (cd "$1" && npm "${words[@]}" "${names[@]}" --package-lock-only --ignore-scripts \
    --omit-lockfile-registry-resolved --no-audit --no-fund --loglevel=error >/dev/null) || die "npm failed in $1" "read npm's lines above; NPM_REGISTRY and CA_BUNDLE name a registry and a private CA"
  locked+=("$1/package-lock.json")
}

package() { # package FOLDER
  begin "$1"
  if [[ -e $1/requirements.in ]]; then python_package "$1"; fi
  if [[ -e $1/Cargo.toml ]]; then rust_package "$1"; fi
  if [[ -e $1/go.mod ]]; then go_package "$1"; fi
  if [[ -e $1/package.json ]]; then node_package "$1"; fi
  finish
}

# ---- a call that names what is not there -------------------------------------

is_lockable() { # is_lockable FOLDER
  [[ -e $1/requirements.in || -e $1/Cargo.toml || -e $1/go.mod || -e $1/package.json ]]
}

choices() { # choices: folders that PACKAGE may name, of packages/ or of samples/
  local folder prefix=packages/
  [[ $PACKAGE != samples/* ]] || prefix=
  for folder in "${prefix:-samples/}"*/; do
    if is_lockable "$folder"; then echo -n " ${folder#"$prefix"}" | sed 's|/$||'; fi
  done
}

# PEP 503: a distribution has one name, spelled in several ways
normalized() { tr '[:upper:]' '[:lower:]' | sed -E 's/[-_.]+/-/g'; }

locked_names() { # locked_names FOLDER: print what its locks hold, a name a line
  local file
  for file in $(lock_files "$1"); do
    case ${file##*/} in
      Cargo.lock) sed -nE 's/^name = "(.*)"$/\1/p' "$file" ;;
      go.sum) sed -nE 's/^([^ ]+) v.*/\1/p' "$file" ;;
      package-lock.json) sed -nE 's|^    "(.*/)?node_modules/(.+)": \{$|\2|p' "$file" ;;
      *) sed -nE 's/^([A-Za-z0-9][A-Za-z0-9._-]*)(\[[^]]*\])?==.*/\1/p' "$file" | normalized ;;
    esac
  done
}

lock_files() { # lock_files FOLDER
  local file
  for file in "$1"/*.lock "$1"/{go.sum,package-lock.json}; do
    if [[ -e $file ]]; then echo "$file"; fi
  done
}

shown_locks() { # shown_locks FOLDER
  local files
  files=$(lock_files "$1" | paste -sd' ')
  echo "${files:-a lock that is not there: \`make lock PACKAGE=$PACKAGE\` writes it}"
}

require_package() { # require_package FOLDER: PACKAGE names it, and it has what UPGRADE names
  local names_there form
  [[ $PACKAGE =~ ^(samples/)?[A-Za-z0-9][A-Za-z0-9._-]*$ && -d $1 ]] ||
    die "PACKAGE: no such folder \"$1\"" "one of:$(choices)"
  is_lockable "$1" || die "PACKAGE: nothing to lock in \"$1\"" "one of:$(choices)"
  names_there=$(locked_names "$1")
  for name in "${names[@]}"; do
    form=$(normalized <<<"$name")
    grep -qxF -e "$name" -e "$form" <<<"$names_there" ||
      die "UPGRADE: not in a lock of $PACKAGE \"$name\"" "its names are those of $(shown_locks "$1")"
  done
}

# the samples of `make new-service` are locked like packages, and can be named
case $PACKAGE in
  "") folders=(packages/*/ samples/*/) ;;
  samples/*) folders=("$PACKAGE") ;;
  *) folders=("packages/$PACKAGE") ;;
esac
if [[ -n $PACKAGE ]]; then
  require_package "${folders[0]}"
else
  begin .
  lock 3.11 . requirements
  lock 3.11 . requirements-dev requirements.lock
  lock 3.11 . requirements-fuzz requirements.lock
  finish
  begin packages
  lock 3.11 packages requirements-types
  finish
  "$root/.venv/bin/python" -m scripts update --only debian || exit 2 # it has said why
fi
for folder in "${folders[@]}"; do package "${folder%/}"; done
