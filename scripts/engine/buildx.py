"""`docker buildx`: the bake file's plan, and builds of its targets.

The SDK cannot speak to BuildKit (docker-py #2230), so builds go through the command.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from scripts.common.errors import EngineError, SutraError
from scripts.engine import client as engine
from scripts.engine import process

BAKE_FILE = Path("docker-bake.hcl")
BUILD = Path(".build")
BAKE_ENVIRONMENT = {
    # attestations carry the time of the build, so that no two builds are the same image
    "BUILDX_NO_DEFAULT_ATTESTATIONS": "1",
    # buildx 0.20 and newer ask before they read a secret outside the folder, such as the
    # certificates; this bake file is our own
    "BUILDX_BAKE_ENTITLEMENTS_FS": "0",
    # buildx before 0.17 loads targets that are only built upon: 1 GB of toolchain without a name
    "BUILDX_NO_DEFAULT_LOAD": "1",
}
# beside PATH: where distributions and Docker's packages put a client with plugins
CLIENTS = ("docker", "/usr/bin/docker", "/usr/local/bin/docker")
# paths of clients whose buildx has worked in this process
_WORKING: set[str] = set()


def find_client() -> str:
    """Return the first docker client whose buildx works.

    A newer client without plugins may come earlier on PATH. One that works is not tried again:
    a command asks for it several times, and each try takes a tenth of a second. Raises SutraError.
    """
    for client in (os.environ.get("DOCKER") or "docker", *CLIENTS[1:]):
        path = shutil.which(client)
        if path and (path in _WORKING or _runs_buildx(path)):
            _WORKING.add(path)
            return path
    raise EngineError("no docker client with a working buildx plugin", engine.TIP)


def _runs_buildx(path: str) -> bool:
    return subprocess.run([path, "buildx", "version"], capture_output=True).returncode == 0


def bake_plan(targets: Sequence[str], environment: Mapping[str, str]) -> dict[str, Any]:
    """Return `docker buildx bake --print` of `targets`: `{"group": …, "target": {name: …}}`.

    Raises SutraError for a bake file or a target that buildx refuses.
    """
    command = [find_client(), "buildx", "bake", "-f", str(BAKE_FILE), "--print", *targets]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )
    if done.returncode:
        reason = next(
            (line for line in done.stderr.splitlines() if line.startswith("ERROR")),
            done.stderr.strip(),
        )
        raise SutraError(
            f"{BAKE_FILE}: {reason.removeprefix('ERROR: ')}",
            "fix it, then run `make build` again",
        )
    return dict(json.loads(done.stdout))


@contextmanager
def metadata_file() -> Iterator[Path]:
    """Yield where `bake` may write what it built, in the checkout; it is removed afterwards."""
    BUILD.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BUILD, prefix=".metadata-") as folder:
        yield Path(folder) / "metadata.json"


def bake(
    targets: Sequence[str],
    overrides: Sequence[str],
    environment: Mapping[str, str],
    metadata: Path | None = None,
) -> tuple[int, list[str]]:
    """Build `targets` with BuildKit's own progress on stderr.

    `overrides` are values of `--set`; `metadata` is a file for buildx to write what it
    built to. Return the exit code and the last lines of the progress, from which a
    failure can be explained.
    """
    command, own = bake_command(targets, overrides)
    more = [f"--metadata-file={metadata}"] if metadata else []
    return process.tee([*command, *more], {**own, **environment})


def bake_command(
    targets: Sequence[str], overrides: Sequence[str] = ()
) -> tuple[list[str], dict[str, str]]:
    """Return the command that builds `targets`, and the environment that it wants."""
    command = [find_client(), "buildx", "bake", "-f", str(BAKE_FILE)]
    command += [word for value in overrides for word in ("--set", value)]
    return [*command, *targets], {**os.environ, **BAKE_ENVIRONMENT}
