#!/usr/bin/env bash
# Adds the records of `make record-sizes` to the branch that pull requests read, and pushes it.
# No file of the checkout changes; what the branch has stays.
#
#   eg: scripts/push_sizes.sh                     the records in .build/sizes
#       scripts/push_sizes.sh FOLDER [REMOTE]
#
# Exit 0: pushed. Exit 2: the tip says what to do.
set -Eeuo pipefail
trap 'echo "push_sizes: FAILED at line $LINENO" >&2' ERR
readonly FOLDER=${1:-.build/sizes} REMOTE=${2:-origin} BRANCH=sutra-sizes
# pushes of others, at the same time, that are followed
readonly TRIES=5

die() { # die PROBLEM TIP
  trap - ERR
  echo "push_sizes: $1" >&2
  echo "tip: $2" >&2
  exit 2
}

mapfile -t records < <(cd "$FOLDER" 2>/dev/null && find . -name '*.json' -type f | sort)
((${#records[@]})) || die "no record in \"$FOLDER\"" "run \`make record-sizes\` first"

index=$(mktemp -d)
trap 'rm -rf "$index"' EXIT
export GIT_TERMINAL_PROMPT=0 # nobody is there to answer
export GIT_INDEX_FILE=$index/index
export GIT_AUTHOR_NAME=sutra GIT_AUTHOR_EMAIL=sutra@invalid
export GIT_COMMITTER_NAME=sutra GIT_COMMITTER_EMAIL=sutra@invalid

committed() { # committed [PARENT]: print a commit with the records on top of the parent's
  rm -f "$GIT_INDEX_FILE"
  [[ -z ${1:-} ]] || git read-tree "$1"
  local record blob
  for record in "${records[@]}"; do
    blob=$(git hash-object -w "$FOLDER/$record")
    git update-index --add --cacheinfo "100644,$blob,${record#./}"
  done
  git commit-tree ${1:+-p "$1"} -m "sizes: ${records[*]#./}" "$(git write-tree)"
}

for ((try = 1; try <= TRIES; try++)); do
  parent=$(git ls-remote "$REMOTE" "refs/heads/$BRANCH" 2>"$index/said") ||
    die "cannot read \"$REMOTE\": $(head -n 1 "$index/said")" "\`git remote -v\` names it"
  if [[ -n $parent ]]; then
    git fetch --quiet "$REMOTE" "refs/heads/$BRANCH" 2>"$index/said" ||
      die "cannot fetch from \"$REMOTE\": $(head -n 1 "$index/said")" "run it again, or repair that branch"
    parent=$(git rev-parse FETCH_HEAD)
  fi
  commit=$(committed "$parent")
  if git push --quiet "$REMOTE" "$commit:refs/heads/$BRANCH" 2>"$index/said"; then
    echo "push_sizes: in $BRANCH: ${records[*]#./}"
    exit 0
  fi
  sleep "0.$RANDOM" # another one was first
done
die "cannot push to \"$REMOTE\": $(head -n 1 "$index/said")" "a workflow needs \`permissions: contents: write\`"
