"""The modules that a Go program is made of, as its section .go.buildinfo says.

The form is that of Go 1.18 and newer: debug/buildinfo, buildinfo.go.
"""

from __future__ import annotations

from collections.abc import Iterator

SECTION = ".go.buildinfo"
MAGIC = b"\xff Go buildinf:"
HEADER, FLAGS, INLINE = 32, 15, 2
# before and after the list of modules
SENTINEL = 16
# bytes of the section that are read; Kubernetes' API server has 30 kB
MAX_SECTION = 1 << 20
Module = tuple[str, str]  # path and version: ("golang.org/x/sync", "v0.17.0")


def modules(section: bytes) -> tuple[Module, ...]:
    """Return the modules of a program by path, "go" with the toolchain's version first.

    Raises ValueError for a section of another form.
    """
    if len(section) < HEADER or not section.startswith(MAGIC) or not section[FLAGS] & INLINE:
        raise ValueError("of another form")
    version, place = _text(section, HEADER)
    listed, _ = _text(section, place)
    versions = dict(_listed(listed[SENTINEL:-SENTINEL].decode("utf-8", "replace")))
    return (("go", version.decode("utf-8", "replace").split(" ")[0]), *sorted(versions.items()))


def _text(section: bytes, place: int) -> tuple[bytes, int]:
    """Return the text at `place`, which its length precedes, and where it ends."""
    length = shift = 0
    while True:
        byte = section[place : place + 1]
        if not byte or shift > 28:
            raise ValueError("cut off")
        length |= (byte[0] & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if not byte[0] & 0x80:
            break
    if place + length > len(section):
        raise ValueError("cut off")
    return section[place : place + length], place + length


def _listed(text: str) -> Iterator[Module]:
    """Yield the modules of the list; a replacement is on the line below its module."""
    last = ""
    for line in text.splitlines():
        kind, path, version = [*line.split("\t"), "", ""][:3]
        if kind == "dep":
            last = path
            yield path, version
        elif kind == "=>" and last:
            yield last, f"{path}@{version}"
