#!/usr/bin/env bash
# Starts a PostgreSQL of its own on a free port of this machine, runs a command with its URL in
# SUTRA_TEST_POSTGRES, and ends and removes it, whatever became of the command.
#
#   eg: scripts/postgres.sh cargo test --features postgres --test server
#
# As root on Debian or Ubuntu it installs the package postgresql if it is missing; no cluster of
# the package is made or started. Exit: the command's, or 2 where there is no PostgreSQL.
set -Eeuo pipefail
trap 'echo "postgres: FAILED" >&2' ERR

die() { # die PROBLEM TIP
  trap - ERR
  echo "postgres: $1" >&2
  echo "tip: $2" >&2
  exit 2
}

programs() { # the folder of the newest version's programs
  local candidate
  for candidate in /usr/lib/postgresql/*/bin "$(dirname "$(command -v initdb || echo /none/initdb)")"; do
    [[ -x $candidate/initdb && -x $candidate/pg_ctl ]] && echo "$candidate"
  done | sort --version-sort | tail -1
}

install_package() {
  [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null || return 0
  echo "postgres: installing Debian's package postgresql" >&2
  export DEBIAN_FRONTEND=noninteractive
  apt-get install --yes --no-install-recommends postgresql-common >&2
  # a database for a test is no reason to run one for good
  sed -i 's/^#\?create_main_cluster.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf
  apt-get install --yes --no-install-recommends postgresql >&2
}

as_user() { # as_user COMMAND…: PostgreSQL refuses to run as root
  if [[ $(id -u) == 0 ]]; then (cd "$folder" && runuser -u postgres -- "$@"); else "$@"; fi
}

start() { # tries some ports: another program may take one in between
  local try
  for try in 1 2 3 4 5; do
    port=$((20000 + RANDOM % 20000))
    if as_user "$bin/pg_ctl" -D "$folder/data" -l "$folder/log" -w \
      -o "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories=$folder" start >/dev/null; then
      return 0
    fi
    [[ $try -lt 5 ]] || die "it does not start: $(tail -1 "$folder/log")" "see what PostgreSQL says"
  done
}

stop() {
  # it may have ended, or never started
  as_user "$bin/pg_ctl" -D "$folder/data" -m immediate stop >/dev/null 2>&1 || true
  rm -rf "$folder"
}

[[ $# -gt 0 ]] || die "no command" "scripts/postgres.sh COMMAND…"
bin=$(programs)
[[ -n $bin ]] || install_package
bin=$(programs)
[[ -n $bin ]] || die "no PostgreSQL on this machine" "install your system's package postgresql"
folder=$(mktemp -d)
trap stop EXIT
password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
echo "$password" >"$folder/password"
if [[ $(id -u) == 0 ]]; then chown -R postgres: "$folder"; fi
as_user "$bin/initdb" -D "$folder/data" -A scram-sha-256 -U sutra --pwfile="$folder/password" \
  --encoding UTF8 --locale C --no-sync >/dev/null
start
trap - ERR
SUTRA_TEST_POSTGRES="postgres://sutra:$password@127.0.0.1:$port" "$@"
