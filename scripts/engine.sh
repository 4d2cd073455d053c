#!/usr/bin/env bash
# Makes sure that a Docker engine >= 23 with buildx answers and runs build steps: finds
# one, or installs and starts one. It never restarts, reconfigures or upgrades an engine
# that is running.
#
#   scripts/engine.sh          find, else install and start   (make engine)
#   scripts/engine.sh check    only look: exit 0 it answers, 2 not
#   scripts/engine.sh compose  find or install the compose plugin as well
#   scripts/engine.sh stop     end the engine that this script started, no other
#
#   eg: scripts/engine.sh && docker version
#
# Exit 0: ready. Exit 2: not ready; the tip says what to do.
set -Eeuo pipefail
trap 'echo "engine: FAILED at line ${LINENO}" >&2' ERR
cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly SCRIPT=engine
# shellcheck source=scripts/common.sh
. scripts/common.sh
# shellcheck source=scripts/engine_packages.sh
. scripts/engine_packages.sh
# shellcheck source=scripts/engine_start.sh
. scripts/engine_start.sh

readonly MINIMUM=23
readonly STATE=.cache/engine
# one lock for this machine, whatever the checkout
readonly LOCK=/tmp/sutra-engine.lock
readonly SOCKET=/var/run/docker.sock
# paths of a client with plugins, in distributions' and Docker's own packages
if [[ -n ${DOCKER:-} ]]; then CLIENTS=("$DOCKER"); else CLIENTS=(docker /usr/bin/docker /usr/local/bin/docker); fi
readonly CLIENTS

any_client() { # the first one that is there, with or without plugins
  local client
  for client in "${CLIENTS[@]}"; do
    if command -v "$client" >/dev/null; then
      echo "$client"
      return 0
    fi
  done
  return 1
}

# The first client whose plugin works; a bare newer client may come earlier on PATH.
find_client() { # find_client [PLUGIN]
  local client
  for client in "${CLIENTS[@]}"; do
    if "$client" "${1:-buildx}" version >/dev/null 2>&1; then
      echo "$client"
      return 0
    fi
  done
  return 1
}

server_version() { # of the engine that any client reaches; empty without one
  local client version
  for client in "${CLIENTS[@]}"; do
    version=$(timeout 10 "$client" version --format '{{.Server.Version}}' 2>/dev/null) || continue
    [[ -n $version ]] && echo "$version" && return 0
  done
  return 0
}

refuse_old() { # refuse_old VERSION
  local major=${1%%.*}
  [[ $major =~ ^[0-9]+$ ]] || return 0 # a development build names no number
  ((major >= MINIMUM)) || die "server.version: too old \"$1\", ${MINIMUM} or newer is needed" \
    "upgrade the running engine, or point DOCKER_HOST at a newer one; it was left as it is"
}

answers() { # sets VERSION and CLIENT, or returns 1; exits when the engine is too old
  VERSION=$(server_version)
  [[ -n $VERSION ]] || return 1
  refuse_old "$VERSION"
  CLIENT=$(find_client) || return 1
}

say_ready() { say "ready: engine ${VERSION}, client ${CLIENT}"; }

# --- somebody else's choice of engine is not replaced by one of ours --------

# Not every system has `sg`: Debian 14 leaves it out of its smallest form.
at_once() { # at_once GROUP: what has its rights without a new login; empty where nothing does
  if command -v sg >/dev/null; then
    echo "sg $1 -c 'make prod'"
  elif command -v sudo >/dev/null; then
    echo "sudo -u $(id -un) -g $1 make prod"
  fi
}

# A group's new member has its rights from the next login on.
refuse_socket() { # refuse_socket [SOCKET]
  local socket=${1:-$SOCKET} group user now
  [[ -S $socket && ! -w $socket ]] || return 0
  user=$(id -un)
  group=$(stat -c %G "$socket")
  now=$(at_once "$group")
  if id -nG "$user" | tr ' ' '\n' | grep -qxF "$group"; then
    die "this login may not talk to the engine at $socket yet" \
      "${now:+\`$now\` works at once; }after a new login \`make prod\` works"
  fi
  die "you may not talk to the engine at $socket" \
    "join its group: \`usermod -aG $group $user\` as root, then ${now:+\`$now\` or }log in again; or run as root"
}

refuse_context() {
  local client context address
  client=$(any_client) || return 0
  # a client before 20.10.13 has no `context show`
  context=$("$client" context show 2>/dev/null) || context=${DOCKER_CONTEXT:-}
  [[ ${context:-default} != default ]] || return 0
  address=$("$client" context inspect "$context" --format '{{.Endpoints.docker.Host}}' 2>/dev/null) ||
    die "context: no such context \"$context\"" \
      "\`docker context ls\` lists them; without DOCKER_CONTEXT and after \`docker context use default\` it is this machine's engine"
  die "context \"$context\": no engine answers at \"$address\"" \
    "start that engine, or choose this machine's: \`docker context use default\`, without DOCKER_CONTEXT"
}

refuse_chosen() {
  if [[ -n ${DOCKER_HOST:-} ]]; then
    refuse_socket "${DOCKER_HOST#unix://}"
    die "DOCKER_HOST: no engine answers at \"$DOCKER_HOST\"" "start that engine, or correct or unset DOCKER_HOST"
  fi
  refuse_context
  refuse_socket
}

# --- one real step ----------------------------------------------------------

# What an engine was proven by: a restart of the machine may have taken a right away.
proof_key() {
  echo "$("$CLIENT" info --format '{{.ID}} {{.ServerVersion}} {{.Driver}}') ${BUILDX_BUILDER:-default} $(cat /proc/sys/kernel/random/boot_id 2>/dev/null)"
}

prove_run() { # once for each engine
  local key reason
  key=$(proof_key) || die "it stopped answering" "run \`make engine\` again"
  [[ $(cat "$STATE/proven" 2>/dev/null) != "$key" ]] || return 0
  require_temporary_space 1
  reason=$(scripts/prove_run.sh "$CLIENT") ||
    die "it answers, and no build step runs: $reason" "$(missing_right "$reason")"
  if [[ -w . ]]; then mkdir -p "$STATE" && echo "$key" >"$STATE/proven"; fi
}

explain_unready() {
  if [[ -n $VERSION ]]; then die "no client with a working buildx plugin (engine ${VERSION} is running)" "run \`make engine\`"; fi
  die "no engine answers" "run \`make engine\`"
}

find_or_start() {
  if answers; then return; fi
  # an engine that somebody chose, and no client to reach it with
  if ! any_client >/dev/null && [[ -n ${DOCKER_HOST:-}${DOCKER_CONTEXT:-} || -S $SOCKET ]]; then
    install_client
    if answers; then return; fi
  fi
  [[ -n $VERSION ]] || refuse_chosen
  lock "$LOCK"
  if answers; then return; fi # started while this run waited
  install_missing "$VERSION"
  if [[ -z $VERSION ]]; then
    start_engine
  elif ! answers; then
    explain_unready
  fi
}

main() {
  case ${1:-} in
    stop) stop_engine ;;
    check)
      answers || explain_unready
      say_ready
      ;;
    compose) ensure_compose ;;
    "")
      find_or_start
      prove_run
      say_ready
      ;;
    *) die "argument: unknown \"$1\"" "usage: scripts/engine.sh [check|compose|stop]" ;;
  esac
}

main "$@"
