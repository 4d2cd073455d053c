"""Tags of this machine's engine, put back after a workflow that builds and promotes on it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from scripts.cleaning.scope import LABEL

# name under which an image stays on the engine while a run moves its tags
HELD = "sutra-before-workflow"


@contextmanager
def put_back(project: str = "sutra") -> Iterator[None]:
    """Leave every tag of the project's images where it was: none new, moved or gone.

    An image that lost its tag to another one meanwhile is removed. What others tag meanwhile is
    not told apart: nothing else should build the project's images.
    """
    before, without_tag = tags(project), untagged(project)
    held = {
        f"{HELD}:{identity.partition(':')[2]}": identity for identity in sorted({*before.values()})
    }
    for name, identity in held.items():
        docker("image", "tag", identity, name)
    try:
        yield
    finally:
        after = tags(project)
        # removed before it is set again: a tag that moves leaves its image without one
        for tag in sorted(tag for tag in after if after[tag] != before.get(tag)):
            docker("image", "rm", tag)
        for tag in sorted(tag for tag in before if after.get(tag) != before[tag]):
            docker("image", "tag", before[tag], tag)
        for name in [*held, *sorted(untagged(project) - without_tag)]:
            docker("image", "rm", name)


def untagged(project: str) -> set[str]:
    """Return the ids of a project's images that have no tag."""
    words = ("--quiet", "--no-trunc", "--filter", "dangling=true")
    return set(docker("image", "ls", *words, "--filter", f"label={LABEL}={project}").split())


def tags(project: str) -> dict[str, str]:
    """Return the id of the image that each tag of a project is on."""
    words = ("--no-trunc", "--filter", f"label={LABEL}={project}")
    shown = docker("image", "ls", *words, "--format", "{{.Repository}}:{{.Tag}} {{.ID}}")
    pairs = (line.split() for line in shown.splitlines())
    return {
        tag: identity
        for tag, identity in pairs
        if "<none>" not in tag and not tag.startswith(f"{HELD}:")
    }


def docker(*words: str) -> str:
    """Return what a command of docker prints."""
    return subprocess.run(["docker", *words], check=True, capture_output=True, text=True).stdout
