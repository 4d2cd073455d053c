"""Program that scripts.bench.readers times: it reads images as verifiers do, and nothing more.

eg: python -m scripts.bench.reading_driver /tmp/empty sutra-api:prod sutra-hybrid:prod
"""

from __future__ import annotations

import sys
from pathlib import Path

from scripts.common.errors import OK, SutraError, run
from scripts.engine import client as engine
from scripts.image import inventory, read_layers


def main() -> int:
    """Read sizes, owners and the facts of every file, into a cache."""
    cache, images = Path(sys.argv[1]), sys.argv[2:]
    client = engine.connect()
    read_layers.read_together(client, images, cache)
    for image in images:
        content = inventory.read(client, image, cache)
        if content is None:
            raise SutraError(f'bench: not built "{image}"', "run `make build`")
        assert content.owners()  # noqa: S101 - computes them, a part of what is timed
    return OK


if __name__ == "__main__":
    run(main)
