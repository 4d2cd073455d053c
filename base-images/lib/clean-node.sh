#!/bin/sh
# Makes the service in /src readable for its user whatever the umask of the checkout, and cleans the
# packages in /app/node_modules by the rules of a manifest. What was removed by which rule is written
# to a report of the image. The folder base-images is mounted, for the shared rules that a manifest
# includes.
#
#   eg: clean-node.sh /mnt/packages/sutra-example/cleanup.yaml
set -eu
if [ ! -f "${1:-}" ]; then
  printf 'clean-node: not a manifest "%s"\ntip: clean-node.sh /mnt/packages/sutra-example/cleanup.yaml\n' "${1:-}" >&2
  exit 2
fi
script=$(readlink -f "$0")
mkdir -p /app/node_modules /out # a service may have no dependency
chmod -R u=rwX,go=rX /src /app/node_modules
# a package's commands begin with `#!/usr/bin/env node`, and the image has no `env` to start them
find /app/node_modules -type f -perm /111 | while read -r file; do
  [ "$(head -c 2 "$file" | tr '\0' ' ')" != '#!' ] || chmod a-x "$file"
done
PYTHONPATH=${script%/*} exec python3 -B -m sutra_cleanup.node --tree /app/node_modules \
  --manifest "$1" --report /out/usr/share/sutra/cleanup.json
