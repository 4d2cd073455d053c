#!/usr/bin/env bash
# Runs the tests in three parts: those that need no engine on every processor, those that can share
# one engine on three workers, and the others one after the other. Words are pytest's, and go to each
# part. Where none chooses tests, the images are built beside the first part.
#
#   eg: scripts/test.sh          what `make test` runs
#       scripts/test.sh -m ""    what `make test-all` runs
#
# Exit: as pytest, of the first part that failed; 2 where no engine can be had, or the images cannot
# be built. The parts after one with failed tests still run. An interrupt ends the run, and so does a
# wrong call of pytest or a fault in it.
set -Eeuo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# a part's longest tests begin first, so that no processor waits for them at its end
readonly WITHOUT_ENGINE=(tests/packages tests/page tests/pythons tests/unit tests/kubernetes tests/swarm tests/podman tests/fuzz)
# Files whose tests look at nothing but what they made, and mostly wait for the engine. The others
# run alone: they bound the seconds of an answer, count what is on the engine or what a build did,
# or nobody has tried.
readonly SHARED=(
  tests/engines/test_machines.py
  tests/engines/test_newest.py
  tests/e2e/test_deploy.py
  tests/images/test_packages.py
  tests/engine/test_new_service.py
  tests/engine/test_base_update.py
  tests/engine/test_plain_build.py
  tests/engine/test_private_ca.py
  tests/engine/test_verify_runtime.py
  tests/engine/test_clean_engine.py
  tests/e2e/test_knowledge.py
  tests/engine/test_clean_and_rebuild.py
  tests/engine/test_signing.py
  tests/engine/test_signed_deploy.py
  tests/e2e/test_disk_full.py
  tests/e2e/test_crash.py
  tests/engine/test_troubleshooting.py
  tests/engine/test_promotion_registry.py
  tests/engine/test_kills.py
  tests/engine/test_promotion.py
  tests/engine/test_platform_promotion.py
  tests/engine/test_zstd_promotion.py
  tests/engine/test_rebase_services.py
  tests/engine/test_bad_input.py
  tests/engine/test_builders_lock.py
  tests/engine/test_reproducible_services.py
  tests/engine/test_reproducible_bases.py
  tests/engine/test_umask.py
  tests/engine/test_stores.py
  tests/engine/test_sources.py
  tests/engine/test_contents_against_peer.py
  tests/engine/test_affected.py
  tests/images/test_stack.py
  tests/alpine/test_disk.py
  tests/engine/test_publish.py
  tests/images/sutra-base-python/test_python.py
  tests/images/sutra-storage-server/test_storage.py
  tests/images/sutra-hybrid/test_linear_algebra.py
  tests/images/sutra-base-rust-runtime/test_runtime.py
  tests/images/sutra-api/test_traceback.py
  tests/images/test_every_image.py
)
# a file stays on one worker, and so do the services that it deploys; one more than the processors
# of a small machine: the tests mostly wait for the engine
readonly SEVERAL=(--numprocesses 3 --dist loadfile --no-loadscope-reorder)
readonly WORDS=("$@")
# log of the build of the images that most tests start from; each part builds them again, from the
# engine's cache
readonly BUILD_LOG=.cache/test-build.log

# A file's assertions are rewritten by the first process that reads it, and all others take that from
# the bytecode: without it each worker spends 8 s on them. What is written is ignored by git.
unset PYTHONDONTWRITEBYTECODE

# Space in MB for the first part's files, tens of thousands of small ones that are soon removed: in
# memory, where it has that much, they leave the disk to the build beside them. The other parts'
# files are archives of whole images, and the data of engines.
readonly MEMORY=/dev/shm MEMORY_MB=4000

failed=0    # exit code of the first part that failed
has_tests=0 # whether any part found a test
build=""    # process group of the build beside the first part
runs=0      # exit code of the look for an engine that runs already
scripts/engine.sh check >/dev/null 2>&1 || runs=$?

run() { # run WORDS...
  local code=0
  .venv/bin/python -m pytest "$@" "${WORDS[@]}" || code=$?
  # 5: it found no test, as where `PYTEST_ADDOPTS=-k…` names tests of another part. On workers it is
  # also the answer where a folder is missing, and then no test of the others has run.
  if ((code == 5)) && is_selection; then return; fi
  has_tests=1
  ((failed)) || failed=$code
  # pytest was interrupted, failed itself, or was called wrongly
  case $code in 2 | 3 | 4) exit "$failed" ;; esac
}

# Runs a part whose tests' files may be in memory. A caller that names a folder for them gets that.
run_in_memory() { # run_in_memory WORDS...
  if [[ -z ${PYTEST_DEBUG_TEMPROOT:-} ]] && takes_files "$MEMORY"; then
    local -x PYTEST_DEBUG_TEMPROOT=$MEMORY
  fi
  run "$@"
}

# Whether a folder has MEMORY_MB, and runs programs: containers mount /dev/shm without that.
takes_files() {
  local free program runs=1
  free=$(df -Pm "$1" 2>/dev/null | awk 'END { print $4 }') || return 1 # a system without one
  ((free >= MEMORY_MB)) || return 1
  program=$(mktemp "$1/test-XXXXXX") || return 1 # not writable: the files stay on the disk
  echo '#!/bin/sh' >"$program" && chmod +x "$program" && "$program" 2>/dev/null && runs=0
  rm -f "$program"
  return "$runs"
}

# Whether words or PYTEST_ADDOPTS may choose tests: of all tests, every part has some.
is_selection() { [[ -n ${PYTEST_ADDOPTS:-} || (${#WORDS[@]} -gt 0 && "${WORDS[*]}" != "-m ") ]]; }

# Half of a build waits: for the network, for apt, for a linker. It gets a process group, by which
# all of it can be ended; the engine that it starts has a session of its own.
begin_build() {
  mkdir -p .cache
  set -m
  { scripts/engine.sh && exec nice .venv/bin/python -m scripts build; } \
    >"$BUILD_LOG" 2>&1 </dev/null &
  build=$!
  set +m
}

# An engine that ran before goes on; one that a worker started would end under the other.
# shellcheck disable=SC2329 # the trap calls it
end_what_was_begun() {
  if [[ -n $build ]]; then
    kill -TERM -- "-$build" 2>/dev/null || true # it may have ended by itself
    wait "$build" 2>/dev/null || true           # ended by us: its code says nothing
  fi
  ((runs == 0)) || scripts/engine.sh stop
}

require_build() {
  local code=0
  wait "$build" || code=$?
  build=""
  ((code)) || return 0
  echo "test: no images to test, the end of $BUILD_LOG:" >&2
  tail -n 40 "$BUILD_LOG" >&2
  exit 2
}

trap end_what_was_begun EXIT
is_selection || begin_build
run_in_memory --numprocesses auto "${WITHOUT_ENGINE[@]}"
if [[ -n $build ]]; then require_build; else scripts/engine.sh; fi
run "${SEVERAL[@]}" "${SHARED[@]}"
run "${WITHOUT_ENGINE[@]/#/--ignore=}" "${SHARED[@]/#/--ignore=}"
((has_tests)) || failed=5
exit "$failed"
