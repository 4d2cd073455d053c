#!/bin/sh
# Takes from Debian's packages of Node.js what no service loads. Of the modules that Debian keeps
# apart from Node.js, only files that it names itself stay: each is whole, and needs no other.
# prove-node.mjs shows that the rest is enough.
#
#   eg: trim-node.sh /rootfs
set -eu
root=$1
kept=$(mktemp)
grep -aohE 'NODE_SHARED_BUILTIN_[A-Z_]+=/usr/share/nodejs/[^",]+' "$root"/usr/lib/*/libnode.so.* |
  cut -d = -f 2 | sort -u >"$kept"
if [ ! -s "$kept" ]; then
  echo 'sutra: trim-node: Node.js names no module that Debian keeps apart from it' >&2
  echo 'tip: compare lib/trim-node.sh with the new package of Debian' >&2
  exit 1
fi
cd "$root"
find usr/share/nodejs ! -type d | sed 's|^|/|' | grep -vxFf "$kept" | while read -r file; do
  rm "$root$file"
done
rm "$kept"
find usr/share/nodejs -type d -empty -delete
# second names, commands of modules, what debuggers and shells read, ICU's tools for developers
rm -rf usr/bin/acorn usr/bin/nodejs usr/share/bash-completion usr/share/gcc usr/share/gdb \
  usr/share/node_modules usr/share/systemtap
rm -f usr/lib/*/libicuio.so.* usr/lib/*/libicutest.so.* usr/lib/*/libicutu.so.*
