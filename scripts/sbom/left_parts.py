"""What of a part is left in an image: under its own name, as bytecode, compiled, or elsewhere."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from scripts.image.inventory import Inventory
from scripts.sbom.components import Component

_CODE = re.compile(r"\.(?:py|so(?:\.\d+)*)$")
# "libgfortran-040039e1.so.5" → "libgfortran"; auditwheel adds a hash
_LIBRARY = re.compile(r"(lib[^/]*?)(?:-[0-9a-f]{8})*\.so(?:\.\d+)*")
_CACHED = re.compile(r"(.*/)?__pycache__/([^/.]+)\.[^/]*\.pyc", re.DOTALL)


def plain(path: str) -> str:
    """Return a path of a tree without the version of its Python."""
    return re.sub(r"^lib/python3[.0-9]*/", "lib/python3/", path)


def source(path: str) -> str:
    """Return the source of bytecode, any other path as it is."""
    if cached := _CACHED.fullmatch(path):
        return f"{cached[1] or ''}{cached[2]}.py"
    return path[:-1] if path.endswith(".pyc") else path


def owns(component: Component, tree: str, part: str) -> bool:
    """Return whether the component has files in the tree, in the package of the part."""
    return any(_package(path) == _package(part) for path in _below(tree, component))


def _below(tree: str, component: Component) -> Iterator[str]:
    paths = (entry.path for entry in component.files)
    return (plain(path[len(tree) + 1 :]) for path in paths if path.startswith(f"{tree}/"))


def _package(path: str) -> str:
    """Return the top-level name below site-packages, "" for a path elsewhere in a tree."""
    _, site, inside = path.partition("site-packages/")
    top = inside.partition("/")[0] if site else ""
    return _CODE.sub("", source(top)).partition(".cpython-")[0]


def find(image: Inventory, tree: str, part: str, stand_ins: frozenset[str]) -> str:
    """Return a path of the image that is the part or some of it, "" where nothing is left.

    A module counts in each of its forms: as a source, as bytecode, compiled; a library also
    under the same name in another folder. Stand-ins raise an error when used, and do not count.
    """
    library = _LIBRARY.fullmatch(posixpath.basename(part))
    for path, entry in image.files.items():
        if entry.kind == "folder":
            continue
        other = _LIBRARY.fullmatch(posixpath.basename(path))
        if library and other and other[1] == library[1]:
            return path
        if path.startswith(f"{tree}/"):
            inside = source(plain(path[len(tree) + 1 :]))
            if inside not in stand_ins and _is_of(inside, part):
                return path
    return ""


def _is_of(path: str, part: str) -> bool:
    if part.endswith("/"):
        return path.startswith(part)
    return bool(_CODE.search(path)) and _stem(path) == _stem(part)


def _stem(path: str) -> str:
    folder, name = posixpath.split(path)
    return posixpath.join(folder, name.partition(".")[0])
