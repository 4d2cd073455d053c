#!/bin/sh
# Puts the Python of SUTRA_CROSS, an architecture, beside the builder's own: /usr/bin/python3 is then
# that one, for what loads libraries of a service, and an emulator runs it. `python3` by PATH stays
# the builder's own, for what only reads and writes files: the same version, at its own speed.
# Both read one standard library, since Debian's is the same but for its compiled modules.
#
#   eg: SUTRA_CROSS=arm64 cross-python.sh
set -eu
here=${0%/*}
version=$(python3 -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
dpkg --add-architecture "$SUTRA_CROSS"
"$here/apt.sh" install libexpat1 "lib$version-stdlib" libstdc++6 zlib1g
# the program's own package cannot be there twice
root=$(mktemp -d)
mkdir "$root/etc"
TARGETARCH=$SUTRA_CROSS "$here/slice.sh" "$root" "$version-minimal"
mv "/usr/bin/$version" "/usr/local/bin/$version"
ln -s "$version" /usr/local/bin/python3
mv "$root/usr/bin/$version" "/usr/bin/$version"
rm -r "$root"
# in the place of a hook of Debian, which reports crashes to Ubuntu
rm -f "/usr/lib/$version/sitecustomize.py"
cp "$here/cross_site.py" "/usr/lib/$version/sitecustomize.py"
