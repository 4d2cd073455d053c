#!/bin/sh
# Runs inside the release's root: the unit tests on its Python, in an environment that is kept.
#
#   eg: sh /src/tests/pythons/in_root.sh forky-0123456789ab.venv.tar tests/unit/oci
set -eu
cd /src

kept=/kept/$1
shift
if [ -e "$kept" ]; then tar -xf "$kept"; fi
scripts/venv.sh dev
if [ ! -e "$kept" ]; then tar -cf "$kept.partial" .venv && mv "$kept.partial" "$kept"; fi
git init -q . # tests ask git for the list of files
git add -A
python3 --version
exec .venv/bin/python -m pytest -q -p no:cacheprovider "$@"
