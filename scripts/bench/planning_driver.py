"""Program that scripts.bench.readers times: it plans a catalogue of many images, and checks it."""

from __future__ import annotations

from scripts.build import bake
from scripts.catalog import bake_match, catalog
from scripts.common.errors import OK, run
from scripts.engine import buildx


def main() -> int:
    """Check that images.yaml and the bake file of this folder name the same images."""
    tags = bake.requested_tags(buildx.bake_plan(("prod",), {}))
    bake_match.require_same_images(catalog.load(), tags, buildx.BAKE_FILE)
    return OK


if __name__ == "__main__":
    run(main)
