"""Keep Cargo.lock's order, by package name, when a package is renamed.

Cargo refuses a lock of another order under --locked.
"""

from __future__ import annotations

import re

FILE = "Cargo.lock"
HEADING = "[[package]]\n"
NAME = re.compile(r'^name = "(.*)"$', re.MULTILINE)
VERSION = re.compile(r'^version = "(.*)"$', re.MULTILINE)


def ordered(text: str) -> str:
    """Return the lock with its packages in Cargo's order."""
    head, *packages = text.split(HEADING)
    bodies = sorted((body.strip("\n") for body in packages), key=_key)
    return head + "\n\n".join(HEADING + body for body in bodies) + "\n" if packages else text


def _key(body: str) -> tuple[str, list[tuple[int, int | str]]]:
    name, version = NAME.search(body), VERSION.search(body)
    parts = re.split(r"[.+-]", version[1] if version else "")
    return name[1] if name else "", [(0, int(p)) if p.isdigit() else (1, p) for p in parts]
