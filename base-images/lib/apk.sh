#!/bin/sh
# Runs apk from the wanted mirror, behind the private CA if there is one, and
# leaves no index in the layer.
#
#   eg: apk.sh add python3 libffi
#
# ALPINE_MIRROR (may be empty) replaces the root image's own mirror, as in
# "$ALPINE_MIRROR/v3.23/main".
set -eu
cp /etc/apk/repositories /tmp/repositories
if [ -n "${ALPINE_MIRROR:-}" ]; then
  sed -i -E "s|https?://[^ ]*/(v[0-9.]+\|edge)/|${ALPINE_MIRROR%/}/\1/|" /etc/apk/repositories
fi
if [ -s /run/secrets/ca ]; then
  export SSL_CERT_FILE=/run/secrets/ca
fi
verb=$1
shift
apk "$verb" --no-cache "$@"
mv /tmp/repositories /etc/apk/repositories # the image names no mirror of the builder's
