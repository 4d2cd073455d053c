#!/bin/sh
# Runs inside the release's root: the unit tests on its Python, in an environment that is kept.
#
#   eg: sh /src/tests/pythons/in_root.sh forky-0123456789ab.venv.tar tests/unit/oci
set -eu
cd /src

kept=/kept/$1
shift
# most of what pip installs is never imported here: what is, Python compiles
export PIP_COMPILE=0
if [ -e "$kept" ]; then tar -xf "$kept"; fi
scripts/venv.sh dev
if [ ! -e "$kept" ]; then tar -cf "$kept.partial" .venv && mv "$kept.partial" "$kept"; fi
# tests ask git for the list of files, and push the commit
git init -q .
git add -A
git -c user.name=tests -c user.email=tests@sutra.invalid commit -qm tests
python3 --version
exec .venv/bin/python -m pytest -q -p no:cacheprovider "$@"
