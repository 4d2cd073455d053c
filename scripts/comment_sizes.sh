#!/usr/bin/env bash
# Comments a pull request with what it changes in sizes, or edits its earlier comment. Nothing of the
# pull request is run: its record of sizes is data, of which only numbers are shown.
#
#   eg: HEAD_OWNER=me HEAD_BRANCH=topic HEAD_COMMIT=… GITHUB_REPOSITORY=us/sutra scripts/comment_sizes.sh
#       … scripts/comment_sizes.sh FOLDER      its record is in another folder than .build/sizes
#
# Exit 0: commented, or there is nothing to say. Exit 2: the tip says what to do.
set -Eeuo pipefail
trap 'echo "comment_sizes: FAILED at line $LINENO" >&2' ERR
cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly FOLDER=${1:-.build/sizes} MARK='<!-- sutra: sizes -->'
readonly PULLS="repos/$GITHUB_REPOSITORY/pulls" ISSUES="repos/$GITHUB_REPOSITORY/issues"
readonly COMMITS="repos/$GITHUB_REPOSITORY/commits"
# name of a commit, which becomes a part of a filter
readonly NAME='^[0-9a-f]{40}$'

end() { # end LINE: nothing is to be said
  echo "comment_sizes: $1"
  exit 0
}

die() { # die PROBLEM TIP
  trap - ERR
  echo "comment_sizes: $1" >&2
  echo "tip: $2" >&2
  exit 2
}

[[ $HEAD_COMMIT =~ $NAME ]] || die "HEAD_COMMIT: not a commit \"$HEAD_COMMIT\"" "GitHub's event workflow_run has it"
mapfile -t records < <(find "$FOLDER" -name '*.json' -type f 2>/dev/null | sort)
((${#records[@]})) || end "no record in \"$FOLDER\": the images were not built"
((${#records[@]} == 1)) || die "several records in \"$FOLDER\"" "a pull request has one"

# GitHub names no pull request of a fork in the event: it is looked for by its branch
pull=$(gh api --method GET "$PULLS" --field state=open --field "head=$HEAD_OWNER:$HEAD_BRANCH" \
  --jq ".[] | select(.head.sha == \"$HEAD_COMMIT\") | [.number, .base.ref, .base.sha] | @tsv")
[[ -n $pull ]] || end "no open pull request is at that commit"
IFS=$'\t' read -r number branch base <<<"$pull"

# The record has the name of the merge that was built. The first parent of that merge is the commit
# of main that the pull request was merged with.
merge=$(basename "${records[0]}" .json)
if [[ $merge =~ $NAME ]]; then
  filter="select(.parents[1].sha == \"$HEAD_COMMIT\") | .parents[0].sha"
  # GitHub may have dropped that merge since, and says so
  merged_with=$(gh api "$COMMITS/$merge" --jq "$filter") || merged_with=""
  base=${merged_with:-$base}
fi

table=$(.venv/bin/python -m scripts comment-sizes "${records[0]}" "$branch" "$base")
earlier=$(gh api --paginate "$ISSUES/$number/comments" \
  --jq ".[] | select(.user.type == \"Bot\" and (.body | startswith(\"$MARK\"))) | .id")
earlier=${earlier%%$'\n'*}
if [[ -z $table ]]; then
  [[ -n $earlier ]] || end "nothing changed"
  table="No size changes."
fi
body=$MARK$'\n'$table
if [[ -n $earlier ]]; then
  gh api --silent --method PATCH "$ISSUES/comments/$earlier" --raw-field "body=$body"
else
  gh api --silent --method POST "$ISSUES/$number/comments" --raw-field "body=$body"
fi
echo "comment_sizes: #$number has the comment"
