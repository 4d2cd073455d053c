#!/usr/bin/env bash
# Installs Debian or Ubuntu packages for the tool itself, or says exactly what to
# install. Removes nothing; APT_CONFIG is passed on.
#
#   eg: scripts/install.sh mmdebstrap
#
# Exit 0: installed. Exit 2: not possible here; the tip says what to do.
set -Eeuo pipefail
trap 'echo "install: FAILED at line ${LINENO}" >&2' ERR
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly LOG=.cache/apt.log

die() { # die PROBLEM TIP
  echo "install: $1" >&2
  echo "tip: $2" >&2
  exit 2
}

is_debian_like() { grep -qE '^ID(_LIKE)?=.*(debian|ubuntu)' /etc/os-release 2>/dev/null; }

as_root() {
  if [[ $EUID -eq 0 ]]; then "$@"; else sudo -n "$@"; fi
}

# RUNLEVEL=1 keeps a package's init script from starting a daemon behind our back.
apt_get() {
  as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 ${APT_CONFIG:+"APT_CONFIG=$APT_CONFIG"} \
    apt-get -q -y -o Dpkg::Use-Pty=0 "$@"
}

[[ $# -gt 0 ]] || die "no package named" "usage: scripts/install.sh PACKAGE..."
is_debian_like || die "this system is not Debian or Ubuntu" "install $* yourself, then run the same command again"
[[ $EUID -eq 0 ]] || sudo -n true 2>/dev/null || die "no root rights" "install $* as root, then run the same command again"

mkdir -p .cache
echo "install: $* (log: $LOG)" >&2
if ! { apt_get update && apt_get install --no-install-recommends --no-remove "$@"; } >"$LOG" 2>&1; then
  tail -n 5 "$LOG" >&2
  die "apt-get failed" "read $LOG, mend it, then run the same command again"
fi
