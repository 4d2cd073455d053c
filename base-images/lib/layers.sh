#!/bin/sh
# Lays out the layers of a production image: a tree for each, with its parent folders, and one time
# stamp for all files. Each tree is then copied to / whole, so that a layer is the same bytes in
# every build: a COPY to /opt/sutra would create /opt with the time of the build.
#
#   eg: layers.sh /layers /opt/sutra:/opt/sutra /app:/app /out:/
set -eu
into=$1
shift
number=0
for layer in "$@"; do
  number=$((number + 1))
  target="$into/$number${layer#*:}"
  mkdir -p "$target"
  cp -a "${layer%%:*}/." "$target"
done
# not 0: what writes ZIP files refuses years before 1980
find "$into" -exec touch -h -d '1980-01-01 00:00:00' {} +
