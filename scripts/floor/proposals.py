"""Propose cleanup rules for what was not opened: globs with their bytes, for a person to review.

What nobody opened in one run may still be needed in another: a proposal asks for the reason
that it is not, and removes nothing.
"""

from __future__ import annotations

import glob as wildcards
import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sutra_cleanup.globs import Glob
from sutra_cleanup.manifest import Manifest
from sutra_cleanup.tree import METADATA, SITE

from scripts.common.text import counted
from scripts.floor.shares import Floor
from scripts.image.inventory import Inventory

# the folder that a service's manifest cleans
TREE = "opt/sutra/"
# the places of packages in that folder, for a glob that would match elsewhere too
ANCHOR = "./lib/*/site-packages/"
MODULES = (".py", ".pyc", ".so")
# an extension module's name without the platform that it is for
TAGGED = re.compile(r"(?P<stem>[^.]+)\.(?:cpython-[^.]*|abi3)\.so")
# bytes below which a proposal is not worth a person's time
LEAST = 10_000


@dataclass(frozen=True)
class Proposal:
    """One glob for `remove` of a manifest, with the files and bytes that it would take."""

    glob: str
    owner: str
    files: int
    bytes: int


@dataclass(frozen=True)
class Proposals:
    """Proposals, the largest first, the bytes too small for one, and what leaves with a lock.

    `unused` are distributions of which no module was opened, with their bytes: no rule may
    empty a package.
    """

    rules: list[Proposal]
    smaller: int
    unused: dict[str, int]


@dataclass(frozen=True)
class _File:
    """One file of the tree: its path there as rules see it, below packages, bytes and owner."""

    rule_path: str
    inside: str
    bytes: int
    owner: str
    is_free: bool  # unopened, and no rule keeps it


def of(image: Inventory, floor: Floor, manifest: Manifest) -> Proposals:
    """Return the proposals for an image that is cleaned by `manifest`."""
    files = list(_files(image, floor, manifest))
    used = {file.owner for file in files if not file.is_free and file.rule_path.endswith(MODULES)}
    unused: dict[str, int] = {}
    smaller, groups = 0, dict[str, list[_File]]()
    held = _held_folders(file for file in files if not file.is_free or file.owner not in used)
    for file in files:
        if not file.is_free:
            continue
        if file.owner not in used:
            unused[file.owner] = unused.get(file.owner, 0) + file.bytes
        else:
            groups.setdefault(_largest(file.inside, held), []).append(file)
    rules = []
    for place, members in groups.items():
        total = sum(file.bytes for file in members)
        if total < LEAST:
            smaller += total
        else:
            owner = members[0].owner
            rules.append(Proposal(_glob(place, members, files), owner, len(members), total))
    return Proposals(sorted(rules, key=lambda rule: (-rule.bytes, rule.glob)), smaller, unused)


def _files(image: Inventory, floor: Floor, manifest: Manifest) -> Iterable[_File]:
    """Yield the files of packages in the tree, without metadata."""
    keeping = [glob for rule in manifest.rules for glob in rule.keep]
    whose = image.owners()
    for path, entry in image.files.items():
        site = SITE.match(path)
        if not path.startswith(TREE) or not site or entry.kind not in ("file", "hardlink"):
            continue
        if METADATA.fullmatch(path[site.end() :].partition("/")[0]):
            continue
        matched = _as_rules_see(path.removeprefix(TREE), image.files)
        is_free = path in floor.unopened and not any(glob.matches(matched) for glob in keeping)
        inside = matched[site.end() - len(TREE) :]
        yield _File(matched, inside, entry.size, whose[path].name, is_free)


def _as_rules_see(path: str, files: Mapping[str, object]) -> str:
    """Return the name under which rules see a file: a sourceless module is its source."""
    is_module = path.endswith(".pyc") and "__pycache__" not in path.split("/")
    return path[:-1] if is_module and TREE + path[:-1] not in files else path


def _held_folders(files: Iterable[_File]) -> set[str]:
    """Return the folders below packages that hold a file that stays, at any depth."""
    held = {""}
    for file in files:
        folder = posixpath.dirname(file.inside)
        while folder not in held:
            held.add(folder)
            folder = posixpath.dirname(folder)
    return held


def _largest(inside: str, held: set[str]) -> str:
    """Return the largest folder around a file in which nothing stays ("a/b/"), or the file."""
    folder, largest = posixpath.dirname(inside), inside
    while folder not in held:
        largest, folder = folder + "/", posixpath.dirname(folder)
    return largest


def _glob(place: str, members: list[_File], files: list[_File]) -> str:
    """Return the shortest glob that names these files and none that stays."""
    matched_names = {file.rule_path for file in members}
    exact = wildcards.escape(place)
    folder, name = posixpath.split(exact)
    tagged = TAGGED.fullmatch(name)
    short = [posixpath.join(folder, f"{tagged['stem']}.*.so")] if tagged else []
    for text in (*short, exact, *(ANCHOR + name_glob for name_glob in short)):
        glob = Glob(text)
        if all(file.rule_path in matched_names for file in files if glob.matches(file.rule_path)):
            return text
    return ANCHOR + exact


def as_yaml(proposals: Iterable[Proposal], why: str, notes: Mapping[str, str]) -> list[str]:
    """Return the lines of a manifest's `rules`, a rule an owner, each glob with its figures.

    `notes` say of each glob whether it was tried.
    """
    by_owner: dict[str, list[Proposal]] = {}
    for proposal in proposals:
        by_owner.setdefault(re.sub(r"[^a-z0-9]+", "-", proposal.owner.lower()), []).append(proposal)
    lines = ["rules:"] if by_owner else []
    for owner, rules in by_owner.items():
        lines += [f"  unopened-{owner}:", f"    why: {_quoted(why)}", "    remove:"]
        for rule in rules:
            count = counted(rule.files, "file")
            lines.append(
                f"      - {_quoted(rule.glob)}  # {rule.bytes:,} bytes, {count}, {notes[rule.glob]}"
            )
    return lines


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
