"""Everything that README and docs name exists, and every command is documented."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from scripts.catalog import catalog
from scripts.report import readme_tables
from tests.conftest import ROOT

DOCUMENTS = (
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    *sorted((ROOT / "docs").glob("*.md")),
)
REFERENCE = ROOT / "docs/reference.md"
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z-]+):.*## ", MAKEFILE, re.MULTILINE))
KNOBS = dict(re.findall(r"^([A-Z_]+) \?= ?([^#\n]*?)##", MAKEFILE, re.MULTILINE))
ANCHOR = re.compile(r"\]\((?!https?://)([\w./-]*)#([\w-]+)\)")
LINK = re.compile(r"\]\((?!https?://)([^)#]+)\)")
CODE = re.compile(r"`([^`\n]+)`|^ *(?:docker|make|\./|\.venv)[^\n]*", re.MULTILINE)
PATH = re.compile(
    r"(?<![\w/.…$-])((?:scripts|tests|docs|packages|base-images|deploy|\.github)/[\w./-]*\w)"
)
MAKE = re.compile(r"\bmake ((?:[A-Z_]+=\S+ )*)([a-z][a-z-]*)")


def named_paths(text: str) -> set[str]:
    return set(LINK.findall(text)) | set(PATH.findall(text))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_path_that_is_named_exists(document: Path) -> None:
    text = document.read_text()
    paths = {path for path in named_paths(text) if "<" not in path}
    missing = [
        path
        for path in sorted(paths)
        if not (document.parent / path).exists() and not (ROOT / path).exists()
    ]
    assert missing == []


def anchors(text: str) -> set[str]:
    """Return the anchors that GitHub gives a document's headings."""
    plain = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    titles = re.findall(r"^#+ (.*)$", re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", plain), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_heading_that_is_linked_exists(document: Path) -> None:
    missing = [
        f"{path}#{anchor}"
        for path, anchor in ANCHOR.findall(document.read_text())
        if anchor not in anchors((document.parent / (path or document.name)).read_text())
    ]
    assert missing == []


def test_a_missing_heading_is_noticed() -> None:
    text = "# A `make x`: [b](c.md), d\n```\n# no heading\n```\n## E-f\n"
    assert anchors(text) == {"a-make-x-b-d", "e-f"}
    assert ANCHOR.findall("[a](b.md#c-d) [e](#f) [g](https://h/i#j)") == [
        ("b.md", "c-d"),
        ("", "f"),
    ]


def test_a_missing_path_is_noticed() -> None:
    assert named_paths("see `scripts/nothing.py` and [docs](docs/none.md)") == {
        "scripts/nothing.py",
        "docs/none.md",
    }


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_make_target_that_is_named_exists(document: Path) -> None:
    code = " \n".join(span[0] for span in CODE.finditer(document.read_text()))
    assert {target for _, target in MAKE.findall(code)} - TARGETS == set()


def test_every_make_target_is_in_the_reference() -> None:
    listed = set(re.findall(r"^\| `make ([a-z-]+)[ `]", REFERENCE.read_text(), re.MULTILINE))
    assert listed == TARGETS


def test_every_knob_is_in_the_reference_with_its_default() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \| ([^|]*) \|", REFERENCE.read_text(), re.MULTILINE)
    assert {knob for knob, _ in rows} == set(KNOBS)
    for knob, default in rows:
        if KNOBS[knob]:
            assert default == f"`{KNOBS[knob]}`"


def test_make_prints_the_code_that_a_command_ends_with_and_ends_with_2_itself() -> None:
    recipe = "verify-sizes:\n\t@exit 1\n"
    command = ["make", "--file=-", "verify-sizes"]
    done = subprocess.run(command, input=recipe, capture_output=True, text=True)
    assert (done.returncode, done.stderr.split()[-2:]) == (2, ["Error", "1"])
    assert "GNU make ends with 2 for every\nrecipe that fails" in REFERENCE.read_text()


def test_help_lists_every_target_and_knob() -> None:
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    words = re.findall(r"^  ([\w-]+)", shown.stdout, re.MULTILINE)
    assert set(words) == TARGETS | set(KNOBS)


@pytest.mark.parametrize("knob", ["BASE", "DEBIAN_VERSION", "ALPINE_VERSION"])
def test_a_default_is_the_same_everywhere(knob: str) -> None:
    bake = re.search(rf'variable "{knob}" {{ default = "(.*)" }}', _text("docker-bake.hcl"))
    assert bake
    assert bake[1] == KNOBS[knob]
    for dockerfile in sorted((ROOT / "base-images").glob("*.Dockerfile")):
        assert f"ARG {knob}={KNOBS[knob]}\n" in dockerfile.read_text(), dockerfile.name


def test_the_readme_shows_figures_of_every_image() -> None:
    block = readme_tables.marked_block("sizes").search(DOCUMENTS[0].read_text())
    assert block
    rows = re.findall(r"^\| (\S+) \| [\d.]+ MB \|", block[0], re.MULTILINE)
    names = [image.name for image in catalog.load(ROOT / "images.yaml").images]
    assert rows == names * 2  # `make readme` writes them


def _text(name: str) -> str:
    return (ROOT / name).read_text()
