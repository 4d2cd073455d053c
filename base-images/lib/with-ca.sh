#!/bin/sh
# Runs a command that may have to trust a private CA: the bundle arrives as the
# BuildKit secret "ca" and is named in each client's own variable, so that it
# never becomes a file of the image.
#
#   eg: RUN --mount=type=secret,id=ca with-ca pip install …
set -eu
ca=/run/secrets/ca
if [ -s "$ca" ]; then
  export PIP_CERT="$ca" SSL_CERT_FILE="$ca" REQUESTS_CA_BUNDLE="$ca" CARGO_HTTP_CAINFO="$ca" \
    NODE_EXTRA_CA_CERTS="$ca"
fi
exec "$@"
