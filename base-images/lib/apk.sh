#!/bin/sh
# Runs apk from the wanted mirror, behind the private CA if there is one, and
# leaves no index in the layer.
#
#   eg: apk.sh add python3 libffi
#
# ALPINE_MIRROR (may be empty) replaces the root image's own mirror, as in
# "$ALPINE_MIRROR/v3.23/main". An index that cannot be had or trusted is an error here,
# also where apk could do without it: it only warns.
set -eu
cp /etc/apk/repositories /tmp/repositories
if [ -n "${ALPINE_MIRROR:-}" ]; then
  sed -i -E "s|https?://[^ ]*/(v[0-9.]+\|edge)/|${ALPINE_MIRROR%/}/\1/|" /etc/apk/repositories
fi
if [ -s /run/secrets/ca ]; then
  export SSL_CERT_FILE=/run/secrets/ca
fi

refuse() { # refuse PROBLEM TIP: what scripts/build/bake.py takes as the reason of the failure
  printf 'sutra: %s\ntip: %s\n' "$1" "$2" >&2
  exit 1
}

said() { sed -n -E "s/$1/$2/p" /tmp/apk.log | head -n 1; } # said PATTERN ANSWER

verb=$1
shift
code=0
apk "$verb" --no-cache "$@" >/tmp/apk.log 2>&1 || code=$?
cat /tmp/apk.log
mv /tmp/repositories /etc/apk/repositories # the image names no mirror of the builder's

mirror="ALPINE_MIRROR: \"${ALPINE_MIRROR:-$(head -n 1 /etc/apk/repositories)}\""
index=$(said '^WARNING: (fetching|opening|updating|loading) ([^ ]*APKINDEX[^ ]*): (.*)' '\3: "\2"')
case $index in
  '') ;;
  *[Uu]'NTRUSTED '* | *[Ss]ignature*) refuse "$mirror: index is not signed by a key of the root image, $index" \
    "a mirror serves Alpine's own indexes as they are; a repository of your own needs its key in /etc/apk/keys of the root image" ;;
  *) refuse "$mirror: no index, $index" "check the address, and that it has the folder of this ALPINE_VERSION" ;;
esac
package=$(said '^ERROR: ([^ :]+): (.*)' '\1: \2')
missing=$(said '^ +([^ ]+) \(no such package\):.*' '\1')
if [ "$code" != 0 ]; then
  [ -z "$missing" ] || refuse "$mirror: no package \"$missing\" for $(sed -n 's/^PRETTY_NAME="\(.*\)"$/\1/p' /etc/os-release)" \
    "choose another ALPINE_VERSION, or a mirror that is complete"
  refuse "$mirror: apk failed, ${package:-exit code $code}" "apk's own lines are above; try again, or another mirror"
fi
rm /tmp/apk.log
