"""The sizes of images at earlier commits: JSON files on a branch, one per commit.

`make record-sizes` writes one, `scripts/push_sizes.sh` adds it to the branch. A pull request
reads what the checkout fetched anyway: no token, also from a fork.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from scripts.common import git
from scripts.common.errors import SutraError
from scripts.common.git import HERE, GitError

BRANCH = "sutra-sizes"
REMOTE = "origin"
# variable with the branch that a pull request is for, as GitHub names it; "" for a push
BASE_REF = "GITHUB_BASE_REF"
# folder of records that are not pushed yet
FOLDER = Path(".build/sizes")
# number of commits that are searched for one with a record
MOST = 200
# bytes of a record: ours has some 200 kB
LARGEST = 64 << 20
SHORT = 7
RECORD = "`make record-sizes` writes one"
SKIP = "ALLOW_UNCOMPARED=1 leaves out the comparison"


class UncomparedError(SutraError):
    """Nobody can tell what the base branch measured."""

    def __init__(self, message: str, tip: str) -> None:
        super().__init__(message, f"{tip}; {SKIP}")


@dataclass(frozen=True)
class Kept:
    """A record: whose commit's it is, and how many commits later this branch left the base."""

    branch: str
    commit: str
    behind: int
    where: str
    text: str

    @property
    def shown(self) -> str:
        """Return "main (4fd198c)", with how far behind it is."""
        late = f", {self.behind} commits behind" if self.behind else ""
        return f"{self.branch} ({self.commit[:SHORT]}{late})"


def place(base: str, commit: str) -> Path:
    """Return the path of a commit's record in the branch; `base` is the images' root."""
    return Path(base) / f"{commit}.json"


def find(branch: str, base: str, folder: Path = HERE, head: str = "HEAD") -> Kept | None:
    """Return the newest record of a commit that `head` has in common with `branch`.

    None where the branch of records has none of them. Raises UncomparedError where `branch`
    or the records cannot be read.
    """
    fork_point = _fork_point(branch, head, folder)
    records = f"{REMOTE}/{BRANCH}"
    ref = f"refs/remotes/{records}"  # whole, so that no tag of that name is taken for it
    try:
        if not _is_there(records, folder):
            return None
        # an empty folder of records and one that is missing list the same: nothing
        listed = git.ask("ls-tree", "--name-only", ref, f"{base}/", folder=folder).split()
        walk = ("rev-list", "--first-parent", f"--max-count={MOST}", fork_point)
        commits = git.ask(*walk, folder=folder).decode().split()
        for behind, commit in enumerate(commits):
            path = str(place(base, commit))
            if path.encode() in listed:
                _refuse_large(f"{ref}:{path}", f"{records}:{path}", branch, folder)
                text = git.ask("cat-file", "blob", f"{ref}:{path}", folder=folder)
                shown = text.decode(errors="replace")
                return Kept(branch, commit, behind, f"{records}:{path}", shown)
    except GitError as error:
        raise UncomparedError(f"{records}: cannot be read: {error.message}", error.tip) from error
    return None


def read_unpushed(path: Path) -> str:
    """Return the text of a record in a file, which anybody may have written. Raises SutraError."""
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise SutraError(f"{path}: cannot be read: {error.strerror}", RECORD) from error
    if len(content) > LARGEST:
        raise SutraError(f"{path}: not a record of sizes: more than {LARGEST} bytes", RECORD)
    return content.decode(errors="replace")


def _refuse_large(blob: str, where: str, branch: str, folder: Path) -> None:
    """Raise UncomparedError for a blob that is too large for a record, without reading it."""
    if int(git.ask("cat-file", "-s", blob, folder=folder)) > LARGEST:
        raise UncomparedError(
            f"{where}: not a record of sizes: more than {LARGEST} bytes",
            f"the next push to {branch} records its sizes again",
        )


def _fork_point(branch: str, head: str, folder: Path) -> str:
    """Return the commit at which `head` left the base branch."""
    base = f"{REMOTE}/{branch}"
    tip = f"`git fetch --unshallow {REMOTE}`, or fetch-depth: 0 of actions/checkout, gets it"
    try:
        if not _is_there(base, folder):
            raise UncomparedError(f'{BASE_REF}: no such branch "{base}"', tip)
        return git.ask("merge-base", f"refs/remotes/{base}", head, folder=folder).decode().strip()
    except GitError as error:
        if error.reason == "exit code 1":  # what merge-base says of unrelated branches
            reason = f'{BASE_REF}: this branch has no commit in common with "{base}"'
            raise UncomparedError(reason, tip) from error
        raise UncomparedError(
            f'{BASE_REF}: cannot read "{base}": {error.message}', error.tip
        ) from error


def _is_there(branch: str, folder: Path) -> bool:
    """Return whether the checkout has fetched a branch."""
    ref = f"refs/remotes/{branch}"
    words = ("for-each-ref", "--format=%(refname)", ref)
    return git.ask(*words, folder=folder) == os.fsencode(f"{ref}\n")  # a name may hold any byte
