"""`make prod`: build → verify → promote → one table. Each step has a make target of its own."""

from __future__ import annotations

import os

from scripts import build, engine, promote
from scripts.errors import run


def main() -> int:
    """Build the production images, check them, and promote them when all passed."""
    return make(engine.connect())


def make(client: engine.Client, no_cache: bool = False) -> int:
    """Build, verify and promote; return the exit code. `no_cache` runs every step again."""
    options = promote.Options.read(os.environ)  # a wrong one ends it before the build
    build.build(client, [build.GROUP], no_cache=no_cache)
    return promote.verify_and_promote(client, options)


if __name__ == "__main__":
    run(main)
