#!/usr/bin/env bash
# Makes .venv hold what a lock file says: the tool's own Python packages.
#
#   eg: scripts/venv.sh        what `make prod` needs
#       scripts/venv.sh dev    and what tests and linters need
#
# Exit 0: ready (at once when nothing changed). Exit 2: the tip says what to do.
set -Eeuo pipefail
trap 'echo "venv: FAILED at line ${LINENO}" >&2' ERR
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly PYTHON=${PYTHON:-python3}

die() { # die PROBLEM TIP
  echo "venv: $1" >&2
  echo "tip: $2" >&2
  exit 2
}

case ${1:-} in
  "") lock=requirements.lock ;;
  dev) lock=requirements-dev.lock ;;
  *) die "argument: unknown \"$1\"" "usage: scripts/venv.sh [dev]" ;;
esac

# of the lock, and of the interpreter, whose upgrade leaves a broken environment behind
stamp=.venv/.$lock.$({ cat "$lock" scripts/venv.sh && "$PYTHON" --version; } 2>&1 | sha256sum | cut -c1-16)
[[ ! -e $stamp ]] || exit 0

"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
  die "no Python 3.11 or newer: \"$("$PYTHON" --version 2>&1 | tail -n 1)\"" "install one, or name it: PYTHON=python3.13 make prod"
# Debian splits what makes a virtual environment into a package of its own
has_venv() { "$PYTHON" -c 'import ensurepip' 2>/dev/null; }
has_venv || scripts/install.sh python3-venv
has_venv || die "$PYTHON has no ensurepip" "install the venv package of that very version, or name another: PYTHON=python3"

# an older pip knows only its own certificates; the system's may hold a private CA
for bundle in ${CA_BUNDLE:+"$CA_BUNDLE"} /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt; do
  if [[ -z ${PIP_CERT:-} && -s $bundle ]]; then export PIP_CERT=$bundle; fi
done

echo "venv: installing $lock" >&2
.venv/bin/python -c 'import pip' 2>/dev/null || "$PYTHON" -m venv --clear .venv
rm -f .venv/."$lock".*
.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r "$lock" ||
  die "pip could not install $lock" "read pip's lines above; PIP_INDEX_URL and CA_BUNDLE name a mirror and a private CA"
# sutra_cleanup is in the base images' build context, where their builders reach it
echo "$PWD/base-images/lib" >"$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/sutra_cleanup.pth"
touch "$stamp"
