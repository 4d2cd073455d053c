"""The BuildKit that builds: the engine's own, or a builder that buildx knows (`BUILDER=name`).

`docker buildx inspect` prints text and nothing else; what is read of it is the same from
buildx 0.10 on.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from scripts.common.errors import SutraError
from scripts.engine import builder_nodes, buildx, images
from scripts.engine import client as engine
from scripts.engine.builder_nodes import Node

KNOB = "BUILDER"
# buildx's own name for the knob
BUILDX_KNOB = "BUILDX_BUILDER"
OWN_DRIVER = "docker"
REMOTE_DRIVER = "remote"
# keys in buildx's metadata file: digests of an image's manifest and configuration
DIGEST, CONFIG_DIGEST = "containerimage.digest", "containerimage.config.digest"


@dataclass(frozen=True)
class Builder:
    """A builder of buildx: its name, its driver and its nodes, in the order of their creation."""

    name: str
    driver: str
    nodes: tuple[Node, ...] = ()

    @property
    def is_engine(self) -> bool:
        """Return whether it is the engine's own BuildKit, which sees the engine's images."""
        return self.driver == OWN_DRIVER


OWN = Builder("default", OWN_DRIVER)
# buildx's messages for a builder that ended or cannot be reached
GONE = (
    r"error reading from server|waiting for connection|failed to receive status|"
    r"failed to list workers|transport is closing"
)


def variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what tells buildx of the builder that BUILDER names; nothing without one.

    Raises SutraError where BUILDX_BUILDER names another.
    """
    name, other = environment.get(KNOB, ""), environment.get(BUILDX_KNOB, "")
    if name and other and name != other:
        raise SutraError(
            f'{KNOB}: not the builder that {BUILDX_KNOB} names "{name}", "{other}"',
            f"set one of the two: `unset {BUILDX_KNOB}`",
        )
    return {BUILDX_KNOB: name} if name else {}


def find(environment: Mapping[str, str] = os.environ) -> Builder:
    """Return the builder that buildx would use. Raises SutraError where none answers.

    A builder in a container that does not run yet is started by the first build.
    """
    chosen = variables(environment)
    done = subprocess.run(
        [buildx.find_client(), "buildx", "inspect"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment, **chosen},
    )
    name = chosen.get(BUILDX_KNOB) or environment.get(BUILDX_KNOB) or "default"
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no reason given"]
        raise SutraError(
            f'builder: cannot use "{name}": {lines[-1].removeprefix("ERROR: ")}',
            "`docker buildx ls` lists the builders; docs/build-farm.md shows how to make one",
        )
    builder = parse(done.stdout)
    if not any(node.runs for node in builder.nodes):
        refuse_silent(builder, builder.nodes, f"build without {KNOB}")
    return builder


def require_nodes(builder: Builder, architecture: str) -> None:
    """Raise SutraError where a node that is to build for an architecture does not answer."""
    if missing := builder_nodes.silent(builder.nodes, architecture):
        take_out = f"docker buildx create --name {builder.name} --leave --node {missing[0].name}"
        refuse_silent(builder, missing, f"take it out: `{take_out}`")


def refuse_silent(builder: Builder, nodes: Iterable[Node], otherwise: str) -> None:
    """Raise SutraError for nodes without an answer, but for those that a build starts itself."""
    if builder.driver == REMOTE_DRIVER:
        raise SutraError(
            f'builder: no answer from "{builder.name}" at '
            f"{', '.join(node.address for node in nodes)}",
            f"check that buildkitd runs there and takes this certificate "
            f"(`docker buildx inspect {builder.name}`), or {otherwise}",
        )


def takes_layouts(client: engine.Client, builder: Builder) -> bool:
    """Return whether the builder reads OCI layouts: not the one in an engine's classic store."""
    return not builder.is_engine or engine.has_containerd_store(client)


def refuse_other_images(
    client: engine.Client, builder: Builder, staged: Mapping[str, str], metadata: Path
) -> None:
    """Raise SutraError when what the engine holds is not what the builder says that it built.

    `staged` has the reference of each target, `metadata` what buildx wrote of them. With
    the containerd store an image's id is its manifest's digest, with the classic one its
    configuration's, which a BuildKit from 0.30 on leaves out: there nothing is compared.
    """
    written, containerd = json.loads(metadata.read_text()), engine.has_containerd_store(client)
    for target, reference in staged.items():
        digest = written.get(target, {}).get(DIGEST if containerd else CONFIG_DIGEST)
        held = (images.inspect(client, reference) or {}).get("Id")
        if digest and digest != held:
            raise SutraError(
                f'build: the engine holds another image than "{builder.name}" built '
                f'"{reference}": {held}, expected {digest}',
                "run `make build` again; nothing was tagged",
            )


def parse(text: str) -> Builder:
    """Return the builder that `docker buildx inspect` printed.

    A node that does not answer has another status than "running", or an error in its place.
    """
    value = builder_nodes.value
    return Builder(value("Name", text), value("Driver", text), tuple(builder_nodes.parse(text)))
