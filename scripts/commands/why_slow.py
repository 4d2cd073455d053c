"""Say what a service imports when it starts, how long that takes, and what could wait."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from rich.table import Table

from scripts.catalog import catalog
from scripts.catalog.catalog import Catalog, Image
from scripts.checks.runtime import deferred_imports, import_time
from scripts.checks.runtime.deferred_imports import Deferrable
from scripts.checks.runtime.import_time import Import, Spent
from scripts.checks.sizes.growth import PROMOTED
from scripts.common import arguments, terminal
from scripts.common.errors import OK, SutraError
from scripts.common.text import counted
from scripts.engine import client as engine
from scripts.engine import images
from scripts.image import inventory

FORMATS = ("table", "json")
STARTS = 3
# rows of the table of modules; JSON has all
MOST = 20


@dataclass(frozen=True)
class Profile:
    """The imports of one image's start, and what each owner's took."""

    reference: str
    imports: list[Import]
    owners: list[Spent]
    whose: dict[str, str]

    @property
    def total_us(self) -> int:
        """Microseconds of all imports."""
        return sum(module_import.own_us for module_import in self.imports)


def profile(
    client: engine.Client, promises: Catalog, image: Image, reference: str
) -> Profile | None:
    """Return what `reference` imports, started as `image` is; None where it is not there."""
    inspected = images.inspect(client, reference)
    content = inventory.read(client, inspected["Id"]) if inspected else None
    if inspected is None or content is None:
        return None
    imports = import_time.measure(client, promises, image, inspected, STARTS)
    whose = import_time.owners(content)
    return Profile(reference, imports, import_time.by_owner(imports, whose), whose)


def as_json(now: Profile, before: Profile | None, waiting: Sequence[Deferrable]) -> str:
    """Return everything as JSON; times are microseconds."""

    def plain(shown: Profile) -> dict[str, object]:
        modules = [
            {
                **asdict(module_import),
                "owner": shown.whose.get(module_import.module, import_time.BUILT_IN),
            }
            for module_import in shown.imports
        ]
        owners = [asdict(owner) for owner in shown.owners]
        return {
            "image": shown.reference,
            "total_us": shown.total_us,
            "owners": owners,
            "modules": modules,
        }

    return json.dumps(
        {
            "now": plain(now),
            "before": plain(before) if before else None,
            "deferrable": [asdict(deferrable) for deferrable in waiting],
        },
        indent=2,
    )


def _ms(us: int | None) -> str:
    return "" if us is None else f"{us / 1000:.1f}"


def owner_table(now: Profile, before: Profile | None) -> Table:
    """Return a row an owner: modules, milliseconds, those of the promoted image, the change."""
    drawn = Table("owner", "modules", "ms", "before", "change")
    old = {owner.owner.partition(" ")[0]: owner.own_us for owner in before.owners} if before else {}
    for owner in now.owners:
        earlier = old.get(owner.owner.partition(" ")[0], 0) if before else None
        change = "" if earlier is None else f"{(owner.own_us - earlier) / 1000:+.1f}"
        drawn.add_row(owner.owner, str(owner.modules), _ms(owner.own_us), _ms(earlier), change)
    total = before.total_us if before else None
    change = "" if total is None else f"{(now.total_us - total) / 1000:+.1f}"
    drawn.add_section()
    drawn.add_row("all", str(len(now.imports)), _ms(now.total_us), _ms(total), change)
    return drawn


def module_table(now: Profile, before: Profile | None) -> Table:
    """Return the modules that take the longest by themselves."""
    drawn = Table("module", "owner", "ms", "with its imports", "before", "imported by")
    old = (
        {module_import.module: module_import.own_us for module_import in before.imports}
        if before
        else {}
    )
    for module_import in sorted(now.imports, key=lambda by_time: -by_time.own_us)[:MOST]:
        owner = now.whose.get(module_import.module, import_time.BUILT_IN)
        earlier = _ms(old.get(module_import.module))
        drawn.add_row(
            module_import.module,
            owner,
            _ms(module_import.own_us),
            _ms(module_import.whole_us),
            earlier,
            module_import.importer,
        )
    return drawn


def deferrable_lines(waiting: Sequence[Deferrable]) -> list[str]:
    """Return a line for each import that could wait."""
    if not waiting:
        return ["no import of ours could wait: each is used when its module is imported"]
    return [
        f"could wait until a function needs it: {deferrable.importer} imports {deferrable.module}: "
        f"up to {_ms(deferrable.us)} ms, {counted(deferrable.modules, 'module')}"
        for deferrable in waiting
    ]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("image", help="a service of images.yaml")
    arguments.value(parser, "from", "the image to compare with; default: IMAGE:latest")
    arguments.value(parser, "format", "how to print", FORMATS)


def main(options: argparse.Namespace) -> int:
    """Start the image and the promoted one, and print what their imports take."""
    form = arguments.output_format(options, FORMATS)
    promises = catalog.load()
    image = promises.find(options.image)
    client = engine.connect()
    earlier = arguments.knobs(options).get("FROM") or f"{image.name}:{PROMOTED}"
    now = profile(client, promises, image, image.reference)
    if now is None:
        raise promises.not_built(image, image.reference)
    before = profile(client, promises, image, earlier)
    if before is None and arguments.knobs(options).get("FROM"):
        raise SutraError(f'why-slow: no such image "{earlier}"', "`docker images` lists them")
    names = [name for name, owner in now.whose.items() if owner.partition(" ")[0] == image.name]
    waiting = deferred_imports.find(client, image.reference, now.imports, names)
    if form == "json":
        print(as_json(now, before, waiting))
        return OK
    console = terminal.console()
    compared = f"against {earlier}" if before else f"nothing to compare with, no {earlier}"
    console.print(
        f"{image.reference}: imports, the lowest of {STARTS} starts, {compared}", markup=False
    )
    console.print(owner_table(now, before))
    console.print(module_table(now, before))
    for line in deferrable_lines(waiting):
        console.print(line, markup=False, soft_wrap=True)
    return OK
