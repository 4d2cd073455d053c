"""Scripts of base-images/lib that builders run, with a separate home and module cache."""

from __future__ import annotations

import os
import subprocess
import tomllib
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


def run(script: str, folder: Path, *words: str, **knobs: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": f"{folder}/bin:{os.environ['PATH']}", "HOME": str(folder), **knobs}
    command = [str(LIB / script), *words]
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True)


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


@pytest.fixture
def crate(tmp_path: Path) -> Path:
    """A folder to fetch in, and a cargo that says what it was called with, and fails for "gone"."""
    (tmp_path / "src").mkdir()
    settings = '"$(cat "$HOME/.cargo/config.toml" 2>/dev/null)"'
    body = f'echo "cargo $*"; case {settings} in *gone*) exit 101 ;; esac'
    program(tmp_path / "bin", "cargo", body)
    return tmp_path


def test_crates_are_fetched_from_the_default_registry(crate: Path) -> None:
    done = run("cargo-mirror.sh", crate)
    assert (done.returncode, done.stdout) == (0, "cargo fetch --locked\n")
    assert not (crate / ".cargo").exists()
    assert (crate / "src/main.rs").read_text() == "fn main() {}\n"


def test_a_mirror_replaces_the_default_registry(crate: Path) -> None:
    done = run("cargo-mirror.sh", crate, CARGO_REGISTRY="sparse+https://mirror.example/")
    assert done.returncode == 0
    assert tomllib.loads((crate / ".cargo/config.toml").read_text()) == {
        "source": {
            "crates-io": {"replace-with": "mirror"},
            "mirror": {"registry": "sparse+https://mirror.example/"},
        }
    }


def test_a_mirror_that_fails_ends_the_build(crate: Path) -> None:
    assert (
        run("cargo-mirror.sh", crate, CARGO_REGISTRY="sparse+https://gone.example/").returncode
        == 101
    )


LOADED = """Program Headers:
  Type           Offset   VirtAddr           PhysAddr           FileSiz  MemSiz   Flg Align
  INTERP         0x000318 0x0000000000000318 0x0000000000000318 0x00001c 0x00001c R   0x1
      [Requesting program interpreter: /lib64/ld-linux-x86-64.so.2]
"""


@pytest.mark.parametrize(
    ("lines", "code", "status", "problem"),
    [
        ("  LOAD           0x000000", 0, 0, ""),
        (
            LOADED,
            0,
            1,
            "require-static: program asks for a dynamic loader, and its image has none\n",
        ),
        ("", 1, 1, ""),
    ],
    ids=["static", "with a loader", "readelf fails"],
)
def test_a_program_must_be_static(
    tmp_path: Path, lines: str, code: int, status: int, problem: str
) -> None:
    program(tmp_path / "bin", "readelf", f"printf %s '{lines}'; exit {code}")
    done = run("require-static.sh", tmp_path, "program")
    assert (done.returncode, done.stderr) == (status, problem)
