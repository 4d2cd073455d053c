#!/usr/bin/env bash
# Runs the stack of docker-compose.yml: storage, API and hybrid, hardened, on loopback; or on
# an orchestrator (docs/kubernetes.md, docs/swarm.md), where up, down and status go on.
#
#   ./sutra-deploy.sh up                   start or upgrade, wait until all are healthy
#   ./sutra-deploy.sh down                 stop and remove it; the data stays
#   ./sutra-deploy.sh down --data [--yes]  the data as well: asks for the volume's name
#   ./sutra-deploy.sh status               what runs, and how well
#   ./sutra-deploy.sh logs [SERVICE...]    what it says; options as of `docker compose logs`
#   ./sutra-deploy.sh restart              the same containers again, in order of health
#
#   ./sutra-deploy.sh up TARGET=kubernetes [OVERLAY=one-node] [DRY_RUN=1]
#   ./sutra-deploy.sh up TARGET=swarm [PUBLISH=host] [DRY_RUN=1]
#
#   eg: ./sutra-deploy.sh up
#       SUTRA_TAG=1.4.2 ./sutra-deploy.sh up     (knobs: docs/deployment.md)
#       REGISTRY=host/team VERIFY_KEY=sutra.pub ./sutra-deploy.sh up     only what that key has signed
#
# Exit 0: done. 1: not everything is healthy. 2: the call or a file is wrong, or
# there is no engine.
set -Eeuo pipefail
trap 'echo "sutra-deploy: FAILED at line ${LINENO}" >&2' ERR
cd "$(dirname "${BASH_SOURCE[0]}")"

readonly SCRIPT=sutra-deploy
# shellcheck source=scripts/common.sh
. scripts/common.sh

readonly WAIT_SECONDS=120
readonly LOG_LINES=40
readonly KEYS=.secrets
# digest that each service gets, once its signature was verified
readonly PINNED=.build/verified.yml
# paths of a client with plugins, in distributions' and Docker's own packages
if [[ -n ${DOCKER:-} ]]; then CLIENTS=("$DOCKER"); else CLIENTS=(docker /usr/bin/docker /usr/local/bin/docker); fi
readonly CLIENTS
# the stack's files and no other's: those of COMPOSE_FILE may be of another project, data included
FILES=(--project-directory . --file docker-compose.yml)
[[ ! -e docker-compose.override.yml ]] || FILES+=(--file docker-compose.override.yml)
[[ -z ${SUTRA_COMPOSE_OVERRIDE:-} ]] || FILES+=(--file "$SUTRA_COMPOSE_OVERRIDE")
readonly FILES
# Compose's own variables may change the file, the project or what is removed. Set to nothing they
# say nothing, and win over those of .env.
unset "${!COMPOSE_@}"
export COMPOSE_FILE="" COMPOSE_PROJECT_NAME="" COMPOSE_PROFILES="" COMPOSE_ENV_FILES="" COMPOSE_PATH_SEPARATOR="" \
  COMPOSE_DISABLE_ENV_FILE=0 COMPOSE_IGNORE_ORPHANS=0 COMPOSE_REMOVE_ORPHANS=0

usage() {
  sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]##*/}" 2>/dev/null ||
    die "standard output cannot be written" "free space where it goes, or send it elsewhere"
}

require_compose() { # sets CLIENT to the first client whose compose works
  for CLIENT in "${CLIENTS[@]}"; do
    if "$CLIENT" compose version >/dev/null 2>&1; then
      "$CLIENT" version >/dev/null 2>&1 || die "no engine answers" "run \`make engine\`"
      return 0
    fi
  done
  die "no docker client with a working compose plugin" "run \`scripts/engine.sh compose\`"
}

PROJECT=""
PINS=() # of VERIFY_KEY
compose() { "$CLIENT" compose "${FILES[@]}" "${PINS[@]}" ${PROJECT:+--project-name "$PROJECT"} "$@"; }

print() { # print TEXT
  printf '%s\n' "$1" 2>/dev/null || die "standard output cannot be written" "free space where it goes, or send it elsewhere"
}

logs() { # in a pipe without the "erase line" that compose 2.26 writes before each
  if [[ -t 1 ]]; then compose logs "$@"; else compose logs "$@" | sed -u $'s/^\e\\[2K//'; fi
}

require_config() { # sets CONFIG to the file as compose understands it, knobs filled in, and PROJECT
  CONFIG=$(compose config) || die "docker-compose.yml: refused, see above" "fix it, .env or the variable that it names"
  PROJECT=$(sed -n 's/^name: "\{0,1\}\([a-z0-9_-]*\).*/\1/p' <<<"$CONFIG")
}

# SUTRA_PROJECT, or the name of an override, may be that of somebody else's stack, whose containers
# compose would take for orphans and remove.
refuse_others() { # refuse_others WHAT
  local rows label service name others=()
  rows=$("$CLIENT" ps --all --filter "label=com.docker.compose.project=$PROJECT" \
    --format '{{.Label "org.sutra.project"}}|{{.Label "com.docker.compose.service"}}|{{.Names}}') ||
    die "$1: the engine lists no containers, see above" "run the same command again; nothing was touched"
  while IFS='|' read -r label service name; do
    [[ -z $name || $label == "$PROJECT" ]] || grep -qx -e "$service" <<<"$(services)" || others+=("$name")
  done <<<"$rows"
  [[ ${#others[@]} -eq 0 ]] || die "$1: project \"$PROJECT\" has containers of another stack: ${others[*]}" \
    "name another project by SUTRA_PROJECT; if they are yours, \`docker rm\` removes them; nothing was touched"
}

require_images() { # without one, compose would start the others first
  local image
  ! grep -q 'pull_policy: never' <<<"$CONFIG" || for image in $(compose config --images); do
    "$CLIENT" image inspect "$image" >/dev/null 2>&1 ||
      die "image is not there \"$image\"" "run \`make prod\`, or set SUTRA_TAG to a version that is"
  done
}

make_key() { # the token between the services: the containers' user alone can read it
  local name="$PROJECT-storage-key" image
  [[ ! -e $KEYS/$name ]] || return 0
  # sed reads to the end: a pipe that is closed before would end compose with an error
  image=$(compose config --images | sed -n '/sutra-storage-server/p')
  (umask 077 && mkdir -p "$KEYS")
  # the image knows that user; whoever deploys may not be allowed to give a file away
  "$CLIENT" run --rm --network none --read-only --user 0:0 --cap-drop ALL --cap-add CHOWN \
    --cap-add DAC_OVERRIDE --volume "$PWD/$KEYS:/keys" "$image" storage_server_simple key "/keys/$name" ||
    die "up: $KEYS/$name: cannot be made, see above" \
      "a version before tokens has to be given one: \`(umask 077; openssl rand -hex 32 >$KEYS/$name)\`"
}

warn_open() { # whoever reaches an open port may read and write
  grep -qE 'host_ip: ("?)(127\.|::1)' <<<"$CONFIG" || ! grep -q 'SUTRA_API_KEY: null' <<<"$CONFIG" ||
    echo "sutra-deploy: warning: SUTRA_BIND is not loopback and SUTRA_API_KEY is not set: anyone who reaches the ports may read and write" >&2
}

refuse_pending() { # some tags may be on the new images, others on the old
  [[ ! -e .build/promotion.json ]] || die "up: .build/promotion.json: a promotion has not ended, nothing was touched" \
    "\`make promote\` or \`make rollback\` waits for it or settles it; then run \`./sutra-deploy.sh up\` again"
}

# ---- VERIFY_KEY: nothing is started that this key has not signed -----------------------------

require_verifier() {
  command -v cosign >/dev/null || die "VERIFY_KEY: needs cosign, which is not on PATH" \
    "install it: Debian 13's package \`cosign\` (its one binary runs on 12 as well)"
  [[ $VERIFY_KEY == *://* || -f $VERIFY_KEY ]] || die "VERIFY_KEY: no such file \"$VERIFY_KEY\"" \
    "name the public key, such as VERIFY_KEY=cosign.pub"
  [[ -z ${TRANSPARENCY_LOG:-} || -f ${SIGSTORE_REKOR_PUBLIC_KEY:-} ]] ||
    die "TRANSPARENCY_LOG: needs SIGSTORE_REKOR_PUBLIC_KEY, a file with the log's public key" \
      "\`curl \$TRANSPARENCY_LOG/api/v1/log/publicKey\` shows it; take it from someone you trust"
  [[ -n ${REGISTRY:-} ]] || die "VERIFY_KEY: needs REGISTRY, where signatures are kept" \
    "such as REGISTRY=registry.example/team VERIFY_KEY=$VERIFY_KEY ./sutra-deploy.sh up"
}

cosign_verify() { # cosign_verify COMMAND REFERENCE OPTIONS...: no transparency log, unless one is wanted
  local command=$1 reference=$2 plain=() log=(--insecure-ignore-tlog=true)
  shift 2
  # the entry that is attached to the signature is verified by the log's key, the log is not asked
  [[ -z ${TRANSPARENCY_LOG:-} ]] || log=(--offline=true --rekor-url "$TRANSPARENCY_LOG")
  # as Docker does: a registry of this machine may speak no TLS
  case $reference in localhost[:/]* | 127.*) plain=(--allow-http-registry) ;; esac
  cosign "$command" --key "$VERIFY_KEY" "${log[@]}" "${plain[@]}" "$@" "$reference" 2>"$ERRORS"
}

reason() { # cosign's own, in one line
  sed -n 's/^Error: //p;s/^main.go.*error during command execution: //p' "$ERRORS" | head -n 1 | tr -d '\000-\011\013-\037\177' | cut -c -200
}

is_signed() { # is_signed NAME REFERENCE VERSION: sets WHY where it is not
  local name=$1 reference=$2 version=$3 signatures
  # the version is signed as well: an older release, signed too, is not taken for this one
  signatures=$(cosign_verify verify "$reference" ${version:+-a "version=$version"}) || {
    WHY="no signature of $VERIFY_KEY${version:+ for version $version} ($(reason))"
    return 1
  }
  # another image of the same release is signed by the same key
  grep -qE "\"docker-reference\": ?\"([^\"]*/)?$name\"" <<<"$signatures" || {
    WHY="signed as another image"
    return 1
  }
  cosign_verify verify-attestation "$reference" --type slsaprovenance1 >/dev/null || {
    WHY="no provenance that $VERIFY_KEY has signed ($(reason))"
    return 1
  }
}

verified_digest() { # verified_digest IMAGE: prints the reference by digest that is signed
  local image=$1 repository=${1%:*} tag=${1##*:} name version="" reference digests
  name=${repository##*/}
  [[ ! $tag =~ ^[0-9]+\.[0-9]+\.[0-9]+ ]] || version=$tag
  if [[ ${SUTRA_PULL:-never} == always ]] || ! "$CLIENT" image inspect "$image" >/dev/null 2>&1; then
    "$CLIENT" pull --quiet "$image" >/dev/null || die "up: cannot be pulled \"$image\"" "see above; nothing was touched"
  fi
  digests=$("$CLIENT" image inspect --format '{{range .RepoDigests}}{{println .}}{{end}}' "$image")
  WHY="it is not one of that registry's"
  while read -r reference; do
    [[ $reference == "$repository@"* ]] || continue
    if is_signed "$name" "$reference" "$version"; then
      echo "$reference"
      return
    fi
  done <<<"$digests"
  die "up: not signed \"$image\": $WHY" "\`make promote REGISTRY=… SIGN_KEY=…\` signs what it promotes; nothing was touched" 1
}

service_images() { # "service image", one a line
  awk '/^[^ ]/ { top = $1 } top != "services:" { next } /^  [^ ]/ { name = $1 } /^    image: / { print name, $2 }' \
    <<<"$CONFIG" | sed 's/: / /; s/"//g'
}

require_signed() { # pins each service to the digest that is signed
  local service image digest pinned="services:"
  [[ -n ${VERIFY_KEY:-} ]] || return 0
  require_verifier
  ERRORS=$(mktemp)
  trap 'rm -f "$ERRORS"' EXIT
  while read -r service image; do
    digest=$(verified_digest "$image" </dev/null) || exit
    echo "sutra-deploy: signed $digest" >&2
    pinned+=$'\n'"  $service: {image: \"$digest\"}"
  done < <(service_images)
  mkdir -p "${PINNED%/*}"
  printf '%s\n' "$pinned" >"$PINNED"
  PINS=(--file "$PINNED")
  require_config
}

services() { compose config --services | sort; }

not_healthy() { # the services that are not, one a line
  local service states
  states=$(compose ps --all --format '{{.Service}} {{.Health}}')
  for service in $(services); do
    grep -qx "$service healthy" <<<"$states" || echo "$service"
  done
}

addresses() { # of every service with a published port, as "API-NAME http://ADDRESS", with commas
  compose ps --format '{{.Service}} {{.Ports}}' | sort |
    sed -nE 's|^([^ ]+) ([^ ,]+)->.*| \1 http://\2|p' | paste -sd ,
}

start() { # start WHAT COMPOSE-OPTIONS...
  local what=$1 bad
  shift
  if ! compose up --detach --remove-orphans --wait --wait-timeout "$WAIT_SECONDS" "$@"; then
    bad=$(not_healthy | paste -sd ' ')
    # shellcheck disable=SC2086 # a list of services
    [[ -z $bad ]] || logs --no-color --tail "$LOG_LINES" $bad >&2
    die "$what: not healthy: ${bad:-none, but compose failed}" \
      "fix what the lines above say, then run \`./sutra-deploy.sh up\` again; \`down\` removes what was started" 1
  fi
  say "$what:$(addresses)"
}

up() {
  refuse_pending
  refuse_others up
  require_signed
  require_images
  warn_open
  make_key
  start up
}

restart() {
  [[ -n $(compose ps --all --quiet) ]] || die "restart: nothing is deployed" "run \`./sutra-deploy.sh up\`"
  refuse_others restart
  compose stop || die "restart: compose could not stop it" "see above"
  start restart --no-recreate
}

status() {
  local bad shown
  shown=$(compose ps --all) || die "status: refused, see above" "fix what it says above, then run the same command again"
  print "$shown"
  bad=$(not_healthy | paste -sd ' ')
  [[ -z $bad ]] || die "status: not healthy: $bad" "\`./sutra-deploy.sh logs\` says why, \`up\` starts what is missing" 1
}

volumes() { # of the project, one a line
  "$CLIENT" volume ls --quiet --filter "label=com.docker.compose.project=$PROJECT" \
    --filter "label=org.sutra.project=$PROJECT"
}

confirm_data() { # confirm_data VOLUME...
  local answer
  echo "sutra-deploy: down --data deletes every concept in: $*" >&2
  [[ -z ${YES:-} ]] || return 0
  [[ -t 0 ]] || die "down --data: confirmation needed, but stdin is not a terminal" "add --yes"
  read -rp "type the volume's name to delete it: " answer || echo >&2 # input ended in that line
  [[ $answer == "$*" ]] || die "down --data: not the name \"$answer\", nothing was touched" "\`./sutra-deploy.sh down\` keeps the data"
}

down() {
  local data="" volumes=() again="fix what it says above, then run the same command again"
  for word in "$@"; do
    case $word in
      --data) data=yes ;;
      --yes) YES=yes ;;
      *) die "down: unknown argument \"$word\"" "\`./sutra-deploy.sh --help\` lists what it takes" ;;
    esac
  done
  refuse_others down
  if [[ -n $data ]]; then
    mapfile -t volumes < <(volumes)
    [[ ${#volumes[@]} -eq 0 ]] || confirm_data "${volumes[@]}"
  fi
  compose down --remove-orphans || die "down: compose could not remove all of it" "$again"
  # not by compose, which may know of others: what was shown, and nothing else
  [[ ${#volumes[@]} -eq 0 ]] || "$CLIENT" volume rm "${volumes[@]}" >/dev/null || die "down: a volume is still there" "$again"
  [[ -z $data ]] || rm -f "$KEYS/$PROJECT-storage-key"
}

orchestrate() { # orchestrate COMMAND WORDS...: by Python, which checks what it sends
  case $1 in
    up | down | status) ;;
    *) die "$1: not with TARGET=$TARGET" "\`up\`, \`down\` and \`status\` are; docs/$TARGET.md has its own commands" ;;
  esac
  scripts/venv.sh
  [[ -z ${VERIFY_KEY:-} ]] || die "VERIFY_KEY: not with TARGET=$TARGET" \
    "verify by \`cosign verify\` or the cluster's own policy (docs/signing.md), then leave it out"
  [[ $TARGET == swarm ]] || exec .venv/bin/python -m scripts deploy "$@"
  require_compose
  require_config
  # a pipe: the callers' key may be in it, and is for no file
  DOCKER=$CLIENT exec .venv/bin/python -m scripts deploy "$@" --compose /dev/fd/3 \
    3< <(compose config --format json)
}

main() {
  local word words=()
  for word in "$@"; do
    case $word in
      TARGET=* | OVERLAY=* | PUBLISH=* | DRY_RUN=*) export "${word?}" ;;
      *) words+=("$word") ;;
    esac
  done
  set -- "${words[@]}"
  local command=${1:-}
  case $command in
    -h | --help) usage && exit 0 ;;
    "") usage >&2 && exit 2 ;;
    up | status | restart) [[ $# -eq 1 ]] || die "$command: unknown argument \"$2\"" "\`./sutra-deploy.sh --help\` lists what it takes" ;;
    down | logs) ;;
    *) die "unknown command \"$command\"" "\`./sutra-deploy.sh --help\` lists them" ;;
  esac
  case ${TARGET:-compose} in
    compose) case ${DRY_RUN:-} in
      "" | 0 | no | false) ;;
      *) die "DRY_RUN: not with compose \"$DRY_RUN\"" "leave it out, or name a TARGET" ;;
    esac ;;
    kubernetes | swarm) orchestrate "$@" ;;
    *) die "TARGET: unknown \"$TARGET\"" "one of compose, kubernetes, swarm" ;;
  esac
  shift
  require_compose
  require_config
  case $command in
    logs) logs "$@" || die "logs: refused, see above" "services: $(services | paste -sd ' ')" ;;
    *) "$command" "$@" ;;
  esac
}

main "$@"
