#!/bin/sh
# Builds a crate's program without a dynamic loader, stripped, with the licences of the crates in it.
#
#   eg: cargo-binary.sh storage_server_simple /out           FEATURES: those of the crate, if any
set -eu
name=$1 out=$2
# An explicit target keeps RUSTFLAGS away from procedural macros, which must be dynamic.
triple=$(rustc --print host-tuple)
# auditable: the program names its crates and their versions, for scanners (section .dep-v0)
cargo auditable build --release --locked --target "$triple" --features "${FEATURES:-}"
mkdir -p "$out/bin"
strip -o "$out/bin/$name" "target/$triple/release/$name"
"${0%/*}/require-static.sh" "$out/bin/$name"
"${0%/*}/crate-licences.sh" "$out/licenses"
