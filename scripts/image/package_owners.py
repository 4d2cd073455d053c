"""Map every file of an image to its owner: a package of a distro, Python or npm, or us.

Told by the records that package managers leave; nothing is guessed from a name.
"""

from __future__ import annotations

import csv
import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.parser import HeaderParser
from functools import lru_cache
from itertools import chain

from scripts.common.labels import TITLE, VERSION
from scripts.image import node_packages, package_records
from scripts.image.entry import Entry
from scripts.image.package_records import Package

# folders that our Dockerfiles copy our own files to
OURS = ("app/", "opt/sutra/", "usr/share/sutra/")
DPKG = "var/lib/dpkg/"
# paths that are remembered with their sources: images share most of theirs
PATHS = 1 << 14
# languages whose programs name what they are made of
PROGRAMS = ("rust", "go")
# a compiled module beside its source or in its place (PEP 3147)
_COMPILED = re.compile(r"(?P<folder>(?:.*/)?)__pycache__/(?P<name>[^/.]+)\.[^/]+\.pyc")


@dataclass(frozen=True, order=True)
class Owner:
    """`kind` is "debian", "alpine", "python", "node", "rust", "go", "ours" or "other"."""

    kind: str
    name: str
    version: str = ""


OTHER = Owner("other", "other")


def of(
    files: Mapping[str, Entry], texts: Mapping[str, str], labels: Mapping[str, str]
) -> dict[str, Owner]:
    """Return the owner of each path of `files`, from the records in `texts`."""
    # records may name a million files that are not there
    sources = {source for path in files for source in _sources(path)}
    recorded = {
        path: owner
        for path, owner in chain(
            _node(files, texts), _python(texts), _alpine(texts), _debian(texts)
        )
        if path in files or path in sources or f"usr/{path}" in files or path.endswith("/")
    }
    version = labels.get(VERSION, "")
    ours = Owner("ours", labels.get(TITLE, "ours"), version)
    return {
        path: _recorded(path, recorded) or _unrecorded(entry, ours, version)
        for path, entry in files.items()
    }


def _recorded(path: str, recorded: Mapping[str, Owner]) -> Owner | None:
    """Return whose record names `path`, its source, or the place it had before /usr was merged."""
    for name in (path, *_sources(path), path.removeprefix("usr/")):
        if owner := recorded.get(name):
            return owner
    # folders that hold one package's own documents
    folder = re.match(r"usr/share/doc/[^/]+|.*?\.(?:dist|egg)-info(?=/)", path)
    return recorded.get(folder[0] + "/") if folder else None


@lru_cache(PATHS)
def _sources(path: str) -> tuple[str, ...]:
    """Return the source that a .pyc was compiled from."""
    if not path.endswith(".pyc"):
        return ()
    cached = _COMPILED.fullmatch(path)
    return (f"{cached['folder']}{cached['name']}.py",) if cached else (path[:-1],)


def _unrecorded(entry: Entry, ours: Owner, version: str) -> Owner:
    if entry.elf and entry.elf.language in PROGRAMS:
        return Owner(entry.elf.language, posixpath.basename(entry.path), version)
    return ours if entry.path.startswith(OURS) else OTHER


def _debian(texts: Mapping[str, str]) -> Iterator[tuple[str, Owner]]:
    """Yield paths and owners of a whole system's database, or of a slice's records."""
    records = package_records.dpkg(texts.get(DPKG + "status", ""))
    packages = {record.name: record.version for record in records}
    for path, text in texts.items():
        folder, name = posixpath.split(path)
        package = re.sub(r"(:[^.]+)?\.(list|md5sums)$", "", name)
        if folder == DPKG + "info":
            owner = Owner("debian", package, packages.get(package, ""))
            yield from ((line.lstrip("/"), owner) for line in text.splitlines())
        elif folder == DPKG + "status.d" and not name.endswith(".md5sums"):
            record = next(package_records.dpkg(text), Package(name))
            owner = Owner("debian", record.name, record.version)
            yield from ((file, owner) for file in (path, path + ".md5sums"))
            yield f"usr/share/doc/{name}/", owner
            hashes = texts.get(path + ".md5sums", "").splitlines()
            yield from ((line.partition("  ")[2], owner) for line in hashes)


def _alpine(texts: Mapping[str, str]) -> Iterator[tuple[str, Owner]]:
    """Yield paths and owners of apk's database."""
    for path in package_records.APK_DATABASES:
        for package in package_records.apk(texts.get(path, "")):
            owner = Owner("alpine", package.name, package.version)
            yield from ((file, owner) for file in package.files)


def _node(files: Mapping[str, Entry], texts: Mapping[str, str]) -> Iterator[tuple[str, Owner]]:
    """Yield what is in the folder of an npm package; it has no record of its files."""
    for path, package in node_packages.owned(files, texts):
        yield path, Owner("node", package.name, package.version)


def _python(texts: Mapping[str, str]) -> Iterator[tuple[str, Owner]]:
    """Yield paths and owners of every RECORD: paths are relative to its site-packages.

    Those of an egg-info's installed-files.txt are relative to the egg-info itself.
    """
    for path, text in texts.items():
        folder, name = posixpath.split(path)
        if name not in ("METADATA", "PKG-INFO"):
            continue
        fields = HeaderParser().parsestr(text)
        owner = Owner("python", fields.get("Name", ""), fields.get("Version", ""))
        yield folder + "/", owner
        for line in texts.get(folder + "/installed-files.txt", "").splitlines():
            yield posixpath.normpath(posixpath.join(folder, line)), owner
        for name in recorded(texts.get(folder + "/RECORD", "")):
            yield posixpath.normpath(posixpath.join(posixpath.dirname(folder), name)), owner


def recorded(text: str) -> list[str]:
    """Return the paths of a RECORD, none of one that is no CSV."""
    return [name for name, _ in hashed(text)]


def hashed(text: str) -> list[tuple[str, str]]:
    """Return paths and hashes ("sha256=…" or "") of a RECORD, none of one that is no CSV."""
    try:
        return [(row[0], "".join(row[1:2])) for row in csv.reader(text.splitlines()) if row]
    except csv.Error:
        return []
