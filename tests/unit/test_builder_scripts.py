"""Scripts of base-images/lib that builders run, with a separate home and module cache."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.unit.fakes import program

LIB = ROOT / "base-images/lib"
BUILT = """program: go1.24.4
\tpath\tmine
\tmod\tmine\t(devel)\t
\tdep\tgithub.com/BurntSushi/toml\tv1.5.0\th1:x=
\tdep\texample.com/old\tv1.0.0
\t=>\texample.com/new\tv1.1.0\th1:y=
\tdep\tgolang.org/x/sync\tv0.17.0\th1:z=
\tbuild\t-trimpath=true
"""


def run(script: str, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": f"{folder}/bin:{os.environ['PATH']}", "HOME": str(folder)}
    command = [str(LIB / script), *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


@pytest.fixture
def modules(tmp_path: Path) -> Path:
    """A Go whose program has three modules, one replaced, and their licences."""
    cache, root = tmp_path / "cache", tmp_path / "goroot"
    for place in (
        cache / "github.com/!burnt!sushi/toml@v1.5.0/COPYING",
        cache / "example.com/new@v1.1.0/LICENSE.md",
        cache / "golang.org/x/sync@v0.17.0/LICENSE",
        cache / "golang.org/x/sync@v0.17.0/README.md",
        root / "LICENSE",
    ):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(place.name)
    (tmp_path / "built").write_text(BUILT)
    answers = f"'env GOMODCACHE') echo {cache} ;; 'env GOROOT') echo {root} ;;"
    program(tmp_path / "bin", "go", f'case "$*" in {answers} *) cat {tmp_path}/built ;; esac')
    return tmp_path


def test_every_module_of_a_program_has_its_licence_by_its_own_name(modules: Path) -> None:
    out = modules / "out"
    assert run("module-licences.sh", modules, "program", str(out)).returncode == 0
    assert sorted(str(each.relative_to(out)) for each in out.rglob("*") if each.is_file()) == [
        "example.com/old/LICENSE.md",
        "github.com/BurntSushi/toml/COPYING",
        "go",
        "golang.org/x/sync/LICENSE",
        "modules",
    ]


def test_a_licence_that_is_missing_ends_the_build(modules: Path) -> None:
    (modules / "cache/golang.org/x/sync@v0.17.0/LICENSE").unlink()
    done = run("module-licences.sh", modules, "program", str(modules / "out"))
    assert (done.returncode, done.stderr) == (
        1,
        'module-licences: no licence of the module "golang.org/x/sync" v0.17.0\n',
    )
