"""Why a promotion may not happen, though every image passed its checks."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from scripts.catalog.catalog import Catalog
from scripts.common import git
from scripts.common.errors import SutraError
from scripts.common.labels import REVISION
from scripts.engine import client as engine
from scripts.engine import images
from scripts.history import ledger
from scripts.history.ledger import Entry
from scripts.promotion import older
from scripts.promotion.options import Options
from scripts.rebase import own_files

AGAIN = "run `make prod` again, with no other build beside it"
BUILD = "`make prod` builds the services of this commit as well; the tags are where they were"
CLEAN = "commit, then run `make prod` again; ALLOW_DIRTY=1 promotes it as it is"


def refuse_unreadable_commit(options: Options) -> None:
    """Raise SutraError where nothing would be promoted in the end, whatever the checks say."""
    problem = None if options.allow_dirty or options.dry_run else git.unreadable_commit()
    if problem:
        raise problem


def refuse_other_images(entries: Sequence[Entry], entry: Entry) -> None:
    """Raise SutraError when the entry's version was promoted with other images before."""
    for earlier in entries:
        if entry.version and earlier.version == entry.version and earlier.ids != entry.ids:
            raise SutraError(
                f'VERSION: "{entry.version}" is other images already '
                f"({ledger.LEDGER}: line {earlier.number})",
                "a version never moves: choose the next one",
            )


def refuse_other_spelling(client: engine.Client, entry: Entry) -> None:
    """Raise SutraError when the version is other images already under "v1.4.2"."""
    for name, identity in entry.ids.items() if entry.version else ():
        spelled = images.inspect(client, f"{name}:v{entry.version}")
        if spelled and spelled["Id"] != identity:
            raise SutraError(
                f'VERSION: "{name}:v{entry.version}" is set already, to {spelled["Id"]}, '
                f"not {identity}",
                "a version never moves: choose the next one",
            )


def moved_meanwhile(
    promises: Catalog, ids: Mapping[str, str], built: Mapping[str, str]
) -> list[str]:
    """Return a line for each image that is not the one this run has built."""
    return [
        f'{image.name}: another build moved "{image.reference}" while this one ran'
        for image in promises.images
        if built.get(image.reference, ids[image.name]) != ids[image.name]
    ]


def unclean(built_from: Mapping[str, str], commit: str, rebased: Collection[str] = ()) -> list[str]:
    """Return a line for each reason why the images are not those of a clean commit.

    Those that are `rebased` may be of a commit before it, if their own files are the same since.
    """
    if not commit:
        problem = git.unreadable_commit()
        return [problem.message if problem else "git: no commit can be read"]
    if commit.endswith("-dirty"):
        return ["git: uncommitted changes, the images are verified but not promoted"]
    before, others = older.split(built_from, commit, rebased)
    return [
        f'{name}: {REVISION}: not the commit that is checked out "{revision}", expected "{commit}"'
        for name, revision in others.items()
    ] + older.changes(before, commit).own


def tip(problems: Sequence[str]) -> str:
    """Return what helps: where the images are another build's, not to promote those."""
    if problems[0].startswith("git: uncommitted"):
        return CLEAN
    if own_files.SINCE in problems[0]:
        return BUILD
    unreadable = git.unreadable_commit()
    return unreadable.tip if unreadable else AGAIN
