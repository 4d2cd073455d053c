"""A change of one service builds that service again, and nothing else."""

from __future__ import annotations

import os
import re
import subprocess
import uuid
from pathlib import Path

from scripts import bench, build, engine, roots

EXECUTED = re.compile(r"^#(\d+) \[(\S+) .*\] (?:RUN|COPY|WORKDIR)")


def executed(progress: str) -> set[str]:
    """Return the targets of which a plain progress shows a step that was not cached."""
    cached = set(re.findall(r"^#(\d+) CACHED$", progress, re.MULTILINE))
    found = map(EXECUTED.match, progress.splitlines())
    return {step[2] for step in found if step and step[1] not in cached}


def bake(folder: Path, context: str) -> str:
    """Build `prod` in `folder` into the cache alone, and return the plain progress."""
    environment = (
        os.environ
        | engine.BAKE_ENVIRONMENT
        | {"CA_BUNDLE": build.ca_bundle({}), "ROOT_CONTEXT": context}
    )
    command = [engine.find_client(), "buildx", "bake", "prod", "--progress", "plain"]
    done = subprocess.run(
        [*command, "--set", "*.output=type=cacheonly"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stderr


def test_one_changed_line_builds_one_service_again(
    client: object, production: object, tmp_path: Path
) -> None:
    bench.checkout(tmp_path)
    context = roots.context(client, roots.root_image(engine.bake_plan(["bases"], {})))
    assert executed(bake(tmp_path, context)) == set()
    with (tmp_path / "packages/sutra-api/src/sutra_api/app.py").open("a") as source:
        source.write(f"# changed by {uuid.uuid4()}\n")
    assert executed(bake(tmp_path, context)) == {"sutra-api"}
