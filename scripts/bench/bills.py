"""Compare bills of materials with those of syft, a scanner that looks for packages everywhere.

Packages of Debian and Alpine, distributions of Python and crates are compared by type, name and
version. What is linked into a program without a record, such as OpenBLAS, syft does not look for.
Run by `make bench`; the program is no dependency: it is on PATH, or this is not run.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from packaging.utils import canonicalize_name
from rich.table import Table

from scripts.bench import programs, syft
from scripts.catalog import catalog
from scripts.common import terminal
from scripts.common.errors import CHECK_FAILED, OK, SutraError
from scripts.common.text import printable
from scripts.engine import client as engine
from scripts.engine import images
from scripts.image import inventory
from scripts.sbom import components

# types of package URLs that both know
TYPES = ("deb", "apk", "pypi", "cargo")
DAMAGE = (ValueError, LookupError, TypeError, AttributeError)
# (type, name, version)
Package = tuple[str, str, str]


@dataclass(frozen=True)
class Row:
    """The packages of one image, as our bill lists them and as syft does."""

    image: str
    ours: frozenset[Package]
    syft: frozenset[Package]

    @property
    def differing(self) -> Iterator[str]:
        """Yield a line for each package that only one of the two lists."""
        for lists, packages in (
            ("syft's list alone", self.syft - self.ours),
            ("our bill alone", self.ours - self.syft),
        ):
            for kind, name, version in sorted(packages):
                yield f"{self.image}: {kind} {name} {version} is in {lists}"


def main(_: argparse.Namespace) -> int:
    """Print both counts for every image, and what only one of them has."""
    program = programs.on_path(syft.NAME, syft.INSTALL)
    client = engine.connect()
    rows = [_row(client, program, image.reference) for image in catalog.load().images]
    show(rows)
    return CHECK_FAILED if any(row.ours != row.syft for row in rows) else OK


def _row(client: engine.Client, program: str, reference: str) -> Row:
    content = inventory.read(client, reference)
    if content is None:
        raise SutraError(f'bench: no such image "{reference}"', "run `make prod`")
    purls = [component.purl for component in components.of(content).all()]
    with tempfile.TemporaryDirectory(prefix="sutra-bench-") as folder:
        archive = Path(folder) / "image.tar"
        with images.saved(client, reference) as stream, archive.open("wb") as sink:
            shutil.copyfileobj(stream, sink, 1 << 20)
        listed = listed_by(program, archive)
    return Row(reference.partition(":")[0], packages(purls), packages(listed))


def listed_by(program: str, archive: Path) -> list[str]:
    """Return the package URLs that syft lists of a saved image. Raises SutraError."""
    command = syft.command(program, f"docker-archive:{archive}")
    done = programs.run(command, syft.environment(archive.with_name("cache")))
    if done.returncode:
        reason = printable((done.stderr.strip().splitlines() or ["no reason given"])[-1][:300])
        raise SutraError(f"bench: syft failed: {reason}", f"run `{' '.join(command)}`")
    try:
        return list(_locators(json.loads(done.stdout)))
    except DAMAGE as error:
        raise SutraError(f"bench: syft wrote no SPDX: {error}", "`syft version`") from error


def _locators(document: Any) -> Iterator[str]:
    for package in document["packages"]:
        for reference in package.get("externalRefs", ()):
            if reference["referenceType"] == "purl":
                yield str(reference["referenceLocator"])


def packages(purls: Iterable[str]) -> frozenset[Package]:
    """Return type, name and version of each package URL whose type both know."""
    return frozenset(package for purl in purls if (package := _package(purl))[0] in TYPES)


def _package(purl: str) -> Package:
    """Return type, name and version: namespace and qualifiers say where a package is from."""
    kind, _, place = purl.removeprefix("pkg:").partition("?")[0].partition("/")
    path, _, version = place.partition("@")
    name = unquote(path.rpartition("/")[2])
    return kind, canonicalize_name(name) if kind == "pypi" else name, unquote(version)


def show(rows: Sequence[Row]) -> None:
    """Print the table, and a line for each difference."""
    table = Table("image", "type", "our bill", "syft", title="packages listed")
    for row in rows:
        for kind in TYPES:
            counts = [
                sum(package[0] == kind for package in listed) for listed in (row.ours, row.syft)
            ]
            if any(counts):
                table.add_row(row.image, kind, *map(str, counts))
    terminal.console().print(table)
    for row in rows:
        for line in row.differing:
            print(line)
