"""What an image is made of, by its own records: packages, distributions, crates and modules.

Names of packages are package URLs: https://github.com/package-url/purl-spec.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from email.parser import HeaderParser
from urllib.parse import quote

from packaging.utils import canonicalize_name

from scripts.image import node_packages, package_records
from scripts.image.inventory import Entry, Inventory
from scripts.image.package_owners import Owner
from scripts.sbom import licences
from scripts.sbom.licences import Recorded

# owner of a file → type of its package URL; a program of ours is an application
TYPES = {
    "debian": "deb", "alpine": "apk", "python": "pypi", "node": "npm", "rust": "generic",
    "go": "generic",
}  # fmt: skip # pairs
_Key = tuple[str, str, str]
# a library that auditwheel put beside a wheel: "scipy.libs/libgfortran-040039e1.so.5.0.0"
_VENDORED = re.compile(
    r".*\.libs/(?P<name>lib[^/]+?)-[0-9a-f]{8}(?:-[0-9a-f]{8})?\.so(?:\.(?P<version>[\d.]+))?"
)


@dataclass(frozen=True)
class Component:
    """One part of an image. `files` are its entries; `parts` are linked into one of them.

    `licence` is an SPDX expression; without one, `names` are those that its record has.
    `why` gives the reason where it has neither.
    """

    kind: str
    name: str
    version: str
    purl: str
    licence: str = ""
    files: tuple[Entry, ...] = field(default=(), repr=False)
    parts: tuple[Component, ...] = ()
    names: tuple[str, ...] = ()
    why: str = licences.NO_RECORD


@dataclass(frozen=True)
class Bill:
    """All components of an image, and the files that belong to none."""

    image: Inventory
    components: tuple[Component, ...]
    unowned: tuple[Entry, ...]

    def all(self) -> Iterator[Component]:
        """Yield every component, those that are linked into others as well."""
        for component in self.components:
            yield component
            yield from component.parts

    def counts(self) -> dict[str, int]:
        """Return how many components there are of each kind."""
        kinds = sorted(component.kind for component in self.all())
        return {kind: kinds.count(kind) for kind in kinds}


def of(image: Inventory) -> Bill:
    """Return what an image is made of; every file is of one component, or unowned."""
    recorded = {
        _key(component.kind, component.name, component.version): component
        for component in _recorded(image)
    }
    files: dict[_Key, list[Entry]] = {}
    unowned = []
    owners = image.owners()
    for path, entry in image.files.items():
        if entry.kind not in ("file", "hardlink"):
            continue
        owner = owners[path]
        if owner.kind == "other":
            unowned.append(entry)
            continue
        key = _key(TYPES.get(owner.kind, "application"), owner.name, owner.version)
        recorded.setdefault(key, _program(owner))
        files.setdefault(key, []).append(entry)
    linked = _Linked(licences.of_crates(image), licences.texts_of_modules(image))
    complete = (
        _with_files(component, files.get(key, []), linked) for key, component in recorded.items()
    )
    ordered = sorted(
        complete, key=lambda component: (component.kind, component.name, component.version)
    )
    return Bill(image, tuple(ordered), tuple(unowned))


def _key(kind: str, name: str, version: str) -> _Key:
    """Return what tells components apart: npm installs several versions beside each other."""
    return kind, name, version if kind == "npm" else ""


def purl(kind: str, name: str, version: str, **qualifiers: str) -> str:
    """Return a package URL; names of Python are as PEP 503 normalises them."""
    if kind == "pypi":
        name = canonicalize_name(name)
    at = f"@{quote(version, safe='.-_~:')}" if version else ""
    query = "&".join(f"{key}={quote(value, safe='.-_~:/')}" for key, value in qualifiers.items())
    return f"pkg:{kind}/{quote(name, safe='/.-_~')}{at}" + (f"?{query}" if query else "")


def image_purl(name: str, image: Inventory) -> str:
    """Return the package URL of an image, by its digest: the same in every document.

    The files of a build that is not finished have none yet.
    """
    return f"pkg:oci/{name}" + (f"@{quote(image.id, safe='')}" if image.id else "")


def _recorded(image: Inventory) -> Iterator[Component]:
    """Yield what the records of dpkg, apk, Python and npm name."""
    release = _release(image)
    distro = f"{release.get('ID', '')}-{release.get('VERSION_ID', '')}".strip("-")
    for path, text in image.texts.items():
        if package_records.DPKG.fullmatch(path):
            for debian_package in package_records.dpkg(text):
                licence = licences.of_debian(image, debian_package.name)
                yield _package("deb", release.get("ID", "debian"), distro, debian_package, licence)
        elif path in package_records.APK_DATABASES:
            for alpine_package in package_records.apk(text):
                licence = licences.of_text(alpine_package.licence, licences.NO_FIELD)
                yield _package("apk", release.get("ID", "alpine"), distro, alpine_package, licence)
        elif posixpath.basename(path) in ("METADATA", "PKG-INFO"):
            yield _distribution(text)
    for package in node_packages.read(image.texts).values():
        licence = licences.of_names(package.licences, licences.NO_LICENCE)
        place = purl("npm", package.name, package.version)
        yield _component("npm", package.name, package.version, place, licence)


def _release(image: Inventory) -> dict[str, str]:
    text = image.text("usr/lib/os-release") or image.text("etc/os-release") or ""
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {name: value.strip("\"'") for name, _, value in pairs}


def _package(
    kind: str, vendor: str, distro: str, package: package_records.Package, licence: Recorded
) -> Component:
    where = {"distro": distro} if distro else {}
    place = purl(kind, f"{vendor}/{package.name}", package.version, **where)
    return _component(kind, package.name, package.version, place, licence)


def _distribution(text: str) -> Component:
    fields = HeaderParser().parsestr(text, headersonly=True)
    name, version = str(fields.get("Name", "")), str(fields.get("Version", ""))
    licence = licences.of_distribution(fields)
    return _component("pypi", name, version, purl("pypi", name, version), licence)


def _component(kind: str, name: str, version: str, place: str, licence: Recorded) -> Component:
    component = Component(kind, name, version, place, licence.expression)
    return replace(component, names=licence.names, why=licence.why)


def _program(owner: Owner) -> Component:
    kind = TYPES.get(owner.kind, "application")
    name = f"sutra/{owner.name}" if kind == "application" else owner.name
    place = purl("generic", name, owner.version)
    return _component(kind, owner.name, owner.version, place, Recorded(why=licences.NO_RECORD))


@dataclass(frozen=True)
class _Linked:
    """What is linked into files: licences of `crates`, and where `texts` of modules are."""

    crates: Mapping[tuple[str, str], Recorded] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)

    def of(self, entry: Entry) -> Iterator[Component]:
        """Yield what is linked into a program, and what a library of another project is."""
        if match := _VENDORED.fullmatch(entry.path):
            name, version = match["name"], match["version"] or ""
            none = Recorded(why=licences.NO_RECORD)
            yield _component("generic", name, version, purl("generic", name, version), none)
        if not entry.elf:
            return
        for name, version in entry.elf.crates:
            licence = self.crates.get((name, version), Recorded(why=licences.NO_LIST))
            yield _component("cargo", name, version, purl("cargo", name, version), licence)
        for path, version in entry.elf.modules:
            name = "stdlib" if path == "go" else path
            plain = version.removeprefix("go") if path == "go" else version
            licence = licences.of_module(path, self.texts)
            yield _component("golang", name, plain, purl("golang", name, plain), licence)


def _with_files(component: Component, files: list[Entry], linked: _Linked) -> Component:
    parts = {part.purl: part for entry in files for part in linked.of(entry)}
    return replace(component, files=tuple(files), parts=tuple(parts[key] for key in sorted(parts)))
