"""A group of images of a few bytes under separate names, and the folder that promotes them.

Made by the engine's import, so that a group takes milliseconds; the labels say what a
build would.
"""

from __future__ import annotations

import io
import sys
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import docker

from scripts.engine import images

IMAGE = """\
  {name}:
    budget: {{installed: 1 MB, download: 1 MB}}
    contents:
      user: {{skip: true, because: it is one file}}
      command: {{skip: true, because: it is one file}}
      healthcheck: {{skip: true, because: it is one file}}
      labels: {{skip: true, because: it is one file}}
"""
# patterns of a group's tags: its own, and those with a registry and a folder (`*` matches no slash)
OWN, PULLED = "{}*", "*/*/{}*"
# the number of images that are removed at the same time
AT_ONCE = 8
REASON = "    not_promoted_because: builders start from it\n"


class Group:
    """Three images, the first a base whose `:latest` is not promoted."""

    def __init__(self, client: docker.DockerClient, folder: Path, word: str) -> None:
        self.client, self.folder = client, folder
        self.base, self.api, self.hybrid = (
            f"sutra-test-{word}-{name}" for name in ("base", "api", "hybrid")
        )
        self.names = (self.base, self.api, self.hybrid)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "images.yaml").write_text(
            "release: {budget: {installed: 1 MB, download: 1 MB}}\nimages:\n"
            + "".join(map(self._entry, self.names))
        )

    def _entry(self, name: str) -> str:
        return IMAGE.format(name=name) + (REASON if name == self.base else "")

    def write_bake_file(self) -> None:
        """Name the images as targets: what a provenance says of how they were built."""
        (self.folder / "docker-bake.hcl").write_text(
            "".join(f'target "{name}" {{ dockerfile = "Dockerfile" }}\n' for name in self.names)
        )

    def build(self, content: str, revision: str = "") -> dict[str, str]:
        """Give each image this content under `:prod`; return name → the engine's id."""
        ids = {}
        for name in self.names:
            change = [f"LABEL org.opencontainers.image.revision={revision}"] if revision else []
            self.client.api.import_image_from_data(
                archive(f"{name} {content}"), repository=name, tag="prod", changes=change
            )
            ids[name] = str(self.client.images.get(f"{name}:prod").id)
        return ids

    def tags(self, *but: str) -> dict[str, str]:
        """Return every tag of the group → its id, but for those that begin with one of `but`."""
        return {
            tag: identity
            for tag, identity in self._matching(OWN).items()
            if not tag.rpartition(":")[2].startswith(but or ("\0",))
        }

    @property
    def _prefix(self) -> str:
        return self.api.removesuffix("api")

    def _matching(self, *patterns: str) -> dict[str, str]:
        """Return every tag of the group that the engine finds by one of `patterns` → its id."""
        names = [pattern.format(self._prefix) for pattern in patterns]
        return {
            tag: image["Id"]
            for image in images.every(self.client, filters={"reference": names})
            for tag in image["RepoTags"] or ()
            if self._prefix in tag
        }

    def remove(self) -> None:
        """Remove the group's images, also those that a deployment pulled from a registry.

        By tag: containerd's store clears up after each last tag of an image, which takes a while,
        and by an image's id it would after every tag. Several at once: it clears up once for all
        that wait for it.
        """
        tags = self._matching(OWN, PULLED)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda tag: self.client.api.remove_image(tag, noprune=True), tags))

    def command(self, module: str, *words: str) -> list[str]:
        """Return the command line of one of the scripts."""
        return [sys.executable, "-m", "scripts", module.replace("_", "-"), *words]


def archive(content: str, path: str = "content") -> bytes:
    """Return a tar with one file."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        member = tarfile.TarInfo(path)
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content.encode()))
    return packed.getvalue()
