from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import pytest
from docker.errors import ImageNotFound, NotFound

from scripts.__main__ import main as front_door
from scripts.catalog import catalog
from scripts.catalog.budget import Budget
from scripts.catalog.catalog import Catalog, Image
from scripts.commands import cleanup_report
from scripts.common.errors import SutraError, run
from scripts.engine import client as engine
from tests.unit.fakes import tar_of

IMAGES = Catalog(
    catalog.CATALOG,
    (Image("sutra-api", Budget(1, 1)), Image("sutra-base-python", Budget(1, 1))),
    Budget(1, 1),
)
FOUND: dict[str, Any] = {
    "manifest": "cleanup.yaml",
    "before": 3_500_000,
    "after": 1_250_000,
    "rules": {
        "small": {"files": 1, "bytes": 60_000, "why": "few bytes"},
        "large": {"files": 20, "bytes": 490_000, "why": "many bytes"},
    },
    "packages": {
        "one": {"before": 3_000_000, "after": 1_200_000},
        "bin": {"before": 500_000, "after": 50_000},
    },
    "stripped": {"files": 2, "saved": 1_500_000, "restored": []},
    "deduped": {"files": 1, "saved": 250_000},
    "described": {"files": 3, "saved": 60_000},
    "compiled": {"cached": 1, "sourceless": 2, "source": 3, "refused": []},
    "proven": 7,
}
TABLES = """\
┏━━━━━━━━━━━━━━┳━━━━━━━┳━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━┓
┃ rule         ┃ files ┃ bytes  ┃ why                ┃
┡━━━━━━━━━━━━━━╇━━━━━━━╇━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━┩
│ large        │ 20    │ 0.5 MB │ many bytes         │
│ small        │ 1     │ 0.1 MB │ few bytes          │
│ strip        │ 2     │ 1.5 MB │ symbols            │
│ dedupe       │ 1     │ 0.2 MB │ the same twice     │
│ descriptions │ 3     │ 0.1 MB │ for an index alone │
└──────────────┴───────┴────────┴────────────────────┘
┏━━━━━━━━━┳━━━━━━━━┳━━━━━━━━┓
┃ package ┃ before ┃ after  ┃
┡━━━━━━━━━╇━━━━━━━━╇━━━━━━━━┩
│ one     │ 3.0 MB │ 1.2 MB │
│ bin     │ 0.5 MB │ 0.1 MB │
└─────────┴────────┴────────┘
"""
Reported = Callable[..., tuple[int, str, str]]


class Containers:
    """An engine whose images hold some files; `left` counts containers that were not removed."""

    def __init__(self, files: dict[tuple[str, str], bytes]) -> None:
        self.containers = self
        self.files = files
        self.reference = ""
        self.left = 0

    def create(self, reference: str, command: list[str]) -> Containers:
        if reference not in {name for name, _ in self.files}:
            raise ImageNotFound(f"no such image: {reference}")
        self.reference = reference
        self.left += 1
        return self

    def get_archive(self, path: str) -> tuple[Iterator[bytes], dict[str, str]]:
        content = self.files.get((self.reference, path))
        if content is None:
            raise NotFound(f"no such file: {path}")
        data = tar_of({path.rpartition("/")[2]: content})
        return (data[at : at + 1000] for at in range(0, len(data), 1000)), {}

    def remove(self, v: bool) -> None:
        assert v
        self.left -= 1


def holding(reference: str, path: str, figures: dict[str, Any] = FOUND) -> Containers:
    return Containers({(reference, path): json.dumps(figures).encode()})


@pytest.fixture
def reported(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Reported:
    """Call the command against an engine, and return exit code, stdout and stderr."""

    def call(client: Containers, *words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(catalog, "load", lambda: IMAGES)
        monkeypatch.setattr(engine, "connect", lambda: client)
        with pytest.raises(SystemExit) as caught:
            run(lambda: front_door(["cleanup-report", *words]))
        out, err = capsys.readouterr()
        assert isinstance(caught.value.code, int)
        assert client.left == 0
        return caught.value.code, out, err

    return call


@pytest.mark.parametrize(
    ("image", "path"),
    [
        ("sutra-api", "/usr/share/sutra/cleanup.json"),
        ("sutra-base-python", "/usr/share/sutra/cleanup-base.json"),
    ],
)
def test_the_report_of_an_image(reported: Reported, image: str, path: str) -> None:
    assert reported(holding(f"{image}:prod", path), image) == (
        0,
        f"{TABLES}3.5 MB → 1.2 MB, 7 modules proven\n",
        "",
    )


def test_what_was_put_back_is_shown(reported: Reported) -> None:
    report = deepcopy(FOUND)
    report["stripped"]["restored"] = [["a/bad.so", "load segment not aligned to 4096"]]
    client = holding("sutra-api:prod", cleanup_report.PLACE, report)
    assert reported(client, "sutra-api") == (
        0,
        f"{TABLES}put back after strip: a/bad.so: load segment not aligned to 4096\n"
        "3.5 MB → 1.2 MB, 7 modules proven\n",
        "",
    )


def test_what_a_stand_in_took_the_place_of_is_shown(reported: Reported) -> None:
    report = deepcopy(FOUND)
    report["stand_ins"] = ["a/_core.py"]
    client = holding("sutra-api:prod", cleanup_report.PLACE, report)
    assert reported(client, "sutra-api") == (
        0,
        f"{TABLES}raises an error when used: a/_core.py\n3.5 MB → 1.2 MB, 7 modules proven\n",
        "",
    )


def test_the_report_of_an_older_image_has_no_descriptions(reported: Reported) -> None:
    report = {name: value for name, value in FOUND.items() if name != "described"}
    shown = reported(holding("sutra-api:prod", cleanup_report.PLACE, report), "sutra-api")[1]
    assert "│ dedupe │ 1     │ 0.2 MB │ the same twice │" in shown
    assert "descriptions" not in shown


def test_brackets_in_a_reason_are_shown(reported: Reported) -> None:
    report = deepcopy(FOUND)
    report["rules"]["large"]["why"] = "of an [extra]"
    client = holding("sutra-api:prod", cleanup_report.PLACE, report)
    assert "│ of an [extra]      │" in reported(client, "sutra-api")[1]


def test_an_image_without_a_report_is_refused(reported: Reported) -> None:
    assert reported(holding("sutra-api:prod", "/etc/passwd"), "sutra-api") == (
        2,
        "",
        'cleanup-report: no /usr/share/sutra/cleanup.json in "sutra-api:prod"\n'
        "tip: run `make build`\n",
    )


def test_an_image_that_is_not_built_is_refused(reported: Reported) -> None:
    assert reported(Containers({}), "sutra-base-python") == (
        2,
        "",
        'cleanup-report: no /usr/share/sutra/cleanup-base.json in "sutra-base-python:prod"\n'
        "tip: run `make build`\n",
    )


def test_an_unknown_image_is_refused_before_the_engine_is_asked(
    reported: Reported, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert reported(Containers({}), "sutra-apy") == (
        2,
        "",
        'images.yaml: images: no such image "sutra-apy", did you mean "sutra-api"?\n'
        "tip: names: sutra-api, sutra-base-python\n",
    )


def test_no_engine_is_one_clear_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse() -> engine.Client:
        raise SutraError("engine: no answer (no such file)", engine.TIP)

    monkeypatch.setattr(catalog, "load", lambda: IMAGES)
    monkeypatch.setattr(engine, "connect", refuse)
    with pytest.raises(SystemExit) as caught:
        run(lambda: front_door(["cleanup-report", "sutra-api"]))
    assert caught.value.code == 2
    assert capsys.readouterr() == (
        "",
        "engine: no answer (no such file)\ntip: run `make engine`\n",
    )
