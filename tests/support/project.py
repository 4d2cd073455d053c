"""A small project: a bake file, a catalogue and Dockerfiles that build in a second.

Its images have unique names, and are removed afterwards.
"""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path

import docker

from scripts.engine import images
from tests.conftest import ROOT

# names what a project built that lost its tag to a later build
LABEL = "org.sutra.test"
BAKE = """
group "prod" {{ targets = ["{name}"] }}
target "{name}" {{
  dockerfile = "Dockerfile"
  labels     = {{ "LABEL" = "{name}" }}
  tags       = ["{name}:prod"]
}}
""".replace("LABEL", LABEL)
CATALOG = """
release: {{budget: {{installed: 1 MB, download: 1 MB}}}}
images:
  {name}: {{budget: {{installed: 1 MB, download: 1 MB}}, contents: {{FILE}}}}
""".replace(
    "FILE",
    ", ".join(
        f"{rule}: {{{{skip: true, because: it is one file}}}}"
        for rule in ("user", "command", "healthcheck", "labels")
    ),
)

# bake file of a base and of a service on it
ON_A_BASE = """
group "bases" {{ targets = ["{base}"] }}
group "prod" {{ targets = ["{base}", "{name}"] }}
target "{base}" {{
  dockerfile = "Dockerfile.base"
  labels     = {{ "LABEL" = "{name}" }}
  tags       = ["{base}:prod"]
  output     = ["type=docker"]
}}
target "{name}" {{
  contexts = {{ "{base}:prod" = "target:{base}" }}
  labels   = {{ "LABEL" = "{name}" }}
  tags     = ["{name}:prod"]
  output   = ["type=docker"]
}}
""".replace("LABEL", LABEL)


@dataclass(frozen=True)
class Project:
    """A folder with everything that `python -m scripts prod` reads."""

    folder: Path
    name: str

    def write(self, file: str, text: str) -> None:
        """Replace one of the project's files."""
        (self.folder / file).write_text(text)

    def command(self, module: str, *words: str) -> list[str]:
        """Return the command line of one of the scripts."""
        return [sys.executable, "-m", "scripts", module.replace("_", "-"), *words]

    def environment(self, **more: str) -> dict[str, str]:
        """Return an environment in which the scripts are found from this folder."""
        return {**os.environ, "PYTHONPATH": str(ROOT), "ALLOW_DIRTY": "1", **more}

    def run(self, module: str, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run one of the scripts in the project's folder."""
        return subprocess.run(
            self.command(module, *words),
            cwd=self.folder,
            env=self.environment(**environment),
            capture_output=True,
            text=True,
        )

    def tags(self, client: docker.DockerClient) -> set[str]:
        """Return the tags of the project's image, but for those that keep it for rollback."""
        return {tag for tag in self.all_tags(client) if not tag.startswith("kept-")}

    def all_tags(self, client: docker.DockerClient) -> set[str]:
        """Return all tags of the project's image that are there."""
        return images.repository_tags(client, self.name)


def make(folder: Path) -> Project:
    """Write a project whose one image is a single small file, in a new folder in `folder`.

    Its path is unique, as is its name: BuildKit keeps what it got from a path, and sends for a
    file again only when the size or the time is another. Tests of an earlier run may have had
    the same path, and files of equal size and time.
    """
    name = f"sutra-test-{uuid.uuid4().hex[:8]}"
    project = Project(folder / name, name)
    project.folder.mkdir()
    project.write("docker-bake.hcl", BAKE.format(name=project.name))
    project.write("images.yaml", CATALOG.format(name=project.name))
    project.write("content", "x" * 1000)
    project.write("Dockerfile", "FROM scratch\nCOPY content /content\n")
    return project


def remove(project: Project, client: docker.DockerClient) -> None:
    """Remove the project's images and those of its bases, also what lost its tag to a later build.

    By tag first: an image of a test's own bake file has no label.
    """
    for image in images.every(client, filters={"reference": f"{project.name}*"}):
        for tag in image["RepoTags"]:
            if tag.startswith(project.name):
                client.api.remove_image(tag)
    for image in images.every(client, filters={"label": f"{LABEL}={project.name}"}):
        client.api.remove_image(image["Id"])
