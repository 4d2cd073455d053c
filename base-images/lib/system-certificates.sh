#!/bin/sh
# Lets certifi, where it is installed, name the system's certificates in place of its own copy of
# Mozilla's list, as Debian's certifi does: 234 kB less, and an authority that is mounted over the
# system's bundle holds for every client.
#
#   eg: system-certificates.sh /opt/sutra/lib/python3.13/site-packages
set -eu
bundle=$1/certifi/cacert.pem
[ -f "$bundle" ] || exit 0
ln -sf /etc/ssl/certs/ca-certificates.crt "$bundle"
# a link into the system has no hash of its own
sed -i 's|^certifi/cacert\.pem,.*|certifi/cacert.pem,,|' "$1"/certifi-*.dist-info/RECORD
