#!/usr/bin/env bash
# Runs one real step in the engine's builder: an engine may answer, and yet start no process.
# Needs no registry: the step is a program of some hundred bytes in an empty image.
#
#   eg: scripts/prove_run.sh docker
#
# Exit 0: it ran. 1: it did not; the reason is on standard output, one line.
set -Eeuo pipefail
trap 'echo "prove_run: FAILED at line ${LINENO}" >&2' ERR

readonly CLIENT=${1:?a docker client}
readonly PROOF_SECONDS=${PROOF_SECONDS:-120}

# Of an ELF file: little endian numbers of 2, 4 and 8 bytes, in the notation of printf.
number() { # number BYTES VALUE
  local left=$1 value=$2
  while ((left-- > 0)); do
    printf '\\x%02x' $((value & 255))
    value=$((value >> 8))
  done
}

# Prints a static program that ends with 0. Source: ELF-64 Object File Format, and `man 2 _exit`.
program() { # program ARCHITECTURE
  local machine code base=$((0x400000)) header=120
  case $1 in
    amd64) machine=62 code='\x31\xff\xb8\x3c\x00\x00\x00\x0f\x05' ;;              # 60 is exit
    arm64) machine=183 code='\x00\x00\x80\xd2\xa8\x0b\x80\xd2\x01\x00\x00\xd4' ;; # 93 is exit
    *) return 1 ;;
  esac
  local size=$((header + ${#code} / 4))
  printf '%b' '\x7fELF\x02\x01\x01' "$(number 9 0)" "$(number 2 2)$(number 2 "$machine")$(number 4 1)" \
    "$(number 8 $((base + header)))$(number 8 64)$(number 8 0)" \
    "$(number 4 0)$(number 2 64)$(number 2 56)$(number 2 1)$(number 6 0)" \
    "$(number 4 1)$(number 4 5)$(number 8 0)$(number 8 $base)$(number 8 $base)" \
    "$(number 8 $size)$(number 8 $size)$(number 8 4096)" "$code"
}

architecture=$("$CLIENT" version --format '{{.Server.Arch}}')
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# another machine's program cannot be made here: its engine is taken at its word
program "$architecture" >"$folder/true" || exit 0
chmod 755 "$folder/true"
printf 'FROM scratch\nCOPY true /true\nRUN ["/true"]\n' >"$folder/Dockerfile"
if ! BUILDX_NO_DEFAULT_ATTESTATIONS=1 timeout "$PROOF_SECONDS" "$CLIENT" buildx build --no-cache --progress plain \
  --output "type=tar,dest=/dev/null" "$folder" >"$folder/log" 2>&1; then
  # the runtime's own words come before BuildKit's, which only name the step
  {
    grep -m 1 -E 'runc|crun|mount|operation not permitted|permission denied|read-only' "$folder/log" ||
      grep -m 1 '^ERROR' "$folder/log" || tail -n 1 "$folder/log" | grep . || echo "no answer in $PROOF_SECONDS s"
  } | sed -E 's/^(#[0-9]+ [0-9.]+|ERROR:) //'
  exit 1
fi
