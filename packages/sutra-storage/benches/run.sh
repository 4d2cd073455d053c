#!/usr/bin/env bash
# Measures the stores, what they do with damage, and the server with each allocator; prints tables.
#
#   eg: benches/run.sh          benches/run.sh stores damage          benches/run.sh server
#       ../../scripts/postgres.sh benches/run.sh backends    # the log beside PostgreSQL
#
# Build and figures take about 20 minutes on two idle cores. As in the image, the binary is static.
set -Eeuo pipefail
trap 'echo "bench: FAILED" >&2' ERR
cd "$(dirname "${BASH_SOURCE[0]}")"

triple=$(rustc --print host-tuple)
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
target=$CARGO_TARGET_DIR
export RUSTFLAGS="-C target-feature=+crt-static"

bench() { # bench FEATURES ARGUMENTS…: built with these features, run where the disk is a real one
  cargo build --quiet --release --locked --target "$triple" --features "$1"
  "$target/$triple/release/sutra-storage-bench" "${@:2}"
}

for what in "${@:-stores damage server}"; do
  for part in $what; do
    if [[ $part == backends ]]; then
      cargo build --quiet --release --locked --target "$triple" --manifest-path ../Cargo.toml --features postgres
      bench "" backends "$target/$triple/release/storage_server_simple" 100000 1000000
    elif [[ $part == server ]]; then
      bench "" server
      # the server's settings for mimalloc are compiled in where it is the allocator
      RUSTFLAGS+=" --cfg sutra_mimalloc" bench mimalloc server
      bench jemalloc server
    else
      bench "" "$part"
    fi
  done
done
