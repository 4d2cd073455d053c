#!/usr/bin/env bash
# Writes base-images/packages.lock: the newest version, architecture and SHA-256 of every Debian
# package that production bases are made of, from Debian's signed index. The build holds to it
# (base-images/lib/packages-lock.sh).
#
#   eg: scripts/lock_packages.sh
#       APT_MIRROR=http://snapshot.debian.org/archive/debian/20260101T000000Z scripts/lock_packages.sh
#
# Exit 0: locked. Exit 2: the tip says what to do.
set -Eeuo pipefail
trap 'echo "lock_packages: FAILED at line ${LINENO}" >&2' ERR
cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly SCRIPT=lock_packages
# shellcheck source=scripts/common.sh
. scripts/common.sh

readonly LOCK=base-images/packages.lock
readonly KEYRING=${KEYRING:-/usr/share/keyrings/debian-archive-keyring.gpg}
readonly MACHINES=(amd64 arm64)
version=${DEBIAN_VERSION:-trixie-slim}
readonly SUITE=${version%-slim}

# as base-images/lib/apt.sh has it: a day of snapshot.debian.org is a mirror too
is_snapshot() { [[ $1 =~ /debian/[0-9]+T[0-9]+Z$ ]]; }

security_mirror() {
  if is_snapshot "$1"; then echo "${1%/debian/*}/debian-security/${1##*/debian/}"; else echo "$1-security"; fi
}

names() { # what the slices of the production bases name, one a line
  awk '/slice\.sh \/rootfs/ { on = 1; next } on && /^ +[a-z0-9.+-]+( \\)?$/ { print $1; next } { on = 0 }' \
    base-images/*-prod.Dockerfile | sort -u
}

command -v apt-get >/dev/null || die "apt-get: not found" "lock on Debian or Ubuntu, or in a container of debian:$version"
[[ -f $KEYRING ]] || die "no keys of Debian's archive \"$KEYRING\"" "install debian-archive-keyring"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mirror=${APT_MIRROR:-http://deb.debian.org/debian}
mirror=${mirror%/}
mkdir -p "$folder"/{lists,archives}/partial
cat >"$folder/sources.list" <<END
deb [signed-by=$KEYRING] $mirror $SUITE main
deb [signed-by=$KEYRING] $mirror $SUITE-updates main
deb [signed-by=$KEYRING] $(security_mirror "$mirror") $SUITE-security main
END
options=(-o "Dir::Etc::sourcelist=$folder/sources.list" -o Dir::Etc::sourceparts=/dev/null
  -o "Dir::State::lists=$folder/lists" -o Dir::State::status=/dev/null -o "Dir::Cache=$folder"
  -o "APT::Sandbox::User=" -o Acquire::Languages=none)
! is_snapshot "$mirror" || options+=(-o Acquire::Check-Valid-Until=false)
[[ -z ${CA_BUNDLE:-} ]] || options+=(-o "Acquire::https::CaInfo=$CA_BUNDLE")

mapfile -t packages < <(names)
for machine in "${MACHINES[@]}"; do
  own=("${options[@]}" -o "APT::Architecture=$machine" -o "APT::Architectures::=$machine")
  apt-get -q "${own[@]}" update >"$folder/log" 2>&1 || {
    grep -E '^[EW]:' "$folder/log" >&2 || true # apt may fail without such a line
    die "Debian's index cannot be read" "check the network and APT_MIRROR, then run \`make lock\` again"
  }
  for name in "${packages[@]}"; do
    apt-cache "${own[@]}" show --no-all-versions "$name" 2>/dev/null | awk -v RS= -v FS='\n' '{
      for (i = 1; i <= NF; i++) { split($i, part, ": "); field[part[1]] = part[2] }
      print field["Package"], field["Version"], field["Architecture"], field["SHA256"]; exit }' |
      grep . || die "no package \"$name\" in $SUITE for $machine" "check the name in base-images/*-prod.Dockerfile"
  done
done | sort -u >"$folder/lock"
{
  echo "# Written by \`make lock\`; the build holds to it. Package, version, architecture, SHA-256."
  echo "# suite: $SUITE"
  cat "$folder/lock"
} >"$LOCK.partial"
mv "$LOCK.partial" "$LOCK"
say "$LOCK"
