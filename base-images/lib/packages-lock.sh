#!/bin/sh
# Holds Debian packages to packages.lock: package, version, architecture and SHA-256 a line.
# A production image gets exactly the locked packages, or the build ends with one line.
#
#   eg: packages-lock.sh words packages.lock libc6 zlib1g     prints libc6=2.41-12 zlib1g=1:1.3…
#       packages-lock.sh check packages.lock *.deb            against what was downloaded
#       packages-lock.sh explain packages.lock libc6 zlib1g   why a download failed
set -eu
verb=$1
lock=$2
shift 2
machine=$(dpkg --print-architecture)

die() { # die PROBLEM TIP: in the form that a build's failure is read from
  echo "sutra: packages.lock: $1" >&2
  echo "tip: $2" >&2
  exit 1
}

field() { # field NAME COLUMN: of the line for this machine, nothing without one
  awk -v name="$1" -v machine="$machine" -v column="$2" \
    '$1 == name && ($3 == machine || $3 == "all") { print $column; exit }' "$lock"
}

words() {
  for name in "$@"; do
    version=$(field "$name" 2)
    [ -n "$version" ] || die "no \"$name\" for $machine" "\`make update ONLY=debian\` writes it anew"
    echo "$name=$version"
  done
}

check() {
  for deb in "$@"; do
    name=$(dpkg-deb -f "$deb" Package)
    version=$(dpkg-deb -f "$deb" Version)
    [ "$version" = "$(field "$name" 2)" ] || die "\"$name\" is $version, locked is $(field "$name" 2)" \
      "\`make update ONLY=debian\` writes it anew"
    hash=$(sha256sum "$deb" | cut -d ' ' -f 1)
    [ "$hash" = "$(field "$name" 4)" ] || die "\"$name\" $version has another SHA-256 than is locked: $hash" \
      "the mirror changed a package, or the lock was edited: compare both with https://snapshot.debian.org"
  done
}

explain() {
  # a day of Debian's snapshots that has all that the lock names
  day=$(sed -n 's/^# day: //p' "$lock")
  snapshot="APT_MIRROR=http://snapshot.debian.org/archive/debian/${day:-20260101T000000Z} has the packages of that day"
  for name in "$@"; do
    version=$(field "$name" 2)
    found=$(apt-cache madison "$name" | awk '{ print $3 }' | sort -u | paste -sd ' ')
    case " $found " in
      *" $version "*) ;;
      "  ") die "no index of the mirror names \"$name\"" \
        "the mirror does not answer, or lacks this release: APT_MIRROR=… names another one" ;;
      *) die "\"$name\" $version is no longer on the mirror, which has $found" \
        "\`make update ONLY=debian\` takes what is there; $snapshot" ;;
    esac
  done
}

"$verb" "$@"
