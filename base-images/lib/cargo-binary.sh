#!/bin/sh
# Builds a crate's program without a dynamic loader, stripped, with the licences of the crates in it.
#
#   eg: cargo-binary.sh storage_server_simple /out           FEATURES: those of the crate, if any
#   eg: cargo-binary.sh storage_server_simple /out --target aarch64-unknown-linux-gnu
#   CARGO_BUILD_TARGET: the same; default: that of TARGETARCH, else this machine's
#   TARGETARCH: architecture as BuildKit names it, such as arm64   STRIP: the target's strip
set -eu
script=$(readlink -f "$0")
if [ $# -eq 4 ] && [ "$3" = --target ]; then
  CARGO_BUILD_TARGET=$4
elif [ $# -ne 2 ]; then
  printf 'cargo-binary: not two words and a target "%s"\n' "$*" >&2
  echo 'tip: cargo-binary.sh NAME FOLDER [--target TRIPLE]' >&2
  exit 2
fi
name=$1 out=$2
# An explicit target keeps RUSTFLAGS away from procedural macros, which must be dynamic.
host=$(rustc --print host-tuple)
case ${TARGETARCH:-} in
  amd64) machine=x86_64 ;;
  arm64) machine=aarch64 ;;
  *) machine=${host%%-*} ;;
esac
target=$host
[ "$machine" = "${host%%-*}" ] || target=$machine-unknown-linux-gnu
export CARGO_BUILD_TARGET="${CARGO_BUILD_TARGET:-$target}"
# GNU's tools are named without the vendor: aarch64-linux-gnu-strip
if [ "$CARGO_BUILD_TARGET" != "$host" ]; then
  prefix=${CARGO_BUILD_TARGET%%-*}-${CARGO_BUILD_TARGET#*-*-}
  : "${STRIP:=$prefix-strip}"
  # cargo reads its settings from variables: CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER
  variable=CARGO_TARGET_$(printf %s "$CARGO_BUILD_TARGET" | tr 'a-z-' 'A-Z_')_LINKER
  if command -v "$prefix-gcc" >/dev/null && ! printenv "$variable" >/dev/null; then
    export "$variable=$prefix-gcc"
  fi
fi
# auditable: the program names its crates and their versions, for scanners (section .dep-v0)
cargo auditable build --release --locked --target "$CARGO_BUILD_TARGET" --features "${FEATURES:-}"
mkdir -p "$out/bin"
"${STRIP:-strip}" -o "$out/bin/$name" "${CARGO_TARGET_DIR:-target}/$CARGO_BUILD_TARGET/release/$name"
"${script%/*}/require-static.sh" "$out/bin/$name"
"${script%/*}/crate-licences.sh" "$out/licenses"
