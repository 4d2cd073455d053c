"""Apply a manifest to a tree: every file, and the rule that removes or keeps it.

Names are bytes that may not be text: they are read with `surrogateescape`, and
shown with `show`. Links are entries like files, and never followed.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path

from . import record_file, references
from .errors import CleanupError, printable
from .globs import Folder, Glob, Matcher
from .manifest import Manifest, Rule

SITE = re.compile(r"(?:.*/)?(?:site|dist)-packages/")
METADATA = re.compile(r"[^/]*\.(dist|egg)-info")


@dataclass(frozen=True)
class Entry:
    """One file or link: its path in the tree, its bytes, and the rules that matched.

    `removed` and `kept` are numbers of rules; keep wins.
    """

    path: str
    size: int
    is_link: bool
    removed: int | None
    kept: int | None

    @property
    def leaves(self) -> bool:
        """Return whether the entry leaves the tree."""
        return self.removed is not None and self.kept is None


@dataclass(frozen=True)
class Plan:
    """Every entry of a tree under a manifest."""

    tree: Path
    manifest: Manifest
    entries: tuple[Entry, ...]

    @property
    def leaving(self) -> Iterator[Entry]:
        """The entries that leave."""
        return (entry for entry in self.entries if entry.leaves)

    @property
    def staying(self) -> Iterator[Entry]:
        """The entries that stay."""
        return (entry for entry in self.entries if not entry.leaves)

    def rule(self, number: int) -> Rule:
        """Return the rule with that number."""
        return self.manifest.rules[number]

    @cached_property
    def owners(self) -> dict[str, str]:
        """The distribution that owns each top-level name of a packages folder."""
        return dict(_owners(self.tree, self.entries))

    @cached_property
    def as_files(self) -> frozenset[str]:
        """The sources that something reads as files: no bytecode takes their place."""
        return references.read_by_path(self) if "sourceless" in self._modes else frozenset()

    @cached_property
    def tops(self) -> frozenset[str]:
        """The names that are first in a path of any packages folder, without suffixes."""
        return frozenset(
            self.inside(e.path).partition("/")[0].partition(".")[0] for e in self.entries
        )

    @cached_property
    def named(self) -> dict[str, references.Sources]:
        """The names in the sources that stay, by distribution."""
        return references.sources(self)

    @property
    def _modes(self) -> set[str]:
        return {self.manifest.bytecode, *(mode for _, mode in self.manifest.bytecode_for)}

    def mode(self, path: str) -> str:
        """Return the bytecode mode of the module at `path`."""
        chosen = self.manifest.chosen_mode(path)
        return (
            "source" if not chosen and path in self.as_files else chosen or self.manifest.bytecode
        )

    @staticmethod
    def inside(path: str) -> str:
        """Return a path below its packages folder, "" for one that is in none."""
        site = SITE.match(path)
        return path[site.end() :] if site else ""

    def owner(self, path: str) -> str:
        """Return the distribution that `path` belongs to, else its top-level folder."""
        site = SITE.match(path)
        rest = path[site.end() :] if site else path
        top = rest.split("/", 1)[0]
        top = top[:-1] if top.endswith(".pyc") else top
        return self.owners.get(top, top) if site else top


def plan(tree: Path, manifest: Manifest) -> Plan:
    """Match every entry below `tree` against the rules. Raises CleanupError."""
    if not tree.is_dir():
        raise CleanupError(f'tree: no such folder "{tree}"', "check --tree")
    removing = Matcher((n, glob) for n, rule in enumerate(manifest.rules) for glob in rule.remove)
    keeping = Matcher((n, glob) for n, rule in enumerate(manifest.rules) for glob in rule.keep)
    entries = tuple(_walk(os.fspath(tree), removing, keeping))
    planned = Plan(tree, manifest, entries)
    _refuse_emptied(planned)
    return planned


def _walk(root: str, removing: Matcher, keeping: Matcher) -> Iterator[Entry]:
    """Yield the entries below `root`, sorted, folders of links as links, however deep."""
    waiting = [_entries(root, "", removing.root(), keeping.root())]
    while waiting:
        item = next(waiting[-1], None)
        if item is None:
            waiting.pop()
        elif isinstance(item, Entry):
            yield item
        else:
            path, removed, kept = item
            inner = removing.enter(removed, path), keeping.enter(kept, path)
            waiting.append(_entries(root, path, *inner))


def _entries(
    root: str, path: str, removed: Folder, kept: Folder
) -> Iterator[Entry | tuple[str, Folder, Folder]]:
    """Yield the entries in one folder, and the path of each folder in it with what holds here."""
    with os.scandir(f"{root}/{path}") as entries:
        items = sorted(entries, key=lambda item: item.name)
    names = {item.name for item in items}
    for item in items:
        if item.is_dir(follow_symlinks=False):
            yield f"{path}{item.name}/", removed, kept
            continue
        link = item.is_symlink()
        size = 0 if link else item.stat(follow_symlinks=False).st_size
        seen = _name(path, item.name, names)
        yield Entry(
            path + item.name,
            size,
            link,
            Matcher.match(removed, seen),
            Matcher.match(kept, seen),
        )


def folders(root: str) -> Iterator[str]:
    """Yield each folder's path below `root` ("", "a/", "a/b/"), however deep, outer ones first."""
    waiting = [""]
    while waiting:
        path = waiting.pop()
        yield path
        with os.scandir(f"{root}/{path}") as entries:
            waiting += [f"{path}{i.name}/" for i in entries if i.is_dir(follow_symlinks=False)]


def _name(folder: str, name: str, beside: set[str]) -> str:
    """Return the name under which rules see a file: a sourceless module is its source."""
    is_module = name.endswith(".pyc") and not folder.endswith("__pycache__/")
    return name[:-1] if is_module and name[:-1] not in beside else name


def _owners(tree: Path, entries: tuple[Entry, ...]) -> Iterator[tuple[str, str]]:
    """Yield top-level names with their distribution, from each RECORD (PEP 376)."""
    for entry in entries:
        folder, _, name = entry.path.rpartition("/")
        info = folder.rpartition("/")[2]
        if name == "RECORD" and METADATA.fullmatch(info) and not entry.is_link:
            distribution = info.split("-")[0].replace("_", "-").lower()
            yield info, distribution
            for row in record_file.rows(record_file.read(tree / entry.path)):
                top = row[0].split("/", 1)[0]
                if top and top != ".." and not METADATA.fullmatch(top):
                    yield top, distribution


def _refuse_emptied(planned: Plan) -> None:
    """Raise CleanupError for rules that leave a distribution without a module."""
    before: Counter[str] = Counter()
    after: Counter[str] = Counter()
    by_rule: dict[str, Counter[int]] = {}
    for entry in planned.entries:
        site = SITE.match(entry.path)
        if not site or not entry.path.endswith((".py", ".so", ".pyc")):
            continue
        owner = planned.owners.get(entry.path[site.end() :].split("/", 1)[0])
        if owner is None:
            continue
        before[owner] += 1
        after[owner] += not entry.leaves
        if entry.removed is not None and entry.leaves:
            by_rule.setdefault(owner, Counter())[entry.removed] += 1
    for owner in before:
        if not after[owner]:
            rule = planned.rule(by_rule[owner].most_common(1)[0][0])
            raise CleanupError(
                f'{rule.file.name}: rules.{rule.name}.remove: would empty the package "{owner}"',
                "remove it from the lock instead, or keep what is imported of it",
            )


def unmatched(planned: Plan) -> list[str]:
    """Return a line for each glob of the manifest's own rules that matches nothing.

    Shared rules are for many trees, so that theirs may well match nothing here.
    """
    lines = []
    paths = [entry.path for entry in planned.entries]
    folders_of: dict[str, set[str]] = {}
    for path in paths:
        folder, _, name = path.rpartition("/")
        folders_of.setdefault(name, set()).add(folder + "/" if folder else "")
    for rule in planned.manifest.own():
        for glob in (*rule.remove, *rule.keep):
            if not _matches_any(glob, folders_of):
                near = _nearest(glob.text, paths)
                lines.append(
                    f'{rule.file.name}: rules.{rule.name}: matches nothing "{glob.text}"'
                    + (f', nearest is "{near}"' if near else "")
                )
    return lines


def _matches_any(glob: Glob, folders_of: dict[str, set[str]]) -> bool:
    """Return whether a file falls under the glob, each name and each folder looked at once."""
    if not glob.is_folder:
        name = re.compile(glob.name, re.DOTALL)
        return any(
            glob.folder.fullmatch(folder)
            for file, folders in folders_of.items()
            if name.fullmatch(file)
            for folder in folders
        )
    folders = set[str]()
    for folder in set[str]().union(*folders_of.values()):
        while folder and folder not in folders:
            folders.add(folder)
            folder = folder[: folder.rstrip("/").rfind("/") + 1]
    return any(glob.folder.fullmatch(folder) for folder in folders)


def _nearest(text: str, paths: list[str]) -> str:
    """Return the name in the tree that is most like the glob's last part, or ""."""
    parts = [part for part in text.strip("./").split("/") if part != "**"]
    names = {
        "/".join(path.split("/")[at : at + len(parts)])
        for path in paths
        for at in range(path.count("/") + 2 - len(parts))
    }
    return next(iter(get_close_matches("/".join(parts), map(show, sorted(names)), 1, 0.7)), "")


def show(path: str) -> str:
    """Return a path as printable text: bytes that are not text or break lines are escaped."""
    return printable(path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace"))
