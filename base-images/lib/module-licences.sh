#!/bin/sh
# Copies the licences of a Go program's modules into a folder, each below the module's
# path, and that of Go's standard library. The program itself names its modules
# (section .go.buildinfo).
#
#   eg: module-licences.sh /out/bin/greeter /out/licenses
set -eu
program=$1
out=$2
mkdir -p "$out"
cache=$(go env GOMODCACHE)

# the module cache writes an upper-case letter as "!" and the lower-case letter
escaped() {
  printf '%s\n' "$1" | awk '{
    for (i = 1; i <= length($0); i++) {
      letter = substr($0, i, 1)
      printf "%s", letter ~ /[A-Z]/ ? "!" tolower(letter) : letter
    }
  }'
}

# "dep" names a module; a "=>" below it names its replacement, which was built instead
go version -m "$program" | awk '
  $1 == "dep" { if (path) print path, version, path; path = $2; version = $3; name = $2 }
  $1 == "=>" { print $2, $3, name; path = "" }
  END { if (path) print path, version, path }' >"$out/modules"
while read -r path version name; do
  has_licence=
  for file in "$cache/$(escaped "$path")@$(escaped "$version")"/*; do
    case ${file##*/} in
      LICEN[CS]E* | COPYING* | NOTICE* | PATENTS* | UNLICENSE*) ;;
      *) continue ;;
    esac
    mkdir -p "$out/$name"
    cp "$file" "$out/$name/"
    has_licence=yes
  done
  if [ -z "$has_licence" ]; then
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
