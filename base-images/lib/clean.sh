#!/bin/sh
# Compiles the service in /app, makes it readable for its user whatever the umask of the checkout,
# and cleans the virtual environment in /opt/sutra by the rules of a manifest. What was removed by
# which rule is written to a report of the image. The folder base-images is mounted, for the shared
# rules that a manifest includes.
#
#   eg: clean.sh /mnt/packages/sutra-api/cleanup.yaml
#   SUTRA_CROSS: the architecture of the service, where the builder is of another (cross-python.sh)
#   BYTECODE: one bytecode mode for all modules in place of the manifest's, for `make bench`
set -eu
if [ ! -f "${1:-}" ]; then
  printf 'clean: not a manifest "%s"\ntip: clean.sh /mnt/packages/sutra-api/cleanup.yaml\n' "${1:-}" >&2
  exit 2
fi
script=$(readlink -f "$0")
python3 -m compileall -q --invalidation-mode unchecked-hash /app
chmod -R u=rwX,go=rX /app
# a builder for another architecture has installed by its own Python what runs by that one
if [ -n "${SUTRA_CROSS:-}" ]; then
  ln -sf /usr/bin/python3 /opt/sutra/bin/python3
  sed -i 's|/usr/local/bin|/usr/bin|' /opt/sutra/pyvenv.cfg
fi
"${script%/*}/system-certificates.sh" /opt/sutra/lib/python3*/site-packages
PYTHONPATH=${script%/*} exec python3 -B -m sutra_cleanup --tree /opt/sutra --python /opt/sutra/bin/python \
  --manifest "$1" --report /out/usr/share/sutra/cleanup.json ${BYTECODE:+--bytecode "$BYTECODE"}
