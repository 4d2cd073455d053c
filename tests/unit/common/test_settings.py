from __future__ import annotations

from pathlib import Path

import pytest

from scripts.common.errors import SutraError
from scripts.common.settings import flag, project

TIP = "lower-case letters, digits, - and _, such as SUTRA_PROJECT=mine"


@pytest.mark.parametrize("value", ["1", "yes", "true", "YES", "True"])
def test_yes(value: str) -> None:
    assert flag({"DATA": value}, "DATA") is True


@pytest.mark.parametrize("knobs", [{}, {"DATA": ""}, {"DATA": "0"}, {"DATA": "No"}])
def test_no(knobs: dict[str, str]) -> None:
    assert flag(knobs, "DATA") is False


@pytest.mark.parametrize("value", ["/srv/data", "2", " ", "y"])
def test_anything_else_is_refused(value: str) -> None:
    with pytest.raises(SutraError) as caught:
        flag({"DATA": value}, "DATA")
    assert caught.value.message == f'DATA: neither yes nor no "{value}"'
    assert caught.value.tip == "DATA=1, or leave it out"


# ---- the project's name: each as `docker compose config` 2.26 prints it -----


@pytest.mark.parametrize(
    ("environment", "name"),
    [({}, "sutra"), ({"SUTRA_PROJECT": ""}, "sutra"), ({"SUTRA_PROJECT": "mine"}, "mine")],
)
def test_of_the_environment(folder: Path, environment: dict[str, str], name: str) -> None:
    assert project(environment) == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("", "sutra"),
        ("SUTRA_TAG=b\n", "sutra"),
        ("#SUTRA_PROJECT=b\n", "sutra"),
        ("MY_SUTRA_PROJECT=b\n", "sutra"),
        ("SUTRA_PROJECT=\n", "sutra"),
        ("SUTRA_PROJECT=b", "b"),
        ("SUTRA_PROJECT=b\r\nX=1\r\n", "b"),
        ("\ufeffSUTRA_PROJECT=b\n", "b"),
        ("SUTRA_PROJECT: b\n", "b"),
        ("SUTRA_PROJECT=b # mine\n", "b"),
        ("SUTRA_PROJECT='b'\n", "b"),
        ('X=1\nexport SUTRA_PROJECT = "b-2" # mine\n', "b-2"),
        ("SUTRA_PROJECT=a\nSUTRA_PROJECT=b\n", "b"),
        ("SUTRA_PROJECT=a\nSUTRA_PROJECT=\n", "sutra"),
        ('X="\nSUTRA_PROJECT=b\n"\n', "sutra"),
        ("X='\nSUTRA_PROJECT=b\n'\n", "sutra"),
    ],
)
def test_of_the_file(folder: Path, text: str, name: str) -> None:
    (folder / ".env").write_bytes(text.encode())
    assert project({}) == name


@pytest.mark.parametrize(("knob", "name"), [("a", "a"), ("", "sutra")])
def test_the_environment_wins(folder: Path, knob: str, name: str) -> None:
    (folder / ".env").write_text("SUTRA_PROJECT=b\n")
    assert project({"SUTRA_PROJECT": knob}) == name


@pytest.mark.parametrize("name", ["My", "-a", "a b", "a#b", "$OTHER", '"a', "ä"])
def test_a_name_that_compose_would_change_is_refused(folder: Path, name: str) -> None:
    with pytest.raises(SutraError) as caught:
        project({"SUTRA_PROJECT": name})
    assert caught.value.message == f'SUTRA_PROJECT: not the name of a project "{name}"'
    assert caught.value.tip == TIP
    (folder / ".env").write_text(f"SUTRA_PROJECT={name}\n")
    with pytest.raises(SutraError) as caught:
        project({})
    assert caught.value.message == f'.env: SUTRA_PROJECT: not the name of a project "{name}"'
    assert caught.value.tip == TIP


def test_a_file_that_cannot_be_read_is_refused(folder: Path) -> None:
    (folder / ".env").mkdir()
    with pytest.raises(SutraError) as caught:
        project({})
    assert caught.value.message == ".env: cannot be read: Is a directory"
    assert caught.value.tip == "`ls -l .env`"
