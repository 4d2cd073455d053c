"""Ask git about a folder. This is the only module that runs `git`.

A folder in no repository, or in one without a commit, is a normal answer. A repository that
git cannot read (another owner's checkout, damage, no git) is an error with git's own words:
whoever asks decides by the answer whether a gate is open.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from scripts.common.errors import SutraError

HERE = Path()
AGAIN = "then run the same command again"
ANYWAY = "or ALLOW_DIRTY=1 promotes what nobody can trace"
REPAIR = f"repair the repository (`git fsck` says more) or clone it again, {AGAIN}"
# settings of git's own: no translation, no question, and the history as it was committed, which
# `git replace` and a file of grafts change; of a file that is there git says that it is deprecated
PLAIN = {
    "LC_ALL": "C",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_GRAFT_FILE": f"{os.devnull}/none",
}
SUBMODULE = b"160000"
HASH = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
# git's message and the tip for it; the first match wins
OTHER_OWNER = (
    r"dubious ownership in repository at '(?P<folder>.*)'",
    f"`git config --global --add safe.directory {{folder}}`, {AGAIN}",
)
TIPS = (OTHER_OWNER, (r"", REPAIR))
COMMIT_TIPS = (
    OTHER_OWNER,
    (
        r"not a git repository",
        f"a ZIP or a copy without .git names no commit: `git clone` the repository, {ANYWAY}",
    ),
    (r"does not have any commits yet", f"`git commit`, {AGAIN}, {ANYWAY}"),
    (r"", f"`git fsck` says what is damaged, and a new `git clone` has it whole; {ANYWAY}"),
)


class GitError(SutraError):
    """Git could not answer. `reason` is its own words; `runs` is False where it did not start."""

    def __init__(self, command: str, reason: str, tip: str, runs: bool = True) -> None:
        super().__init__(f"{command}: {reason}", tip)
        self.reason, self.runs = reason, runs


def ask(*words: str, folder: Path = HERE, input_bytes: bytes = b"") -> bytes:
    """Return the output of `git WORDS` in `folder`. Raises GitError when git fails.

    No configuration of the user makes it wait for a password or translate its words.
    """
    shown = f"git {' '.join(words)}"
    environment = {**os.environ, **PLAIN}
    try:
        done = subprocess.run(
            ["git", *words], cwd=folder, capture_output=True, input=input_bytes, env=environment
        )
    except OSError as error:
        why = f"git does not run: {error.strerror}"
        raise GitError(shown, why, f"install git, {AGAIN}", runs=False) from error
    if done.returncode:
        output = done.stderr.decode(errors="replace")
        reason = _first_problem(output) or f"exit code {done.returncode}"
        raise GitError(shown, reason, _tip(TIPS, reason))
    return done.stdout


def commit(folder: Path = HERE) -> str:
    """Return the hash of the commit that is checked out, "" without one.

    Raises GitError where there is a repository that git cannot read, and where the
    branch had commits whose name is lost.
    """
    if not in_repository(folder):
        return ""
    try:
        revision = _line(folder, "rev-parse", "--verify", "--quiet", "HEAD")
    except GitError:
        branch = _line(folder, "symbolic-ref", "HEAD")  # fails with git's words, if it must
    else:
        if HASH.fullmatch(revision):
            return revision
        raise GitError("git rev-parse HEAD", f'no commit\'s name "{revision[:50]}"', REPAIR)
    for kind in ("", "logs/"):
        if (folder / _line(folder, "rev-parse", "--git-path", f"{kind}{branch}")).exists():
            raise GitError("git rev-parse HEAD", f"{branch} names no commit", REPAIR)
    return ""


def has_branches(folder: Path = HERE) -> bool:
    """Return whether any branch of this repository has a commit, or one of a remote."""
    if not in_repository(folder):
        return False
    return bool(_line(folder, "for-each-ref", "--count=1", "refs/heads", "refs/remotes"))


def unreadable_commit() -> GitError | None:
    """Return why the checked-out commit cannot be read, or None where it can."""
    try:
        ask("log", "-1", "--format=%H")
    except GitError as error:
        tip = _tip(COMMIT_TIPS, error.reason)
        if not error.runs:
            tip = f"install git (Debian: `apt-get install git`), {AGAIN}, {ANYWAY}"
        return GitError("git: no commit can be read", error.reason, tip, error.runs)
    return None


def labels(folder: Path = HERE, allow_unreadable: bool = False) -> dict[str, str]:
    """Return VERSION, REVISION and CREATED of the checked-out commit, nothing without one.

    CREATED is the commit's own time, so that an unchanged tree gives an unchanged
    image. Uncommitted changes show as `-dirty`. Raises GitError where git cannot read the
    repository, unless `allow_unreadable` takes that for no commit.
    """
    try:
        return _labels(folder)
    except GitError:
        if not allow_unreadable:
            raise
        return {}


def _labels(folder: Path) -> dict[str, str]:
    revision = commit(folder)
    if not revision:
        return {}
    # a user may have configured that new files do not show
    changes = _line(folder, "status", "--porcelain", "--untracked-files=normal")
    return {
        "VERSION": _line(folder, "describe", "--tags", "--always", "--dirty"),
        "REVISION": revision + ("-dirty" if changes else ""),
        "CREATED": time("HEAD", folder),
    }


def time(commit: str, folder: Path = HERE) -> str:
    """Return when a commit was made: "2024-05-06T07:08:09+02:00"."""
    return _line(folder, "show", "--no-show-signature", "-s", "--format=%cI", commit)


def is_ancestor(earlier: str, later: str, folder: Path = HERE) -> bool:
    """Return whether a commit is one of those that another is built on; False for unknown ones."""
    try:
        ask("merge-base", "--is-ancestor", earlier, later, folder=folder)
    except GitError:
        return False
    return True


def origin(folder: Path = HERE) -> str:
    """Return the address of the remote "origin", without a login in it; "" without a remote."""
    try:
        address = _line(folder, "config", "--get", "remote.origin.url")
    except GitError:
        return ""
    return re.sub(r"(?<=://)[^/@]*@", "", address)


def changed_since(since: str, folder: Path = HERE) -> list[str]:
    """Return the files that differ from where this branch left `since`, uncommitted ones too.

    Paths are below `folder`, which may be a part of a repository. A submodule or another
    repository inside is a folder, "vendored/": what differs in it is not told. Raises
    SutraError for what is no commit, or has nothing in common with this branch.
    """
    try:
        named = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{since}^{{commit}}")
        base = _line(folder, "merge-base", _line(folder, *named), "HEAD")
    except GitError as error:
        if not error.runs or not in_repository(folder):
            raise
        raise SutraError(
            f'SINCE: no commit that this branch has left "{since}"',
            "such as SINCE=origin/main; a shallow clone lacks it: `git fetch --unshallow`",
        ) from error
    new = ask("ls-files", "--others", "--exclude-standard", "-z", folder=folder)
    return sorted({*_differing(folder, base), *map(os.fsdecode, filter(None, new.split(b"\0")))})


def changed_between(earlier: str, later: str, folder: Path = HERE) -> list[str]:
    """Return the files that differ between two commits, as `changed_since` does."""
    return sorted(set(_differing(folder, earlier, later)))


def _differing(folder: Path, *commits: str) -> Iterator[str]:
    """Yield the paths below a folder that differ, as `git diff --raw` lists them (git-diff(1)).

    No setting of the user leaves a submodule out.
    """
    words = ("diff", "--raw", "--no-renames", "--relative", "--ignore-submodules=none", "-z")
    rows = ask(*words, *commits, "--", folder=folder).split(b"\0")
    for about, path in zip(rows[::2], rows[1::2], strict=False):
        is_submodule = SUBMODULE in about.removeprefix(b":").split()[:2]  # mode before and now
        yield os.fsdecode(path) + ("/" if is_submodule else "")


def names_at(commit: str, directory: str, folder: Path = HERE) -> list[str]:
    """Return the paths of the files right below a directory in a commit, but for links."""
    rows = ask("ls-tree", "-z", commit, "--", f"{directory}/", folder=folder).split(b"\0")
    parts = [row.partition(b"\t") for row in rows]
    return [os.fsdecode(path) for about, _, path in parts if about.startswith(b"100")]


def content_at(commit: str, path: str, folder: Path = HERE) -> bytes:
    """Return what a file holds in a commit."""
    return ask("show", f"{commit}:./{path}", folder=folder)


def in_repository(folder: Path = HERE) -> bool:
    """Return whether git would look for a repository above `folder`, readable or not.

    The same search as git's own, which says "not a git repository" of a damaged one, too.
    """
    if os.environ.get("GIT_DIR"):
        return True
    return any(os.path.lexists(above / ".git") for above in _searched(folder.absolute()))


def _searched(folder: Path) -> Iterator[Path]:
    """Yield the folders where git looks for `.git`, up to a ceiling or another file system."""
    listed = os.environ.get("GIT_CEILING_DIRECTORIES", "").split(os.pathsep)
    ceilings = {Path(ceiling) for ceiling in listed if ceiling}
    across = os.environ.get("GIT_DISCOVERY_ACROSS_FILESYSTEM", "").lower() in ("1", "true", "yes")
    device = folder.stat().st_dev
    for searched in (folder, *folder.parents):
        if searched != folder and (
            searched in ceilings or not (across or searched.stat().st_dev == device)
        ):
            return
        yield searched


def _line(folder: Path, *words: str) -> str:
    return ask(*words, folder=folder).decode(errors="replace").strip()


def _first_problem(output: str) -> str:
    """Return the line in which git gives its reason, the first one without any."""
    lines = output.splitlines() or [""]
    fatal = "fatal: "
    return next((line for line in lines if line.startswith(fatal)), lines[0]).removeprefix(fatal)


def _tip(tips: Sequence[tuple[str, str]], reason: str) -> str:
    """Return the tip of the first pattern that is in git's words; the last one always is."""
    candidates = ((re.search(pattern, reason), tip) for pattern, tip in tips)
    match, tip = next((match, tip) for match, tip in candidates if match)
    return tip.format(**match.groupdict())
