#!/bin/sh
# Copies shared libraries of the builder, with their package's record and licence,
# into a tree that a runtime stage can COPY over its root. Services name the
# library, not the distribution's package.
#
# What the runtime base, mounted at /base, has already is left out: a second copy
# would only hide the first.
#
#   eg: runtime-libs /runtime libstdc++.so.6
set -eu
root=$1
shift

debian() { # debian SONAME
  package=$(dpkg -S "*/$1" | head -n 1 | cut -d: -f1)
  status="$root/var/lib/dpkg/status.d"
  mkdir -p "$status"
  # the documentation folder may be a link to that of the source package
  dpkg-query -L "$package" | grep -E "/lib/.*\.so[.0-9]*$|^/usr/share/doc/[^/]*$" | while read -r file; do
    [ -d "$file" ] && [ ! -L "$file" ] || cp -a --parents "$file" "$root"
  done
  licence=$(readlink -f "/usr/share/doc/$package/copyright")
  cp --parents "$licence" "$root"
  dpkg-query -s "$package" >"$status/$package"
  dpkg-query --control-show "$package" md5sums >"$status/$package.md5sums"
}

alpine() { # alpine SONAME
  file=$(find /usr/lib /lib -name "$1" | head -n 1)
  mkdir -p "$root$(dirname "$file")"
  cp -L "$file" "$root$file"
}

for soname in "$@"; do
  if command -v dpkg >/dev/null; then debian "$soname"; else alpine "$soname"; fi
done
find "$root" -type f | while read -r file; do
  if cmp -s "$file" "/base${file#"$root"}"; then rm "$file"; fi
done
