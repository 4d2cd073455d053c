"""Find imports of our own modules that could wait: names that only functions use.

Found by the bytecode, inside the image, whose Python is the one that understands it: an import
at the top of a module whose names neither the module's own code nor a class body loads.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from scripts.checks.runtime.import_time import Import
from scripts.common.errors import SutraError
from scripts.engine import client as engine
from scripts.engine import sandbox
from scripts.engine.sandbox import Setup

SECONDS = 60
MARKER = "sutra-deferred "
INSIDE = Path(__file__).with_name("deferred_inside.py")


@dataclass(frozen=True)
class Deferrable:
    """An import that could wait, and the most microseconds and modules that it would save."""

    importer: str
    module: str
    us: int
    modules: int


def find(
    client: engine.Client, image: str, imports: Iterable[Import], ours: Iterable[str]
) -> list[Deferrable]:
    """Return what modules of `ours` import for their functions alone, the longest first.

    Only what they are the first to import counts: another module would import the rest.
    """
    by_module = {module_import.module: module_import for module_import in imports}
    modules = sorted(set(ours) & by_module.keys())
    if not modules:
        return []
    setup = Setup(image, ("python3", "-c", INSIDE.read_text(), MARKER, *modules))
    code, output = sandbox.run(client, setup, SECONDS)
    answer = [line for line in output.splitlines() if line.startswith(MARKER)]
    if code != 0 or not answer:
        raise SutraError(
            f'why-slow: bytecode cannot be read "{sandbox.one_line(output)}"',
            "run `make verify-runtime`: it says whether the image's Python works",
        )
    return sorted(
        _joined(json.loads(answer[-1].removeprefix(MARKER)), by_module),
        key=lambda deferrable: -deferrable.us,
    )


def _joined(
    rows: list[tuple[str, str, str, bool]], by_module: dict[str, Import]
) -> list[Deferrable]:
    used: set[tuple[str, str]] = set()
    waiting: set[tuple[str, str]] = set()
    for importer, full_name, target, is_used in rows:
        module = full_name if full_name in by_module else target
        (used if is_used else waiting).add((importer, module))
    return [
        Deferrable(importer, module, by_module[module].whole_us, _below(module, by_module))
        for importer, module in waiting - used
        if module in by_module and by_module[module].importer == importer
    ]


def _below(module: str, by_module: dict[str, Import]) -> int:
    """Return how many modules an import brought, itself among them."""
    count = 0
    for module_import in by_module.values():
        name, steps = module_import.module, 0
        while name and name != module and steps < len(by_module):
            name, steps = by_module[name].importer if name in by_module else "", steps + 1
        count += name == module
    return count
