#!/bin/sh
# Puts functions of ours in the place of numpy's OpenBLAS, with its name and the names that numpy asks
# for: they call scipy's, with 32-bit integers. For wheels whose OpenBLAS stays as it is, as on Alpine,
# which has no archive to link one from.
#
#   eg: shim-openblas.sh /opt/sutra/lib/python3.12/site-packages
set -eu
site=$1
# no random name: a compiler may record its folder in what it makes
work=/tmp/shim-openblas
mkdir "$work"
numpy=$(echo "$site"/numpy.libs/libscipy_openblas64_-*.so)
scipy=$(echo "$site"/scipy.libs/libscipy_openblas-*.so)
find "$site/numpy" -name '*.so' -exec nm -D --undefined-only {} + |
  sed -n 's/^ *U \(scipy_[a-z0-9_]*64_\)$/\1/p' | sort -u >"$work/names"
python3 "$(dirname "$0")/ilp64-shim.py" "$work/names" >"$work/shim.c"
# $ORIGIN is the loader's word for the library's own folder
gcc -shared -O2 -fPIC -fno-strict-aliasing -o "$numpy" "-Wl,-soname,$(basename "$numpy")" \
  "$work/shim.c" "$scipy" "-Wl,-rpath,\$ORIGIN/../scipy.libs" -Wl,-z,defs -Wl,-z,noexecstack
rm -r "$work"
