#!/bin/sh
# Installs what Rust needs to compile for another architecture: its linker, C library and
# standard library. For the builder's own it does nothing.
#
#   eg: cross.sh arm64
set -eu
architecture=$1
[ "$architecture" != "$(dpkg --print-architecture)" ] || exit 0
case $architecture in
  amd64) compiler="gcc-x86-64-linux-gnu" ;;
  arm64) compiler="gcc-aarch64-linux-gnu" ;;
  *)
    echo "sutra: cross.sh: unknown architecture \"$architecture\"" >&2
    echo "tip: amd64 or arm64" >&2
    exit 1
    ;;
esac
dpkg --add-architecture "$architecture"
exec "${0%/*}/apt.sh" install "$compiler" "libc6-dev-$architecture-cross" "libstd-rust-dev:$architecture"
