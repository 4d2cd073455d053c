#!/bin/sh
# Unpacks Debian packages into an empty root: files only, no maintainer script is
# run, so no shell and no package manager have to be there. Each package's record
# is kept in /var/lib/dpkg/status.d, where scanners look for it (the layout is
# distroless'), and its copyright file stays.
#
#   eg: slice.sh /rootfs base-files libc6 zlib1g
#
# Only the named packages are unpacked: the caller chooses dependencies too. If one is
# missing, the image's own proof fails, since it loads every library. If packages.lock is
# beside this script and for this suite, versions and hashes are those that it names.
set -eu
root=$1
shift
here=$(dirname "$0")
debs=$(mktemp -d)
status="$root/var/lib/dpkg/status.d"
mkdir -p "$status"
chown _apt "$debs" # apt drops its rights to download

unpack() { # unpack DEB: files, record, and the hashes of its files where it has any
  name=$(dpkg-deb -f "$1" Package)
  dpkg-deb -x "$1" "$root"
  dpkg-deb -f "$1" >"$status/$name"
  dpkg-deb -I "$1" md5sums >"$status/$name.md5sums" 2>/dev/null || rm "$status/$name.md5sums"
}

is_linked() { # is_linked LICENCE: whether a link beside it, such as GPL to GPL-3, leads to it
  for link in "$root"/usr/share/common-licenses/*; do
    [ ! -L "$link" ] || [ "$(readlink -f "$link")" != "$(readlink -f "$1")" ] || return 0
  done
  return 1
}

# What no server reads: documentation (licences stay), conversions to legacy
# charsets (8 MB), vector maths and wide-character XML that nothing links, NIS, what
# debuggers of libc preload, and what a login system shows.
trim() {
  # a link here leads to the licence that packages of one source share
  find "$root/usr/share/doc" -mindepth 2 ! -type d ! -name copyright -delete
  rm -rf "$root"/usr/share/doc/*/examples
  rm -f "$root"/usr/lib/*/libmvec.so.1 "$root"/usr/lib/*/libexpatw.so.* \
    "$root"/usr/lib/*/libnsl.so.1 "$root"/usr/lib/*/libnss_compat.so.2 \
    "$root"/usr/lib/*/libnss_hesiod.so.2 "$root"/usr/lib/*/libBrokenLocale.so.1 \
    "$root"/usr/lib/*/libc_malloc_debug.so.0 "$root"/usr/lib/*/libmemusage.so \
    "$root"/usr/lib/*/libpcprofile.so "$root"/usr/lib/*/libthread_db.so.1
  rm -rf "$root/usr/share/man" "$root/usr/share/info" "$root/usr/share/locale" \
    "$root/usr/share/lintian" "$root/usr/share/bug" "$root/usr/share/base-files" \
    "$root"/usr/lib/*/gconv "$root"/usr/lib/*/engines-3 "$root"/usr/lib/*/ossl-modules \
    "$root/usr/sbin" "$root/sbin" "$root"/etc/update-motd.d "$root"/etc/skel "$root"/etc/issue*
  # licence texts that no package's copyright file names
  for text in "$root"/usr/share/common-licenses/*; do
    name=$(basename "$text")
    [ ! -e "$text" ] || grep -rqE "common-licenses/$name(\\.?[^-.0-9A-Za-z]|\\.?\$)" "$root/usr/share/doc" ||
      is_linked "$text" || rm "$text"
  done
  find "$root/usr" -type d -empty -delete
  for folder in boot home media mnt opt srv; do
    [ ! -d "$root/$folder" ] || rmdir "$root/$folder"
  done
}

# What ca-certificates' own script does: one bundle, at the place where every
# library looks. Only certificates of the signed package: never the builder's own.
bundle_certificates() {
  [ -d "$root/usr/share/ca-certificates" ] || return 0
  mkdir -p "$root/etc/ssl/certs" "$root/usr/lib/ssl"
  find "$root/usr/share/ca-certificates" -name '*.crt' | sort | xargs cat >"$root/etc/ssl/certs/ca-certificates.crt"
  ln -s ../../../etc/ssl/certs/ca-certificates.crt "$root/usr/lib/ssl/cert.pem"
  ln -s ../../../etc/ssl/certs "$root/usr/lib/ssl/certs"
  rm -r "$root/usr/share/ca-certificates" # the same bytes a second time
}

download() { # download NAME…: the locked versions, or explain why that failed
  held=1
  if [ -f "$here/packages.lock" ]; then
    held=0
    "$here/packages-lock.sh" applies "$here/packages.lock" || held=$?
  fi
  case "$held" in
    0) ;;
    1)
      "$here/apt.sh" download "$@"
      return
      ;;
    *) exit 1 ;;
  esac
  words=$("$here/packages-lock.sh" words "$here/packages.lock" "$@")
  # shellcheck disable=SC2086 # a list of words
  "$here/apt.sh" download $words || {
    "$here/packages-lock.sh" explain "$here/packages.lock" "$@"
    exit 1
  }
  "$here/packages-lock.sh" check "$here/packages.lock" ./*.deb
}

cd "$debs"
download "$@"
for deb in *.deb; do unpack "$deb"; done
cd /
rm -r "$debs"
trim
bundle_certificates
ldconfig -r "$root"
rm -rf "$root/var/cache/ldconfig"
