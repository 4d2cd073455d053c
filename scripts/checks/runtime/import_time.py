"""The imports of a service until it is healthy, with each module's time and owner.

The service is started as it is deployed, with PYTHONPROFILEIMPORTTIME: CPython then writes a line
a module, those that it imports itself before it, indented by two spaces a level.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from scripts.catalog.catalog import Catalog, Image
from scripts.checks.runtime import service
from scripts.common.errors import SutraError
from scripts.engine import client as engine
from scripts.engine import health, sandbox
from scripts.image.inventory import Inventory

PROFILE = "PYTHONPROFILEIMPORTTIME=1"
LINE = re.compile(r"import time:\s+(\d+) \|\s+(\d+) \| ( *)(\S+)")
# each process begins with it
HEADING = re.compile(r"import time: self \[us\]")
MOST_LINES = 50_000
# a module's file, as its place in a tree of Python says: the standard library's, that of
# distributions, or our own
ROOT = re.compile(r"(?:.*/)?(?:site-packages|python3(?:\.\d+)?(?:/lib-dynload)?|app)/")
SUFFIX = re.compile(r"(?:/__init__)?(?:\.cpython-[^/]*|\.abi3)?\.(?:pyc?|so)")
BUILT_IN = "CPython, built in"


@dataclass(frozen=True)
class Import:
    """One module: microseconds of its own, those with what it imported first, and by whom."""

    module: str
    own_us: int
    whole_us: int
    importer: str = ""


@dataclass(frozen=True)
class Spent:
    """Modules and microseconds of one owner."""

    owner: str
    modules: int
    own_us: int


def measure(
    client: engine.Client,
    promises: Catalog,
    image: Image,
    inspected: Mapping[str, Any],
    starts: int,
) -> list[Import]:
    """Return the imports of a start, each with its lowest time of some. Raises SutraError.

    What else the machine does makes none of them lower. `inspected` is what the engine knows of
    the image that is started.
    """
    probe = service.probe_of(image, inspected)
    if probe is None or image.budget.ready is None:
        raise SutraError(
            f'why-slow: not a service "{image.name}"', "services have `budget.ready` in images.yaml"
        )
    with sandbox.network(client) as network:
        setup = replace(service.setup_of(image, inspected, network), environment=(PROFILE,))
        try:
            with service.beside(client, promises, image, network, {}):
                runs = [_once(client, image, setup, probe) for _ in range(starts)]
        except service.NeedError as problem:
            raise SutraError(
                f"why-slow: {image.name}: {problem}", "run `make verify-runtime`"
            ) from problem
    return lowest(runs)


def lowest(runs: Sequence[Sequence[Import]]) -> list[Import]:
    """Return the imports of the last run, each with its lowest time, and its whole from those."""
    own: dict[str, int] = {}
    for module_import in (module_import for run in runs for module_import in run):
        own[module_import.module] = min(
            module_import.own_us, own.get(module_import.module, module_import.own_us)
        )
    whole_us = dict(own)
    for module_import in runs[-1]:  # imports end before the module that asked for them
        if module_import.importer in whole_us:
            whole_us[module_import.importer] += whole_us[module_import.module]
    return [
        replace(
            module_import, own_us=own[module_import.module], whole_us=whole_us[module_import.module]
        )
        for module_import in runs[-1]
    ]


def _once(
    client: engine.Client, image: Image, setup: sandbox.Setup, probe: health.Probe
) -> list[Import]:
    with sandbox.container(client, setup) as container:
        started = health.wait(client, container, probe, image.budget.ready or 0)
        if started.problem:
            raise SutraError(
                f"why-slow: {image.name}: {started.problem}", "run `make verify-runtime`"
            )
        imports = parse(sandbox.output(container, MOST_LINES))
    if not imports:
        raise SutraError(
            f'why-slow: no import was seen in "{image.name}"', "its command must be Python's"
        )
    return imports


def parse(text: str) -> list[Import]:
    """Return the imports of the first process in a log, in the order in which they ended."""
    imports: list[tuple[int, Import]] = []
    headings = 0
    for line in text.splitlines():
        headings += HEADING.match(line) is not None
        match = LINE.fullmatch(line)
        if match and headings <= 1:
            own, whole_us, indent, module = match.groups()
            imports.append((len(indent) // 2, Import(module, int(own), int(whole_us))))
    return list(_with_importers(imports))


def _with_importers(imports: Sequence[tuple[int, Import]]) -> Iterator[Import]:
    """Yield each import with the module one level up, which ends after it."""
    open_at: dict[int, str] = {}
    importers = []
    for level, module_import in reversed(imports):
        open_at[level] = module_import.module
        importers.append(open_at.get(level - 1, ""))
    for (_, module_import), importer in zip(imports, reversed(importers), strict=True):
        yield replace(module_import, importer=importer)


def owners(image: Inventory) -> dict[str, str]:
    """Return whose each module is that a file of the image could be."""
    names = {}
    whose = image.owners()
    for path in sorted(image.files):
        root, suffix = ROOT.match(path), SUFFIX.search(path)
        if root and suffix and suffix.end() == len(path) and "/__pycache__/" not in path:
            module = path[root.end() : suffix.start()].replace("/", ".")
            names[module] = f"{whose[path].name} {whose[path].version}".strip()
    return names


def by_owner(imports: Iterable[Import], whose: Mapping[str, str]) -> list[Spent]:
    """Return what each owner's modules took, the most first."""
    modules: Counter[str] = Counter()
    spent: Counter[str] = Counter()
    for module_import in imports:
        owner = whose.get(module_import.module, BUILT_IN)
        modules[owner] += 1
        spent[owner] += module_import.own_us
    return [Spent(owner, modules[owner], own_us) for owner, own_us in spent.most_common()]
