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
readonly SCRIPT=install
# shellcheck source=scripts/common.sh
. scripts/common.sh

readonly LOG=.cache/apt.log
# one writer of the log: what apt-get says of its lock is read from it
readonly LOCK=.cache/apt.lock
# time that another package manager, such as unattended-upgrades, may take
readonly APT_SECONDS=${APT_SECONDS:-600}

is_debian_like() { grep -qE '^ID(_LIKE)?=.*(debian|ubuntu)' "${OS_RELEASE:-/etc/os-release}" 2>/dev/null; }

# RUNLEVEL=1 keeps a package's init script from starting a daemon behind our back.
apt_get() {
  as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 ${APT_CONFIG:+"APT_CONFIG=$APT_CONFIG"} \
    apt-get -q -y -o Dpkg::Use-Pty=0 "$@"
}

# apt-get waits for dpkg's lock only with an option, and never for the lock of its lists.
apt_get_when_free() {
  local started=$SECONDS waits=""
  until apt_get "$@" >"$LOG" 2>&1 9<&-; do # what a package starts must not hold our lock
    grep -q 'Could not get lock' "$LOG" || return 1
    ((SECONDS - started < APT_SECONDS)) || return 1
    [[ -n $waits ]] || echo "install: waiting: $(grep -m 1 'Could not get lock' "$LOG" | sed 's/^E: //')" >&2
    waits=said
    sleep 2
  done
}

[[ $# -gt 0 ]] || die "no package named" "usage: scripts/install.sh PACKAGE..."
is_debian_like || die "this system is not Debian or Ubuntu" "install $* yourself, then run the same command again"
may_be_root || die "no root rights" "install $* as root, then run the same command again"
require_writable_checkout
require_temporary_space 10

mkdir -p .cache
lock "$LOCK"
echo "install: $* (log: $LOG)" >&2
if ! { apt_get_when_free update && apt_get_when_free install --no-install-recommends --no-remove "$@"; }; then
  tail -n 5 "$LOG" >&2
  die "apt-get failed" "read $LOG, fix it, then run the same command again"
fi
