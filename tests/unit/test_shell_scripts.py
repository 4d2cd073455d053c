"""Test the scripts' messages on machines that lack something, with real shells and folders."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.support.tracked import tracked
from tests.unit.fakes import program

CHOOSE = "tip: install Python 3.11 or newer, or name one: `PYTHON=python3.13 make prod`\n"
NO_SPACE = "or name another folder: `TMPDIR=/var/tmp make prod`\n"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return copied(tmp_path)


@dataclass(frozen=True)
class FirstRuns:
    """A checkout after two runs of venv.sh at once, each the first one, with their results."""

    folder: Path
    codes: list[int]
    said: list[str]


@pytest.fixture(scope="module")
def first_runs(tmp_path_factory: pytest.TempPathFactory) -> FirstRuns:
    """The first `make venv` takes seconds: all tests share it."""
    folder = copied(tmp_path_factory.mktemp("made"))
    locked(folder).touch()  # left by a run of before: nobody holds it
    both = [
        subprocess.Popen(["scripts/venv.sh"], cwd=folder, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    ends = [process.communicate()[1] for process in both]
    return FirstRuns(folder, [process.returncode for process in both], ends)


@pytest.fixture
def with_environment(first_runs: FirstRuns) -> Path:
    """A checkout after its first `make venv`."""
    assert first_runs.codes == [0, 0], first_runs.said
    return first_runs.folder


def copied(folder: Path) -> Path:
    """Return a folder with the project's shell scripts, and locks that name no package."""
    target = folder / "checkout"
    (target / "scripts").mkdir(parents=True)
    for file in (ROOT / "scripts").glob("*.sh"):
        shutil.copy(file, target / "scripts")
    for name in ("build-prod.sh", "build.sh", "clean-and-rebuild.sh"):
        shutil.copy(ROOT / name, target)
    for name in ("requirements.lock", "requirements-dev.lock"):
        (target / name).write_text("# nothing\n")
    return target


def run(folder: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True
    )


def said(done: subprocess.CompletedProcess[str]) -> tuple[int, str]:
    return done.returncode, done.stderr


# ---- venv.sh ---------------------------------------------------------------


def test_a_missing_python(checkout: Path) -> None:
    assert said(run(checkout, "scripts/venv.sh", PYTHON="python9")) == (
        2,
        'venv: PYTHON: no such program "python9"\n' + CHOOSE,
    )


def test_in_a_step_of_another_repository_no_make_target_is_named(checkout: Path) -> None:
    assert said(
        run(checkout, "scripts/venv.sh", PYTHON="python9", GITHUB_ACTION_PATH="/action")
    ) == (
        2,
        'venv: PYTHON: no such program "python9"\n'
        "tip: install Python 3.11 or newer, or name one: `env: {PYTHON: python3.13}` in the step\n",
    )
    assert said(
        run(checkout, "scripts/venv.sh", TMPDIR="/nothing", GITHUB_ACTION_PATH="/action")
    ) == (
        2,
        'venv: TMPDIR: not a folder to write to "/nothing"\n'
        "tip: name another one: `env: {TMPDIR: /var/tmp}` in the step\n",
    )


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("exit 1", "no output"),
        ("exit 0", "no output"),
        ("echo 'cannot load libpython' >&2; exit 127", "cannot load libpython"),
        ("echo words of another program", "words of another program"),
    ],
)
def test_a_python_that_does_not_run(checkout: Path, script: str, reason: str) -> None:
    file = program(checkout, "broken", script)
    assert said(run(checkout, "scripts/venv.sh", PYTHON=str(file))) == (
        2,
        f'venv: PYTHON: does not run "{file}": {reason}\n' + CHOOSE,
    )


def test_a_python_that_is_too_old(checkout: Path) -> None:
    """The script's own check decides: the stand-in is this Python with another version."""
    file = program(
        checkout,
        "old",
        'case "$1" in --version) echo "Python 3.10.9"; exit;; esac\n'
        f"exec {sys.executable} -ISc "
        '"import sys; sys.version_info = (3, 10); exec(sys.argv[1])" "$3"\n',
    )
    assert said(run(checkout, "scripts/venv.sh", PYTHON=str(file))) == (
        2,
        f'venv: PYTHON: too old "{file}" (Python 3.10.9), 3.11 or newer is needed\n' + CHOOSE,
    )


def test_an_environment_that_is_ready_is_left(with_environment: Path) -> None:
    before = (with_environment / ".venv/.python").stat()
    assert said(run(with_environment, "scripts/venv.sh")) == (0, "")
    own = run(with_environment, "scripts/venv.sh", PYTHON=".venv/bin/python")
    assert said(own) == (0, ""), "the environment's own Python is the one that made it"
    assert (with_environment / ".venv/.python").stat() == before


def test_the_checkout_is_found_where_python_takes_no_folder_by_itself(
    with_environment: Path,
) -> None:
    (with_environment / "scripts/history.py").write_text("print('found')\n")
    command = (".venv/bin/python", "-m", "scripts.history")
    done = run(with_environment, *command, PYTHONSAFEPATH="1")
    assert (done.returncode, done.stdout) == (0, "found\n"), done.stderr


def test_another_python_makes_the_environment_anew(with_environment: Path) -> None:
    environment = with_environment / ".venv"
    made_by = (environment / ".python").read_text()
    # an environment that another Python made, with a package that it installed
    (environment / ".python").write_text("3.11.0 /opt/python3.11\n")
    for stamp in environment.glob(".requirements*"):
        stamp.unlink()
    (environment / "lib/left").touch()
    assert said(run(with_environment, "scripts/venv.sh")) == (
        0,
        f"venv: installing requirements.lock\nvenv: making .venv again with Python {made_by}",
    )
    assert (environment / ".python").read_text() == made_by
    assert not (environment / "lib/left").exists()


# ---- folders ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("scripts/venv.sh", "venv"),
        ("./build-prod.sh", "build-prod"),
        ("./build.sh", "build"),
        ("./clean-and-rebuild.sh --yes", "clean-and-rebuild"),
    ],
)
def test_a_checkout_that_is_not_to_be_written(checkout: Path, command: str, name: str) -> None:
    """The folder is a read-only mount, since permissions do not stop root."""
    if os.geteuid():
        checkout.chmod(0o555)
        done = run(checkout, *command.split())
        checkout.chmod(0o755)
    else:
        script = f"mount --bind {checkout} {checkout} && mount -o remount,ro,bind {checkout} && "
        done = run(
            checkout, "unshare", "--mount", "sh", "-c", script + f"cd {checkout} && {command}"
        )
    assert said(done) == (
        2,
        f'{name}: checkout: not writable "{checkout}"\n'
        "tip: mount it for writing, or clone it to a folder of yours: "
        f"`git clone {checkout} ~/sutra`\n",
    )


def test_a_missing_folder_for_temporary_files(checkout: Path) -> None:
    assert said(run(checkout, "scripts/venv.sh", TMPDIR="/nothing")) == (
        2,
        'venv: TMPDIR: not a folder to write to "/nothing"\n'
        "tip: name another one: `TMPDIR=/var/tmp make prod`\n",
    )


def with_space(checkout: Path, script: str, need: int, megabytes: int) -> tuple[int, str]:
    """Require `need` MB of temporary space with a `df` in the machine's format."""
    program(
        checkout / "bin",
        "df",
        "echo 'Filesystem 1048576-blocks Used Available Capacity Mounted on'\n"
        f"echo 'tmpfs 300 1 {megabytes} 1% /tmp'\n",
    )
    command = f"SCRIPT=here; . scripts/common.sh; PATH={checkout}/bin:$PATH; {script} {need}"
    return said(run(checkout, "bash", "-c", command, TMPDIR=str(checkout)))


def test_too_little_space_for_temporary_files(checkout: Path) -> None:
    assert with_space(checkout, "require_temporary_space", 200, 200) == (0, "")
    assert with_space(checkout, "require_temporary_space", 200, 199) == (
        2,
        f'here: TMPDIR: 199 MB free in "{checkout}", 200 MB needed\n'
        f"tip: free some space there, {NO_SPACE}",
    )


# ---- locks -----------------------------------------------------------------


LOCK = ".cache/venv.lock"


def locked(checkout: Path) -> Path:
    (checkout / ".cache").mkdir()
    return checkout / LOCK


def test_two_first_runs_wait_for_each_other(first_runs: FirstRuns) -> None:
    assert first_runs.codes == [0, 0], first_runs.said
    waited = f"venv: waiting for another run (lock: {LOCK})\n"
    assert sorted(first_runs.said) == sorted(["venv: installing requirements.lock\n", waited])


def test_a_lock_that_is_never_freed(checkout: Path) -> None:
    file = locked(checkout)
    with file.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        done = run(checkout, "scripts/venv.sh", LOCK_SECONDS="1")
    assert said(done) == (
        2,
        f"venv: waiting for another run (lock: {LOCK})\n"
        f"venv: another run took more than 1 s (lock: {LOCK})\n"
        f"tip: `fuser -v {LOCK}` names its process; end it, then run the same command again\n",
    )


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_a_lock_that_is_another_kind_of_file(checkout: Path, kind: str) -> None:
    file = locked(checkout)
    file.symlink_to("/etc/hostname") if kind == "link" else os.mkfifo(file)
    assert said(run(checkout, "scripts/venv.sh")) == (
        2,
        f'venv: lock: not a file of ours "{LOCK}"\ntip: remove it\n',
    )


# ---- install.sh ------------------------------------------------------------

BUSY = "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 7 (apt-get)"


def installing(checkout: Path, apt: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run install.sh with an `apt-get`, and a `sudo` unless the tests run as root."""
    program(checkout / "bin", "apt-get", apt)
    program(checkout / "bin", "sudo", 'shift; exec "$@"\n')
    (checkout / "os-release").write_text("ID=debian\n")
    path = f"{checkout}/bin:{os.environ['PATH']}"
    release = str(checkout / "os-release")
    return run(checkout, "scripts/install.sh", "x", PATH=path, OS_RELEASE=release, **environment)


def test_another_package_manager_is_waited_for(checkout: Path) -> None:
    apt = f'[ -e tried ] && exit 0; touch tried; echo "{BUSY}" >&2; exit 100\n'
    started = time.monotonic()
    assert said(installing(checkout, apt)) == (
        0,
        f"install: x (log: .cache/apt.log)\ninstall: waiting: {BUSY.removeprefix('E: ')}\n",
    )
    assert time.monotonic() - started >= 2


def test_another_package_manager_is_not_waited_for_for_ever(checkout: Path) -> None:
    done = installing(checkout, f'echo "{BUSY}" >&2; exit 100\n', APT_SECONDS="0")
    assert said(done) == (
        2,
        f"install: x (log: .cache/apt.log)\n{BUSY}\ninstall: apt-get failed\n"
        "tip: read .cache/apt.log, fix it, then run the same command again\n",
    )


def test_another_failure_of_apt_is_not_waited_for(checkout: Path) -> None:
    done = installing(checkout, "echo 'E: Unable to locate package x' >&2; exit 100\n")
    assert said(done) == (
        2,
        "install: x (log: .cache/apt.log)\nE: Unable to locate package x\n"
        "install: apt-get failed\n"
        "tip: read .cache/apt.log, fix it, then run the same command again\n",
    )


def test_two_installations_of_one_checkout_take_turns(checkout: Path) -> None:
    """Each would read in the other's log what apt-get says of its lock."""
    lock = checkout / ".cache/apt.lock"
    lock.parent.mkdir()
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        done = installing(checkout, "touch installed\n", LOCK_SECONDS="1")
    assert said(done) == (
        2,
        "install: waiting for another run (lock: .cache/apt.lock)\n"
        "install: another run took more than 1 s (lock: .cache/apt.lock)\n"
        "tip: `fuser -v .cache/apt.lock` names its process; end it, "
        "then run the same command again\n",
    )
    assert not (checkout / "installed").exists()
    assert said(installing(checkout, "touch installed\n"))[0] == 0
    assert (checkout / "installed").exists()


# ---- engine.sh -------------------------------------------------------------


def client(checkout: Path, script: str) -> str:
    return str(program(checkout / "bin", "docker", script))


def test_a_missing_context(checkout: Path) -> None:
    docker = client(checkout, '[ "$1 $2" = "context show" ] && echo far && exit\nexit 1\n')
    assert said(run(checkout, "scripts/engine.sh", DOCKER=docker)) == (
        2,
        'engine: context: no such context "far"\n'
        "tip: `docker context ls` lists them; without DOCKER_CONTEXT and after "
        "`docker context use default` it is this machine's engine\n",
    )


def test_a_context_whose_engine_does_not_answer_is_not_replaced(checkout: Path) -> None:
    docker = client(
        checkout,
        'case "$1 $2" in "context show") echo far;; "context inspect") echo tcp://far:1;;\n'
        "*) exit 1;; esac\n",
    )
    assert said(run(checkout, "scripts/engine.sh", DOCKER=docker)) == (
        2,
        'engine: context "far": no engine answers at "tcp://far:1"\n'
        "tip: start that engine, or choose this machine's: `docker context use default`, "
        "without DOCKER_CONTEXT\n",
    )


def test_an_engine_without_a_client_is_not_called_missing(checkout: Path) -> None:
    (checkout / "os-release").write_text("ID=plan9\n")
    done = run(
        checkout,
        "scripts/engine.sh",
        DOCKER="no-such-docker",
        DOCKER_HOST="tcp://far:1",
        OS_RELEASE=f"{checkout}/os-release",
    )
    assert said(done) == (
        2,
        "engine: no docker client to reach tcp://far:1, "
        "and this system is not Debian or Ubuntu\n"
        "tip: install Docker's client with the buildx plugin (Debian: `apt-get install "
        "docker-cli docker-buildx`), then run `make engine` again\n",
    )


@pytest.mark.parametrize(("status", "installed"), [("installed", True), ("not-installed", False)])
def test_a_name_that_dpkg_only_knows_is_not_installed(
    checkout: Path, status: str, installed: bool
) -> None:
    program(checkout / "bin", "dpkg-query", f"printf {status}\n")
    command = (
        "SCRIPT=here; . scripts/common.sh; . scripts/engine_packages.sh; is_installed docker-ce"
    )
    done = run(checkout, "bash", "-c", command, PATH=f"{checkout}/bin:{os.environ['PATH']}")
    assert (done.returncode == 0) is installed


ENGINE = """case "$*" in
"buildx version") ;;
"version --format {{.Server.Version}}") echo 28.5.2 ;;
"version --format {{.Server.Arch}}") echo ARCH ;;
info*) echo "ID 28.5.2 overlay2" ;;
"buildx build"*) for folder; do :; done; cp "$folder/true" program; chmod 755 program; BUILD ;;
*) exit 1 ;;
esac
"""


def proving(checkout: Path, build: str, architecture: str = "") -> tuple[int, str]:
    machine = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]
    script = ENGINE.replace("ARCH", architecture or machine).replace("BUILD", build)
    return said(run(checkout, "scripts/engine.sh", DOCKER=client(checkout, script)))


def test_the_program_of_the_proof_runs(checkout: Path) -> None:
    assert proving(checkout, "exit 0") == (0, "")
    assert subprocess.run([checkout / "program"]).returncode == 0
    (checkout / "program").unlink()
    assert proving(checkout, "exit 1") == (0, ""), "proven already"
    assert not (checkout / "program").exists()


ELSEWHERE = ", or point DOCKER_HOST at an engine elsewhere\n"


@pytest.mark.parametrize(
    ("log", "reason", "tip"),
    [
        (
            "#5 0.02 runc run failed: unable to apply cgroup configuration: "
            "mkdir /sys/fs/cgroup/cpuset/docker: read-only file system",
            "runc run failed: unable to apply cgroup configuration: "
            "mkdir /sys/fs/cgroup/cpuset/docker: read-only file system",
            "the cgroup tree is read-only here: start this container with --privileged",
        ),
        (
            "ERROR: failed to solve: failed to mount /var/lib/x: operation not permitted",
            "failed to solve: failed to mount /var/lib/x: operation not permitted",
            "the right SYS_ADMIN is missing: start this container with --privileged",
        ),
        (
            'ERROR: failed to solve: process "/true": invalid argument',
            'failed to solve: process "/true": invalid argument',
            'its storage driver does not work on its disk: put "storage-driver": "native" into '
            "/etc/docker/daemon.json and restart it",
        ),
        (
            "ERROR: failed to solve: something new",
            "failed to solve: something new",
            "`docker info` and the engine's log say more",
        ),
    ],
)
def test_an_engine_that_runs_no_step_is_not_ready(
    checkout: Path, log: str, reason: str, tip: str
) -> None:
    (checkout / "words").write_text(log + "\n")
    assert proving(checkout, "cat words >&2; exit 1") == (
        2,
        f"engine: it answers, and no build step runs: {reason}\ntip: {tip}{ELSEWHERE}",
    )


def test_standard_output_that_is_full(checkout: Path) -> None:
    docker = client(checkout, ENGINE.replace("ARCH", "riscv64"))
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            ["scripts/engine.sh"],
            cwd=checkout,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "DOCKER": docker},
        )
    assert said(done) == (
        2,
        "engine: standard output cannot be written\n"
        "tip: free space where it goes, or send it elsewhere\n",
    )


def test_standard_output_that_is_closed(checkout: Path) -> None:
    docker = client(checkout, ENGINE.replace("ARCH", "riscv64"))
    done = run(checkout, "bash", "-c", "scripts/engine.sh >&-", DOCKER=docker)
    assert said(done) == (0, "")


# ---- the checkout's own files ----------------------------------------------


@pytest.mark.parametrize("setting", ["true", "input", "false"])
def test_lines_end_with_lf_whatever_git_is_set_to(tmp_path: Path, setting: str) -> None:
    clone = tmp_path / "clone"
    subprocess.run(["git", "init", "-q", clone], check=True)
    shutil.copy(ROOT / ".gitattributes", clone)
    (clone / "script.sh").write_bytes(b"#!/bin/sh\r\ntrue\r\n")
    git = ["git", "-C", str(clone), "-c", f"core.autocrlf={setting}"]
    subprocess.run([*git, "add", "-A"], check=True, capture_output=True)
    (clone / "script.sh").unlink()
    subprocess.run([*git, "checkout", "script.sh"], check=True, capture_output=True)
    assert (clone / "script.sh").read_bytes() == b"#!/bin/sh\ntrue\n"


def test_no_image_depends_on_the_umask_of_its_checkout() -> None:
    """`a+rX` only adds rights: a file of umask 000 stays writable for everybody."""
    files = tracked("*Dockerfile*", "base-images/lib", "packages/*.sh")
    assert "base-images/lib/apt.sh" in files
    assert [name for name in files if "a+rX" in (ROOT / name).read_text()] == []


# ---- build-prod.sh ---------------------------------------------------------


@pytest.mark.parametrize("has_environment", [False, True])
def test_a_first_build_has_its_root_begun_and_waits_for_it(
    checkout: Path, has_environment: bool
) -> None:
    """An environment that cannot be made ends the build, and no process is left behind."""
    program(checkout / "scripts", "timed.sh", 'shift; exec "$@"')
    program(checkout / "scripts", "engine.sh", "exit 0")
    program(checkout / "scripts", "root-ahead.sh", "until [ -e begun ]; do :; done; echo root >&2")
    program(checkout / "scripts", "venv.sh", "touch begun; echo venv >&2; exit 2")
    if has_environment:
        (checkout / ".venv").mkdir()
    done = run(checkout, "./build-prod.sh")
    assert done.returncode == 2
    assert sorted(done.stderr.split()) == (["venv"] if has_environment else ["root", "venv"])


def test_an_old_python_begins_no_root(checkout: Path) -> None:
    old = program(checkout, "python3.10", "exit 1")
    assert said(run(checkout, "scripts/root-ahead.sh", PYTHON=str(old))) == (0, "")
