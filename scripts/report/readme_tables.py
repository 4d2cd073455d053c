"""Tables of figures in documents: measured, never typed.

The block `sizes` of README.md has what was measured of the images in the engine, beside the
development images. The block `bases` of docs/debian-or-alpine.md is written by bench.bases.
"""

from __future__ import annotations

import re
from pathlib import Path

from scripts.catalog.catalog import Catalog
from scripts.common import files
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
        development = BEFORE.get(image.name, f"{image.name}:dev")
        before = read_layers.measure(client, development)
        if before is None:
            raise SutraError(f'readme: not built "{development}"', "run `make dev`")
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


def write(name: str, block: str, document: Path = README) -> None:
    """Replace what is between `<!-- name -->` and `<!-- /name -->` in a document.

    Raises SutraError where the document has no such block, or cannot be written.
    """
    marked = marked_block(name)
    try:
        text = document.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        problem = getattr(error, "strerror", None) or "not UTF-8"
        raise SutraError(
            f"{document}: cannot be read: {problem}", f"`git checkout {document}`"
        ) from error
    if not marked.search(text):
        raise SutraError(f"{document}: no <!-- {name} --> block", "put the two markers back")
    written = marked.sub(lambda block_found: block_found[1] + block + block_found[2], text)
    files.write(document, written, "readme", f"`ls -l {document}`")
