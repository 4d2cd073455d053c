"""Run bake in another checkout, as `make build` does, with plain progress."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import docker

from scripts.build import root_image
from scripts.common import settings
from scripts.engine import buildx


def bake(client: docker.DockerClient, folder: Path, *words: str) -> str:
    """Run `docker buildx bake` with `words` in `folder`; return the progress of a success."""
    context = root_image.context(client, root_image.root_image(buildx.bake_plan(["bases"], {})))
    environment = (
        os.environ
        | buildx.BAKE_ENVIRONMENT
        | {"CA_BUNDLE": settings.ca_bundle({}), "ROOT_CONTEXT": context}
    )
    command = [buildx.find_client(), "buildx", "bake", "--progress", "plain", *words]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stderr
