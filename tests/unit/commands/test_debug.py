"""Test what `make debug` refuses before it calls an engine; the rest is in tests/engine."""

from __future__ import annotations

import pytest

from scripts.__main__ import main as front_door
from scripts.commands import debug
from scripts.common.errors import SutraError


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "debug: name an image or a container, one of them"),
        (["--image=a", "--container=b"], "debug: name an image or a container, one of them"),
        (["--image=a", "--command=ls 'a"], 'COMMAND: no closing quotation "ls \'a"'),
        (["--container=a", "--command=ls \\"], 'COMMAND: no escaped character "ls \\"'),
    ],
)
def test_a_wrong_call_is_one_line(
    words: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere")
    with pytest.raises(SutraError) as caught:
        front_door(["debug", *words])
    assert caught.value.message == message
    assert caught.value.tip.startswith("such as ")


def test_a_command_is_split_as_a_shell_would() -> None:
    assert debug.command_of("ls '/a b' c") == ["ls", "/a b", "c"]
    assert debug.command_of("") == []
