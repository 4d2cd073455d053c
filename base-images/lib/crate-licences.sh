#!/bin/sh
# Copies the licences of what a static Rust program is made of into a folder: its
# crates', and those of the standard library and the C library in it. Where a crate
# may be had under MIT or Apache, or Boost or Apache, the shorter text is taken. A text that
# another crate has byte by byte is a link to that one.
#
#   eg: crate-licences.sh /out/licenses                      FEATURES: those of the crate, if any
#   CARGO_BUILD_TARGET: what the program is built for; default: this machine
set -eu
out=$1
mkdir -p "$out"
triple=${CARGO_BUILD_TARGET:-$(rustc --print host-tuple)}
list() { cargo tree --locked --offline --target "$triple" --edges normal --features "${FEATURES:-}" \
  --prefix none --format "$1" | sort -u; }

# a crate of a path is our own; no line is left where a program has no other
list '{p} {l}' | sed '/ (\//d' >"$out/crates"
while read -r name version _; do
  for file in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/"$name-${version#v}"/*; do
    case ${file##*/} in
      *[Aa][Pp][Aa][Cc][Hh][Ee]*)
        [ ! -e "${file%/*}/LICENSE-MIT" ] || continue
        [ ! -e "${file%/*}/LICENSE-BOOST" ] || continue
        ;;
      LICEN[CS]E* | COPYING* | NOTICE* | UNLICENSE*) ;;
      *) continue ;;
    esac
    mkdir -p "$out/$name"
    cp "$file" "$out/$name/"
  done
done <"$out/crates"
for package in libc6 libgcc-s1 libstd-rust-dev; do
  [ ! -e "/usr/share/doc/$package/copyright" ] || cp -L "/usr/share/doc/$package/copyright" "$out/$package"
done
chmod -R u=rwX,go=rX "$out"
# after `sort` equal texts follow one another
cd "$out"
find . -mindepth 2 -type f -exec sha256sum {} + | LC_ALL=C sort | while read -r digest file; do
  if [ "$digest" = "${first_digest:-}" ]; then
    ln -sf "../${first#./}" "$file"
  else
    first_digest=$digest first=$file
  fi
done
