"""base-images/lib/needed-tree.py copies what one package needs of an environment, and no more."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

SCRIPT = ROOT / "base-images/lib/needed-tree.py"
SITE = "lib/python3.13/site-packages"
PROJECT = """[project]
dependencies = ["Web.Kit>=2"]
[dependency-groups]
test = ["runner"]
"""


def install(environment: Path, name: str, *requires: str) -> None:
    """Put a distribution of one module into the environment, with its RECORD."""
    site = environment / SITE
    module = name.replace("-", "_")
    info = site / f"{module}-1.dist-info"
    info.mkdir(parents=True)
    (site / f"{module}.py").write_text(name)
    lines = ["Metadata-Version: 2.1", f"Name: {name}", "Version: 1"]
    lines += [f"Requires-Dist: {line}" for line in requires]
    (info / "METADATA").write_text("\n".join(lines) + "\n")
    (info / "RECORD").write_text(
        f"{module}.py,,\n{info.name}/METADATA,,\n{info.name}/RECORD,,\n../../../bin/{name},,\n"
    )
    (environment / "bin").mkdir(exist_ok=True)
    (environment / "bin" / name).write_text("program")


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    folder = tmp_path / "environment"
    install(folder, "web-kit", "low_level (>=1)", "colour; extra == 'all'", "winapi; os == 'nt'")
    install(folder, "low-level", "web-kit")
    install(folder, "runner")
    install(folder, "colour")
    (folder / "bin/python3").symlink_to("/usr/bin/python3")
    (folder / "lib64").symlink_to("lib")
    (folder / "pyvenv.cfg").write_text("home = /usr/bin\n")
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    return folder


def copied(folder: Path, environment: Path) -> tuple[int, str, list[str]]:
    """Return exit code, errors and the files of the copy."""
    into = folder / "copy"
    done = subprocess.run(
        [sys.executable, SCRIPT, folder / "pyproject.toml", environment, into],
        capture_output=True,
        text=True,
    )
    files = sorted(str(file.relative_to(into)) for file in into.rglob("*") if not file.is_dir())
    return done.returncode, done.stderr, files


def test_what_is_required_is_copied_and_what_that_requires(
    tmp_path: Path, environment: Path
) -> None:
    modules = {"low_level": "low-level", "runner": "runner", "web_kit": "web-kit"}
    expected = [f"{SITE}/{module}.py" for module in modules]
    expected += [
        f"{SITE}/{m}-1.dist-info/{file}" for m in modules for file in ("METADATA", "RECORD")
    ]
    expected += [f"bin/{name}" for name in modules.values()]
    code, errors, files = copied(tmp_path, environment)
    assert (code, errors) == (0, "")
    assert files == sorted([*expected, "bin/python3", "pyvenv.cfg"])
    assert (tmp_path / "copy/lib64").readlink() == Path("lib")
    assert (tmp_path / "copy/bin/python3").readlink() == Path("/usr/bin/python3")


def test_the_same_whatever_else_is_installed(tmp_path: Path, environment: Path) -> None:
    _, _, files = copied(tmp_path, environment)
    shutil.rmtree(tmp_path / "copy")
    install(environment, "numbers", "web-kit")
    assert copied(tmp_path, environment) == (0, "", files)


def test_a_requirement_that_is_not_installed_ends_it(tmp_path: Path, environment: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(PROJECT.replace("runner", "walker>=3"))
    problem = 'needed-tree: not installed "walker>=3"\n'
    assert copied(tmp_path, environment) == (1, problem, [])


def test_a_file_of_a_record_that_is_not_there_ends_it(tmp_path: Path, environment: Path) -> None:
    (environment / SITE / "low_level.py").unlink()
    code, errors, _ = copied(tmp_path, environment)
    problem = f'needed-tree: low-level: not there "{environment}/{SITE}/low_level.py"\n'
    assert (code, errors) == (1, problem)
