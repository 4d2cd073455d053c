#!/bin/sh
# Holds Debian packages to a lock: package, version, architecture and SHA-256 a line.
# A production image gets exactly those of packages.lock, a builder those of builders.lock, or
# the build ends with one line.
# TARGETARCH: the packages' architecture; default: the builder's
# SUTRA_CROSS: the architecture of packages that are installed beside the builder's own
#
#   eg: packages-lock.sh words packages.lock libc6 zlib1g     prints libc6=2.41-12 zlib1g=1:1.3…
#       packages-lock.sh check packages.lock *.deb            against what was downloaded
#       packages-lock.sh explain packages.lock libc6 zlib1g   why a download failed; all without a name
#       packages-lock.sh applies builders.lock                whether it is of this root image's release;
#                                                             exit code 2 for a damaged one
#       packages-lock.sh pins builders.lock                   prints apt's preferences
#       packages-lock.sh hold builders.lock *.deb             check, with what the mirror lost explained
set -eu
verb=$1
lock=$2
shift 2
machine=${SUTRA_CROSS:-${TARGETARCH:-$(dpkg --print-architecture)}}
readonly NEWLINE='
'
readonly AGAIN="\`make update ONLY=debian\` writes it anew"

die() { # die PROBLEM TIP: in the form that a build's failure is read from
  echo "sutra: ${lock##*/}: $1" >&2
  echo "tip: $2" >&2
  exit 1
}

field() { # field NAME COLUMN: of the line for this machine, nothing without one
  awk -v name="$1" -v machine="$machine" -v column="$2" \
    '$1 == name && ($3 == machine || $3 == "all") { print $column; exit }' "$lock"
}

# A lock that cannot be read must not count as one of another release, for which nothing is held.
refuse_damaged() {
  damage=$(awk '
    /\r$/ { printf "line %d: ends in a carriage return\n", NR; exit }
    /^# suite: [a-z][a-z0-9-]*$/ { suites++ }
    /^#/ || /^$/ { next }
    NF != 4 || length($4) != 64 || $4 ~ /[^0-9a-f]/ || $3 !~ /^(amd64|arm64|all)$/ {
      printf "line %d: not a locked package \"%s\"\n", NR, substr($0, 1, 80)
      exit
    }
    { keys = $3 == "all" ? "amd64 arm64" : $3
      for (at = split(keys, machines, " "); at; at--)
        if (locked[$1, machines[at]]++) {
          printf "line %d: locked twice \"%s\"\n", NR, $1
          exit
        } }
    END { if (suites != 1) printf "suite: no line, or several, that names a release of Debian\n" }
    ' "$lock" | LC_ALL=C tr -cd '\n -~' | head -n 1)
  [ -z "$damage" ] || {
    echo "sutra: ${lock##*/}: $damage" >&2
    echo "tip: $AGAIN" >&2
    exit 2
  }
}

# If DEBIAN_VERSION is another release than the lock's, the newest packages are taken.
applies() {
  refuse_damaged
  suite=$(sed -n 's/^VERSION_CODENAME=//p' "${OS_RELEASE:-/etc/os-release}")
  grep -qx "# suite: $suite" "$lock" && return
  echo "${lock##*/} is not of $suite: the newest packages are taken" >&2
  return 1
}

words() {
  for name in "$@"; do
    version=$(field "$name" 2)
    [ -n "$version" ] || die "no \"$name\" for $machine" "$AGAIN"
    echo "$name=$version"
  done
}

pins() {
  awk -v machine="$machine" -v cross="${SUTRA_CROSS:-}" '!/^#/ && ($3 == machine || $3 == "all") {
    printf "Package: %s\nPin: version %s\nPin-Priority: 1001\n\n", $1 ($3 == cross ? ":" cross : ""), $2 }' "$lock"
}

held() { # held DEB…: prints those that have both the name, as apt names files, and the bytes of a line
  sha256sum "$@" | awk -v machine="$machine" '
    NR == FNR {
      gsub(":", "%3a", $2)
      if ($3 == machine || $3 == "all") locked[$1 "_" $2 "_" $3 ".deb"] = $4
      next
    }
    { file = $2; sub(".*/", "", file); if (locked[file] == $1) print $2 }' "$lock" -
}

# A toolchain is a hundred packages: two programs compare all of them, and only what those do not
# know is looked at by itself. apt takes the newest version where the mirror no longer has the one
# that it is pinned to.
hold() {
  locked_debs=$(held "$@")
  for deb in "$@"; do
    ! is_known "$deb" || continue
    name=$(dpkg-deb -f "$deb" Package)
    locked=$(words "$name") || exit
    [ "$locked" = "$name=$(dpkg-deb -f "$deb" Version)" ] || explain "$name"
    check_one "$deb"
  done
}

check() {
  locked_debs=$(held "$@")
  for deb in "$@"; do is_known "$deb" || check_one "$deb"; done
}

is_known() { # is_known DEB: whether held printed it
  case "$NEWLINE$locked_debs$NEWLINE" in *"$NEWLINE$1$NEWLINE"*) ;; *) return 1 ;; esac
}

check_one() {
  name=$(dpkg-deb -f "$1" Package)
  version=$(dpkg-deb -f "$1" Version)
  [ "$version" = "$(field "$name" 2)" ] || die "\"$name\" is $version, locked is $(field "$name" 2)" "$AGAIN"
  hash=$(sha256sum "$1" | cut -d ' ' -f 1)
  [ "$hash" = "$(field "$name" 4)" ] || die "\"$name\" $version has another SHA-256 than is locked: $hash" \
    "the mirror changed a package, or the lock was edited: compare both with https://snapshot.debian.org"
}

explain() {
  # a day of Debian's snapshots that has all that the lock names
  day=$(sed -n 's/^# day: //p' "$lock")
  snapshot="APT_MIRROR=http://snapshot.debian.org/archive/debian/${day:-20260101T000000Z} has the packages of that day"
  # shellcheck disable=SC2046 # a list of names
  [ $# -gt 0 ] || set -- $(awk -v machine="$machine" '!/^#/ && ($3 == machine || $3 == "all") { print $1 }' "$lock")
  for name in "$@"; do
    version=$(field "$name" 2)
    versions=$(apt-cache madison "$name" | awk '{ print $3 }' | sort -u | paste -sd ' ')
    case " $versions " in
      *" $version "*) ;;
      "  ") die "no index of the mirror names \"$name\"" \
        "the mirror does not answer, or lacks this release: APT_MIRROR=… names another one" ;;
      *) die "\"$name\" $version is no longer on the mirror, which has $versions" \
        "\`make update ONLY=debian\` takes what is there; $snapshot" ;;
    esac
  done
}

"$verb" "$@"
