#!/bin/sh
# Copies shared libraries of the builder, with their package's record and licence,
# into a tree that a runtime stage can COPY over its root. Services name the
# library, not the distribution's package.
#
#   eg: runtime-libs /runtime libstdc++.so.6
set -eu
root=$1
shift

debian() { # debian SONAME
  package=$(dpkg -S "*/$1" | head -n 1 | cut -d: -f1)
  status="$root/var/lib/dpkg/status.d"
  mkdir -p "$status"
  dpkg-query -L "$package" | grep -E "/lib/.*\.so[.0-9]*$|/doc/[^/]*/copyright$" | while read -r file; do
    [ -d "$file" ] || cp -a --parents "$file" "$root"
  done
  dpkg-query -s "$package" >"$status/$package"
}

alpine() { # alpine SONAME
  file=$(find /usr/lib /lib -name "$1" | head -n 1)
  mkdir -p "$root$(dirname "$file")"
  cp -L "$file" "$root$file"
}

for soname in "$@"; do
  if command -v dpkg >/dev/null; then debian "$soname"; else alpine "$soname"; fi
done
