#!/bin/sh
# Builds the locked numpy from its source, linked to OpenBLAS with 32-bit integers: the
# kind that scipy's wheel carries. numpy's own wheel brings a second OpenBLAS of 23 MB
# with 64-bit integers, which nothing here needs (scipy#15129).
#
#   eg: build-numpy.sh /opt/build/bin/python numpy.lock /wheels
set -eu
python=$1
lock=$2
wheels=$3

pkgconfig=$(mktemp -d)
"$python" -c 'import scipy_openblas32; print(scipy_openblas32.get_pkg_config())' \
  >"$pkgconfig/scipy-openblas.pc"

# instructions newer than X86_V4 (AVX-512) are left out: each further set is one more
# copy of the same loops, and no other processor asks for the option
set --
case "$(uname -m)" in x86_64) set -- "-Csetup-args=-Dcpu-dispatch=X86_V3 X86_V4" ;; esac
PATH="$(dirname "$python"):$PATH" PKG_CONFIG_PATH="$pkgconfig" \
  /usr/bin/python3 -m pip --python "$python" wheel --no-deps --no-build-isolation --no-binary=numpy \
  --require-hashes -r "$lock" -w "$wheels" \
  -Csetup-args=-Dblas=scipy-openblas \
  -Csetup-args=-Dlapack=scipy-openblas \
  -Csetup-args=-Duse-ilp64=false \
  "$@"
