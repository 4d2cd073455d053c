#!/bin/sh
# Fails for a program that asks for a dynamic loader, which a scratch image does not have.
#
#   eg: require-static.sh /out/bin/sample-service
set -eu
headers=$(readelf --wide --program-headers "$1")
case $headers in
  *INTERP*)
    echo "require-static: $1 asks for a dynamic loader, and its image has none" >&2
    exit 1
    ;;
esac
