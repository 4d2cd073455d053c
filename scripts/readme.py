"""Write the tables of figures into README.md: measured, never typed.

Between `<!-- sizes -->` and `<!-- /sizes -->` stands what was measured of the
images in the engine, beside the development images where those are built. The block
`bases` is written by scripts.bench_bases.
"""

from __future__ import annotations

import re
from pathlib import Path

from scripts import catalog, engine, layers, report
from scripts.catalog import Catalog
from scripts.errors import OK, SutraError, run
from scripts.sizes import limits, measure
from scripts.sizes.figures import Measured
from scripts.units import format_size

README = Path("README.md")
# the toolchain image that a runtime base replaces has a name of its own
BEFORE = {"sutra-base-rust-runtime": "sutra-base-rust:dev"}


def savings(client: engine.Client, promises: Catalog, measured: dict[str, Measured]) -> str:
    """Return a Markdown table of development against production images, installed sizes."""
    lines = ["| image | development | production | saved |", "|---|--:|--:|--:|"]
    for image in promises.images:
        before = layers.measure(client, BEFORE.get(image.name, f"{image.name}:dev"))
        if before is None:
            raise SutraError(f'readme: not built "{image.name}:dev"', "run `make dev`")
        after = measured[image.name].installed
        saved = 1 - after / before.installed
        lines.append(
            f"| {image.name} | {format_size(before.installed)} "
            f"| {format_size(after)} | {saved:.1%} |"
        )
    return "\n".join(lines)


def main() -> int:
    """Measure all images and rewrite the block."""
    client, promises = engine.connect(), catalog.load()
    measured = measure.measure_all(client, promises)
    sizes = report.as_text(limits.verify(promises, measured), "markdown")
    write("sizes", f"{sizes}\n\n{savings(client, promises, measured)}\n")
    return OK


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


if __name__ == "__main__":
    run(main)
