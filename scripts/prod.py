"""`make prod`: build → verify → promote → one table. Each step has a make target of its own."""

from __future__ import annotations

from scripts import build, engine, promote
from scripts.errors import run


def main() -> int:
    """Build the production images, check them, and promote them when all passed."""
    client = engine.connect()
    build.build(client, [build.GROUP])
    return promote.verify_and_promote(client)


if __name__ == "__main__":
    run(main)
