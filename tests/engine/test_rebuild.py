"""A change of one service builds that service again, and nothing else."""

from __future__ import annotations

import re
import uuid
from pathlib import Path

import docker

from scripts.bench import rebuilds
from tests.support.bake import bake

EXECUTED = re.compile(r"^#(\d+) \[(\S+) .*\] (?:RUN|COPY|WORKDIR)")


def executed(progress: str) -> set[str]:
    """Return the targets of which a plain progress shows a step that was not cached."""
    cached = set(re.findall(r"^#(\d+) CACHED$", progress, re.MULTILINE))
    matches = map(EXECUTED.match, progress.splitlines())
    return {step[2] for step in matches if step and step[1] not in cached}


def test_one_changed_line_builds_one_service_again(
    client: docker.DockerClient, production: object, tmp_path: Path
) -> None:
    into_the_cache = ["prod", "--set", "*.output=type=cacheonly"]
    rebuilds.checkout(tmp_path)
    assert executed(bake(client, tmp_path, *into_the_cache)) == set()
    with (tmp_path / "packages/sutra-api/src/sutra_api/app.py").open("a") as source:
        source.write(f"# changed by {uuid.uuid4()}\n")
    assert executed(bake(client, tmp_path, *into_the_cache)) == {"sutra-api"}
