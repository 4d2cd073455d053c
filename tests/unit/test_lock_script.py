"""scripts/lock.sh: a wrong call is refused before any lock is touched."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.unit.fakes import program


def lock(folder: Path, **knobs: str) -> subprocess.CompletedProcess[str]:
    """Run the script in a folder that has one package and a `uv` that records its arguments."""
    scripts, package = folder / "scripts", folder / "packages/mine"
    uv = folder / ".venv/bin/uv"
    for created in (scripts, package, uv.parent):
        created.mkdir(parents=True, exist_ok=True)
    (scripts / "lock.sh").write_text((ROOT / "scripts/lock.sh").read_text())
    (scripts / "lock.sh").chmod(0o755)
    (package / "requirements.in").write_text("httpx\n")
    (package / "requirements.lock").write_text("httpx==1.0 \\\n    --hash=sha256:00\n")
    said = f'echo "${{0##*/}} $PWD: $*" >>{folder}/words'
    program(uv.parent, "uv", f"{said}\n[ ! -e {folder}/offline ]")
    rust, go = folder / "packages/crate", folder / "samples/go"
    for created in (rust, go):
        created.mkdir(parents=True, exist_ok=True)
    (rust / "Cargo.toml").touch()
    (rust / "Cargo.lock").write_text('[[package]]\nname = "tokio"\nversion = "1.0.0"\n')
    (go / "go.mod").touch()
    (go / "go.sum").write_text("golang.org/x/sync v0.17.0 h1:l60=\n")
    node = folder / "packages/node"
    node.mkdir(parents=True, exist_ok=True)
    (node / "package.json").touch()
    (node / "package-lock.json").write_text('    "node_modules/@a/one": {\n')
    said_npm = said.replace("$*", "$* ${npm_config_registry-none} ${npm_config_cafile-none}")
    program(folder / "bin", "npm", f"{said_npm}\n[ ! -e {folder}/offline ]")
    for name in ("cargo", "go"):
        program(folder / "bin", name, f"{said}\n[ ! -e {folder}/offline ]")
    knobs = {"PATH": f"{folder}/bin:/usr/bin:/bin", **knobs}
    return subprocess.run(
        ["scripts/lock.sh"], cwd=folder, env={**os.environ, **knobs}, capture_output=True, text=True
    )


@pytest.mark.parametrize(
    ("knobs", "problem", "tip"),
    [
        ({"PACKAGE": "none"}, 'PACKAGE: no such folder "packages/none"', "one of: crate mine node"),
        (
            {"UPGRADE": "httpx"},
            'UPGRADE: of which package "httpx"',
            "name one: PACKAGE=sutra-api UPGRADE=httpx make lock",
        ),
        (
            {"PACKAGE": "mine", "UPGRADE": "httpx,nope"},
            'UPGRADE: not in a lock of mine "nope"',
            "its names are those of packages/mine/requirements.lock",
        ),
        (
            {"PACKAGE": "samples/go", "UPGRADE": "nope"},
            'UPGRADE: not in a lock of samples/go "nope"',
            "its names are those of samples/go/go.sum",
        ),
    ],
)
def test_a_wrong_call_touches_no_lock(
    tmp_path: Path, knobs: dict[str, str], problem: str, tip: str
) -> None:
    done = lock(tmp_path, **knobs)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"lock: {problem}\ntip: {tip}\n"
    assert not (tmp_path / "words").exists()


@pytest.mark.parametrize(
    ("upgrade", "words"),
    [
        ("", "--quiet --universal"),
        ("httpx", "--quiet --upgrade-package httpx"),
        ("all", "--quiet --upgrade --universal"),
    ],
)
def test_one_package_is_locked_and_only_what_is_named_is_upgraded(
    tmp_path: Path, upgrade: str, words: str
) -> None:
    done = lock(tmp_path, PACKAGE="mine", UPGRADE=upgrade)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "lock: packages/mine/requirements.lock\n"
    (line,) = (tmp_path / "words").read_text().splitlines()
    assert line.startswith(f"uv {tmp_path}/packages/mine: pip compile {words}")


@pytest.mark.parametrize(
    ("package", "upgrade", "words"),
    [
        ("crate", "tokio", ["cargo packages/crate: update --quiet --package tokio"]),
        ("crate", "", ["cargo packages/crate: update --quiet --workspace"]),
        ("crate", "all", ["cargo packages/crate: update --quiet"]),
        ("samples/go", "", ["go samples/go: mod tidy"]),
        ("samples/go", "all", ["go samples/go: get -u ./...", "go samples/go: mod tidy"]),
        (
            "samples/go",
            "golang.org/x/sync",
            ["go samples/go: get -u golang.org/x/sync", "go samples/go: mod tidy"],
        ),
    ],
)
def test_a_crate_and_a_module_are_locked_by_their_own_tools(
    tmp_path: Path, package: str, upgrade: str, words: list[str]
) -> None:
    done = lock(tmp_path, PACKAGE=package, UPGRADE=upgrade)
    assert (done.returncode, done.stderr) == (0, "")
    said = (tmp_path / "words").read_text().replace(f"{tmp_path}/", "").splitlines()
    assert [line.rstrip() for line in said] == words


QUIET = (
    "--package-lock-only --ignore-scripts --omit-lockfile-registry-resolved --no-audit --no-fund "
    "--loglevel=error"
)


@pytest.mark.parametrize(
    ("knobs", "words"),
    [
        ({}, f"install {QUIET} none none"),
        ({"UPGRADE": "@a/one"}, f"update @a/one {QUIET} none none"),
        ({"UPGRADE": "all"}, f"update {QUIET} none none"),
        (
            {"NPM_REGISTRY": "https://a.example/", "CA_BUNDLE": "/ca.pem"},
            f"install {QUIET} https://a.example/ /ca.pem",
        ),
    ],
)
def test_npm_packages_are_locked_without_naming_a_registry(
    tmp_path: Path, knobs: dict[str, str], words: str
) -> None:
    done = lock(tmp_path, PACKAGE="node", **{"NPM_REGISTRY": "", "CA_BUNDLE": "", **knobs})
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "lock: packages/node/package-lock.json\n"
    assert (tmp_path / "words").read_text() == f"npm {tmp_path}/packages/node: {words}\n"


@pytest.mark.parametrize("code", [0, 2])
def test_everything_is_locked_debian_s_packages_too(tmp_path: Path, code: int) -> None:
    program(tmp_path / ".venv/bin", "python", f'echo "$*" >>"$0.words"; exit {code}\n')
    done = lock(tmp_path)
    assert (done.returncode, done.stderr) == (code, "")
    assert (tmp_path / ".venv/bin/python.words").read_text() == (
        "-m scripts update --only debian\n"
    )
    said = (tmp_path / "words").read_text() if (tmp_path / "words").exists() else ""
    assert said.count("--upgrade") == (1 if code == 0 else 0)
    assert ("update --quiet" in said) == (code == 0)


@pytest.mark.parametrize(
    ("package", "problem", "tip"),
    [
        (
            "mine",
            "uv failed for packages/mine/requirements.in",
            "read uv's lines above; PIP_INDEX_URL and CA_BUNDLE name an index and a private CA",
        ),
        (
            "crate",
            "cargo failed in packages/crate",
            "read cargo's lines above; CARGO_REGISTRY and CA_BUNDLE name a mirror and a private CA",
        ),
        (
            "samples/go",
            "go failed in samples/go",
            "read Go's lines above; GOPROXY and CA_BUNDLE name a proxy and a private CA",
        ),
        (
            "node",
            "npm failed in packages/node",
            "read npm's lines above; NPM_REGISTRY and CA_BUNDLE name a registry and a private CA",
        ),
    ],
)
def test_a_tool_without_network_is_one_line(
    tmp_path: Path, package: str, problem: str, tip: str
) -> None:
    (tmp_path / "offline").touch()
    done = lock(tmp_path, PACKAGE=package)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"lock: {problem}\ntip: {tip}\n"


@pytest.mark.parametrize(
    ("package", "problem", "tip"),
    [
        ("mine", "uv: not found in .venv", "run `make venv-dev`, then lock again"),
        ("crate", "cargo: not found", "install Rust, or lock in the builder image"),
        (
            "samples/go",
            "go: not found",
            "install Go, or lock in the builder image sutra-base-go:latest",
        ),
        (
            "node",
            "npm: not found",
            "install Node.js, or lock in the builder image sutra-base-node:latest",
        ),
    ],
)
def test_a_missing_tool_is_named(tmp_path: Path, package: str, problem: str, tip: str) -> None:
    lock(tmp_path, PACKAGE="none")
    for name in (".venv/bin/uv", "bin/cargo", "bin/go", "bin/npm"):
        (tmp_path / name).unlink()
    # only the programs that the script runs, whatever else the machine has
    (tmp_path / "tools").mkdir()
    for name in ("bash", "dirname", "grep", "sed"):
        path = shutil.which(name)
        assert path
        (tmp_path / "tools" / name).symlink_to(path)
    environment = {"PACKAGE": package, "PATH": f"{tmp_path}/tools"}
    command = [tmp_path / "scripts/lock.sh"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"lock: {problem}\ntip: {tip}\n"
