#!/bin/sh
# Copies the licences of what a Go program is made of into a folder: its modules', each
# below its own path, and that of Go's standard library. The program itself names them
# (section .go.buildinfo).
#
#   eg: module-licences.sh /out/bin/greeter /out/licenses
set -eu
program=$1
out=$2
mkdir -p "$out"
cache=$(go env GOMODCACHE)

# in the module cache an upper-case letter is "!" and the lower-case one
escaped() { printf '%s' "$1" | sed 's/[A-Z]/!\l&/g'; }

go version -m "$program" | awk '$1 == "dep" || $1 == "=>" { print $2, $3 }' >"$out/modules"
while read -r path version; do
  found=
  for file in "$cache/$(escaped "$path")@$(escaped "$version")"/*; do
    case ${file##*/} in
      LICEN[CS]E* | COPYING* | NOTICE* | PATENTS* | UNLICENSE*) ;;
      *) continue ;;
    esac
    mkdir -p "$out/$path"
    cp "$file" "$out/$path/"
    found=yes
  done
  if [ -z "$found" ]; then
    echo "module-licences: no licence of the module \"$path\" $version" >&2
    exit 1
  fi
done <"$out/modules"
for file in "$(go env GOROOT)/LICENSE" /usr/share/doc/golang*-go/copyright /usr/share/licenses/go/LICENSE; do
  [ ! -e "$file" ] || cp -L "$file" "$out/go"
done
if [ ! -e "$out/go" ]; then
  echo "module-licences: no licence of Go itself" >&2
  exit 1
fi
chmod -R u=rwX,go=rX "$out"
