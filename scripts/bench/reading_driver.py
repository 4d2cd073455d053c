"""Program that scripts.bench.readers times: it reads images as verifiers do, and nothing more.

eg: python -m scripts.bench.reading_driver /tmp/empty sutra-api:prod sutra-hybrid:prod
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

from scripts.common.errors import OK, SutraError, run
from scripts.image import first_reading


def main() -> int:
    """Read sizes, owners and the facts of every file, into a cache."""
    cache, images = Path(sys.argv[1]), sys.argv[2:]
    first_reading.prepare(cache)  # before the engine's SDK is loaded, as `python -m scripts` does
    client = import_module("scripts.engine.client").connect()
    sources = import_module("scripts.image.read_layers").read_together(client, images, cache)
    inventory = import_module("scripts.image.inventory")
    for image in images:
        content = inventory.read(client, image, cache, sources.get(image))
        if content is None:
            raise SutraError(f'bench: not built "{image}"', "run `make build`")
        assert content.owners()  # noqa: S101 - computes them, a part of what is timed
    return OK


if __name__ == "__main__":
    run(main)
