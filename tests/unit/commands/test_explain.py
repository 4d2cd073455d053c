from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.__main__ import main as front_door
from scripts.commands import explain
from scripts.common.errors import SutraError, run

ROOT = Path(__file__).resolve().parents[3]
BUDGET = "budget: {installed: 1 MB, download: 1 MB}"
IMAGES = f"""
release: {{{BUDGET}}}
images:
  mine: {{{BUDGET}}}
  plain: {{{BUDGET}}}
  sutra-base-python: {{{BUDGET}}}
"""
MINE = """
extends: [../../base-images/cleanup/python.yaml]
strip: verified
bytecode: {default: sourceless, source: [app/]}
rules:
  natype: {why: imported, source: numpy PR#28936, keep: [numpy/tests/_natype.py]}
  solver: {why: never called, stand_in: true, remove: ["scipy/_core.*.so"]}
  odr: {why: not imported, remove: [scipy/odr/]}
"""
PYTHON = """
rules:
  tests: {why: not in production, remove: [tests/]}
  texts: {why: nobody reads it, remove: ["*.md"]}
  scripts: {why: not called, remove: ["./bin/*"], keep: ["./bin/python*"]}
"""
STDLIB = "strip: verified\nrules: {desktop: {why: no desktop, remove: [./idlelib/]}}"
Explained = Callable[..., tuple[int, str, str]]


@pytest.fixture
def explained(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Explained:
    """Call the command in a small project, and return exit code, stdout and stderr."""
    for name, text in {
        "images.yaml": IMAGES,
        "packages/mine/cleanup.yaml": MINE,
        "base-images/cleanup/python.yaml": PYTHON,
        "base-images/cleanup/stdlib.yaml": STDLIB,
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)

    def call(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            run(lambda: front_door(["explain", *words]))
        out, err = capsys.readouterr()
        assert isinstance(caught.value.code, int)
        return caught.value.code, out, err

    return call


SOLVER = 'rule "solver" of cleanup.yaml: never called'
ODR = 'rule "odr" of cleanup.yaml: not imported'
TESTS = 'rule "tests" of python.yaml: not in production'


@pytest.mark.parametrize(
    ("file", "out"),
    [
        ("x/tests/a.py", f"leaves\n  removed by {TESTS}"),
        (
            "x/tests/a.md",
            f'leaves\n  removed by {TESTS}\n  removed by rule "texts" of python.yaml: '
            "nobody reads it",
        ),
        (
            "numpy/tests/_natype.py",
            'stays; bytecode: sourceless\n  kept by rule "natype" of cleanup.yaml: imported '
            f"(source: numpy PR#28936)\n  not removed by {TESTS}",
        ),
        ("numpy/__init__.py", "stays, no rule names it; bytecode: sourceless"),
        ("./numpy/__init__.py", "stays, no rule names it; bytecode: sourceless"),
        ("app/a.py", "stays, no rule names it; bytecode: source"),
        ("x/a.so", "stays, no rule names it; strip: verified"),
        ("x.libs/a.so.1.2", "stays, no rule names it; strip: verified"),
        ("x/a.txt", "stays, no rule names it"),
        ("bin/tool", 'leaves\n  removed by rule "scripts" of python.yaml: not called'),
        (
            "bin/python3",
            'stays\n  kept by rule "scripts" of python.yaml: not called\n'
            '  not removed by rule "scripts" of python.yaml: not called',
        ),
        ("lib/python3.13/site-packages/x/tests/a.py", f"leaves\n  removed by {TESTS}"),
        ("opt/sutra/lib/python3.13/site-packages/x/tests/a.py", f"leaves\n  removed by {TESTS}"),
        ("/opt/sutra/bin/tool", 'leaves\n  removed by rule "scripts" of python.yaml: not called'),
        ("/opt/sutra/pyvenv.cfg", "stays, no rule names it"),
        (
            "numpy/tests/_natype.pyc",
            'stays; bytecode: sourceless\n  kept by rule "natype" of cleanup.yaml: imported '
            f"(source: numpy PR#28936)\n  not removed by {TESTS}",
        ),
        ("numpy/__init__.pyc", "stays, no rule names it; bytecode: sourceless"),
        ("x/tests/__pycache__/a.cpython-313.pyc", f"leaves\n  removed by {TESTS}"),
        ("scipy/odr", f"leaves\n  removed by {ODR}"),
        ("scipy/odr/", f"leaves\n  removed by {ODR}"),
        ("opt/sutra/lib/python3.13/site-packages/scipy/odr", f"leaves\n  removed by {ODR}"),
        ("scipy/odr/deep/", f"leaves\n  removed by {ODR}"),
        (
            "scipy/",
            f"stays, no rule names all of it\n  some of it removed by {SOLVER}\n"
            f"  some of it removed by {ODR}",
        ),
        (
            "scipy/_core.cpython-313-x86_64-linux-gnu.so",
            f"leaves; a module that raises an error when used replaces it\n  removed by {SOLVER}",
        ),
        ("scipy/stats/", "stays, no rule names all of it"),
        (
            "numpy/tests",
            f"leaves\n  removed by {TESTS}\n"
            '  some of it kept by rule "natype" of cleanup.yaml: imported (source: numpy PR#28936)',
        ),
    ],
)
def test_a_file_is_explained(explained: Explained, file: str, out: str) -> None:
    assert explained("mine", file) == (0, f"{file}: {out}\n", "")


@pytest.mark.parametrize(
    ("file", "out"),
    [
        ("idlelib/a.py", 'leaves\n  removed by rule "desktop" of stdlib.yaml: no desktop'),
        *(
            (file, 'leaves\n  removed by rule "desktop" of stdlib.yaml: no desktop')
            for file in (
                "usr/lib/python3.13/idlelib/a.py",
                "/usr/lib/python3.13/idlelib/a.pyc",
                "idlelib",
                "/usr/lib/python3.13/idlelib/",
                "./idlelib/a.py",
            )
        ),
        ("x/idlelib/a.py", "stays, no rule names it; bytecode: source"),
        ("lib-dynload/_ssl.so", "stays, no rule names it; strip: verified"),
    ],
)
def test_the_standard_library_is_explained(explained: Explained, file: str, out: str) -> None:
    assert explained("sutra-base-python", file) == (0, f"{file}: {out}\n", "")


def test_an_unknown_image_is_refused(explained: Explained) -> None:
    assert explained("mien", "x.py") == (
        2,
        "",
        'images.yaml: images: no such image "mien", did you mean "mine"?\n'
        "tip: names: mine, plain, sutra-base-python\n",
    )


def test_an_image_without_a_manifest_is_refused(explained: Explained) -> None:
    assert explained("plain", "x.py") == (
        2,
        "",
        'explain: no cleanup manifest for "plain"\ntip: it is built without one\n',
    )


def test_a_wrong_manifest_is_refused(explained: Explained, folder: Path) -> None:
    (folder / "packages/mine/cleanup.yaml").write_text("rulez: {}")
    assert explained("mine", "x.py") == (
        2,
        "",
        'cleanup.yaml: unknown key "rulez", did you mean "rules"?\n'
        "tip: fix cleanup.yaml, then build again\n",
    )


@pytest.mark.parametrize("words", [(), ("mine",)])
def test_a_call_without_image_or_file_is_refused(explained: Explained, words: list[str]) -> None:
    code, out, err = explained(*words)
    assert (code, out) == (2, "")
    assert "the following arguments are required" in err


@pytest.mark.parametrize("image", ["sutra-base-python", "sutra-api", "sutra-hybrid"])
def test_the_projects_images_have_manifests(image: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert explain.manifest_of(image).is_file()


@pytest.mark.parametrize("image", ["sutra-storage-server", "sutra-base-rust-runtime"])
def test_the_projects_rust_images_have_none(image: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    with pytest.raises(SutraError) as caught:
        explain.manifest_of(image)
    assert caught.value.message == f'explain: no cleanup manifest for "{image}"'


def test_the_issues_own_example(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    assert front_door(["explain", "sutra-hybrid", "numpy/testing/__init__.py"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("numpy/testing/__init__.py: stays, no rule names it; bytecode: ")
