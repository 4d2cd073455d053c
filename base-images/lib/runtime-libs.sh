#!/bin/sh
# Copies shared libraries of the builder, with their package's record and licence,
# into a tree that a runtime stage can COPY over its root. Services name the
# library, not the distribution's package.
#
# What the runtime base, mounted at /base, has already is left out: a second copy
# would only hide the first.
#
# `python:NAME` is a module of the standard library that the base left out: sources,
# which Python compiles at each start, and the extension module of that name.
#
#   eg: runtime-libs /runtime libstdc++.so.6
#   eg: runtime-libs /runtime libsqlite3.so.0 python:sqlite3 python:_sqlite3
set -eu
root=$1
shift

refuse_library() { # refuse_library SONAME
  echo "runtime-libs: no such library \"$1\"" >&2
  exit 1
}

debian() { # debian SONAME
  architecture=${SUTRA_CROSS:-$(dpkg --print-architecture)}
  owners=$(dpkg -S "*/$1" 2>/dev/null | sed -nE 's/^([a-z0-9+.:-]+): .*/\1/p')
  # a builder for another architecture has libraries of both, and those that its compiler links
  package=$(echo "$owners" | grep ":$architecture\$" || echo "$owners" | grep -v :) || package=
  package=$(echo "$package" | head -n 1)
  [ -n "$package" ] || refuse_library "$1"
  name=${package%%:*}
  status="$root/var/lib/dpkg/status.d"
  mkdir -p "$status"
  # the documentation folder may be a link to that of the source package
  dpkg-query -L "$package" | grep -E "/lib/.*\.so[.0-9]*$|^/usr/share/doc/[^/]*$" | while read -r file; do
    [ -d "$file" ] && [ ! -L "$file" ] || cp -a --parents "$file" "$root"
  done
  licence=$(readlink -f "/usr/share/doc/$name/copyright")
  cp --parents "$licence" "$root"
  dpkg-query -s "$package" >"$status/$name"
  dpkg-query --control-show "$package" md5sums >"$status/$name.md5sums"
}

# apk keeps one file for all packages: a later layer replaces it by the runtime base's
# own with this package's paragraph added
alpine() { # alpine SONAME
  file=$(find /usr/lib /lib -name "$1" | head -n 1)
  [ -n "$file" ] || refuse_library "$1"
  package=$(apk info --no-network --quiet --who-owns "$file")
  for place in lib usr/lib; do
    record="$place/apk/db/installed"
    [ -f "/base/$record" ] || continue
    mkdir -p "$root/$place/apk/db"
    [ -f "$root/$record" ] || cp -p "/base/$record" "$root/$record"
    grep -qxF "P:$package" "$root/$record" ||
      awk -v RS= -v ORS='\n\n' -v name="$package" 'index("\n" $0 "\n", "\nP:" name "\n")' \
        "/$record" >>"$root/$record"
  done
  apk info --no-network --quiet --contents "$package" | grep -E "lib/.*\.so[.0-9]*$" | while read -r file; do
    cp -a --parents "/$file" "$root"
  done
}

module() { # module NAME
  stdlib=$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')
  # The service's Python names its modules by its architecture, which may not be the builder's.
  suffix=$(/usr/bin/python3 -c 'import sysconfig; print(sysconfig.get_config_var("EXT_SUFFIX"))')
  files=$(find "$stdlib" -maxdepth 1 \( -name "$1" -o -name "$1.py" \) &&
    find "$stdlib/lib-dynload" -name "$1$suffix")
  if [ -z "$files" ]; then
    echo "runtime-libs: no such module of the standard library \"$1\"" >&2
    exit 1
  fi
  for file in $files; do cp -a --parents "$file" "$root"; done
  find "$root$stdlib" -name __pycache__ -prune -exec rm -r {} +
}

for soname in "$@"; do
  case "$soname" in python:*)
    module "${soname#python:}"
    continue
    ;;
  esac
  if command -v dpkg >/dev/null; then debian "$soname"; else alpine "$soname"; fi
done
find "$root" -type f | while read -r file; do
  if cmp -s "$file" "/base${file#"$root"}"; then rm "$file"; fi
done
