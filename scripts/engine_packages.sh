# shellcheck shell=bash
# Sourced by engine.sh: which packages an engine, a client or the compose plugin is on this
# system, and their installation.

os_field() { (
  # shellcheck source=/dev/null
  . "${OS_RELEASE:-/etc/os-release}" && eval "echo \"\${$1:-}\""
); }

# dpkg also knows names that it only read in another package's Conflicts.
# shellcheck disable=SC2016 # dpkg expands it
is_installed() { [[ $(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }

is_ubuntu() { [[ "$(os_field ID) $(os_field ID_LIKE)" =~ ubuntu ]]; }

require_installable() { # require_installable [WHAT WANTED]
  local what=${1:-engine} want=${2:-"install Docker Engine ${MINIMUM} or newer with the buildx plugin, start it, then run \`make engine\` again"}
  [[ "$(os_field ID) $(os_field ID_LIKE)" =~ debian|ubuntu ]] || die "no $what, and this system is not Debian or Ubuntu" "$want"
  may_be_root || die "no $what, and no root rights to install one" "$want; or run it as root"
  ! is_installed docker-ce || die "docker-ce is installed, but it is not running or lacks buildx" \
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
    elif is_ubuntu; then
      scripts/install.sh docker-compose-v2
    else
      scripts/install.sh docker-compose
    fi
    client=$(find_client compose) || die "the compose plugin was installed, and no client finds it" "name a client that does: DOCKER=/usr/bin/docker"
  fi
  say "compose: $("$client" compose version --short), client ${client}"
}

# For an engine that runs already, here or elsewhere.
install_client() {
  local want="install Docker's client with the buildx plugin (Debian: \`apt-get install docker-cli docker-buildx\`), then run \`make engine\` again"
  require_installable "docker client to reach ${DOCKER_HOST:-${DOCKER_CONTEXT:-$SOCKET}}" "$want"
  # Ubuntu's package of the client is also that of the engine
  ! is_ubuntu || die "no docker client to reach ${DOCKER_HOST:-${DOCKER_CONTEXT:-$SOCKET}}" "$want"
  if [[ $(os_field VERSION_CODENAME) == bookworm ]]; then
    use_trixie
    scripts/install.sh docker-cli/trixie docker-buildx/trixie
    unset APT_CONFIG
  else
    scripts/install.sh docker-cli docker-buildx
  fi
}

installed_version() { dockerd --version 2>/dev/null | sed -n 's/.*version \([^,]*\),.*/\1/p'; }

install_missing() { # install_missing VERSION: of the engine that runs, or empty
  local installed
  installed=$(installed_version || true) # empty if not installed
  if [[ -n $1 || -z $installed || ${installed%%.*} -lt $MINIMUM ]] || ! find_client >/dev/null; then
    require_installable
    install_engine "$1"
  fi
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
  elif is_ubuntu; then
    scripts/install.sh docker.io docker-buildx docker-compose-v2 iptables
  else
    scripts/install.sh docker.io docker-cli docker-buildx docker-compose iptables
  fi
}
