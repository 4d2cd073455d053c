#!/bin/sh
# The last step on an unpacked root: accounts, where they are given, the services' folder,
# and one time stamp for all files. The layer is then the same bytes in every build, also
# in one without cache: services that were built on an earlier build of this base still
# share its layer, and no release carries the base twice.
#
#   eg: finish-root.sh /rootfs /mnt/etc
set -eu
root=$1
if [ $# = 2 ]; then install -m 644 "$2"/* "$root/etc/"; fi
mkdir -p "$root/app" # WORKDIR would create it with the time of the build
# not 0: what writes ZIP files refuses years before 1980
find "$root" -exec touch -h -d '1980-01-01 00:00:00' {} +
