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
    said = f'echo "${{0##*/}} $PWD: $*" >>{folder}/words; env >{folder}/environment'
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
    (folder / "packages/library").mkdir(exist_ok=True)
    said_npm = said.replace("$*", "$* ${npm_config_registry-none} ${npm_config_cafile-none}")
    program(folder / "bin", "npm", f"{said_npm}\n[ ! -e {folder}/offline ]")
    for name in ("cargo", "go"):
        program(folder / "bin", name, f"{said}\n[ ! -e {folder}/offline ]")
    return again(folder, **knobs)


def again(folder: Path, **knobs: str) -> subprocess.CompletedProcess[str]:
    """Run the script in a folder that `lock` has set up, with its programs as they are now."""
    unset = dict.fromkeys(("PIP_INDEX_URL", "CARGO_REGISTRY", "NPM_REGISTRY", "CA_BUNDLE"), "")
    environment = {**os.environ, **unset, "PATH": f"{folder}/bin:/usr/bin:/bin", **knobs}
    command = ["scripts/lock.sh"]
    return subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        start_new_session=True,  # a group of its own, which a test may interrupt
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
        (
            {"PACKAGE": "mine", "UPGRADE": "."},
            'UPGRADE: not in a lock of mine "."',
            "its names are those of packages/mine/requirements.lock",
        ),
        (
            {"PACKAGE": "mine", "UPGRADE": "*"},
            'UPGRADE: not in a lock of mine "*"',
            "its names are those of packages/mine/requirements.lock",
        ),
        (
            {"PACKAGE": "mine", "UPGRADE": "-c"},
            'UPGRADE: not in a lock of mine "-c"',
            "its names are those of packages/mine/requirements.lock",
        ),
        (
            {"PACKAGE": "crate", "UPGRADE": "Tokio_2"},
            'UPGRADE: not in a lock of crate "Tokio_2"',
            "its names are those of packages/crate/Cargo.lock",
        ),
        (
            {"PACKAGE": "samples/none"},
            'PACKAGE: no such folder "samples/none"',
            "one of: samples/go",
        ),
        ({"PACKAGE": ".."}, 'PACKAGE: no such folder "packages/.."', "one of: crate mine node"),
        ({"PACKAGE": "."}, 'PACKAGE: no such folder "packages/."', "one of: crate mine node"),
        (
            {"PACKAGE": "mine/../mine"},
            'PACKAGE: no such folder "packages/mine/../mine"',
            "one of: crate mine node",
        ),
        (
            {"PACKAGE": "library"},
            'PACKAGE: nothing to lock in "packages/library"',
            "one of: crate mine node",
        ),
        (
            {"PACKAGE": "mine", "CA_BUNDLE": "none.pem"},
            'CA_BUNDLE: no such file "none.pem"',
            "name a PEM file, or leave CA_BUNDLE out",
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


@pytest.mark.parametrize("package", ["mine/", "packages/mine", "packages/mine/"])
def test_a_folder_is_named_as_tab_completion_writes_it(tmp_path: Path, package: str) -> None:
    done = lock(tmp_path, PACKAGE=package)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "lock: packages/mine/requirements.lock\n"


@pytest.mark.parametrize("name", ["Typing_Extensions", "typing.extensions", "uvicorn"])
def test_a_distribution_is_known_by_each_spelling_and_with_extras(
    tmp_path: Path, name: str
) -> None:
    lock(tmp_path, PACKAGE="none")
    locked = tmp_path / "packages/mine/requirements-test.lock"
    locked.write_text("typing-extensions==4.0 \\\nuvicorn[standard]==0.30 \\\n")
    done = lock(tmp_path, PACKAGE="mine", UPGRADE=f"{name}, httpx")
    assert (done.returncode, done.stderr) == (0, "")
    words = f"--upgrade-package {name} --upgrade-package httpx --universal"
    assert words in (tmp_path / "words").read_text()


@pytest.mark.parametrize(
    ("package", "variable", "value"),
    [
        ("mine", "UV_DEFAULT_INDEX", "https://pypi.example/simple"),
        ("mine", "SSL_CERT_FILE", "{folder}/ca.pem"),
        ("crate", "CARGO_HTTP_CAINFO", "{folder}/ca.pem"),
        ("samples/go", "SSL_CERT_FILE", "{folder}/ca.pem"),
        ("samples/go", "GOPROXY", "https://go.example"),
        ("node", "npm_config_cafile", "{folder}/ca.pem"),
        ("node", "npm_config_registry", "https://npm.example"),
    ],
)
def test_mirrors_and_a_private_ca_reach_each_tool(
    tmp_path: Path, package: str, variable: str, value: str
) -> None:
    (tmp_path / "ca.pem").touch()
    done = lock(
        tmp_path,
        PACKAGE=package,
        CA_BUNDLE="ca.pem",
        PIP_INDEX_URL="https://pypi.example/simple",
        GOPROXY="https://go.example",
        NPM_REGISTRY="https://npm.example",
    )
    assert (done.returncode, done.stderr) == (0, "")
    environment = (tmp_path / "environment").read_text().splitlines()
    assert f"{variable}={value.format(folder=tmp_path)}" in environment


def test_a_mirror_of_crates_replaces_the_registry_by_configuration(tmp_path: Path) -> None:
    done = lock(tmp_path, PACKAGE="crate", CARGO_REGISTRY="sparse+https://crates.example/")
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "words").read_text() == (
        f"cargo {tmp_path}/packages/crate: "
        '--config source.crates-io.replace-with="mirror" '
        '--config source.mirror.registry="sparse+https://crates.example/" '
        "update --quiet --workspace\n"
    )


@pytest.mark.parametrize(
    ("package", "tool", "script"),
    [
        # the second lock of a package fails, after the first one is written
        (
            "mine",
            ".venv/bin/uv",
            "[ $(wc -l <words) -eq 1 ] && echo new >requirements.lock || exit 1",
        ),
        ("crate", "bin/cargo", "echo new >Cargo.lock; exit 101"),
        # `go mod tidy` fails; or `go list`, after it has written a line
        (
            "samples/go",
            "bin/go",
            "[ $1 = list ] && exit; echo new >go.mod; echo new >go.sum; exit 1",
        ),
        ("samples/go", "bin/go", "[ $1 = mod ] && exit; echo new >go.mod; exit 1"),
        ("node", "bin/npm", "echo new >package-lock.json; exit 1"),
        ("node", "bin/npm", "echo new >package-lock.json; kill -TERM 0; sleep 1"),
        ("node", "bin/npm", "echo new >package-lock.json; kill -INT 0; sleep 1"),
    ],
)
def test_a_lock_that_fails_or_is_interrupted_leaves_every_file_as_it_was(
    tmp_path: Path, package: str, tool: str, script: str
) -> None:
    def texts() -> dict[str, str]:
        return {
            str(file.relative_to(tmp_path)): file.read_text()
            for top in ("packages", "samples")
            for file in (tmp_path / top).rglob("*")
            if file.is_file() and file.name != "words"
        }

    lock(tmp_path, PACKAGE="none")
    (tmp_path / "packages/mine/requirements-test.in").write_text("pytest\n")
    before = texts()
    file = tmp_path / tool
    program(file.parent, file.name, f"echo >>words\n{script}")
    done = again(tmp_path, PACKAGE=package, UPGRADE="all", TMPDIR=str(tmp_path))
    assert done.returncode != 0
    assert done.stdout == ""
    assert texts() == before
    assert list(tmp_path.glob("tmp.*")) == []


@pytest.mark.parametrize(
    ("package", "upgrade", "words"),
    [
        ("crate", "tokio", ["cargo packages/crate: update --quiet --package tokio"]),
        ("crate", "", ["cargo packages/crate: update --quiet --workspace"]),
        ("crate", "all", ["cargo packages/crate: update --quiet"]),
        ("samples/go", "", ["go samples/go: mod tidy"]),
    ],
)
def test_a_crate_and_a_module_are_locked_by_their_own_tools(
    tmp_path: Path, package: str, upgrade: str, words: list[str]
) -> None:
    done = lock(tmp_path, PACKAGE=package, UPGRADE=upgrade)
    assert (done.returncode, done.stderr) == (0, "")
    said = (tmp_path / "words").read_text().replace(f"{tmp_path}/", "").splitlines()
    assert [line.rstrip() for line in said] == words


# the releases of a module, of which three have a go.mod, and its present version
GO = """
module=golang.org/x/sync
case "$*" in
  "list -deps"*) printf '%s\\n' "$module" "$module" ;;
  "list -m -versions"*) printf '%s\\n' v0.9.0 v0.16.0 v0.17.0 v0.18.0 v0.19.0 v0.20.0-rc.1 ;;
  *"{{{{.GoVersion}}}}") echo {line} ;;
  *"{{{{.Version}}}} $module") echo {present} ;;
  *"{{{{.GoMod}}}} $module@v0.16.0") ;;
  *"{{{{.GoMod}}}} $module@v0.17.0") echo "module $module" >"$0.17"; echo "$0.17" ;;
  *"{{{{.GoMod}}}} $module@v0.18.0") printf 'module a\\n\\ngo 1.24.0\\n' >"$0.18"; echo "$0.18" ;;
  *"{{{{.GoMod}}}} $module@v0.19.0") {newest} ;;
esac
"""
NEWEST = """printf 'go 1.26.0 // why\\ntoolchain go1.26.8\\n' >"$0.19"; echo "$0.19" """
HELD = "lock: golang.org/x/sync v0.19.0 is not taken: it needs go 1.26.0, and go.mod has go {}\n"


@pytest.mark.parametrize("upgrade", ["golang.org/x/sync", "all"])
@pytest.mark.parametrize(
    ("line", "present", "taken", "held"),
    [
        ("1.26.0", "v0.17.0", "v0.19.0", ""),
        ("1.26.1", "v0.19.0", "v0.19.0", ""),
        ("1.24.0", "v0.17.0", "v0.18.0", HELD),
        ("1.24.0", "v0.9.0", "v0.18.0", HELD),
        ("1.9", "v0.16.0", "v0.17.0", HELD),
        # a commit between two releases, and one after the last of them
        ("1.24.0", "v0.18.0-0.20260101000000-0123456789ab", "v0.18.0", HELD),
        ("1.26.0", "v0.19.1-0.20260101000000-0123456789ab", None, ""),
    ],
)
def test_a_module_goes_to_the_newest_release_for_the_go_of_its_package(
    tmp_path: Path,
    upgrade: str,
    line: str,
    present: str,
    taken: str | None,
    held: str,
) -> None:
    lock(tmp_path, PACKAGE="none")
    said = f'echo "$*" >>{tmp_path}/words'
    program(
        tmp_path / "bin", "go", f"{said}\n{GO.format(line=line, present=present, newest=NEWEST)}"
    )
    done = again(tmp_path, PACKAGE="samples/go", UPGRADE=upgrade)
    assert (done.returncode, done.stdout) == (0, "lock: samples/go/go.sum\n")
    assert done.stderr == held.format(line)
    words = (tmp_path / "words").read_text().splitlines()
    assert words[-2:] == [f"get golang.org/x/sync@{taken or present}", "mod tidy"]


def test_a_module_of_which_a_proxy_knows_nothing_ends_the_lock(tmp_path: Path) -> None:
    lock(tmp_path, PACKAGE="none")
    script = GO.format(line="1.24.0", present="v0.17.0", newest="echo gone >&2; exit 1")
    program(tmp_path / "bin", "go", script)
    done = again(tmp_path, PACKAGE="samples/go", UPGRADE="all")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("gone\nlock: go failed in samples/go\n")


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
            {"NPM_REGISTRY": "https://a.example/", "CA_BUNDLE": "/dev/../etc/hosts"},
            f"install {QUIET} https://a.example/ /etc/hosts",
        ),
    ],
)
def test_npm_packages_are_locked_without_naming_a_registry(
    tmp_path: Path, knobs: dict[str, str], words: str
) -> None:
    done = lock(tmp_path, PACKAGE="node", **knobs)
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


def only(folder: Path) -> str:
    """Return a PATH with the programs that the script runs alone, whatever else the machine has."""
    (folder / "tools").mkdir()
    for name in (
        "bash",
        "cat",
        "cp",
        "dirname",
        "env",
        "grep",
        "mktemp",
        "paste",
        "rm",
        "sed",
        "tr",
    ):
        path = shutil.which(name)
        assert path
        (folder / "tools" / name).symlink_to(path)
    return f"{folder}/tools"


def in_builder(name: str, package: str, image: str) -> str:
    """Return the tip for a language's tool that is not there: a command to be typed as it is."""
    return (
        f"install {name}, or lock in the builder, which `./build.sh` makes: `docker run --rm "
        f"--user $(id -u):$(id -g) -e HOME=/tmp -e PACKAGE={package} -e UPGRADE= "
        f'-v "$PWD:/src" -w /src sutra-base-{image}:latest scripts/lock.sh`'
    )


@pytest.mark.parametrize(
    ("package", "problem", "tip"),
    [
        ("mine", "uv: not found in .venv", "run `make venv-dev`, then lock again"),
        ("crate", "cargo: not found", in_builder("Rust", "crate", "rust")),
        ("samples/go", "go: not found", in_builder("Go", "samples/go", "go")),
        ("node", "npm: not found", in_builder("Node.js", "node", "node")),
    ],
)
def test_a_missing_tool_is_named(tmp_path: Path, package: str, problem: str, tip: str) -> None:
    lock(tmp_path, PACKAGE="none")
    for name in (".venv/bin/uv", "bin/cargo", "bin/go", "bin/npm"):
        (tmp_path / name).unlink()
    environment = {"PACKAGE": package, "PATH": only(tmp_path)}
    command = [tmp_path / "scripts/lock.sh"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"lock: {problem}\ntip: {tip}\n"


def test_a_missing_tool_of_one_package_of_all_names_that_one(tmp_path: Path) -> None:
    program(tmp_path / ".venv/bin", "python", "exit 0\n")
    lock(tmp_path, PACKAGE="none")
    (tmp_path / "bin/npm").unlink()
    done = again(tmp_path, PATH=f"{tmp_path}/bin:{only(tmp_path)}")
    assert done.returncode == 2
    (tip,) = [line for line in done.stderr.splitlines() if line.startswith("tip: ")]
    assert tip == f"tip: {in_builder('Node.js', 'node', 'node').replace('UPGRADE=', 'UPGRADE=all')}"
