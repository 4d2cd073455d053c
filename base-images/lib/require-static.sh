#!/bin/sh
# Fails for a program that a dynamic loader has to complete: a scratch image has no loader and no
# library. A program can need libraries without naming a loader (`ld --no-dynamic-linker`).
#
#   eg: require-static.sh /out/bin/sample-service
set -eu
fail() {
  echo "require-static: $1" >&2
  exit 1
}

headers=$(LC_ALL=C readelf --wide --program-headers --dynamic "$1")
case $headers in
  *INTERP*) fail "$1 asks for a dynamic loader, and its image has none" ;;
  *'(NEEDED)'*)
    libraries=$(echo "$headers" | sed -n 's/.*(NEEDED).*\[\(.*\)\].*/\1/p' | paste -s -d ' ' -)
    fail "$1 needs libraries, and its image has none: $libraries"
    ;;
  *LOAD*) ;;
  *) fail "$1 is not a program: nothing of it is loaded" ;;
esac
