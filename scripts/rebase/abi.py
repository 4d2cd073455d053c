"""What a base may not change under a service: named, before anything is loaded or started.

The whole of `make verify` runs on the result all the same. This says what is wrong in the words
of the base, not as forty files that no longer load.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from scripts.checks.contents.dynamic_loader import Loader, Missing
from scripts.checks.contents.rules_binaries import NOT_LOADED
from scripts.image.inventory import Inventory
from scripts.rebase.parts import Image

PYTHON = re.compile(r"(?:usr/)?bin/python(\d+\.\d+)")


def breaks(old: Image, new: Image, service: Image) -> Iterator[str]:
    """Yield what the configs alone say: another architecture, another user."""
    for key, what in (("architecture", "architecture"), ("os", "system")):
        before, after = service.config.get(key), new.config.get(key)
        if before != after:
            yield f'another {what} "{after}", the service is of "{before}"'
    before, after = (image.settings.get("User") or "0" for image in (old, new))
    if before != after:
        yield f'another user "{after}", the service\'s files are for "{before}"'


def breaks_inside(old: Inventory, new: Inventory, rebased: Inventory) -> Iterator[str]:
    """Yield what the files say: another Python, a library or a version of symbols that is gone."""
    before, after = _pythons(old), _pythons(new)
    if before and before != after:
        shown = ", ".join(sorted(after)) or "none"
        yield f"another Python ({shown}), the service is compiled for {', '.join(sorted(before))}"
        return  # hundreds of extensions would follow
    for missing in _closure(rebased):
        yield _in_words(missing)


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
