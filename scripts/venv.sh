#!/usr/bin/env bash
# Makes .venv hold what a lock file says: the tool's own Python packages.
#
#   eg: scripts/venv.sh        what `make prod` needs
#       scripts/venv.sh dev    and what tests and linters need
#       scripts/venv.sh fuzz   what `make fuzz` needs, in .venv-fuzz
#
# Exit 0: ready (at once when nothing changed). Exit 2: the tip says what to do.
set -Eeuo pipefail
trap 'echo "venv: FAILED at line ${LINENO}" >&2' ERR
cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly SCRIPT=venv
# shellcheck source=scripts/common.sh
. scripts/common.sh

readonly PYTHON=${PYTHON:-python3}
CHOOSE="install Python 3.11 or newer, or name one: $(how_to_set PYTHON python3.13)"
readonly CHOOSE
# the largest wheel, twice: packed and unpacked
readonly TEMPORARY_MB=200

environment=.venv
install_tip="read pip's lines above; PIP_INDEX_URL and CA_BUNDLE name a mirror and a private CA"
case ${1:-} in
  "") lock_file=requirements.lock ;;
  dev) lock_file=requirements-dev.lock ;;
  fuzz)
    lock_file=requirements-fuzz.lock environment=.venv-fuzz
    install_tip+="; atheris is there for Linux on x86-64 alone"
    ;;
  *) die "argument: unknown \"$1\"" "usage: scripts/venv.sh [dev|fuzz]" ;;
esac
# record of the interpreter that made it
readonly MADE_BY=$environment/.python

# Prints version and path of the interpreter itself, also where PYTHON is one of an environment.
identify() {
  "$PYTHON" -IS -c 'import os, sys
if sys.version_info < (3, 11):
    sys.exit("too old")
print(sys.version.split()[0], os.path.realpath(getattr(sys, "_base_executable", sys.executable)))'
}

# Sets IDENTITY ("3.13.5 /usr/bin/python3.13"), or says what is wrong with PYTHON.
require_python() {
  command -v "$PYTHON" >/dev/null || die "PYTHON: no such program \"$PYTHON\"" "$CHOOSE"
  local problem
  IDENTITY=$(identify 2>/dev/null) || true # judged by its output
  [[ ! $IDENTITY =~ ^3\.[0-9.]+[a-z0-9+]*' /'[^[:cntrl:]]+$ ]] || return 0
  problem=$(identify 2>&1 | tail -n 1) || true # it fails here: its reason is wanted
  [[ $problem != "too old" ]] || die "PYTHON: too old \"$PYTHON\" ($("$PYTHON" --version)), 3.11 or newer is needed" "$CHOOSE"
  die "PYTHON: does not run \"$PYTHON\": ${problem:-no output}" "$CHOOSE"
}

# Debian splits what makes a virtual environment into a package of its own.
has_venv() { "$PYTHON" -c 'import ensurepip' 2>/dev/null; }

require_venv() {
  has_venv || scripts/install.sh python3-venv
  has_venv || die "$PYTHON has no ensurepip" "install the venv package of that version, or name another: PYTHON=python3"
}

make_environment() {
  if [[ $(cat "$MADE_BY" 2>/dev/null) == "$IDENTITY" ]] && "$environment"/bin/python -c 'import pip' 2>/dev/null; then return; fi
  [[ ! -e $environment ]] || echo "venv: making $environment again with Python $IDENTITY" >&2
  "${IDENTITY#* }" -m venv --clear "$environment" || die "$PYTHON could not make $environment" \
    "read its lines above; \`df -h . ${TMPDIR:-/tmp}\` shows free space"
  echo "$IDENTITY" >"$MADE_BY"
}

# This checkout is found also under PYTHONSAFEPATH. The cleanup's modules are in the base
# images' build context, where their builders reach them.
add_to_path() {
  printf '%s\n' "$PWD" "$PWD/base-images/lib" >"$("$environment"/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/sutra.pth"
}

# An older pip knows only its own certificates; the system's may hold a private CA.
trust_system() {
  local bundle
  for bundle in ${CA_BUNDLE:+"$CA_BUNDLE"} /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt; do
    if [[ -z ${PIP_CERT:-} && -s $bundle ]]; then export PIP_CERT=$bundle; fi
  done
}

require_python
stamp=$environment/.$lock_file.$({ cat "$lock_file" scripts/venv.sh && echo "$IDENTITY"; } | sha256sum | cut -c1-16)
[[ ! -e $stamp ]] || exit 0

require_writable_checkout
mkdir -p .cache
lock .cache/venv.lock
[[ ! -e $stamp ]] || exit 0 # made while this run waited
require_temporary_space "$TEMPORARY_MB"
require_venv
trust_system
echo "venv: installing $lock_file" >&2
make_environment
rm -f "$environment"/."$lock_file".*
"$environment"/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r "$lock_file" ||
  die "pip could not install $lock_file" "$install_tip"
add_to_path
touch "$stamp"
