#!/bin/sh
# Builds libbz2 and libffi for musl from Debian's signed sources.
#
#   eg: libraries.sh /packages
set -eu
out=$1
work=$(mktemp -d)
cd "$work"
# both source formats of Debian
for file in /etc/apt/sources.list /etc/apt/sources.list.d/*; do
  [ ! -f "$file" ] || sed -i -E 's/^Types: deb$/Types: deb deb-src/; s/^deb (.*)/&\ndeb-src \1/' "$file"
done
/lib/sutra/apt.sh source bzip2 libffi >/dev/null
# musl brings no headers of the kernel; they are the same for every C library
ln -s /usr/include/linux /usr/include/asm-generic /usr/include/x86_64-linux-gnu/asm \
  /usr/include/x86_64-linux-musl/
compiler="musl-gcc -static-libgcc"
flags="-O2 -fPIC"

package() { # package NAME VERSION DESCRIPTION LICENCE FILE
  mkdir -p "$out/$1/files/usr/lib"
  patchelf --replace-needed libc.so libc.musl-x86_64.so.1 "$5"
  strip "$5"
  soname=$(patchelf --print-soname "$5")
  install -m 755 "$5" "$out/$1/files/usr/lib/$soname"
  printf '%s\n' "name:$1" "version:$2-r0" "description:$3" "license:$4" arch:x86_64 \
    "url:https://www.debian.org/" "provides:so:$soname=${soname##*.so.}" >"$out/$1/info"
}

cd bzip2-*/
bzip2=$(sed -n 's/^#define BZ_VERSION *"\([0-9.]*\),.*/\1/p' bzlib_private.h)
# shellcheck disable=SC2086 # words
$compiler $flags -shared -Wl,-soname,libbz2.so.1 -o libbz2.so.1 \
  blocksort.c huffman.c crctable.c randtable.c compress.c decompress.c bzlib.c
package libbz2 "$bzip2" "Shared library for bz2" bzip2-1.0.6 libbz2.so.1
cd ../libffi-*/
autoreconf -fi >autoreconf.log 2>&1 || {
  cat autoreconf.log >&2
  exit 1
}
CC=$compiler CFLAGS=$flags ./configure --disable-docs --disable-static --host=x86_64-linux-musl >/dev/null
make -s -C x86_64-*linux-musl libffi.la >/dev/null
package libffi "$(sed -n 's/^AC_INIT(\[libffi\], *\[\([0-9.]*\)\].*/\1/p; s/^AC_INIT(\[libffi\],\[\([0-9.]*\)\].*/\1/p' configure.ac | head -n 1)" \
  "Portable, high level programming interface to various calling conventions" MIT \
  "$(find . -name 'libffi.so.8.*' -type f)"
