"""The npm packages of an image, by the package.json of each: nothing else records its files.

Source: https://docs.npmjs.com/cli/configuring-npm/folders and package-json.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

# a package's folder below the last node_modules of a path; names with a dot are npm's own
_FOLDER = re.compile(r"((?:.*/)?node_modules/(?:@[^/]+/)?[^/@.][^/]*)/.+", re.DOTALL)
_NAME = re.compile(r"(?:@[\w.~-]{1,213}/)?[\w.~-]{1,214}", re.ASCII)
_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+-]{0,255}", re.ASCII)
ABOUT = "package.json"


@dataclass(frozen=True)
class NodePackage:
    """One package: `licences` are the names that its package.json gives."""

    name: str
    version: str
    licences: tuple[str, ...] = ()


def folder_of(path: str) -> str:
    """Return the folder of the package that a file is in, "" for one in no package."""
    match = _FOLDER.fullmatch(path)
    return match[1] if match else ""


def parse(text: str) -> NodePackage | None:
    """Return what a package.json says; None where it names no package and version."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    name, version = document.get("name"), document.get("version")
    if not (isinstance(name, str) and _NAME.fullmatch(name)):
        return None
    if not (isinstance(version, str) and _VERSION.fullmatch(version)):
        return None
    return NodePackage(name, version, tuple(_licences(document)))


def _licences(document: Mapping[str, object]) -> list[str]:
    """Return the names of the field `license`, or of its two old forms."""
    field = document.get("license") or document.get("licenses")
    entries = field if isinstance(field, list) else [field]
    names = (entry.get("type") if isinstance(entry, dict) else entry for entry in entries)
    return [name for name in names if isinstance(name, str) and name.strip()]


def read(texts: Mapping[str, str]) -> dict[str, NodePackage]:
    """Return the packages of an image by their folders."""
    places = ((path, path.removesuffix(f"/{ABOUT}")) for path in texts)
    packages = {
        folder: parse(texts[path])
        for path, folder in places
        if path != folder and folder_of(path) == folder
    }
    return {folder: package for folder, package in packages.items() if package}


def owned(files: Iterable[str], texts: Mapping[str, str]) -> Iterable[tuple[str, NodePackage]]:
    """Yield the paths that are in the folder of a package, with it."""
    packages = read(texts)
    for path in files if packages else ():
        if package := packages.get(folder_of(path)):
            yield path, package
