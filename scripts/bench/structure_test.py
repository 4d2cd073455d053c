"""container-structure-test of one image, timed, with nothing left of it on the engine.

It removes its containers without their volumes, which nothing names afterwards. So it keeps its
containers here, and all of it is removed outside of the time, by a tag that it alone was given.
"""

from __future__ import annotations

import os
import uuid
from pathlib import Path

from scripts.bench.rebuilds import timed
from scripts.common import reference as references
from scripts.engine import client as engine
from scripts.engine import images, leftovers

CONFIG = """\
schemaVersion: 2.0.0
metadataTest: {user: "10001:10001"}
fileExistenceTests: [{name: records, path: /etc/passwd, shouldExist: true}]
"""


def seconds(client: engine.Client, program: str, image: str, folder: Path) -> float:
    """Return the seconds of the image's user and of one file of it; CONFIG is put into `folder`.

    Raises SutraError where the image fails.
    """
    config = folder / "structure.yaml"
    config.write_text(CONFIG)
    tag = f"{references.parse(image).name}:bench-{uuid.uuid4().hex[:8]}"
    images.tag(client, image, tag)
    try:
        return timed(
            [program, "test", "--config", str(config), "--image", tag, "--save"], os.environ
        )
    finally:
        leftovers.remove_all(client, tag)
