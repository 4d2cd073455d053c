import io
import pickle
import subprocess
import sys

import pytest

from processes import environment
from sutra_hybrid import builder
from sutra_hybrid.builder import KILLED, build
from sutra_hybrid.errors import BuildFailed
from sutra_hybrid.index import Index

TEXTS = [f"word{n % 50} word{n % 7} other{n}" for n in range(200)]
COMMAND = [sys.executable, "-m", "sutra_hybrid.builder"]


def test_a_process_builds_the_same_index(monkeypatch: pytest.MonkeyPatch) -> None:
    here = build(TEXTS)
    monkeypatch.setattr(builder, "SMALL", sum(map(len, TEXTS)) - 1)
    there = build(TEXTS)
    for question in ("word1 word2", "other7", "word3 other9 zebra"):
        matches = here.query(question, 20)
        assert matches
        assert matches == there.query(question, 20)


def test_up_to_so_many_characters_no_process_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builder, "SMALL", sum(map(len, TEXTS)))
    monkeypatch.setattr(sys, "executable", "/nowhere")
    assert isinstance(build(TEXTS), Index)


@pytest.mark.parametrize(
    "ending", ["import os; os._exit(3)", "import sys; sys.stdin.buffer.read(1); sys.exit(3)"]
)
def test_a_process_that_fails(monkeypatch: pytest.MonkeyPatch, ending: str) -> None:
    monkeypatch.setattr(builder, "SMALL", 0)
    monkeypatch.setattr(builder, "COMMAND", ("-c", ending))
    with pytest.raises(BuildFailed, match=r"^the process that builds the index ended with 3$"):
        build(["cat" * 1000] * 1000)


def test_a_process_that_is_killed_says_what_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builder, "SMALL", 0)
    monkeypatch.setattr(builder, "COMMAND", ("-c", "import os; os.kill(os.getpid(), 9)"))
    with pytest.raises(BuildFailed) as caught:
        build(["cat"])
    assert str(caught.value) == KILLED
    assert KILLED == (
        "the process that builds the index was killed: give this service more memory "
        "(SUTRA_HYBRID_MEMORY), or set SUTRA_MAX_CONCEPTS or SUTRA_MAX_TEXT_MB lower"
    )


def test_the_process_ends_when_who_asked_has_ended() -> None:
    """A closed input after the texts: nobody waits for the index."""
    texts = [f"a{n} b{n % 977} c{n % 1009}" for n in range(30_000)]
    with subprocess.Popen(
        COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment()
    ) as process:
        out, _ = process.communicate(pickle.dumps(texts), timeout=60)
    assert (process.returncode, out) == (1, b"")


def test_main_writes_an_index(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[int] = []
    monkeypatch.setattr("os._exit", ended.append)
    result = io.BytesIO()
    builder.main(io.BytesIO(pickle.dumps(["a cat"])), result)
    assert pickle.loads(result.getvalue()).query("cat", 1)[0][0] == 0  # noqa: S301 # just written
    assert 0 in ended
