"""What an image is made of, by its own records: packages, distributions, crates and modules.

Names of packages are package URLs: https://github.com/package-url/purl-spec.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from email.parser import HeaderParser
from urllib.parse import quote

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from packaging.utils import canonicalize_name

from scripts.image import package_records
from scripts.image.inventory import Entry, Inventory
from scripts.image.package_owners import Owner

# owner of a file → type of its package URL; a program of ours is an application
TYPES = {"debian": "deb", "alpine": "apk", "python": "pypi", "rust": "generic", "go": "generic"}
# a library that auditwheel put beside a wheel: "scipy.libs/libgfortran-040039e1.so.5.0.0"
_VENDORED = re.compile(
    r".*\.libs/(?P<name>lib[^/]+?)-[0-9a-f]{8}(?:-[0-9a-f]{8})?\.so(?:\.(?P<version>[\d.]+))?"
)


@dataclass(frozen=True)
class Component:
    """One part of an image. `files` are its entries; `parts` are linked into one of them."""

    kind: str
    name: str
    version: str
    purl: str
    licence: str = ""
    files: tuple[Entry, ...] = field(default=(), repr=False)
    parts: tuple[Component, ...] = ()


@dataclass(frozen=True)
class Bill:
    """All components of an image, and the files that belong to none."""

    image: Inventory
    components: tuple[Component, ...]
    unowned: tuple[Entry, ...]

    def all(self) -> Iterator[Component]:
        """Yield every component, those that are linked into others as well."""
        for one in self.components:
            yield one
            yield from one.parts

    def counts(self) -> dict[str, int]:
        """Return how many components there are of each kind."""
        kinds = sorted(one.kind for one in self.all())
        return {kind: kinds.count(kind) for kind in kinds}


def of(image: Inventory) -> Bill:
    """Return what an image is made of; every file is of one component, or unowned."""
    known = {(each.kind, each.name): each for each in _recorded(image)}
    files: dict[tuple[str, str], list[Entry]] = {}
    unowned = []
    owners = image.owners()
    for path, entry in image.files.items():
        if entry.kind not in ("file", "hardlink"):
            continue
        owner = owners[path]
        if owner.kind == "other":
            unowned.append(entry)
            continue
        key = TYPES.get(owner.kind, "application"), owner.name
        known.setdefault(key, _program(owner))
        files.setdefault(key, []).append(entry)
    made = (_with_files(one, files.get(key, [])) for key, one in known.items())
    ordered = sorted(made, key=lambda one: (one.kind, one.name, one.version))
    return Bill(image, tuple(ordered), tuple(unowned))


def purl(kind: str, name: str, version: str, **qualifiers: str) -> str:
    """Return a package URL; names of Python are as PEP 503 normalises them."""
    if kind == "pypi":
        name = canonicalize_name(name)
    at = f"@{quote(version, safe='.-_~:')}" if version else ""
    asked = "&".join(f"{key}={quote(value, safe='.-_~:/')}" for key, value in qualifiers.items())
    return f"pkg:{kind}/{quote(name, safe='/.-_~')}{at}" + (f"?{asked}" if asked else "")


def image_purl(name: str, image: Inventory) -> str:
    """Return the package URL of an image, by its digest: the same in every document."""
    return f"pkg:oci/{name}@{quote(image.id, safe='')}"


def _recorded(image: Inventory) -> Iterator[Component]:
    """Yield what the records of dpkg, apk and Python name."""
    release = _release(image)
    distro = f"{release.get('ID', '')}-{release.get('VERSION_ID', '')}".strip("-")
    for path, text in image.texts.items():
        if package_records.DPKG.fullmatch(path):
            for one in package_records.dpkg(text):
                yield _package("deb", release.get("ID", "debian"), distro, one)
        elif path in package_records.APK_DATABASES:
            for one in package_records.apk(text):
                yield _package("apk", release.get("ID", "alpine"), distro, one)
        elif posixpath.basename(path) in ("METADATA", "PKG-INFO"):
            yield _distribution(text)


def _release(image: Inventory) -> dict[str, str]:
    text = image.text("usr/lib/os-release") or image.text("etc/os-release") or ""
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {name: value.strip("\"'") for name, _, value in pairs}


def _package(kind: str, vendor: str, distro: str, one: package_records.Package) -> Component:
    where = {"distro": distro} if distro else {}
    place = purl(kind, f"{vendor}/{one.name}", one.version, **where)
    return Component(kind, one.name, one.version, place, licence(one.licence))


def _distribution(text: str) -> Component:
    fields = HeaderParser().parsestr(text, headersonly=True)
    name, version = str(fields.get("Name", "")), str(fields.get("Version", ""))
    said = licence(str(fields.get("License-Expression") or fields.get("License") or ""))
    return Component("pypi", name, version, purl("pypi", name, version), said)


def licence(text: str) -> str:
    """Return an SPDX expression in its canonical form, "" for any other text."""
    try:
        return str(canonicalize_license_expression(text)) if len(text) < 500 else ""
    except InvalidLicenseExpression:
        return ""


def _program(owner: Owner) -> Component:
    kind = TYPES.get(owner.kind, "application")
    name = f"sutra/{owner.name}" if kind == "application" else owner.name
    place = purl("generic", name, owner.version)
    return Component(kind, owner.name, owner.version, place)


def _with_files(one: Component, files: list[Entry]) -> Component:
    parts = {part.purl: part for entry in files for part in _linked(entry)}
    return replace(one, files=tuple(files), parts=tuple(parts[key] for key in sorted(parts)))


def _linked(entry: Entry) -> Iterator[Component]:
    """Yield what is linked into a program, and what a library of another project is."""
    if match := _VENDORED.fullmatch(entry.path):
        name, version = match["name"], match["version"] or ""
        yield Component("generic", name, version, purl("generic", name, version))
    if not entry.elf:
        return
    for name, version in entry.elf.crates:
        yield Component("cargo", name, version, purl("cargo", name, version))
    for path, version in entry.elf.modules:
        name = "stdlib" if path == "go" else path
        plain = version.removeprefix("go") if path == "go" else version
        yield Component("golang", name, plain, purl("golang", name, plain))
