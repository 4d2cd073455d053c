"""An image that keeps every rule; each test breaks it in one place."""

from __future__ import annotations

import json
from typing import Any

from tests.support.fixture_images import Files, Item, Made, elf, link, program, pyc

NAME = "sutra-good"
LIB = "usr/lib/x86_64-linux-gnu"
SITE = "opt/sutra/lib/python3.13/site-packages"
LOADER = "/lib64/ld-linux-x86-64.so.2"
PREFIX = "org.opencontainers.image."
RECORD = """\
one/__init__.py,,
one/native.so,,
one-1.0.dist-info/METADATA,,
one-1.0.dist-info/RECORD,,
one-1.0.dist-info/licenses/LICENSE,,
"""
MD5SUMS = f"""\
0  {LIB}/libc.so.6
0  {LIB}/ld-linux-x86-64.so.2
0  usr/bin/python3.13
0  usr/lib/os-release
"""
REPORT = {"tree": "/opt/sutra", "compiled": {"sourceless": 1, "cached": 0, "source": 0}}
CONFIG: dict[str, Any] = {
    "User": "10001:10001",
    "Env": ["PATH=/usr/bin", "LANG=C.UTF-8"],
    "Cmd": ["python3", "-m", "one"],
    "Healthcheck": {"Test": ["CMD", "/usr/bin/python3", "-m", "one.healthcheck"]},
    "Labels": {
        PREFIX + "title": NAME,
        PREFIX + "description": "an image that keeps every rule",
        PREFIX + "version": "1.2.3",
        PREFIX + "revision": "0123456789abcdef0123456789abcdef01234567",
        PREFIX + "created": "2026-01-02T03:04:05Z",
        PREFIX + "base.name": "scratch",
    },
}
BASE: Files = {
    "lib": link("usr/lib"),
    "lib64": link("usr/lib64"),
    "tmp": Item(kind="folder", mode=0o1777),
    "etc/os-release": link("../usr/lib/os-release"),
    "usr/lib/os-release": 'NAME="Debian GNU/Linux"\nID=debian\n',
    "etc/passwd": "root:x:0:0::/:\nsutra:x:10001:10001::/app:\n",
    "etc/group": "root:x:0:\nsutra:x:10001:\n",
    "usr/lib64/ld-linux-x86-64.so.2": link(f"../../{LIB}/ld-linux-x86-64.so.2"),
    f"{LIB}/ld-linux-x86-64.so.2": program(elf(soname="ld-linux-x86-64.so.2")),
    f"{LIB}/libc.so.6": program(elf(["ld-linux-x86-64.so.2"], soname="libc.so.6")),
    "usr/bin/python3.13": program(elf(["libc.so.6"], LOADER)),
    "usr/bin/python3": link("python3.13"),
    "usr/share/doc/libc6/copyright": "LGPL",
    "var/lib/dpkg/status.d/libc6": "Package: libc6\nVersion: 2.41\n",
    "var/lib/dpkg/status.d/libc6.md5sums": MD5SUMS,
    "usr/lib/x86_64-linux-gnu/notes": link("nowhere"),
}
SERVICE: Files = {
    f"{SITE}/one/__init__.pyc": pyc(),
    f"{SITE}/one/native.so": elf(["libc.so.6"]),
    f"{SITE}/one-1.0.dist-info/METADATA": "Name: one\nVersion: 1.0\n\ntext",
    f"{SITE}/one-1.0.dist-info/RECORD": RECORD,
    f"{SITE}/one-1.0.dist-info/licenses/LICENSE": "MIT",
    "usr/share/sutra/cleanup.json": json.dumps(REPORT),
}


def good(
    files: Files | None = None,
    without: str = "",
    architecture: str = "amd64",
    history: tuple[str, ...] = (),
    **config: Any,
) -> Made:
    """Return the good image with `files` in its second layer, and other configuration.

    `without` is the beginning of paths that are left out.
    """
    first, second = (
        {path: item for path, item in layer.items() if not (without and path.startswith(without))}
        for layer in (BASE, {**SERVICE, **(files or {})})
    )
    first = {path: item for path, item in first.items() if path not in second}
    labels = {**CONFIG["Labels"], **config.pop("Labels", {})}
    return Made(
        [first, second],
        {**CONFIG, **config, "Labels": labels},
        architecture,
        [{"created_by": step} for step in history],
    )
