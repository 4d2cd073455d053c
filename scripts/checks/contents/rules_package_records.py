"""Records of installed packages, which scanners need, and licences."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from scripts.checks.contents.recorded import alpine_packages, debian_packages, recorded_hashes
from scripts.checks.contents.rule import Finding, Rule, Subject, quoted
from scripts.checks.contents.rules_bytecode import cleaned_trees
from scripts.image import node_packages
from scripts.image.package_owners import recorded

DIST_INFO = re.compile(r"(.*/[^/]+\.(?:dist|egg)-info)(?:/(.+))?", re.DOTALL)
# metadata files of a distribution: today's form, and setuptools' old one
NAMES = {"dist": ("METADATA", "RECORD"), "egg": ("PKG-INFO", "installed-files.txt")}
# owners that record licences of their own
PACKAGED = ("debian", "alpine", "python", "node")
# paths of programs that no package manager installed
LOCAL = re.compile(r"usr/local/.+|opt/(?:[^/]+/)*s?bin/.+", re.DOTALL)
SITE = re.compile(r"(?:.*/)?(?:site|dist)-packages/.+", re.DOTALL)
# files of npm packages; the rule build-files has npm's own record beside them
NODE = re.compile(r"(?:.*/)?node_modules/(?!\.package-lock\.json$).+", re.DOTALL)
SYSTEM = re.compile(r"(?:usr/)?(?:bin|sbin|lib|lib32|lib64|libexec)/(?!apk/db/).+", re.DOTALL)
LICENCE = re.compile(r"(?:.*/)?(?:LICEN[CS]E|COPYING|NOTICE)[^/]*|.*/licenses/.+", re.IGNORECASE)


def records(subject: Subject) -> Iterator[Finding]:
    """Find distributions without metadata, and files that belong to no package."""
    for folder, names in _distributions(subject).items():
        for name in _names(folder):
            if name not in names:
                yield Finding(f"{folder}/{name}", f"no {name} of a distribution {quoted(folder)}")
    owners = subject.image.owners()
    for entry in subject.contents():
        owner = owners.get(entry.path)
        kind = owner.kind if owner else "other"
        if SITE.fullmatch(entry.path) and kind not in ("python", "debian", "alpine"):
            yield Finding(entry.path, f"of no distribution {quoted(entry.path)}")
        elif NODE.fullmatch(entry.path) and kind not in PACKAGED:
            yield Finding(entry.path, f"of no npm package {quoted(entry.path)}")
        elif (SYSTEM.fullmatch(entry.path) and kind == "other") or (
            entry.elf and LOCAL.fullmatch(entry.path) and kind in ("other", "ours")
        ):
            yield Finding(entry.path, f"of no package {quoted(entry.path)}")
    yield from _changed(subject)


def _changed(subject: Subject) -> Iterator[Finding]:
    """Find files that are not what the RECORD of their distribution says.

    A cleanup strips programs and libraries, and takes away what its manifest names: inside
    of a tree that it reports that is no difference.
    """
    cleaned = tuple(f"{tree}/" for tree in cleaned_trees(subject))
    for path, digest in recorded_hashes(subject):
        if path not in subject.files and path.startswith(cleaned):
            continue  # the manifest's own doing, for most of them
        entry = subject.image.resolve(path)
        if entry is None:
            if subject.image.resolve(path + "c") is None:
                yield Finding(path, f"recorded and not there {quoted(path)}")
        elif digest.startswith("sha256:") and entry.digest not in (digest, ""):
            stripped = entry.elf and entry.elf.stripped
            if not (stripped and path.startswith(cleaned)):
                yield Finding(path, f"not as its distribution recorded it {quoted(path)}")


def licences(subject: Subject) -> Iterator[Finding]:
    """Find packages, distributions and Rust programs without their licence."""
    for package in debian_packages(subject):
        path = f"usr/share/doc/{package.name}/copyright"
        if subject.image.resolve(path) is None:
            yield Finding(path, f"no licence of package {quoted(package.name)}")
    for package in alpine_packages(subject):
        if not package.licence:
            place = f"lib/apk/db/installed/{package.name}"
            yield Finding(place, f"no licence of package {quoted(package.name)}")
    for folder in _distributions(subject):
        yield from _of_distribution(subject, folder)
    yield from _of_node(subject)
    yield from _of_programs(subject)


def _names(folder: str) -> tuple[str, str]:
    """Return what the metadata and the record of a distribution are called."""
    return NAMES[folder.removesuffix("-info").rpartition(".")[2]]


def _distributions(subject: Subject) -> dict[str, set[str]]:
    """Return the names in each dist-info or egg-info folder, by the folder's path.

    Those that a package of Debian or Alpine brought are in that package's record. An
    egg-info can be a file: its metadata alone.
    """
    owners = subject.image.owners()
    records: dict[str, set[str]] = {}
    for path, entry in subject.files.items():
        if entry.kind != "folder" and (parts := DIST_INFO.fullmatch(path)):
            owner = owners.get(path)
            if not (owner and owner.kind in ("debian", "alpine")):
                records.setdefault(parts[1], set()).add(parts[2] or "PKG-INFO")
    return records


def _of_distribution(subject: Subject, folder: str) -> Iterator[Finding]:
    """Find licence files that the distribution came with and that are gone."""
    about, record = (subject.image.text(f"{folder}/{name}") or "" for name in _names(folder))
    metadata, site = about.partition("\n\n")[0], posixpath.dirname(folder)
    files = [path for path in recorded(record) if ".dist-info/" in path and LICENCE.fullmatch(path)]
    for path in (posixpath.normpath(f"{site}/{path}") for path in files):
        if subject.image.resolve(path) is None:
            yield Finding(path, f"licence not found {quoted(path)}")
    named = re.search(r"(?mi)^(License(-Expression|-File)?|Classifier: License ::)", metadata)
    if metadata and not files and not named:
        yield Finding(folder, f"no licence of distribution {quoted(folder)}")


def _of_node(subject: Subject) -> Iterator[Finding]:
    """Find npm packages that name no licence and have no file of one."""
    packages = node_packages.read(subject.image.texts)
    unnamed = [folder for folder, package in packages.items() if not package.licences]
    if not unnamed:
        return
    owners = subject.image.owners()
    texts = {posixpath.dirname(path) for path in subject.files if LICENCE.fullmatch(path)}
    for folder in unnamed:
        owner = owners.get(f"{folder}/{node_packages.ABOUT}")
        if owner and owner.kind == "node" and folder not in texts:
            yield Finding(folder, f"no licence of npm package {quoted(folder)}")


def _of_programs(subject: Subject) -> Iterator[Finding]:
    """Find programs of no package that come without the licences of their crates or modules."""
    owners = subject.image.owners()
    licences = [path for path in subject.files if path.startswith("usr/share/licenses/")]
    for entry in subject.contents():
        owner = owners.get(entry.path)
        if not entry.elf or (owner and owner.kind in PACKAGED):
            continue
        if entry.elf.language == "rust" and not licences:
            text = f"no licence of the crates in {quoted(entry.path)}"
            yield Finding(entry.path, text)
        for module, _ in entry.elf.modules:
            if not any(f"/{module}/" in f"{path}/" for path in licences):
                text = f"no licence of the module {quoted(module)} in {quoted(entry.path)}"
                yield Finding(entry.path, text)


RULES = (
    Rule(
        "records",
        "every distribution has METADATA and RECORD, every installed file is in the record of "
        "a distribution or package, and as the RECORD says; every file in node_modules is of an "
        "npm package",
        records,
    ),
    Rule(
        "licences",
        "every package, distribution, Rust program and module of a Go program has its licence; an "
        "npm package names one or has its text",
        licences,
    ),
)
