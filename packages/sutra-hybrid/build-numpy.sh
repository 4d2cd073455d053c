#!/bin/sh
# Builds the locked numpy from its source, linked to OpenBLAS with 32-bit integers: the
# kind that scipy's wheel carries. numpy's own wheel brings a second OpenBLAS of 23 MB
# with 64-bit integers, which nothing here needs (scipy#15129).
#
#   eg: build-numpy.sh /opt/build/bin/python numpy.lock requirements-build.lock /wheels
set -eu
python=$1
lock=$2
build_lock=$3
wheels=$4

work=$(mktemp -d)
"$python" -c 'import scipy_openblas32; print(scipy_openblas32.get_pkg_config())' \
  >"$work/scipy-openblas.pc"

# pip passes settings on for requirements of a file only where they stand beside them
set -- -Dblas=scipy-openblas -Dlapack=scipy-openblas -Duse-ilp64=false
# loops for AVX2 and AVX-512 beside the baseline; each newer set is one more copy
case "$(uname -m)" in x86_64) set -- "$@" '-Dcpu-dispatch=X86_V3 X86_V4' ;; esac
{
  sed '$s/$/ \\/' "$lock"
  for setting in "$@"; do printf '    --config-settings="setup-args=%s" \\\n' "$setting"; done
  echo
} >"$work/numpy.txt"

# a wheel that an earlier build made by these very settings, tools and compiler is taken
# from pip's cache
compiler=$(gcc --version)
made_by=$({ cat "$0" "$build_lock" && echo "$compiler"; } | sha256sum | cut -c1-16)
cache=/root/.cache/pip/numpy-$made_by
PATH="$(dirname "$python"):$PATH" PKG_CONFIG_PATH="$work" \
  /usr/bin/python3 -m pip --python "$python" --cache-dir "$cache" wheel --no-deps \
  --no-build-isolation --no-binary=numpy --require-hashes -r "$work/numpy.txt" -w "$wheels"
