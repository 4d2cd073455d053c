#!/bin/sh
# Takes out of a standard library what a server never imports, and leaves it as
# bytecode alone: start-up reads .pyc, and the sources would double the bytes.
#
#   eg: trim-stdlib.sh /rootfs /usr/lib/python3.13
#
# The interpreter of the root itself compiles, so that the magic number fits.
set -eu
root=$1
lib=$2

cd "$root$lib"
rm -rf test idlelib ensurepip turtledemo tkinter pydoc_data curses turtle.py config-*
# what stands in where the C modules decimal and datetime lack; here they are
rm -f _pydecimal.py _pydatetime.py
# extension modules of what is gone, and of libraries that the image does not have
find lib-dynload \( -name '_test*' -o -name '_xx*' -o -name 'xx*' -o -name '_ctypes_test*' \
  -o -name '_curses*' -o -name '_dbm*' -o -name '_gdbm*' -o -name '_tkinter*' -o -name 'readline*' \) -delete
find . -type d -name __pycache__ -prune -exec rm -rf {} +
chroot "$root" "$(basename "$lib")" -m compileall -q -b --invalidation-mode unchecked-hash "$lib"
find . -name '*.py' -delete
