"""Our bill beside syft's: counts of each type, and every package that only one of them lists."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest
from rich.console import Console

from scripts.bench import bills
from scripts.catalog import catalog
from scripts.common.errors import SutraError
from scripts.engine import client
from tests.unit.fakes import FakeEngine, FakeImage, program, tar_of

PROMISES = """
release: {budget: {installed: 1 MB, download: 1 MB}}
images:
  one: {budget: {installed: 1 MB, download: 1 MB}}
"""
SITE = "opt/sutra/lib/python3.13/site-packages"
STATUS = b"Package: libc6\nStatus: install ok installed\nVersion: 1:2.41+b1\nArchitecture: amd64\n"


@pytest.fixture
def image(engine: FakeEngine, folder: Path, monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    """An image with a package of Debian and a distribution of Python."""
    (folder / "images.yaml").write_text(PROMISES)
    files = {
        "var/lib/dpkg/status.d/libc6": STATUS,
        "etc/os-release": b"ID=debian\nVERSION_ID=13\n",
        f"{SITE}/typing_extensions-4.1.dist-info/METADATA": (
            b"Metadata-Version: 2.1\nName: typing_extensions\nVersion: 4.1\n"
        ),
        f"{SITE}/typing_extensions-4.1.dist-info/RECORD": b"",
    }
    engine.add(FakeImage([tar_of(files)]), "one:prod")
    monkeypatch.setattr(client, "connect", lambda: engine)
    monkeypatch.setattr("scripts.common.terminal.console", lambda: Console(width=100))
    return engine


def syft(folder: Path, monkeypatch: pytest.MonkeyPatch, *purls: str, code: int = 0) -> None:
    """Put a syft on PATH that lists these."""
    references = [
        {"referenceType": kind, "referenceLocator": locator}
        for purl in purls
        for kind, locator in (("cpe23Type", "cpe:2.3:a:x"), ("purl", purl))
    ]
    document = {"packages": [{"name": "the image"}, {"externalRefs": references}]}
    (folder / "document").write_text(json.dumps(document))
    script = f'echo "$@" $SYFT_CHECK_FOR_APP_UPDATE >{folder}/words; cat {folder}/document\n'
    script += f'echo "no such" >&2; exit {code}\n'
    program(folder / "bin", "syft", script)
    monkeypatch.setenv("PATH", f"{folder / 'bin'}:/usr/bin:/bin")


LIBC = "pkg:deb/debian/libc6@1%3A2.41%2Bb1?arch=amd64&distro=debian-13"
TYPING = "pkg:pypi/typing-extensions@4.1"


def test_the_same_packages_under_other_spellings_are_equal(
    image: FakeEngine,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    syft(folder, monkeypatch, LIBC, "pkg:pypi/typing_extensions@4.1", "pkg:generic/python@3.13")
    assert bills.main(argparse.Namespace()) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["│", "one", "│", "deb", "│", "1", "│", "1", "│"] in rows
    assert ["│", "one", "│", "pypi", "│", "1", "│", "1", "│"] in rows
    assert len(rows) == len(["title", "top", "head", "rule", "deb", "pypi", "bottom"])
    words = (folder / "words").read_text().split()
    assert (words[0], words[2:]) == ("scan", ["--output", "spdx-json", "--quiet", "false"])


def test_what_only_one_of_them_lists_fails_and_is_named(
    image: FakeEngine,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    syft(folder, monkeypatch, LIBC.replace("b1", "b2"), TYPING, "pkg:cargo/serde@1.0")
    assert bills.main(argparse.Namespace()) == 1
    assert capsys.readouterr().out.splitlines()[-3:] == [
        "one: cargo serde 1.0 is in syft's list alone",
        "one: deb libc6 1:2.41+b2 is in syft's list alone",
        "one: deb libc6 1:2.41+b1 is in our bill alone",
    ]


def test_without_syft(image: FakeEngine, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(folder))
    with pytest.raises(SutraError) as caught:
        bills.main(argparse.Namespace())
    assert caught.value.message == "bench: needs syft, which is not on PATH"
    assert caught.value.tip.startswith("`go install github.com/anchore/syft/cmd/syft@v")


def test_a_syft_that_fails(
    image: FakeEngine, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    syft(folder, monkeypatch, code=1)
    with pytest.raises(SutraError) as caught:
        bills.main(argparse.Namespace())
    assert caught.value.message == "bench: syft failed: no such"


@pytest.mark.parametrize("text", ["", "[]", '{"packages": [{"externalRefs": [{}]}]}'])
def test_a_syft_that_writes_something_else(
    image: FakeEngine, folder: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    syft(folder, monkeypatch)
    (folder / "document").write_text(text)
    with pytest.raises(SutraError) as caught:
        bills.main(argparse.Namespace())
    assert caught.value.message.startswith("bench: syft wrote no SPDX: ")


def test_an_image_that_is_not_there(
    engine: FakeEngine, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "images.yaml").write_text(PROMISES)
    assert [image.name for image in catalog.load().images] == ["one"]
    monkeypatch.setattr(client, "connect", lambda: engine)
    syft(folder, monkeypatch)
    with pytest.raises(SutraError) as caught:
        bills.main(argparse.Namespace())
    assert caught.value.message == 'bench: no such image "one:prod"'
