"""Run a workflow's job as GitHub would, in a clone of this repository, on this machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
import yaml

from tests.conftest import ROOT
from tests.support import cosign
from tests.support.registries import registry
from tests.workflows import act_program, engine_tags, stand_ins

WORKFLOWS = Path(".github/workflows")
LABEL = "ubuntu-latest=-self-hosted"
# the repository's address, by which a workflow names it; nothing is asked of it
REMOTE, ADDRESS = "github", "https://github.com/Example/Sutra.git"
# secrets of a workflow, which act takes from its environment
SECRETS = ("COSIGN_PRIVATE_KEY", "COSIGN_PASSWORD")
# a version that no checkout has
TAG = "v99.1.0"


@dataclass(frozen=True)
class Step:
    """One step of a job: its name, and how it ended: "success", "failure", "skipped"."""

    job: str
    name: str
    result: str
    seconds: float = 0.0


@dataclass(frozen=True)
class Run:
    """The steps of one event, what was changed for it, and what act printed."""

    workflow: str
    event: str
    steps: tuple[Step, ...]
    changes: tuple[str, ...]
    log: str
    code: int
    pushed: tuple[str, ...] = ()  # what the registry has afterwards, "name:tag" each


@contextmanager
def clone() -> Iterator[Path]:
    """Make a clone of what is committed here, whose origin is a bare one that may be pushed to."""
    with tempfile.TemporaryDirectory(prefix="sutra-workflows-", dir="/var/tmp") as folder:
        origin, checkout = Path(folder) / "origin.git", Path(folder) / "checkout"
        _git("clone", "--quiet", "--bare", str(ROOT), str(origin))
        _git("clone", "--quiet", str(origin), str(checkout))
        # what is checked out here may be another branch; a tag has to be on main
        _git("-C", str(checkout), "push", "--quiet", "--force", "origin", "HEAD:refs/heads/main")
        _git("-C", str(checkout), "remote", "add", REMOTE, ADDRESS)
        yield checkout


def _git(*words: str) -> str:
    """Return what a command of git prints."""
    done = subprocess.run(["git", *words], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def run(checkout: Path, workflow: str, event: str, job: str = "") -> Run:
    """Run one event of a workflow, or one job of it, with stand-ins for what only GitHub has."""
    file = checkout / WORKFLOWS / workflow
    text = file.read_text()
    file.write_text(stand_ins.changed(text))
    _git("-C", str(checkout), "update-index", "--assume-unchanged", str(WORKFLOWS / workflow))
    folder = checkout.parent
    installed = frozenset(name for name in stand_ins.PROGRAMS if shutil.which(name))
    programs = stand_ins.write_programs(folder / "programs", installed)
    command = [str(act_program.program()), event, "--workflows", str(file), "--json"]
    command += ["--platform", LABEL, "--no-cache-server", "--remote-name", REMOTE]
    command += [f"--env=STAND_INS={folder}/artifacts", "--secret=GITHUB_TOKEN=none"]
    command += [f"--secret={name}" for name in SECRETS if name in text]
    command += ["--job", job] if job else []
    if told := payload(checkout, event, text):
        (folder / "event.json").write_text(json.dumps(told))
        command += ["--eventpath", str(folder / "event.json")]
    if event == "workflow_run":  # what the build of the pull request has uploaded
        record = folder / "artifacts/sizes/debian/record.json"
        record.parent.mkdir(parents=True)
        record.write_text("{}")
    used = sorted(stand_ins.actions(text))
    for name, commit in used:
        place = folder / "actions" / name
        stand_ins.write_action(place, name)
        command += ["--local-repository", f"{name}@{commit}={place}"]
    environment, pushed = _environment(folder), set[str]()
    with ExitStack() as stack:
        stack.callback(file.write_text, text)
        stack.enter_context(engine_tags.put_back())
        if stand_ins.REGISTRY in text:
            address = stack.enter_context(registry(folder / "registry"))
            command += [f"--env=REGISTRY_HOST={address}"]
            environment |= _key(folder) | _own_logins(folder)
        done = subprocess.run(
            command,
            cwd=checkout,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if stand_ins.REGISTRY in text:
            pushed |= set(_tags(address))
    changes = [*stand_ins.changes_in(text), *(f"{name}: a stand-in" for name, _ in used)]
    changes += [f"{name}: a stand-in" for name in programs]
    steps = tuple(parse(done.stdout))
    return Run(
        workflow, event, steps, tuple(changes), done.stdout, done.returncode, tuple(sorted(pushed))
    )


def payload(checkout: Path, event: str, text: str) -> dict[str, object]:
    """Return what GitHub tells of an event, as far as a workflow asks for it."""
    if event == "push" and "    tags:" in text:
        return {"ref": f"refs/tags/{TAG}"}
    if event == "workflow_run":
        head = {"owner": {"login": "somebody"}, "full_name": "somebody/sutra"}
        commit = _git("-C", str(checkout), "rev-parse", "HEAD")
        return {
            event: {
                **{"event": "pull_request", "id": 1, "head_branch": "topic"},
                **{"head_sha": commit, "head_repository": head},
            }
        }
    return {}


def _tags(address: str) -> Iterator[str]:
    """Yield "name:tag" of all that a registry has."""
    with requests.Session() as session:
        session.trust_env = False  # a proxy is not asked for loopback
        for name in session.get(f"http://{address}/v2/_catalog", timeout=30).json()["repositories"]:
            answer = session.get(f"http://{address}/v2/{name}/tags/list", timeout=30).json()
            yield from (f"{name}:{tag}" for tag in answer["tags"] or ())


def _key(folder: Path) -> dict[str, str]:
    """Return the secrets that sign: a new key, which act takes from the environment by name."""
    private, _ = cosign.key_pair(folder / "keys")
    path = cosign.on_path(folder / "programs")
    return {
        "COSIGN_PRIVATE_KEY": private.read_text(),
        "COSIGN_PASSWORD": cosign.PASSWORD,
        "PATH": f"{folder / 'programs'}:{path}",
    }


def _own_logins(folder: Path) -> dict[str, str]:
    """Return what keeps a login out of the user's own file, on the engine that the user has."""
    words = ["docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"]
    host = subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()
    return {"DOCKER_CONFIG": str(folder / "docker"), "DOCKER_HOST": host}


def _environment(folder: Path) -> dict[str, str]:
    """Return the environment of act: nothing of the caller's own knobs but where packages are."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("SUTRA_", "GITHUB_", "CI"))}
    return {
        **kept,
        "PATH": f"{folder / 'programs'}:{os.environ['PATH']}",
        "XDG_CACHE_HOME": str(folder / "cache"),
    }


def parse(log: str) -> Iterator[Step]:
    """Yield the steps that act's JSON lines report as ended, in order."""
    for said in _lines(log):
        if said.get("stepResult") and said.get("stage") == "Main":
            seconds = round(said.get("executionTime", 0) / 1e9, 1)
            yield Step(said["jobID"], said["step"], said["stepResult"], seconds)


def printed(log: str) -> Iterator[str]:
    """Yield the lines that the steps printed, and act's own."""
    for said in _lines(log):
        yield str(said.get("msg", "")).rstrip("\n")


def _lines(log: str) -> Iterator[dict[str, Any]]:
    """Yield act's JSON lines; a line of another form as a message: it is some program's own."""
    for line in log.splitlines():
        try:
            said = json.loads(line)
        except ValueError:
            said = line
        yield said if isinstance(said, dict) else {"msg": line}


def commands(workflow: str) -> set[tuple[str, str]]:
    """Return job and name of each step of a workflow that is a command."""
    jobs = yaml.safe_load((ROOT / WORKFLOWS / workflow).read_text())["jobs"]
    return {
        (job, step.get("name") or step["run"])
        for job, content in jobs.items()
        for step in content["steps"]
        if "run" in step
    }
