"""How a run of a workflow on this machine is read, and what is put in place of GitHub's own."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT
from tests.workflows import act_program, local_run, stand_ins
from tests.workflows.__main__ import RUNS
from tests.workflows.local_run import Step

FOLDER = ROOT / ".github/workflows"
TEXTS = {file.name: file.read_text() for file in FOLDER.glob("*.yml")}
# two steps of a real log of act 0.2.89, and a line that a program printed
LOG = """\
{"dryrun":false,"executionTime":833169464,"job":"build/tests","jobID":"tests","level":"info",\
"msg":"  Success - Main x","stage":"Main","step":"x","stepID":["0"],"stepResult":"success"}
{"dryrun":false,"job":"build/tests","jobID":"tests","level":"info","msg":"venv: done\\n",\
"raw_output":true,"stage":"Main","step":"make lint","stepID":["1"]}
{"dryrun":false,"executionTime":142206068332,"job":"build/tests","jobID":"tests","level":"info",\
"msg":"  Failure - Main make lint","stage":"Main","step":"make lint","stepResult":"failure"}
{"dryrun":false,"job":"build/tests","jobID":"tests","msg":"  Success - Complete job",\
"step":"Complete job","stepResult":"success"}
Error: Job 'tests' failed
7
"""


def test_the_steps_of_a_log_are_read() -> None:
    assert list(local_run.parse(LOG)) == [
        Step("tests", "x", "success", 0.8),
        Step("tests", "make lint", "failure", 142.2),
    ]
    assert list(local_run.printed(LOG)) == [
        "  Success - Main x",
        "venv: done",
        "  Failure - Main make lint",
        "  Success - Complete job",
        "Error: Job 'tests' failed",
        "7",
    ]


def test_every_job_of_every_workflow_is_run_for_an_event_that_starts_it() -> None:
    jobs = {(name, job) for name, text in TEXTS.items() for job in yaml.safe_load(text)["jobs"]}
    assert {(workflow, job) for workflow, _, job in RUNS} <= jobs
    # `record` needs `images`, which act runs first
    assert jobs == {(workflow, job) for workflow, _, job in RUNS}
    for workflow, event, _ in RUNS:
        assert f"  {event}:" in TEXTS[workflow]


@pytest.mark.parametrize("change", stand_ins.CHANGED)
def test_every_change_is_one_of_a_workflow_and_leaves_a_workflow(change: str) -> None:
    changed = [text for text in TEXTS.values() if change in text]
    assert changed
    for text in changed:
        now = stand_ins.changed(text)
        assert change not in now
        before, after = yaml.safe_load(text)["jobs"], yaml.safe_load(now)["jobs"]
        assert {job: len(content["steps"]) for job, content in before.items()} == {
            job: len(content["steps"]) for job, content in after.items()
        }


def test_every_change_has_a_line() -> None:
    assert list(stand_ins.changes_in(TEXTS["build.yml"])) == [
        "env: BUILDX_BUILDER: sutra CACHE: ./.cache/build → left out",
        "docker buildx create --name sutra --driver docker-container → docker buildx ls",
        "- run: make test → - run: make test PYTEST_ADDOPTS=-ktest_every_module_of_commands",
    ]
    assert list(stand_ins.changes_in(TEXTS["release.yml"])) == [
        "env: BUILDX_BUILDER: sutra steps: → steps:",
        "env: REGISTRY_HOST: ghcr.io → left out",
        "docker buildx create --name sutra --driver docker-container → docker buildx ls",
    ]


def test_every_action_but_the_checkout_has_a_stand_in() -> None:
    """Act itself checks out: the folder that it runs in is the checkout."""
    used = {name for text in TEXTS.values() for name, _ in stand_ins.USED.findall(text)}
    assert used - {"actions/checkout"} == set(stand_ins.ACTIONS)
    names = {name for text in TEXTS.values() for name, _ in stand_ins.actions(text)}
    assert names == set(stand_ins.ACTIONS)


def acted(folder: Path, name: str, what: str) -> str:
    """Run the stand-in of an action in a folder, as act does; return what it prints."""
    stand_ins.write_action(folder / name, name)
    content = yaml.safe_load((folder / name / "action.yml").read_text())
    (step,) = content["runs"]["steps"]
    environment = {"STAND_INS": f"{folder}/kept", "NAME": "sizes", "WHAT": what}
    return subprocess.run(
        ["bash", "-ec", step["run"]],
        cwd=folder,
        env={**environment, "PATH": "/usr/bin:/bin"},
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def test_an_action_that_is_not_run_says_so(tmp_path: Path) -> None:
    assert acted(tmp_path, "actions/cache", "") == f"{stand_ins.CLEAN}\n"


@pytest.mark.parametrize("what", ["file", "folder"])
def test_what_is_uploaded_can_be_downloaded(tmp_path: Path, what: str) -> None:
    (tmp_path / "folder").mkdir()
    for name in ("file", "folder/one.json"):
        (tmp_path / name).write_text(name)
    for action, path in (("upload", what), ("download", "got")):
        acted(tmp_path, f"actions/{action}-artifact", path)
    files = {str(file.relative_to(tmp_path / "got")) for file in (tmp_path / "got").rglob("*")}
    assert files == {"file" if what == "file" else "one.json"}


def test_a_program_that_is_there_has_no_stand_in(tmp_path: Path) -> None:
    assert stand_ins.write_programs(tmp_path, frozenset(["sudo"])) == ["gh"]
    done = subprocess.run([tmp_path / "gh", "pr", "create"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "not run here: gh pr create\n"


def test_a_clone_can_be_pushed_from() -> None:
    with local_run.clone() as checkout:
        origin = checkout.parent / "origin.git"
        command = ["git", "push", "--quiet", "origin", "HEAD:refs/heads/pushed"]
        subprocess.run(command, cwd=checkout, check=True)
        assert (origin / "refs/heads/pushed").is_file()
    assert not checkout.exists()


def test_the_version_of_act_is_that_of_its_module() -> None:
    link = f"[act](https://github.com/nektos/act) {act_program.version()} "
    assert link in (ROOT / "CONTRIBUTING.md").read_text()


def test_an_event_says_what_its_workflow_asks_for() -> None:
    text = TEXTS["release.yml"]
    assert local_run.payload(ROOT, "push", text) == {"ref": f"refs/tags/{local_run.TAG}"}
    assert local_run.payload(ROOT, "push", TEXTS["build.yml"]) == {}
    told = local_run.payload(ROOT, "workflow_run", TEXTS["comment.yml"])
    wanted = set(re.findall(r"github\.event\.(workflow_run(?:\.\w+)+)", TEXTS["comment.yml"]))
    assert len(wanted) == 6
    for path in wanted:
        value: object = told
        for key in path.split("."):
            assert isinstance(value, dict)
            value = value[key]
        assert value
