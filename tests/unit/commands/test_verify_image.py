"""`verify-image` as people call it, on archives; tests/unit/test_wheel.py has it installed."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from scripts.__main__ import main as front_door
from scripts.catalog import foreign
from scripts.checks import foreign as checks
from scripts.checks.contents import verify as contents
from scripts.checks.contents.rules import RULES
from scripts.common import errors
from scripts.common.errors import EngineError
from scripts.engine import client
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
    sizes = {result["name"]: result["actual"] for result in json.loads(out)[:2]}
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


def silent() -> None:
    """Connect to an engine that does not answer."""
    raise EngineError("no answer (timed out)", client.TIP)


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
        (
            "images:\n\tweb: {}",
            "not YAML: line 2: found character '\\t' that cannot start any token",
        ),
        ("images: {web: {}, web: {}}", 'not YAML: line 1: duplicate key "web"'),
        ('images: {"": {}}', 'images: not a name ""'),
        ('images: {" ": {}}', 'images: not a name " "'),
        ('images: {"we\\e[2Jb": {}}', r'images: not a name "we\x1b[2Jb"'),
        (r'images: {"we\nb": {}}', r'images: not a name "we\nb"'),
        (r'images: {"we\0b": {}}', r'images: not a name "we\x00b"'),
        (r'images: {web: {tag: "a\nb"}}', r'images.web.tag: not printable "a\nb"'),
        (r'images: {web: {tag: "\ud800"}}', r'images.web.tag: not printable "\ud800"'),
        (
            "images: {web: {budget: {installed: ٣ MB}}}",
            'images.web.budget.installed: not a size such as "50 MB": "٣ MB"',
        ),
        (
            f"images: {{web: {{budget: {{installed: {'9' * 400} MB}}}}}}",
            f'images.web.budget.installed: not a size such as "50 MB": "{"9" * 400} MB"',
        ),
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
    assert err == (
        "images.yaml: cannot be read: 'utf-8' codec can't decode byte 0xff in position 0: "
        "invalid start byte\ntip: save it as UTF-8\n"
    )


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


@pytest.mark.parametrize(
    ("like", "file", "name"),
    [
        ("my#images.yaml", "my#images.yaml", ""),
        (f"my#images.yaml#{NAME}", "my#images.yaml", NAME),
        ("my#images.yaml#", "my#images.yaml", ""),
        ("images.yaml#my#images.yaml", "images.yaml", "my#images.yaml"),
        ("other#my#images.yaml", "other", "my#images.yaml"),
        ("#web", "", "web"),
        ("", "", ""),
    ],
)
def test_a_file_may_have_the_sign_before_a_name_in_its_own(
    repository: Path, like: str, file: str, name: str
) -> None:
    (repository / "my#images.yaml").write_text(PROMISES)
    assert foreign.file_and_name(like) == (file, name)


def test_the_tip_can_be_typed_for_a_file_with_a_blank_in_its_name(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "my images.yaml").write_text("images: {web: {}, api: {}}")
    assert called(capsys, "web:prod", "--like", "my images.yaml") == (
        2,
        "",
        '--like: which image of my images.yaml is "web:prod"\n'
        "tip: name it: --like 'my images.yaml#web'; names: web, api\n",
    )


def test_a_pipe_is_no_catalogue(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody writes to it: reading would never end."""
    os.mkfifo(repository / "pipe")
    for name in ("pipe", "cache"):
        (repository / "cache").mkdir(exist_ok=True)
        assert called(capsys, "--like", f"{name}#{NAME}") == (
            2,
            "",
            f"{name}: not a regular file\ntip: name it: --like FILE#NAME\n",
        )


@pytest.mark.parametrize("reference", ["archive:web.tar", "oci:web.tar"])
@pytest.mark.parametrize("runs", [True, False])
def test_a_file_that_is_not_there_is_not_sought_on_the_engine_alone(
    repository: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    engine: FakeEngine,
    reference: str,
    runs: bool,
) -> None:
    monkeypatch.setattr("scripts.engine.client.connect", (lambda: engine) if runs else silent)
    assert called(capsys, reference) == (
        2,
        "",
        f"{NAME}: {reference}\nweb.tar: no such file or folder\ntip: check the path\n",
    )


def test_a_reference_that_is_too_long_for_a_path_is_one_of_the_engine(
    repository: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scripts.engine.client.connect", silent)
    code, _, err = called(capsys, "x" * 5000)
    assert (code, err.splitlines()[1:]) == (
        2,
        [
            "engine: no answer (timed out)",
            f"tip: start the engine; {checks.ELSEWHERE}",
        ],
    )


@pytest.mark.parametrize(
    ("problem", "tip", "shown"),
    [
        (
            'cannot inspect "a b": invalid reference format',
            client.TIP,
            f"check the name, and the engine by `docker info`; {checks.ELSEWHERE}",
        ),
        (
            'image no longer exists "sha256:1"',
            "run `make build`",
            f"check the name, and the engine by `docker info`; {checks.ELSEWHERE}",
        ),
        ("no answer (timed out)", client.TIP, f"start the engine; {checks.ELSEWHERE}"),
        ("server.version: too old", "upgrade the engine", "upgrade the engine"),
    ],
)
def test_no_tip_names_a_make_target(
    repository: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    problem: str,
    tip: str,
    shown: str,
) -> None:
    def refuse(*_: object) -> None:
        raise EngineError(problem, tip)

    monkeypatch.setattr("scripts.engine.client.connect", lambda: None)
    monkeypatch.setattr("scripts.image.inventory.read", refuse)
    assert called(capsys, "web:prod") == (
        2,
        "",
        f"{NAME}: web:prod\nengine: {problem}\ntip: {shown}\n",
    )


def test_a_cache_that_cannot_be_written_can_be_put_elsewhere(
    repository: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(repository / "images.yaml"))
    code, out, err = called(capsys)
    assert (code, out) == (2, "")
    _, line, tip = err.splitlines()
    assert line.startswith(f'layers: cannot write "{repository}/images.yaml/sutra-images/')
    assert line.endswith(": Not a directory")
    assert tip == ("tip: free some space (`df -h .`), or set XDG_CACHE_HOME to another folder")


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


@pytest.mark.parametrize(("number", "more"), [(20, ""), (21, " and 1 more")])
def test_of_many_names_the_first_are_listed(
    repository: Path, capsys: pytest.CaptureFixture[str], number: int, more: str
) -> None:
    names = [f"web-{at}" for at in range(number)]
    (repository / "images.yaml").write_text(f"images: {{{', '.join(f'{n}: {{}}' for n in names)}}}")
    first = ", ".join(names[:20])
    for words in (["web:prod"], ["--like", "images.yaml#none"]):
        code, _, err = called(capsys, *words)
        assert (code, err.endswith(f"names: {first}{more}\n")) == (2, True)


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
