#!/bin/sh
# Fetches the crates of a Cargo.lock before any source is there, from a mirror if CARGO_REGISTRY
# names one: it replaces the default registry by configuration, as cargo has no variable for it.
# With words, it runs that command in place of the fetch. Nothing is overwritten: outside of a
# build, sources and cargo's settings are somebody's work.
#
#   eg: CARGO_REGISTRY=sparse+https://mirror.example/ cargo-mirror.sh
#   eg: CARGO_REGISTRY=sparse+https://mirror.example/ cargo-mirror.sh cargo build --locked
set -eu
LC_ALL=C
export LC_ALL

refuse() { # refuse PROBLEM TIP
  printf 'cargo-mirror: %s\ntip: %s\n' "$1" "$2" >&2
  exit 2
}

# on one line, and without a password
shown() { printf %s "$1" | tr -c ' -~' '?' | sed 's|//.*@|//…@|'; }

require_url() { # require_url TEXT: TOML takes it between quotes as it is
  case $1 in
    *[!!-~]* | *[\"\\]*) ;;
    [A-Za-z]*://?*) return ;;
  esac
  refuse "CARGO_REGISTRY: not a URL \"$(shown "$1")\"" \
    "name a registry as cargo does: \`CARGO_REGISTRY=sparse+https://mirror.example/\`"
}

write_settings() { # write_settings URL
  folder=${CARGO_HOME:-$HOME/.cargo}
  settings=$(printf '[source.crates-io]\nreplace-with = "mirror"\n[source.mirror]\nregistry = "%s"' "$1")
  for file in "$folder/config" "$folder/config.toml"; do
    [ -e "$file" ] || [ -L "$file" ] || continue
    [ "$(cat "$file" 2>/dev/null)" != "$settings" ] || return 0
    refuse "CARGO_REGISTRY: cargo has other settings already \"$file\"" \
      'name the mirror in that file and leave CARGO_REGISTRY empty'
  done
  mkdir -p "$folder"
  printf '%s\n' "$settings" >"$folder/config.toml"
}

if [ $# -eq 0 ] && { [ ! -d src ] || [ -n "$(ls -A src)" ]; }; then
  refuse "src: not an empty folder \"$PWD/src\"" \
    "this script is for a build without sources; in a checkout run \`cargo fetch --locked\`"
fi
if [ -n "${CARGO_REGISTRY:-}" ]; then
  require_url "$CARGO_REGISTRY"
  write_settings "$CARGO_REGISTRY"
fi
[ $# -eq 0 ] || exec "$@"
# cargo reads no manifest without the source of each program, library and test that it names, so
# that it fetches for one that names none of them
mkdir src/src
: >src/src/lib.rs
cp Cargo.lock src
awk '/^[ \t]*\[/ { skipped = /^[ \t]*\[+[ \t]*(lib|bin|test|bench|example)[ \t]*\]/ }
  !skipped && !/^[ \t]*default-run[ \t]*=/' Cargo.toml >src/Cargo.toml
# a workspace of its own: else cargo reads the manifest in the folder above as well
grep -q '^\[workspace\]' src/Cargo.toml || printf '\n[workspace]\n' >>src/Cargo.toml
exec cargo fetch --locked --manifest-path src/Cargo.toml
