#!/bin/sh
# Fetches the crates of a Cargo.lock before any source is there, from a mirror if CARGO_REGISTRY
# names one: it replaces the default registry by configuration, as cargo has no variable for it.
#
#   eg: CARGO_REGISTRY=sparse+https://mirror.example/ cargo-mirror.sh
set -eu
if [ -n "${CARGO_REGISTRY:-}" ]; then
  settings=${CARGO_HOME:-$HOME/.cargo}
  mkdir -p "$settings"
  printf '[source.crates-io]\nreplace-with = "mirror"\n[source.mirror]\nregistry = "%s"\n' \
    "$CARGO_REGISTRY" >"$settings/config.toml"
fi
# cargo asks for a program before it fetches
echo 'fn main() {}' >src/main.rs
exec cargo fetch --locked
