"""Try proposals by the cleanup's own proof: every module that stays must load without them.

It runs on a copy of the image's tree in a container of the toolchain image, as in the builder:
no network, no capability, and removed afterwards. The image and the checkout stay as they are.
"""

from __future__ import annotations

import io
import json
import posixpath
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from scripts.common.errors import EngineError
from scripts.common.text import printable
from scripts.engine import client as engine
from scripts.engine import containers, images, sandbox
from scripts.engine.sandbox import Setup

TOOLS = "sutra-base-python:latest"
# folders of the image: what is cleaned, and our own modules, which some of it may import
TREE, OURS = "/opt/sutra", "/app"
ROOT = Path(__file__).resolve().parents[2]
LIBRARY = ROOT / "base-images/lib/sutra_cleanup"
INSIDE = Path(__file__).with_name("proof_inside.py")
PLACE = "proof"
MARKER = "sutra-floor "
# seconds for all rounds, and for the last round to end
SECONDS, GRACE = 300, 120


@dataclass(frozen=True)
class Proof:
    """Globs that were proven together, those that break something and what, by glob.

    `why` says why others are not tried.
    """

    proven: frozenset[str] = frozenset()
    broken: Mapping[str, str] = field(default_factory=dict)
    why: str = ""


def prove(client: engine.Client, image: str, globs: Sequence[str]) -> Proof:
    """Return what the proof says of an image without what `globs` name."""
    if not globs:
        return Proof()
    if images.inspect(client, TOOLS) is None:
        return Proof(why=f"no image {TOOLS}, `make dev` builds it")
    try:
        return _prove(client, image, globs)
    except EngineError as error:  # the trace is shown without a proof
        return Proof(why=error.message)


def _prove(client: engine.Client, image: str, globs: Sequence[str]) -> Proof:
    words = [MARKER, TREE, str(SECONDS), json.dumps(globs)]
    line = f'cd {OURS} && exec python3 -B /{PLACE}/{INSIDE.name} "$@"'
    setup = Setup(
        TOOLS,
        ("sh", "-c", line, "proof", *words),
        read_only=False,
        environment=(f"PYTHONPATH=/{PLACE}",),
    )
    with (
        sandbox.container(client, Setup(image, ("/never-started",))) as source,
        sandbox.container(client, setup) as container,
    ):
        for folder in (TREE, OURS):
            _copy(client, str(source.id), str(container.id), folder)
        with engine.request("copy the proof into a container"):
            client.api.put_archive(str(container.id), "/", program())
        try:
            sandbox.start(container)
        except containers.CommandError as refused:
            return Proof(why=str(refused))
        code = sandbox.ended(container, SECONDS + GRACE)
        return read(code, sandbox.output(container))


def _copy(client: engine.Client, source: str, target: str, folder: str) -> None:
    with engine.request(f"copy {folder} of a container"):
        content, _ = client.api.get_archive(source, folder)
        client.api.put_archive(target, posixpath.dirname(folder), content)


def program() -> bytes:
    """Return a tar archive of what runs inside: the cleanup, and the program that asks it."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for file in sorted(LIBRARY.glob("*.py")):
            _add(archive, f"{PLACE}/{LIBRARY.name}/{file.name}", file)
        _add(archive, f"{PLACE}/{INSIDE.name}", INSIDE)
    return packed.getvalue()


def _add(archive: tarfile.TarFile, name: str, file: Path) -> None:
    content = file.read_bytes()
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), 0o644
    archive.addfile(entry, io.BytesIO(content))


def read(code: int | None, output: str) -> Proof:
    """Return the answer in what the program printed; without one, why there is none."""
    lines = [line for line in output.splitlines() if line.startswith(MARKER)]
    if code is None:
        return Proof(why=f"no answer in {SECONDS + GRACE} s")
    try:
        answer = json.loads(lines[-1].removeprefix(MARKER))
        proven, broken = frozenset(map(str, answer["proven"])), dict(answer["broken"])
        why = str(answer["problem"])
    except (LookupError, TypeError, ValueError):
        return Proof(why=f'the proof ended with {code}, last words "{sandbox.one_line(output)}"')
    return Proof(
        proven, {str(glob): printable(str(reason)) for glob, reason in broken.items()}, why
    )
