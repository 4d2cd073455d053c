"""`verify-image` as people call it, on archives; tests/unit/test_wheel.py has it installed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from scripts.__main__ import main as front_door
from scripts.checks.contents import verify as contents
from scripts.checks.contents.rules import RULES
from scripts.common import errors
from tests.support.good_image import NAME, good
from tests.support.oci import Blobs, write_layout
from tests.unit.checks.contents.judging import exe
from tests.unit.fakes import FakeEngine, FakeImage, tar_of

PROMISES = f"images: {{{NAME}: {{tag: 'archive:./image.tar', budget: {{installed: 1 MB}}}}}}"
FOUND = f"{NAME}: archive:./image.tar\n"


@pytest.fixture
def repository(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with nothing of ours but a catalogue."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    monkeypatch.setattr(contents, "private_certificates", frozenset)
    (folder / "images.yaml").write_text(PROMISES)
    good().save(folder / "image.tar")
    return folder


def called(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """Return the exit code, stdout and stderr of a call."""
    with pytest.raises(SystemExit) as ended:
        errors.run(lambda: front_door(["verify-image", *words]))
    assert isinstance(ended.value.code, int)
    return ended.value.code, *capsys.readouterr()


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["archive:./image.tar"],
        ["archive:./image.tar", "--like", "images.yaml"],
        ["archive:./image.tar", "--like", f"images.yaml#{NAME}"],
        ["--like", f"#{NAME}"],
    ],
)
def test_an_image_that_keeps_its_promises(
    repository: Path, capsys: pytest.CaptureFixture[str], words: Sequence[str]
) -> None:
    code, out, err = called(capsys, *words, "--format", "markdown")
    assert (code, err) == (0, FOUND)
    assert out == (
        "| image | installed | budget | download | budget | ok |\n"
        "|---|--:|--:|--:|--:|---|\n"
        f"| {NAME} | 0.0 MB | 1.0 MB | 0.0 MB | – | ok |\n\n"
        "| image | check | actual | limit | ok |\n"
        "|---|---|--:|--:|---|\n"
        f"| {NAME} | {len(RULES)} without findings | 0 | 0 | ok |\n"
    )


@pytest.mark.parametrize(("more", "code"), [(0, 0), (-1, 1)])
def test_a_size_may_be_as_large_as_its_budget(
    repository: Path, capsys: pytest.CaptureFixture[str], more: int, code: int
) -> None:
    _, out, _ = called(capsys, "--format", "json")
    sizes = {one["name"]: one["actual"] for one in json.loads(out)[:2]}
    for size, actual in sizes.items():
        text = PROMISES.replace("installed: 1 MB", f"{size}: {actual + more} B")
        (repository / "images.yaml").write_text(text)
        assert called(capsys)[0] == code


def test_over_budget_names_the_largest_owners(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good({"app/model": b"x" * 2_000_000}).save(repository / "image.tar")
    code, _, err = called(capsys)
    assert code == 1
    first, line, tip = err.splitlines()
    assert f"{first}\n" == FOUND
    key = f"images.yaml: images.{NAME}.budget.installed"
    assert line.startswith(
        f'{key}: over budget "2.0 MB", 1.0 MB allowed (+1.0 MB): largest: {NAME} 1.2.3 2.0 MB, '
    )
    assert tip == (
        f"tip: python -m scripts verify-image archive:./image.tar --like 'images.yaml#{NAME}' --all"
    )


def test_forbidden_files_are_named(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good({**exe("app/sh"), **exe("app/dash")}).save(repository / "image.tar")
    key = f"images.yaml: images.{NAME}.contents.shells: forbidden"
    code, _, err = called(capsys, "--all")
    assert code == 1
    assert err == (
        f'{FOUND}{key} "app/sh"\n{key} "app/dash"\n'
        "tip: fix the image, or allow it in the catalogue with a reason: "
        "contents: {RULE: {allow: [PATH], because: …}}\n"
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "images: {web: {budgets: {}}}",
            'images.web: unknown key "budgets", did you mean "budget"?',
        ),
        ("image: {web: {}}", ': unknown key "image", did you mean "images"?'),
        ("images: {}", "images: empty"),
        ("{}", "images: missing"),
        ("[]", ': not a mapping "[]"'),
        ("images: {web: {budget: {}}}", "images.web.budget: empty, give it installed or download"),
        ("images: {web: {budget: {ready: 1 s}}}", 'images.web.budget: unknown key "ready"'),
        ("images: {web: {tag: 1}}", 'images.web.tag: not a text "1"'),
        ("images: {web: {tag: ''}}", 'images.web.tag: not a text ""'),
        (
            "images: {web: {budget: {installed: 5}}}",
            'images.web.budget.installed: not a size such as "50 MB": "5"',
        ),
        (
            "images: {web: {contents: {shell: {skip: true, because: x}}}}",
            'images.web.contents: unknown key "shell", did you mean "shells"?',
        ),
        (
            "images: {web: {contents: {shells: {skip: true}}}}",
            "images.web.contents.shells.because: missing",
        ),
        ("images: {web: }", "images.web: missing"),
    ],
)
def test_a_catalogue_with_a_mistake_is_refused_by_its_key(
    repository: Path, capsys: pytest.CaptureFixture[str], text: str, problem: str
) -> None:
    (repository / "images.yaml").write_text(text)
    assert called(capsys) == (
        2,
        "",
        f"images.yaml: {problem.removeprefix(': ')}\n"
        "tip: fix images.yaml, then run the same command again\n",
    )


def test_a_catalogue_that_is_not_there(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert called(capsys, "--like", "none.yaml#web") == (
        2,
        "",
        "none.yaml: no such file\n"
        "tip: name it: --like FILE#NAME; the smallest is `images: {web: {}}`\n",
    )


def test_a_catalogue_that_cannot_be_read(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "images.yaml").write_bytes(b"\xff")
    code, out, err = called(capsys)
    assert (code, out) == (2, "")
    assert err.startswith("images.yaml: cannot be read: 'utf-8' codec")
    assert called(capsys, "--like", "cache")[0] == 2


def test_a_layout_is_read_without_an_engine(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    blobs = Blobs()
    image = blobs.image([tar_of({"app/web": b"x"})])
    write_layout(repository / "layout", blobs, image)
    code, out, err = called(capsys, "oci:./layout", "--format", "json")
    assert (code, err.splitlines()[0]) == (1, f"{NAME}: oci:./layout")
    assert json.loads(out)[0]["actual"] == 1


def test_a_tag_is_read_from_the_engine(
    repository: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    engine: FakeEngine,
) -> None:
    engine.add(FakeImage([tar_of({"app/web": b"x"})]), "web:prod")
    monkeypatch.setattr("scripts.engine.client.connect", lambda: engine)
    code, out, err = called(capsys, "web:prod", "--format", "json")
    assert (code, err.splitlines()[0]) == (1, f"{NAME}: web:prod")
    assert json.loads(out)[0]["actual"] == 1
    assert called(capsys, "web:other") == (
        2,
        "",
        f'{NAME}: web:other\nengine: no such image "web:other"\n'
        "tip: `docker images` lists them; an image in a file is archive:FILE or oci:FOLDER, "
        "one in a registry registry:HOST/NAME\n",
    )


def test_a_name_that_is_no_text_for_a_terminal_is_made_one(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "images.yaml").write_text('images: {"we\\e[2Jb": {}}')
    code, out, err = called(capsys, "archive:./image.tar", "--all")
    assert code == 1
    assert "\x1b" not in out + err
    assert err.splitlines()[0] == "we\N{REPLACEMENT CHARACTER}[2Jb: archive:./image.tar"


def test_which_image_is_meant_is_asked_for(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "images.yaml").write_text("images: {web: {}, api: {}}")
    assert called(capsys, "archive:./image.tar") == (
        2,
        "",
        '--like: which image of images.yaml is "archive:./image.tar"\n'
        "tip: name it: --like images.yaml#web; names: web, api\n",
    )
    assert called(capsys, "--like", "images.yaml#app") == (
        2,
        "",
        'images.yaml: images: no such image "app", did you mean "api"?\ntip: names: web, api\n',
    )


def test_an_image_without_files_is_one_line(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "image.tar").write_bytes(b"")
    code, _, err = called(capsys)
    assert code == 2
    assert err.startswith(f"{FOUND}image.tar: ")


def test_the_catalogue_of_a_project_like_ours_is_read_as_that(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "images.yaml").write_text(
        "release: {budget: {installed: 1 MB, download: 1 MB}}\n"
        f"images: {{{NAME}: {{budget: {{installed: 1 MB, download: 1 B, ready: 1 s}}}}}}\n"
    )
    code, _, err = called(capsys, "archive:./image.tar", "--format", "json")
    assert code == 1
    assert f"images.yaml: images.{NAME}.budget.download: over budget" in err


def test_github_gets_a_summary_and_annotations_on_the_catalogue(
    repository: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = repository / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    (repository / "images.yaml").write_text(
        f"images:\n  {NAME}:\n    tag: archive:./image.tar\n    budget:\n      installed: 1 B\n"
    )
    code, out, _ = called(capsys, "--format", "github")
    assert code == 1
    assert out.startswith(
        f"::error file=images.yaml,line=5,title={NAME}%3A installed::images.yaml: "
    )
    assert summary.read_text().startswith(f"## Sutra: 1 of {len(RULES) + 2} checks failed\n")


def test_nothing_is_written_but_the_cache(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert called(capsys)[0] == 0
    assert {path.name for path in repository.iterdir()} == {"images.yaml", "image.tar", "cache"}
