# shellcheck shell=bash
# Sourced by engine.sh: what an engine that starts here needs, its start and its end.

readonly WAIT_SECONDS=60
# most of the build cache of an engine that starts here: builds and tests on both bases fit in
readonly KEEP_CACHE=30GiB
readonly DATA=/var/lib/docker
readonly OR_ELSEWHERE="or point DOCKER_HOST at an engine elsewhere"

# --- rights -----------------------------------------------------------------

missing_right() { # missing_right REASON: the tip for a step that did not run
  case $1 in
    *cgroup*read-only* | *read-only*cgroup*) echo "the cgroup tree is read-only here: start this container with --privileged, $OR_ELSEWHERE" ;;
    *"operation not permitted"* | *"permission denied"*) echo "the right SYS_ADMIN is missing: start this container with --privileged, $OR_ELSEWHERE" ;;
    *"invalid argument"* | *overlay*) echo "its storage driver does not work on its disk: put \"storage-driver\": \"native\" into /etc/docker/daemon.json and restart it, $OR_ELSEWHERE" ;;
    *iptables* | *nftables* | *netlink* | *bridge*) echo "the right NET_ADMIN is missing: start this container with --privileged, $OR_ELSEWHERE" ;;
    *) echo "\`docker info\` and the engine's log say more, $OR_ELSEWHERE" ;;
  esac
}

# shellcheck disable=SC2016 # awk expands it
has_capability() { # has_capability NUMBER: root here; `man 7 capabilities` has the numbers
  local effective
  effective=$(as_root awk '/^CapEff/ { print $2 }' /proc/self/status)
  ((0x$effective >> $1 & 1))
}

require_rights() {
  local name number
  for name in SYS_ADMIN:21 NET_ADMIN:12; do
    number=${name#*:}
    has_capability "$number" || die "no engine can start here: the right ${name%:*} is missing" \
      "start this container with --privileged, $OR_ELSEWHERE"
  done
  awk '$3 ~ /^cgroup2?$/ && $4 ~ /^ro(,|$)/ { exit 1 }' /proc/mounts ||
    die "no engine can start here: the cgroup tree is read-only" \
      "start this container with --privileged, $OR_ELSEWHERE"
}

# An overlay on an overlay is refused by the kernel, and dockerd does not notice before a build does.
overlay_works() {
  local folder code=0
  as_root mkdir -p "$DATA"
  folder=$(as_root mktemp -d "$DATA/.sutra-overlay-XXXXXX")
  # shellcheck disable=SC2016 # the inner shell expands it
  as_root unshare --mount sh -c 'cd "$1" && mkdir l u w m && mount -t overlay overlay -o lowerdir=l,upperdir=u,workdir=w m && touch m/file' \
    _ "$folder" 2>/dev/null || code=1
  as_root rm -rf "$folder"
  return $code
}

# --- start and end ----------------------------------------------------------

start_engine() {
  if [[ -d /run/systemd/system ]]; then
    say "starting it with systemd"
    as_root systemctl start docker || die "systemd could not start it" "\`journalctl -u docker -n 20\` says why; fix it, then run \`make engine\` again"
  else
    start_without_systemd
  fi
  wait_until_ready
}

write_config() { # ours, where an administrator has none
  local driver=""
  overlay_works || driver=', "storage-driver": "native"'
  [[ -z $driver ]] || say "no overlay works in $DATA: taking the storage driver \"native\", which copies each layer"
  # without a policy engines such as Debian 13's keep all of the build cache (moby #49826)
  printf '{"features": {"containerd-snapshotter": true}, "builder": {"gc": {"enabled": true, "defaultKeepStorage": "%s"}}%s}\n' \
    "$KEEP_CACHE" "$driver" >"$STATE/daemon.json"
}

# A container that is started again keeps the file of an engine that ended with it, and
# gives the process id in it to something else.
remove_stale_pid() {
  local file=/var/run/docker.pid
  rm -f "$STATE/dockerd.pid" 2>/dev/null || as_root rm -f "$STATE/dockerd.pid"
  [[ -s $file ]] || return 0
  [[ $(cat "/proc/$(<$file)/comm" 2>/dev/null) == dockerd ]] || as_root rm -f "$file"
}

start_without_systemd() {
  local config=(--config-file "$PWD/$STATE/daemon.json")
  require_writable_checkout
  require_rights
  mkdir -p "$STATE"
  # an administrator's configuration wins over ours
  if [[ -e /etc/docker/daemon.json ]]; then config=(); else write_config; fi
  remove_stale_pid
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
  until answers; do
    refuse_socket
    if ((SECONDS - started > WAIT_SECONDS)) || has_ended; then explain_end; fi
    sleep 0.5
  done
}

explain_end() {
  local last
  [[ -s $STATE/dockerd.log ]] || die "the engine did not answer within ${WAIT_SECONDS} s" \
    "\`journalctl -u docker -n 20\` says why; fix it, then run \`make engine\` again"
  tail -n 5 "$STATE/dockerd.log" >&2
  last=$(grep 'failed to start daemon' "$STATE/dockerd.log" | tail -n 1) || true # it may not be there
  [[ ! $last =~ iptables|netlink ]] || die "the engine ended" "$(missing_right "$last")"
  die "the engine ended or did not answer within ${WAIT_SECONDS} s" "read $STATE/dockerd.log, fix it, then run \`make engine\` again"
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
