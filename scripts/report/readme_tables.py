"""Write the tables of figures into README.md: measured, never typed.

Between `<!-- sizes -->` and `<!-- /sizes -->` stands what was measured of the
images in the engine, beside the development images where those are built. The block
`bases` is written by scripts.bench.bases.
"""

from __future__ import annotations

import re
from pathlib import Path

from scripts.catalog.catalog import Catalog
from scripts.common.errors import SutraError
from scripts.common.units import format_size
from scripts.engine import client as engine
from scripts.image import read_layers
from scripts.oci.layer import Measured

README = Path("README.md")
# the toolchain image that a runtime base replaces has a name of its own
BEFORE = {"sutra-base-rust-runtime": "sutra-base-rust:dev"}


def savings(client: engine.Client, promises: Catalog, measured: dict[str, Measured]) -> str:
    """Return a Markdown table of development against production images, installed sizes."""
    lines = ["| image | development | production | saved |", "|---|--:|--:|--:|"]
    for image in promises.images:
        before = read_layers.measure(client, BEFORE.get(image.name, f"{image.name}:dev"))
        if before is None:
            raise SutraError(f'readme: not built "{image.name}:dev"', "run `make dev`")
        after = measured[image.name].installed
        saved = 1 - after / before.installed
        lines.append(
            f"| {image.name} | {format_size(before.installed)} "
            f"| {format_size(after)} | {saved:.1%} |"
        )
    return "\n".join(lines)


def marked_block(name: str) -> re.Pattern[str]:
    """Return what finds the two markers of a block, with all between them."""
    return re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)


def write(name: str, block: str) -> None:
    """Replace what stands between `<!-- name -->` and `<!-- /name -->` in README.md."""
    marked = marked_block(name)
    text = README.read_text()
    if not marked.search(text):
        raise SutraError(f"{README}: no <!-- {name} --> block", "put the two markers back")
    partial = README.with_suffix(".partial")
    partial.write_text(marked.sub(lambda found: found[1] + block + found[2], text))
    partial.rename(README)
