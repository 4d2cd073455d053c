# shellcheck shell=bash
# What the project's shell scripts have in common: errors, root rights, locks, and what a
# checkout and a folder for temporary files must offer. To be sourced, after SCRIPT is set to
# the script's own name.

# A descriptor that the caller closed would become that of the next file that is opened.
{ : 3<&0; } 2>/dev/null || exec </dev/null
{ : 3>&1; } 2>/dev/null || exec >/dev/null
true 3>&2 || exec 2>/dev/null
# a plain user's PATH lacks the folders of dockerd and of mount
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

readonly LOCK_SECONDS=${LOCK_SECONDS:-900}

die() { # die PROBLEM TIP [EXIT CODE]
  echo "$SCRIPT: $1" >&2
  echo "tip: $2" >&2
  exit "${3:-2}"
}

say() { # say WORDS...: progress, on standard output
  echo "$SCRIPT: $*" 2>/dev/null || die "standard output cannot be written" "free space where it goes, or send it elsewhere"
}

as_root() {
  if [[ $EUID -eq 0 ]]; then "$@"; else sudo -n "$@"; fi
}

may_be_root() { [[ $EUID -eq 0 ]] || sudo -n true 2>/dev/null; }

# One run at a time. The kernel frees the lock of whoever ends, so none goes stale.
lock() { # lock FILE: hold it, on descriptor 9, until this process ends
  local file=$1
  command -v flock >/dev/null || return 0 # macOS has none, and there nothing is installed or started
  # opening another's pipe would wait for ever; what cannot be made here is judged below
  [[ -e $file || -L $file ]] || (umask 022 && set -o noclobber && : >"$file") 2>/dev/null || true
  [[ -f $file && ! -L $file && -r $file ]] || die "lock: not a file of ours \"$file\"" "remove it"
  exec 9<"$file"
  flock --nonblock 9 && return
  echo "$SCRIPT: waiting for another run (lock: $file)" >&2
  flock --timeout "$LOCK_SECONDS" 9 || die "another run took more than $LOCK_SECONDS s (lock: $file)" \
    "\`fuser -v $file\` names its process; end it, then run the same command again"
}

unlock() { exec 9<&-; }

# An action of GitHub's is a step of another repository's workflow: nobody types a command there.
how_to_set() { # how_to_set NAME VALUE: print how a person sets it
  if [[ -n ${GITHUB_ACTION_PATH:-} ]]; then echo "\`env: {$1: $2}\` in the step"; else echo "\`$1=$2 make prod\`"; fi
}

# What a build leaves beside the sources (.venv, .cache, .build) needs a folder to write to.
require_writable_checkout() {
  [[ -w . ]] || die "checkout: not writable \"$PWD\"" \
    "mount it for writing, or clone it to a folder of yours: \`git clone $PWD ~/sutra\`"
}

# Programs that cannot write their temporary files blame the network, or a signature.
require_temporary_space() { # require_temporary_space MB
  local folder=${TMPDIR:-/tmp} free
  [[ -d $folder && -w $folder ]] || die "TMPDIR: not a folder to write to \"$folder\"" \
    "name another one: $(how_to_set TMPDIR /var/tmp)"
  free=$(df -Pm "$folder" | awk 'NR == 2 { print $4 }')
  ((free >= $1)) || die "TMPDIR: $free MB free in \"$folder\", $1 MB needed" \
    "free some space there, or name another folder: $(how_to_set TMPDIR /var/tmp)"
}
