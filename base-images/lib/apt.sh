#!/bin/sh
# Runs apt-get with fresh lists from the wanted mirror, behind the private CA if
# there is one, and leaves neither lists nor archives in the layer.
#
#   eg: apt.sh install gcc libc6-dev      apt.sh download libc6
#
# TARGETARCH downloads packages of another architecture: apt.sh download. They are not installed.
# SUTRA_CROSS installs packages of another architecture beside the builder's own: apt.sh install.
# APT_MIRROR (may be empty) replaces the root image's own mirror; its security
# suite is expected at "$APT_MIRROR-security", as on Debian's own archive. A day of
# http://snapshot.debian.org is a mirror too (…/archive/debian/20260101T000000Z).
#
# Where a Dockerfile mounts builders.lock at /mnt/builders.lock, `install` takes the versions
# that it names, dependencies too, and installs nothing whose bytes it does not name: what
# compilers and libraries of a builder write is in the image.
set -eu
here=$(dirname "$0")
lock=${BUILDERS_LOCK:-/mnt/builders.lock}

rewrite() { # rewrite SUITE-FOLDER URL: both source formats of Debian are understood
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*; do
    [ ! -f "$file" ] || sed -i -E "s|https?://[^ ]*/$1/?( \|\$)|$2\1|" "$file"
  done
}

if [ -n "${APT_MIRROR:-}" ]; then
  mirror=${APT_MIRROR%/}
  security="$mirror-security"
  case "$mirror" in */debian/[0-9]*T[0-9]*Z)
    security="${mirror%/debian/*}/debian-security/${mirror##*/debian/}"
    # the index of a day is past its time by intention; its signature still counts
    echo 'Acquire::Check-Valid-Until "false";' >/etc/apt/apt.conf.d/99sutra-snapshot
    ;;
  esac
  rewrite debian-security "$security"
  rewrite debian "$mirror"
fi
if [ -s /run/secrets/ca ]; then
  echo 'Acquire::https::CaInfo "/run/secrets/ca";' >/etc/apt/apt.conf.d/99sutra-ca
fi

get() { # get VERB WORD…: apt-get without questions
  apt-get -q -y --no-install-recommends -o Dpkg::Use-Pty=0 "$@"
}

install_locked() { # install_locked NAME…: fetched, compared with the lock, then installed
  # above 1000, so that what the root image has in a newer version goes back to the locked one
  "$here/packages-lock.sh" pins "$lock" >/etc/apt/preferences.d/99sutra-lock
  # not `apt-get clean`: it removes what `apt-get update` made of the lists too
  rm -f /var/cache/apt/archives/*.deb
  get --allow-downgrades --download-only install "$@" || {
    "$here/packages-lock.sh" explain "$lock"
    exit 1
  }
  find /var/cache/apt/archives -name '*.deb' -exec "$here/packages-lock.sh" hold "$lock" {} +
  get --allow-downgrades --no-download install "$@"
}

verb=$1
shift
[ "$verb" = download ] || unset TARGETARCH
if [ "$verb" = download ] && [ -n "${TARGETARCH:-}" ]; then
  # apt knows only that architecture, so that packages have no `:arm64` suffix in their file names
  printf 'APT::Architecture "%s";\n#clear APT::Architectures;\nAPT::Architectures "%s";\n' \
    "$TARGETARCH" "$TARGETARCH" >/etc/apt/apt.conf.d/99sutra-architecture
fi
export DEBIAN_FRONTEND=noninteractive
# Descriptions are for people who choose packages: a third of what is fetched, and as much of what
# apt reads. A layer that a lost machine left half is made again, so that dpkg waits for no disk.
# Debian's own image packs the lists and keeps nothing of what is read from them; apt is run up to
# three times here.
printf '%s;\n' 'Acquire::Languages "none"' 'Dpkg::Options { "--force-unsafe-io"; }' \
  'Acquire::GzipIndexes "false"' 'Dir::Cache::pkgcache "pkgcache.bin"' \
  'Dir::Cache::srcpkgcache "srcpkgcache.bin"' >/etc/apt/apt.conf.d/99sutra-builder
# 0: the lock is of this release, 1: there is none that is, 2: it is damaged
held=1
if [ "$verb" = install ] && [ -f "$lock" ]; then
  held=0
  "$here/packages-lock.sh" applies "$lock" || held=$?
fi
[ "$held" -le 1 ] || exit 1
apt-get -q update
if [ "$verb" = install ] && [ -n "${SUTRA_CROSS:-}" ]; then
  for name in "$@"; do
    shift
    set -- "$@" "$name:$SUTRA_CROSS"
  done
fi
if [ "$held" = 0 ]; then install_locked "$@"; else get "$verb" "$@"; fi
rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /etc/apt/apt.conf.d/99sutra-ca \
  /etc/apt/apt.conf.d/99sutra-snapshot /etc/apt/preferences.d/99sutra-lock \
  /etc/apt/apt.conf.d/99sutra-architecture /etc/apt/apt.conf.d/99sutra-builder
[ "$verb" = download ] || apt-get clean
