#!/usr/bin/env bash
# Makes sure that a Docker engine >= 23 with buildx answers: finds one, or
# installs and starts one. It never restarts, reconfigures or upgrades an
# engine that is running.
#
#   scripts/engine.sh          find, else install and start   (make engine)
#   scripts/engine.sh check    only look: exit 0 ready, 2 not
#   scripts/engine.sh compose  find or install the compose plugin as well
#   scripts/engine.sh stop     end the engine that this script started, no other
#
#   eg: scripts/engine.sh && docker version
#
# Exit 0: ready. Exit 2: not ready; the tip says what to do.
set -Eeuo pipefail
trap 'echo "engine: FAILED at line ${LINENO}" >&2' ERR
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly MINIMUM=23
readonly STATE=.cache/engine
readonly WAIT_SECONDS=60
# most of the build cache of an engine that starts here: builds and tests on both bases fit in
readonly KEEP_CACHE=30GiB
# where distributions and Docker's own packages put a client with plugins
if [[ -n ${DOCKER:-} ]]; then CLIENTS=("$DOCKER"); else CLIENTS=(docker /usr/bin/docker /usr/local/bin/docker); fi
readonly CLIENTS

say() { echo "engine: $*"; }

die() { # die PROBLEM TIP
  echo "engine: $1" >&2
  echo "tip: $2" >&2
  exit 2
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

ready() { # says so and returns 0, or returns 1; exits when the engine is too old
  local version client
  version=$(server_version)
  [[ -n $version ]] || return 1
  refuse_old "$version"
  client=$(find_client) || return 1
  say "ready: engine ${version}, client ${client}"
}

# --- installing -------------------------------------------------------------

os_field() { (
  # shellcheck source=/dev/null
  . "${OS_RELEASE:-/etc/os-release}" && eval "echo \"\${$1:-}\""
); }

as_root() {
  if [[ $EUID -eq 0 ]]; then "$@"; else sudo -n "$@"; fi
}

require_installable() { # require_installable [WHAT WANTED]
  local what=${1:-engine} want=${2:-"install Docker Engine ${MINIMUM} or newer with the buildx plugin, start it, then run \`make engine\` again"}
  [[ "$(os_field ID) $(os_field ID_LIKE)" =~ debian|ubuntu ]] || die "no $what, and this system is not Debian or Ubuntu" "$want"
  [[ $EUID -eq 0 ]] || sudo -n true 2>/dev/null || die "no $what, and no root rights to install one" "$want; or run it as root"
  ! dpkg-query -W docker-ce >/dev/null 2>&1 || die "docker-ce is installed, but it is not running or lacks buildx" \
    "start it and add docker-buildx-plugin, then run \`make engine\` again; its packages are not ours to replace"
}

# Before the first `apt-get update` apt knows suites only as they are written in the sources.
mirror_of() { # mirror_of SUITE: where this machine gets it from
  # shellcheck disable=SC2016 # apt expands it
  local fields='$(RELEASE) $(CODENAME) $(REPO_URI)'
  {
    apt-get indextargets --format "$fields" 'Created-By: Packages'
    apt-get indextargets --no-release-info --format "$fields" 'Created-By: Packages'
  } | awk -v suite="$1" '!found && ($1 == suite || $2 == suite) { print $NF; found = 1 }'
}

# Debian 12's own engine is 20.10. Debian 13's runs on it, taken through an apt
# configuration of its own, so that the machine's own stays as it is.
trixie_apt_config() { # prints the path of the configuration
  local dir=$1 mirror security
  mirror=$(mirror_of bookworm)
  [[ -n $mirror ]] || die "apt names no mirror for bookworm" "add a Debian source to /etc/apt, or install Docker Engine ${MINIMUM} or newer yourself"
  security=$(mirror_of bookworm-security)
  mkdir -p "$dir"/{parts,preferences,lists/partial}
  {
    echo "deb $mirror bookworm main"
    echo "deb $mirror trixie main"
    [[ -z $security ]] || printf 'deb %s bookworm-security main\ndeb %s trixie-security main\n' "$security" "$security"
  } >"$dir/sources.list"
  printf 'Package: *\nPin: release n=trixie*\nPin-Priority: 100\n' >"$dir/preferences/trixie"
  cat >"$dir/apt.conf" <<CONF
Dir::Etc::sourcelist "$PWD/$dir/sources.list";
Dir::Etc::sourceparts "$PWD/$dir/parts";
Dir::Etc::preferencesparts "$PWD/$dir/preferences";
Dir::State::lists "$PWD/$dir/lists";
APT::Sandbox::User "root";
CONF
  echo "$PWD/$dir/apt.conf"
}

use_trixie() { # Debian 13's packages on Debian 12, for this process alone
  say "Debian 12: taking Debian 13's packages"
  APT_CONFIG=$(trixie_apt_config "$STATE/apt")
  export APT_CONFIG
}

ensure_compose() { # the plugin that ./sutra-deploy.sh runs on
  local client
  if ! client=$(find_client compose); then
    require_installable "compose plugin" "install Docker's compose plugin (2.20 or newer), then run \`./sutra-deploy.sh up\`"
    if [[ $(os_field VERSION_CODENAME) == bookworm ]]; then
      use_trixie
      scripts/install.sh docker-compose/trixie
    elif [[ "$(os_field ID) $(os_field ID_LIKE)" =~ ubuntu ]]; then
      scripts/install.sh docker-compose-v2
    else
      scripts/install.sh docker-compose
    fi
    client=$(find_client compose) || die "the compose plugin was installed, and no client finds it" "name a client that does: DOCKER=/usr/bin/docker"
  fi
  say "compose: $("$client" compose version --short), client ${client}"
}

install_engine() {
  local codename running=$1
  codename=$(os_field VERSION_CODENAME)
  if [[ $codename == bookworm ]]; then
    use_trixie
    # runc of trixie wants a newer libc than bookworm has
    if [[ -n $running ]]; then scripts/install.sh docker-buildx/trixie; else
      scripts/install.sh docker.io/trixie docker-cli/trixie docker-buildx/trixie docker-compose/trixie \
        containerd/trixie runc/bookworm iptables/bookworm
    fi
    unset APT_CONFIG
  elif [[ -n $running ]]; then
    scripts/install.sh docker-buildx
  elif [[ "$(os_field ID) $(os_field ID_LIKE)" =~ ubuntu ]]; then
    scripts/install.sh docker.io docker-buildx docker-compose-v2 iptables
  else
    scripts/install.sh docker.io docker-cli docker-buildx docker-compose iptables
  fi
}

# --- starting ---------------------------------------------------------------

installed_version() { dockerd --version 2>/dev/null | sed -n 's/.*version \([^,]*\),.*/\1/p'; }

start_engine() {
  if [[ -d /run/systemd/system ]]; then
    say "starting it with systemd"
    as_root systemctl start docker
  else
    start_without_systemd
  fi
  wait_until_ready
}

start_without_systemd() {
  local config=(--config-file "$PWD/$STATE/daemon.json")
  mkdir -p "$STATE"
  # an administrator's configuration wins over ours
  if [[ -e /etc/docker/daemon.json ]]; then config=(); else
    # without a policy engines such as Debian 13's keep all of the build cache (moby #49826)
    printf '{"features": {"containerd-snapshotter": true}, "builder": {"gc": {"enabled": true, "defaultKeepStorage": "%s"}}}\n' \
      "$KEEP_CACHE" >"$STATE/daemon.json"
  fi
  say "starting dockerd (log: $STATE/dockerd.log)"
  # shellcheck disable=SC2016 # the inner shell expands it
  # descriptors of the caller (a lock, a pipe of make) must not live on in the engine
  as_root setsid bash -c 'echo $$ >"$1"; shift; exec dockerd "$@"' _ "$STATE/dockerd.pid" \
    --group "$(id -gn)" "${config[@]}" \
    >"$STATE/dockerd.log" 2>&1 </dev/null 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&- &
  disown
}

has_ended() { # whether the engine that we started is gone
  [[ -s $STATE/dockerd.pid && ! -d /proc/$(<"$STATE/dockerd.pid") ]]
}

wait_until_ready() {
  local started=$SECONDS
  until ready; do
    if ((SECONDS - started > WAIT_SECONDS)) || has_ended; then
      tail -n 5 "$STATE/dockerd.log" >&2 || say "no log of dockerd's own; see your init system's"
      die "the engine ended or did not answer within ${WAIT_SECONDS} s" "read $STATE/dockerd.log, mend it, then run \`make engine\` again"
    fi
    sleep 0.5
  done
}

# A process id may be another's by now: only a dockerd with our own log is ours.
is_ours() { # is_ours PID
  [[ $(cat "/proc/$1/comm" 2>/dev/null) == dockerd ]] &&
    [[ $(as_root readlink "/proc/$1/fd/1") == "$PWD/$STATE/dockerd.log" ]]
}

stop_engine() {
  local pid started=$SECONDS
  if [[ ! -s $STATE/dockerd.pid ]]; then
    say "none was started from here"
    return
  fi
  pid=$(<"$STATE/dockerd.pid")
  if is_ours "$pid"; then
    say "stopping the engine that was started here (process $pid)"
    as_root kill "$pid" || die "cannot end process $pid" "end it as root"
    while [[ -d /proc/$pid ]]; do
      ((SECONDS - started < WAIT_SECONDS)) || die "process $pid does not end" "read $STATE/dockerd.log"
      sleep 0.2
    done
  fi
  as_root rm -f "$STATE/dockerd.pid"
}

explain_unready() {
  local version=$1
  if [[ -n $version ]]; then die "no client with a working buildx plugin (engine ${version} is running)" "run \`make engine\`"; fi
  die "no engine answers" "run \`make engine\`"
}

# Somebody else's choice of engine is not replaced by one of ours.
refuse_chosen() {
  local socket=/var/run/docker.sock
  [[ -z ${DOCKER_HOST:-} ]] || die "DOCKER_HOST: no engine answers at \"$DOCKER_HOST\"" "mend or unset DOCKER_HOST"
  [[ ! -S $socket || -w $socket ]] || die "you may not talk to the engine at $socket" \
    "join its group (\`sudo usermod -aG docker $(id -un)\`, then log in again), or run as root"
}

main() {
  case ${1:-} in
    stop)
      stop_engine
      return
      ;;
    check)
      ready || explain_unready "$(server_version)"
      return
      ;;
    compose)
      ensure_compose
      return
      ;;
    "") ;;
    *) die "argument: unknown \"$1\"" "usage: scripts/engine.sh [check|compose|stop]" ;;
  esac
  if ready; then return; fi
  local running installed
  running=$(server_version)
  [[ -n $running ]] || refuse_chosen
  installed=$(installed_version || true) # empty where there is none
  if [[ -n $running || -z $installed || ${installed%%.*} -lt $MINIMUM ]] || ! find_client >/dev/null; then
    require_installable
    install_engine "$running"
  fi
  if [[ -z $running ]]; then
    start_engine
  elif ! ready; then
    explain_unready "$running"
  fi
}

main "$@"
