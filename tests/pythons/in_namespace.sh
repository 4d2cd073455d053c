#!/bin/sh
# Runs as root of its own mounts and processes: unpack a Debian release in memory, and run the
# unit tests on its Python.
#
#   eg: unshare … sh tests/pythons/in_namespace.sh ROOT.tar SOURCES.tar KEPT CERTIFICATES ENVIRONMENT -k docs
#
# ROOT.tar is the release, SOURCES.tar the checkout, KEPT a folder that stays, CERTIFICATES a bundle
# or "", ENVIRONMENT the name of the virtual environment that is kept; the rest is for pytest.
set -eu

bundle=/etc/ssl/certs/ca-certificates.crt
root=$1 sources=$2 kept=$3 certificates=$4
shift 4

mount -t tmpfs -o mode=755 tmpfs /mnt
tar -xf "$root" -C /mnt --exclude=./dev/*
cp -L /etc/resolv.conf /etc/hosts /mnt/etc/
[ -z "$certificates" ] || cp -L "$certificates" "/mnt$bundle"
mount --rbind /dev /mnt/dev
mount -t proc proc /mnt/proc
mount -t tmpfs -o mode=1777 tmpfs /mnt/tmp
mkdir -p /mnt/src /mnt/kept
mount --bind "$kept" /mnt/kept
tar -xf "$sources" -C /mnt/src
exec chroot /mnt /usr/bin/env -i PATH=/usr/bin:/bin:/usr/sbin:/sbin HOME=/root LANG=C.UTF-8 \
  PIP_INDEX_URL="${PIP_INDEX_URL:-}" PIP_CACHE_DIR=/kept/pip CA_BUNDLE="$bundle" \
  sh /src/tests/pythons/in_root.sh "$@"
