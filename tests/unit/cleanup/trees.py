"""Small real trees that the tests of the cleanup work on."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import strategies as st

LIB = Path(__file__).resolve().parents[3] / "base-images/lib"
SITE = f"lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
MISSING = [tool for tool in ("gcc", "strip") if not shutil.which(tool)]
needs_gcc = pytest.mark.skipif(bool(MISSING), reason=f"not run here: no {' and no '.join(MISSING)}")


@dataclass(frozen=True)
class Link:
    """A symbolic link, by its target."""

    target: str


def make(tree: Path, files: Mapping[str, str | bytes | Link]) -> Path:
    """Write files and links below `tree`; a name that ends with a slash is an empty folder."""
    tree.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        place = Path(f"{tree}/{name}")
        if name.endswith("/"):
            place.mkdir(parents=True, exist_ok=True)
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Link):
            place.symlink_to(content.target)
        else:
            place.write_bytes(content.encode() if isinstance(content, str) else content)
    return tree


@contextmanager
def nested(tree: Path, count: int) -> Iterator[str]:
    """Make that many folders below `tree`, each in the one before, and yield the path of the last.

    They are gone afterwards: pytest's own clean-up would not come as deep.
    """
    path = ""
    for _ in range(count):
        path += "d/"
        os.mkdir(f"{tree}/{path}")
    try:
        yield path
    finally:
        subprocess.run(["rm", "-r", os.fspath(tree)], check=True)


def snapshot(tree: Path) -> dict[str, tuple[int, bytes]]:
    """Return mode and content of all below `tree`: a link's target, nothing of a folder."""
    state: dict[str, tuple[int, bytes]] = {}
    root = os.fspath(tree)
    for folder, folders, names in os.walk(root):
        for name in (*folders, *names):
            full = os.path.join(folder, name)
            mode = os.lstat(full).st_mode
            if os.path.islink(full):
                content = os.fsencode(os.readlink(full))
            else:
                content = Path(full).read_bytes() if os.path.isfile(full) else b""
            state[os.path.relpath(full, root)] = mode, content
    return state


def files(tree: Path) -> list[str]:
    """Return the paths of all files and links below `tree`, sorted."""
    return sorted(path for path, (mode, _) in snapshot(tree).items() if mode >> 12 != 0o04)


def venv(tree: Path, modules: Mapping[str, str | bytes | Link] | None = None) -> str:
    """Make `tree` an environment of this interpreter with those files in its site-packages.

    Return the path of its interpreter.
    """
    base = os.path.realpath(sys.executable)
    alone = "include-system-site-packages = false\n"
    config = f"home = {os.path.dirname(base)}\n{alone}"
    make(tree, {"pyvenv.cfg": config, "bin/python": Link(base)})
    make(tree / SITE, modules or {})
    return f"{tree}/bin/python"


def distribution(name: str, modules: Mapping[str, str]) -> dict[str, str | bytes | Link]:
    """Return a distribution's files in site-packages: its modules, METADATA and RECORD."""
    info = f"{name.replace('-', '_')}-1.0.dist-info"
    record = "".join(f"{path},,\n" for path in (*modules, f"{info}/METADATA", f"{info}/RECORD"))
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
    return {**modules, f"{info}/METADATA": metadata, f"{info}/RECORD": record}


def library(place: Path, source: str = "int answer(void) { return 42; }", *flags: str) -> Path:
    """Compile a shared library, with what debuggers read in it."""
    place.parent.mkdir(parents=True, exist_ok=True)
    code = place.parent / "library.c"
    code.write_text(source)
    subprocess.run(
        ["gcc", "-g", "-shared", "-fPIC", *flags, "-o", os.fspath(place), os.fspath(code)],
        check=True,
        capture_output=True,
    )
    code.unlink()
    return place


ODD = ["line\nbreak", "raw\udcff", " ", "*", "[a]", "-rf", "ü"]
NAMES = st.sampled_from(["a", "b", "ab", "a.b", "tests", "docs", "x.py", "y.py", "z.so", *ODD])
TARGETS = st.sampled_from(["a", ".", "..", "nowhere", "../../outside", "/", "tests", "x.py"])
_Node = Mapping[str, object] | bytes | Link


def _flat(tree: Mapping[str, object], above: str = "") -> dict[str, str | bytes | Link]:
    flat: dict[str, str | bytes | Link] = {}
    for name, node in tree.items():
        if isinstance(node, Mapping):
            flat.update({f"{above}{name}/": b""}, **_flat(node, f"{above}{name}/"))
        elif isinstance(node, bytes | Link):
            flat[above + name] = node
    return flat


def _folders(inner: st.SearchStrategy[_Node]) -> st.SearchStrategy[_Node]:
    return st.dictionaries(NAMES, inner, max_size=4)


TREES: st.SearchStrategy[dict[str, str | bytes | Link]] = st.dictionaries(
    NAMES,
    st.recursive(st.binary(max_size=9) | st.builds(Link, TARGETS), _folders, max_leaves=12),
    max_size=5,
).map(_flat)
PARTS = st.sampled_from(
    [
        "a",
        "b",
        "ab",
        "tests",
        "docs",
        "*.py",
        "*",
        "?",
        "[ab]",
        "[!a]",
        "a*",
        "**",
        "*b",
        "raw*",
        "x.p[x-z]",
        "[[]a]",
        "\\*",
        "[*]",
        "line?break",
    ]
)
GLOBS = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "./"]),
    st.lists(PARTS, min_size=1, max_size=3).map("/".join),
    st.sampled_from(["", "/"]),
)
