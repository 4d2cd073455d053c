"""What is put into the container of the proof, and what is read of its answer."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from docker.errors import APIError, NotFound

from scripts.floor import proof
from scripts.floor.proof import MARKER, Proof
from tests.unit.cleanup.trees import distribution, venv
from tests.unit.fakes import FakeEngine, FakeImage

TREE = {"one/__init__.py": "", "one/a.py": "import one.b\n", "one/b.py": "", "one/c.py": ""}


def test_what_is_put_into_the_container_runs(tmp_path: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(proof.program())) as archive:
        archive.extractall(tmp_path, filter="data")
    venv(tmp_path / "tree", distribution("one", TREE))
    words = [MARKER, str(tmp_path / "tree"), "60", json.dumps(["one/b.py", "one/c.py"])]
    program = tmp_path / proof.PLACE / proof.INSIDE.name
    done = subprocess.run(
        [sys.executable, "-B", program, *words],
        env={"PYTHONPATH": str(program.parent)},
        capture_output=True,
        text=True,
        check=True,
    )
    outcome = proof.read(0, f"a module's own output\n{done.stdout}")
    assert (outcome.proven, outcome.why) == (frozenset(["one/c.py"]), "")
    assert outcome.broken["one/b.py"].startswith('broke "one.a": ModuleNotFoundError')


@pytest.mark.parametrize(
    ("code", "output", "why"),
    [
        (None, "", "no answer in 420 s"),
        (1, "Traceback\nboom\n", 'the proof ended with 1, last words "Traceback | boom"'),
        (0, "", 'the proof ended with 0, last words ""'),
        (0, f"{MARKER}[1]", f'the proof ended with 0, last words "{MARKER}[1]"'),
        (0, f"{MARKER}{{", f'the proof ended with 0, last words "{MARKER}{{"'),
        (0, f'{MARKER}{{"proven": 1}}', f'the proof ended with 0, last words "{MARKER}{{"pro'),
    ],
)
def test_another_answer_is_no_proof(code: int | None, output: str, why: str) -> None:
    outcome = proof.read(code, output)
    assert (outcome.proven, outcome.broken) == (frozenset(), {})
    assert outcome.why.startswith(why)


def test_what_broke_is_one_line() -> None:
    answer = {"proven": ["a"], "broken": {"b": "x\ny\x1b"}, "problem": "late"}
    assert proof.read(0, f"{MARKER}{json.dumps(answer)}\n") == Proof(
        frozenset(["a"]), {"b": "x\N{REPLACEMENT CHARACTER}y\N{REPLACEMENT CHARACTER}"}, "late"
    )


def test_without_tools_or_proposals_nothing_is_started() -> None:
    engine: Any = FakeEngine()
    assert proof.prove(engine, "x", []) == Proof()
    engine.add(FakeImage([b""]), "sutra-api:prod")
    assert proof.prove(engine, "x", ["a/"]) == Proof(
        why="no image sutra-base-python:latest, `make dev` builds it"
    )


class ToolsEngine(FakeEngine):
    """An engine with the tools' image, which copies, starts and removes containers.

    A container prints `output`; with `refusal` none can be started.
    """

    def __init__(self, output: str, refusal: str = "") -> None:
        super().__init__()
        self.add(FakeImage([b"tools"]), proof.TOOLS)
        self.containers = self
        self.attrs = {"State": {"Running": False, "ExitCode": 0}}
        self.output, self.refusal, self.missing = output, refusal, ""
        self.containers_created: list[dict[str, Any]] = []
        self.calls: list[tuple[str, ...]] = []

    def create(self, image: str, **options: Any) -> Any:
        identity = f"box{len(self.containers_created)}"
        self.containers_created.append({"image": image, **options})
        methods = {"start": self.start, "reload": str, "logs": self.logs}
        return SimpleNamespace(id=identity, attrs=self.attrs, **methods)

    def start(self) -> None:
        self.calls.append(("start",))
        if self.refusal:
            raise APIError("400", explanation=f"OCI runtime: {self.refusal}")

    def logs(self, tail: int) -> bytes:
        return self.output.encode()

    def get_archive(self, container: str, path: str) -> tuple[list[bytes], dict[str, str]]:
        self.calls.append(("get", container, path))
        if path == self.missing:
            raise NotFound(f"no {path}")
        return [b""], {}

    def put_archive(self, container: str, path: str, content: object) -> None:
        self.calls.append(("put", container, path))

    def remove_container(self, name: str, **_: object) -> None:
        self.calls.append(("remove", name))


def test_a_copy_of_the_tree_is_proven_in_a_container_of_tools() -> None:
    engine: Any = ToolsEngine(f'{MARKER}{{"proven": ["a/"], "broken": {{}}, "problem": ""}}')
    assert proof.prove(engine, "sha256:1", ["a/"]) == Proof(frozenset(["a/"]))
    source, box = engine.containers_created
    assert engine.calls == [
        ("get", "box0", "/opt/sutra"),
        ("put", "box1", "/opt"),
        ("get", "box0", "/app"),
        ("put", "box1", "/"),
        ("put", "box1", "/"),
        ("start",),
        ("remove", box["name"]),
        ("remove", source["name"]),
    ]
    assert (source["image"], box["image"]) == ("sha256:1", proof.TOOLS)
    assert (box["network"], box["cap_drop"]) == ("none", ["ALL"])
    assert box["command"][-4:] == [MARKER, "/opt/sutra", "300", '["a/"]']


def test_tools_that_cannot_be_started_are_the_reason() -> None:
    engine: Any = ToolsEngine("", "no sh")
    assert proof.prove(engine, "sha256:1", ["a/"]) == Proof(why="OCI runtime: no sh")
    assert [call[0] for call in engine.calls].count("remove") == 2


def test_an_image_that_cannot_be_copied_is_the_reason() -> None:
    engine: Any = ToolsEngine("")
    engine.missing = "/app"
    outcome = proof.prove(engine, "sha256:1", ["a/"])
    assert outcome == Proof(why="engine: cannot copy /app of a container: no /app")
    assert [call[0] for call in engine.calls].count("remove") == 2
