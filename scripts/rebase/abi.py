"""What a base may not change under a service: named, before anything is loaded or started.

The whole of `make verify` runs on the result all the same. This says what is wrong in the words
of the base, not as forty files that no longer load.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from scripts.checks.contents.dynamic_loader import Loader, Missing
from scripts.checks.contents.rules_binaries import NOT_LOADED
from scripts.common.text import printable
from scripts.image.inventory import Inventory
from scripts.rebase.parts import Image

PYTHON = re.compile(r"(?:usr/)?bin/python(\d+\.\d+)")
# keys of a config that name its platform, and what a message calls them
PLATFORM = {
    "architecture": "architecture",
    "variant": "variant of its architecture",
    "os": "system",
    "os.version": "version of its system",
}
# variants that are the architecture itself: containerd's platforms/database.go
PLAIN = {("amd64", "v1"), ("arm64", "v8")}


def breaks(old: Image, new: Image, service: Image) -> Iterator[str]:
    """Yield what the configs alone say: another platform, another user."""
    for key, what in PLATFORM.items():
        before, after = (_platform(image, key) for image in (service, new))
        if before != after:
            yield f'another {what} "{after}", the service is of "{before}"'
    before, after = (str(image.settings.get("User") or "0") for image in (old, new))
    if before != after:
        yield f'another user "{_shown(after)}", the service\'s files are for "{_shown(before)}"'


def _platform(image: Image, key: str) -> str:
    """Return what a config says of its platform, as it is shown; "none" where it says nothing."""
    value = str(image.config.get(key) or "none")
    if key == "variant" and (str(image.config.get("architecture")), value) in PLAIN:
        return "none"
    return _shown(value)


def _shown(text: str) -> str:
    """Return a value of an image's own choice as a part of one line."""
    return printable(text[:80])


def breaks_inside(old: Inventory, new: Inventory, rebased: Inventory) -> Iterator[str]:
    """Yield what the files say: another machine, another Python, a library or a version of symbols
    that is gone.
    """
    if others := _of_other_machines(old, new):
        path, machine = others[0]
        more = f" (+{len(others) - 1} more)" if others[1:] else ""
        yield f'"{_shown(path)}"{more} is for another machine "{machine}"'
        return
    before, after = _pythons(old), _pythons(new)
    if before and before != after:
        shown = ", ".join(sorted(after)) or "none"
        yield f"another Python ({shown}), the service is compiled for {', '.join(sorted(before))}"
        return  # hundreds of extensions would follow
    for missing in _closure(rebased):
        yield _in_words(missing)


def _of_other_machines(old: Inventory, new: Inventory) -> list[tuple[str, str]]:
    """Return the new base's programs and libraries for a machine that the old one has none for."""
    machines = {machine for _, machine in _compiled(old)}
    return [row for row in _compiled(new) if machines and row[1] not in machines]


def _compiled(image: Inventory) -> Iterator[tuple[str, str]]:
    """Yield path and machine of each program and library."""
    for path, entry in image.files.items():
        if entry.elf and entry.elf.machine and entry.elf.kind not in NOT_LOADED:
            yield path, entry.elf.machine


def _pythons(image: Inventory) -> set[str]:
    matches = (PYTHON.fullmatch(path) for path in image.files)
    return {match[1] for match in matches if match}


def _closure(image: Inventory) -> Iterator[Missing]:
    """Yield what the image's programs and libraries need and would not find."""
    variables = (image.config.get("config") or {}).get("Env") or ()
    path = dict(variable.partition("=")[::2] for variable in variables).get("LD_LIBRARY_PATH", "")
    objects = {
        entry.path: entry.elf
        for entry in image.files.values()
        if entry.elf and entry.elf.kind not in NOT_LOADED and entry.kind == "file"
    }
    yield from Loader(image, path).closure(objects)


def _in_words(missing: Missing) -> str:
    if missing.version:
        return (
            f'symbol version "{missing.version}" is gone from "{missing.library}", '
            f'"{missing.path}" needs it'
        )
    return f'library "{missing.library}" is gone, "{missing.path}" needs it'
