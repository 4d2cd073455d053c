"""vex.yaml: what it may say, and `make vex` about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.catalog import catalog
from scripts.common.errors import SutraError
from scripts.sbom import vex_requests
from scripts.sbom.openvex import Question
from scripts.sbom.vex_requests import Request
from tests.conftest import ROOT
from tests.support.fixture_images import pyc
from tests.support.good_image import SITE
from tests.unit.sbom.test_vex import CATALOG, CVE, DOCUMENT, PART, PURL, Ask, save
from tests.unit.sbom.test_vex import ask as ask

ONE = {"image": "sutra-good", "cve": CVE, "purl": PURL, "part": PART}
IMAGE = ("sutra-good", "archive:x.tar")


def entry(**changed: str | None) -> str:
    fields = {key: text for key, text in {**ONE, **changed}.items() if text is not None}
    return "{" + ", ".join(f"{key}: {text}" for key, text in fields.items()) + "}"


def write(*entries: str) -> Path:
    path = Path("vex.yaml")
    path.write_text("statements:\n" + "".join(f"  - {item}\n" for item in entries))
    return path


def test_the_project_s_own_file_is_read() -> None:
    assert vex_requests.read(catalog.load(ROOT / "images.yaml"), ROOT / "vex.yaml") == []


def test_without_the_file_nothing_is_asked_for(folder: Path) -> None:
    (folder / "images.yaml").write_text(CATALOG)
    assert vex_requests.read(catalog.load()) == []


def test_what_a_file_asks_for(folder: Path) -> None:
    (folder / "images.yaml").write_text(CATALOG)
    write(entry(), entry(image="sutra-plain"))
    question = Question(CVE, PURL, PART)
    assert vex_requests.read(catalog.load()) == [
        Request("statements[0]", "sutra-good", question),
        Request("statements[1]", "sutra-plain", question),
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (entry(cve=None), "statements[0].cve: missing"),
        (entry(part="''"), 'statements[0].part: not a text ""'),
        (entry(cve="CVE-1"), 'statements[0].cve: not the name of a vulnerability "CVE-1"'),
        (entry(cve="2026"), 'statements[0].cve: not a text "2026"'),
        (
            entry(image="sutra-goood"),
            'statements[0].image: no such image "sutra-goood", did you mean "sutra-good"?',
        ),
        (
            entry(part="one/x.h"),
            'statements[0].part: neither a folder nor a module or library that runs "one/x.h"',
        ),
        (entry(purl='"a\\nb"'), "statements[0].purl: not printable"),
        (entry(why="x"), 'statements[0]: unknown key "why"'),
        ("text", 'statements[0]: not a mapping "text"'),
    ],
)
def test_a_wrong_entry_is_one_line(folder: Path, text: str, problem: str) -> None:
    (folder / "images.yaml").write_text(CATALOG)
    write(text)
    with pytest.raises(SutraError) as caught:
        vex_requests.read(catalog.load())
    assert caught.value.message.startswith(f"vex.yaml: {problem}")
    assert "\n" not in caught.value.message
    assert caught.value.tip == "fix vex.yaml, then run the same command again"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"statements: 1", 'vex.yaml: statements: not a list "1"'),
        (b"statement: []", 'vex.yaml: unknown key "statement", did you mean "statements"?'),
        (b"statements: {}", 'vex.yaml: statements: not a list "{}"'),
        (b"statements: false", 'vex.yaml: statements: not a list "False"'),
        (b"statements: ''", 'vex.yaml: statements: not a list ""'),
        (
            b"statements: []\nstatements: []",
            'vex.yaml: not YAML: line 2: duplicate key "statements"',
        ),
        (b"[]", 'vex.yaml: not a mapping "[]"'),
        (b"false", 'vex.yaml: not a mapping "False"'),
        (b"- 1", 'vex.yaml: not a mapping "[1]"'),
        (b"a: [", "vex.yaml: not YAML: "),
        (b"\xff", "vex.yaml: cannot be read: "),
    ],
)
def test_a_wrong_file_is_one_line(folder: Path, content: bytes, problem: str) -> None:
    (folder / "images.yaml").write_text(CATALOG)
    Path("vex.yaml").write_bytes(content)
    with pytest.raises(SutraError) as caught:
        vex_requests.read(catalog.load())
    assert caught.value.message.startswith(problem)
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    "content", [b"", b"# nothing\n", b"statements:\n  # none\n", b"\xef\xbb\xbfstatements: []\n"]
)
def test_a_file_without_a_statement_asks_for_nothing(folder: Path, content: bytes) -> None:
    (folder / "images.yaml").write_text(CATALOG)
    Path("vex.yaml").write_bytes(content)
    assert vex_requests.read(catalog.load()) == []


def test_a_broken_link_is_no_file_without_statements(folder: Path) -> None:
    (folder / "images.yaml").write_text(CATALOG)
    Path("vex.yaml").symlink_to("elsewhere.yaml")
    with pytest.raises(SutraError) as caught:
        vex_requests.read(catalog.load())
    assert caught.value.message == (
        "vex.yaml: cannot be read: [Errno 2] No such file or directory: 'vex.yaml'"
    )


HOLDS = "vex.yaml: {} not_affected of sutra-good, for the next promotion\n"


def test_make_vex_says_whether_it_holds_and_writes_nothing(ask: Ask) -> None:
    write(entry(), entry(cve="CVE-2026-9999", part="one/sent.py"))
    assert ask.call(*IMAGE) == (0, HOLDS.format(2), "")
    assert not DOCUMENT.exists()
    save({f"{SITE}/one/odr/models.pyc": pyc()})
    assert ask.call(*IMAGE) == (
        1,
        HOLDS.format(1),
        "vex.yaml: statements[0].part: sutra-good: the part is in the image "
        f'"/{SITE}/one/odr/models.pyc"\n'
        "tip: `make explain IMAGE=sutra-good FILE=one/odr/` says more\n",
    )


def test_a_document_beside_it_is_derived_again_too(ask: Ask) -> None:
    ask()
    write(entry(cve="CVE-2026-9999"))
    assert ask.call(*IMAGE) == (0, f"{HOLDS.format(1)}{DOCUMENT}: 1 not_affected\n", "")


def test_a_new_question_is_about_itself_alone(ask: Ask) -> None:
    write(entry(part="one/else/"))
    assert ask() == (0, f"{DOCUMENT}: 1 not_affected\n", "")
