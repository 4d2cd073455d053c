#!/bin/sh
# Puts in the place of scipy's OpenBLAS one that holds what is asked for: linked from
# Debian's static archive, with the functions that numpy and scipy import, and kernels for
# three generations of processors (SSE4.2, AVX2, AVX-512) in place of the wheel's five.
# numpy itself asks for SSE4.2. A processor in between takes the next lower generation.
#
# The packages whose code is in it get their record and licence in a tree that a runtime
# stage can COPY over its root, or scanners would not know that the code is there.
#
#   eg: link-openblas.sh /opt/sutra/lib/python3.13/site-packages /runtime
set -eu
site=$1
root=$2
# no random name: a compiler may record its folder in what it makes
work=/tmp/link-openblas
mkdir "$work"
openblas=$(echo "$site"/scipy.libs/libscipy_openblas-*.so)
archive=$(find /usr/lib -name libopenblas.a -path '*openblas-pthread*')
machine=$(gcc -dumpmachine) # the builder's own may be another architecture
cd "$work"

# The wheels' names carry a prefix. threadpoolctl, which scikit-learn limits threads with,
# looks up the five at the end by name (threadpoolctl.py, OpenBLASController).
find "$site" -name '*.so' ! -path "*.libs/*" -exec nm -D --undefined-only {} + |
  sed -n 's/^ *U \(scipy_[a-z0-9_]*\).*/\1/p' >names
for name in get_config get_corename get_num_threads get_parallel set_num_threads; do
  echo "scipy_openblas_$name"
done >>names
sort -u names -o names
# names with 64-bit integers are functions of ours, which call those with 32-bit ones
grep '64_$' names >wide
python3 "$(dirname "$0")/ilp64-shim.py" wide >shim.c
gcc -O2 -fPIC -fno-strict-aliasing -c shim.c -o shim.o
{
  grep -v '64_$' names
  nm --undefined-only shim.o | sed -n 's/^ *U \(scipy_[a-z0-9_]*\).*/\1/p'
} | sort -u >narrow
# The linker gives each function of the archive its second name. The library exports only these names, so
# that the functions call each other directly, by the first ones.
sed 's/^scipy_\(.*\)$/-Wl,--defsym=&=\1/' narrow >aliases

# Unwind tables are a tenth of the library. C and Fortran throw nothing, and nothing that throws is
# called from here; a backtrace of a crash ends at its first function. (On arm64 C's start files
# name their own tables, without which they do not link.)
printf 'SECTIONS { /DISCARD/ : { *(.eh_frame .eh_frame.*) } } INSERT AFTER .rodata;\n' \
  >no-unwind-tables.ld

# a table that is another's name is not taken from the archive, nor are its kernels
instead() { # instead KEPT LEFT_OUT…
  kept=$1
  shift
  for core in "$@"; do echo "-Wl,--defsym=gotoblas_$core=gotoblas_$kept"; done
}
case "$machine" in
  x86_64-*)
    instead NEHALEM ATOM BARCELONA BOBCAT BULLDOZER CORE2 DUNNINGTON EXCAVATOR NANO OPTERON \
      OPTERON_SSE3 PENRYN PILEDRIVER PRESCOTT SANDYBRIDGE STEAMROLLER
    instead HASWELL ZEN
    instead SKYLAKEX COOPERLAKE SAPPHIRERAPIDS
    echo '-Wl,-z,pack-relative-relocs -Wl,--no-eh-frame-hdr -Wl,-T,no-unwind-tables.ld'
    ;;
esac >options
sed 's/^/-Wl,-u,/' names >>options
# libquadmath is for processors whose `long double` is not of 128 bits, as it is on arm64
fortran="libgfortran.a"
case "$machine" in x86_64-*) fortran="$fortran libquadmath.a" ;; esac
for name in $fortran; do echo "-l:$name"; done >libraries
{
  echo '{ global:'
  sed 's/$/;/' names
  echo 'local: *; };'
} >exported
gcc -shared -o "$openblas" "-Wl,-soname,$(basename "$openblas")" @options @aliases shim.o "$archive" \
  -Wl,--version-script=exported -Wl,--gc-sections -Wl,-z,defs -Wl,-z,noexecstack \
  @libraries -lm -lpthread
cd /
rm -r "$work"

# package records, in runtime-libs.sh's form; the image keeps only the package's licence
status="$root/var/lib/dpkg/status.d"
mkdir -p "$status"
for file in "$archive" $(for name in $fortran; do gcc -print-file-name="$name"; done); do
  package=$(dpkg -S "$(realpath "$file")" | cut -d: -f1)
  licence=/usr/share/doc/$package
  # the documentation folder may be a link to that of the source package
  if [ -L "$licence" ]; then cp -a --parents "$licence" "$root"; fi
  cp --parents "$(readlink -f "$licence/copyright")" "$root"
  dpkg-query -s "$package" >"$status/$package"
  dpkg-query --control-show "$package" md5sums | grep '  usr/share/doc/[^/]*/copyright$' \
    >"$status/$package.md5sums" || rm "$status/$package.md5sums"
done
