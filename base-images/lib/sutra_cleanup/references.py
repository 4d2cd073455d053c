"""Find what a distribution's sources read by name: data files, and modules that are removed.

An import proves neither a file that is read later nor a module that a function imports.
Both are looked for in the sources as text: no more than a hint, so that it makes a file
stay as it is, or a warning, and never takes anything away.
"""

from __future__ import annotations

import fnmatch
import os
import posixpath
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .tree import Entry, Plan

_TEXT = re.compile(rb"""["']([^"'\n\\]{1,200})["']""")
_IMPORT = re.compile(
    rb"^[ \t]*(?:from[ \t]+([.\w]+)[ \t]+import[ \t]+\(?([\w, \t]*)|import[ \t]+([\w., \t]+))",
    re.MULTILINE,
)
# named everywhere, and never read from a package by a program in production
COMMON = re.compile(
    r"__init__\.py|__main__\.py|setup\.py|conftest\.py|manage\.py|\W*\.py"
    r"|(?:readme|license|licence|copying|notice|authors|change|history|contributing).*"
    r"|py\.typed|installer|requested|record",
    re.IGNORECASE,
)
INIT = ("__init__.py", "__init__.pyc")


@dataclass
class Sources:
    """The names in one distribution's sources: text or module → path of a source with it."""

    texts: dict[str, str] = field(default_factory=dict)
    modules: dict[str, str] = field(default_factory=dict)


def sources(plan: Plan) -> dict[str, Sources]:
    """Read all sources that stay in a packages folder; return what they name, by distribution."""
    by_owner: dict[str, Sources] = defaultdict(Sources)
    for entry in plan.staying:
        inside = plan.inside(entry.path)
        if inside and entry.path.endswith(".py") and not entry.is_link:
            with open(f"{os.fspath(plan.tree)}/{entry.path}", "rb") as file:
                content = file.read()
            own = by_owner[plan.owner(entry.path)]
            for text in _TEXT.findall(content):
                own.texts.setdefault(text.decode(errors="replace"), entry.path)
            for module in _imported(content, inside):
                own.modules.setdefault(module, entry.path)
    return by_owner


def _imported(content: bytes, path: str) -> Iterator[str]:
    """Yield the modules that a source imports, relative ones made absolute."""
    package = posixpath.dirname(path).split("/")
    for start, names, plain in _IMPORT.findall(content.replace(b"\\\n", b" ")):
        for clause in plain.decode().split(",") if plain else []:
            yield clause.split(" as ")[0].strip()
        module = start.decode()
        if not module:
            continue
        dots = len(module) - len(module.lstrip("."))
        above = package[: len(package) - dots + 1] if dots else []
        name = ".".join([*above, *filter(None, [module.lstrip(".")])])
        yield name
        yield from (
            f"{name}.{clause.split()[0]}" for clause in names.decode().split(",") if clause.strip()
        )


def read_by_path(plan: Plan) -> frozenset[str]:
    """Return the sources that something reads as files: migrations, templates, plug-ins.

    They are those in a package's folder that is no package itself and is imported nowhere,
    and those that a text of the same distribution names.
    """
    named = plan.named
    folders = {posixpath.dirname(e.path) for e in plan.entries if e.path.endswith(INIT)}
    read = set()
    for entry in plan.staying:
        inside = plan.inside(entry.path)
        if not inside or not entry.path.endswith(".py") or entry.kept is not None:
            continue
        own = named[plan.owner(entry.path)]
        folder = posixpath.dirname(entry.path)
        within = any(above in folders for above in _above(folder))
        if folder not in folders and within and not _is_imported(inside, own):
            read.add(entry.path)
    for owner, paths in _modules(plan).items():
        for text in named[owner].texts:
            if _is_one_source(text):
                read.update(fnmatch.filter(paths, f"*/{text.lstrip('./')}"))
    return frozenset(read)


def _is_one_source(text: str) -> bool:
    """Return whether a text names sources, and not those that every package has."""
    name = posixpath.basename(text)
    common = COMMON.fullmatch(text) or ("*" not in name and COMMON.fullmatch(name))
    return text.endswith(".py") and not common


def _modules(plan: Plan) -> dict[str, list[str]]:
    paths_of = defaultdict(list)
    for entry in plan.staying:
        if entry.path.endswith(".py") and plan.inside(entry.path):
            paths_of[plan.owner(entry.path)].append(entry.path)
    return paths_of


def _above(folder: str) -> Iterator[str]:
    while folder := posixpath.dirname(folder):
        yield folder


def _is_imported(inside: str, own: Sources) -> bool:
    """Return whether a module, or the folder that it is in, is imported by its dotted name."""
    module = inside.removesuffix(".py").replace("/", ".")
    folder = module.rpartition(".")[0]
    return module in own.modules or folder in own.modules


def warnings(plan: Plan) -> list[str]:
    """Return a line for each rule and distribution that loses what its own sources name.

    Rules about single packages say where they know from, and the manifest's own were
    written for this very tree: they are not warned of.
    """
    lost: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for entry in plan.leaving:
        rule, owner = plan.rule(entry.removed or 0), plan.owner(entry.path)
        if rule.source or rule.file == plan.manifest.file or owner not in plan.named:
            continue
        if by := _named_by(plan, entry, plan.named[owner]):
            lost[rule.name, owner].append((plan.inside(entry.path), plan.inside(by)))
    return [
        f'rule "{rule}" takes "{files[0][0]}" of {owner}, which "{files[0][1]}" names'
        + (f" (+{len(files) - 1} more)" if files[1:] else "")
        + ": where the service uses it, keep it"
        for (rule, owner), files in lost.items()
    ]


def _named_by(plan: Plan, entry: Entry, own: Sources) -> str:
    inside = plan.inside(entry.path)
    if not inside:
        return ""
    if inside.endswith((".py", ".so", ".pyc")):
        stem = inside.rpartition("/")[0] + "/" + posixpath.basename(inside).partition(".")[0]
        module = stem.removesuffix("/__init__").replace("/", ".")
        return own.modules.get(module, "")
    name = posixpath.basename(inside)
    if COMMON.fullmatch(name) or ".dist-info/" in inside:
        return ""
    parts = inside.split("/")
    ends = ("/".join(parts[start:]) for start in range(len(parts)))
    return next((own.texts[end] for end in ends if end in own.texts), "")
