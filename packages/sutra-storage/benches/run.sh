#!/usr/bin/env bash
# Measures the stores, what they do with damage, and the server with each allocator; prints tables.
#
#   eg: benches/run.sh          benches/run.sh stores damage
#
# Build and figures take about 20 minutes on two idle cores. As in the image, the binary is static.
set -Eeuo pipefail
trap 'echo "bench: FAILED" >&2' ERR
cd "$(dirname "${BASH_SOURCE[0]}")"

triple=$(rustc --print host-tuple)
target=${CARGO_TARGET_DIR:-target}
export RUSTFLAGS="-C target-feature=+crt-static"

bench() { # bench FEATURES ARGUMENT: built with these features, run where the disk is a real one
  cargo build --quiet --release --locked --target "$triple" --features "$1"
  "$target/$triple/release/sutra-storage-bench" "$2"
}

for what in "${@:-stores damage server}"; do
  for part in $what; do
    if [[ $part == server ]]; then
      for allocator in "" mimalloc jemalloc; do bench "$allocator" server; done
    else
      bench "" "$part"
    fi
  done
done
