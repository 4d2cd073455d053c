"""container-structure-test of one image, timed as its users run it, with nothing left of it.

It removes its containers without their volumes. Those are removed outside of the time, by the
engine's events about a tag that it alone was given.
"""

from __future__ import annotations

import os
import sys
import uuid
from pathlib import Path

from scripts.bench.rebuilds import timed
from scripts.common import reference as references
from scripts.engine import client as engine
from scripts.engine import leftovers

CONFIG = """\
schemaVersion: 2.0.0
metadataTest: {user: "10001:10001"}
fileExistenceTests: [{name: records, path: /etc/passwd, shouldExist: true}]
"""


def seconds(client: engine.Client, program: str, image: str, folder: Path) -> float:
    """Return the seconds of the image's user and of one file of it; CONFIG is put into `folder`.

    Says on stderr how many volumes may be left. Raises SutraError where the image fails.
    """
    config = folder / "structure.yaml"
    config.write_text(CONFIG)
    name = f"{references.parse(image).name}:bench-{uuid.uuid4().hex[:8]}"
    tagged = leftovers.tag(client, image, name)
    try:
        return timed([program, "test", "--config", str(config), "--image", name], os.environ)
    finally:
        if count := leftovers.remove_all(client, tagged):
            print(warning(image, count), file=sys.stderr)


def warning(image: str, count: int) -> str:
    """Return the line for volumes of container-structure-test that may be somebody else's."""
    volumes = "1 anonymous volume" if count == 1 else f"{count} anonymous volumes"
    return (
        f"bench: {volumes} of container-structure-test may be left of {image}: somebody else used "
        "the engine meanwhile, and they cannot be told apart (`docker volume ls -f dangling=true`)"
    )
