"""The workflows of continuous integration: what they run is pinned and gates."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
OF_PULL_REQUESTS = [
    file for file in WORKFLOWS if re.search(r"^  pull_request:$", file.read_text(), re.MULTILINE)
]
PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")


def unpinned(text: str) -> list[str]:
    """Return what `uses:` names by a tag or a branch, which whoever owns it can move."""
    used = re.findall(r"uses: *(.+?) *$", text, re.MULTILINE)
    return [name for name in used if not name.startswith("./") and not PINNED.fullmatch(name)]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda file: file.name)
def test_actions_are_pinned_by_commit(workflow: Path) -> None:
    assert "uses:" in workflow.read_text()
    assert unpinned(workflow.read_text()) == []


def writing(text: str) -> dict[str, str]:
    """Return the condition of each job that may write to the repository."""
    jobs = yaml.safe_load(text)["jobs"]
    return {
        name: str(job.get("if", ""))
        for name, job in jobs.items()
        if "write" in str(job.get("permissions", ""))
    }


def test_the_images_are_built_for_a_pull_request() -> None:
    assert "build.yml" in [file.name for file in OF_PULL_REQUESTS]


@pytest.mark.parametrize("workflow", OF_PULL_REQUESTS, ids=lambda file: file.name)
def test_no_job_of_a_pull_request_may_write(workflow: Path) -> None:
    text = workflow.read_text()
    assert yaml.safe_load(text)["permissions"] == {"contents": "read"}
    assert all("github.event_name == 'push'" in when for when in writing(text).values())


def test_a_job_that_may_write_is_found() -> None:
    assert writing("jobs: {a: {permissions: {contents: write}}, b: {}}") == {"a": ""}


def test_a_pull_request_is_built_and_not_promoted() -> None:
    """Promotion refuses every size over its budget, whoever caused it."""
    text = (ROOT / ".github/workflows/build.yml").read_text()
    steps = yaml.safe_load(text)["jobs"]["images"]["steps"]
    when = {step["run"]: step.get("if", "") for step in steps if "run" in step}
    assert when["./build-prod.sh"] == "github.event_name != 'pull_request'"
    assert when["make build"] == "github.event_name == 'pull_request'"
    for check in ("make verify-sizes FORMAT=github", "make verify FORMAT=github"):
        assert when[check] == "${{ !cancelled() }}"


@pytest.mark.parametrize("name", ["actions/checkout@v4", "actions/checkout@" + "a" * 40])
def test_an_action_that_can_move_is_found(name: str) -> None:
    assert unpinned(f"      - uses: {name}\n") == [name]


def hidden(text: str) -> list[str]:
    """Return the steps in which a command's failure is hidden by the one that reads its output.

    GitHub's default shell has no pipefail; `shell: bash` has it.
    """
    workflow = yaml.safe_load(text)
    shell = workflow.get("defaults", {}).get("run", {}).get("shell")
    return [
        step["run"]
        for job in workflow["jobs"].values()
        for step in job["steps"]
        if re.search(r"[^|]\|[^|]", step.get("run", "")) and step.get("shell", shell) != "bash"
    ]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda file: file.name)
def test_a_failure_before_a_pipe_fails_the_step(workflow: Path) -> None:
    assert hidden(workflow.read_text()) == []


@pytest.mark.parametrize(
    ("defaults", "command", "is_hidden"),
    [
        ("", "a | b", True),
        ("defaults: {run: {shell: bash}}\n", "a | b", False),
        ("", "a || b", False),
    ],
)
def test_a_pipe_without_pipefail_is_found(defaults: str, command: str, is_hidden: bool) -> None:
    text = f"{defaults}jobs: {{one: {{steps: [{{run: '{command}'}}, {{uses: x}}]}}}}\n"
    assert hidden(text) == ([command] if is_hidden else [])


def test_updates_come_as_a_pull_request_from_indexes_that_answered() -> None:
    """The step that fails when an index is silent comes first, and its table is the text."""
    job = yaml.safe_load((ROOT / ".github/workflows/updates.yml").read_text())["jobs"]["locks"]
    runs = [step["run"] for step in job["steps"] if "run" in step]
    table = '"$RUNNER_TEMP/outdated.md"'
    assert runs[1:3] == [
        f"make outdated FORMAT=markdown | tee {table}",
        "make update ONLY=security",
    ]
    assert f'gh pr create --head updates --title "Security updates" --body-file {table}' in runs[3]
    assert job["permissions"] == {"contents": "write", "pull-requests": "write"}


# ---- a release ----------------------------------------------------------------

RELEASE = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text())["jobs"]["promote"]
SECRET = re.compile(r"secrets\.\w+")


def with_secrets(job: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the secrets that each step of a job is given, by its name."""
    secrets_by_step = {step.get("name", "?"): SECRET.findall(str(step)) for step in job["steps"]}
    return {name: secrets for name, secrets in secrets_by_step.items() if secrets}


def test_only_the_step_that_promotes_has_the_key() -> None:
    assert with_secrets(RELEASE) == {
        "Verify, sign and promote": ["secrets.COSIGN_PRIVATE_KEY", "secrets.COSIGN_PASSWORD"]
    }
    assert not SECRET.search(str({key: RELEASE[key] for key in RELEASE if key != "steps"}))
    assert RELEASE["environment"] == "release"
    assert RELEASE["permissions"] == {"contents": "read", "packages": "write"}


def test_a_step_with_a_secret_is_found() -> None:
    assert with_secrets({"steps": [{"name": "a", "env": "secrets.X"}, {"run": "b"}]}) == {
        "a": ["secrets.X"]
    }


def test_a_release_is_of_a_commit_of_main_and_promotes_last() -> None:
    names = [step["name"] for step in RELEASE["steps"] if "run" in step]
    assert names[0] == "Refuse a tag that is not on main"
    assert names[-3:] == [
        "Build production images",
        "Build and check the checker's image",
        "Verify, sign and promote",
    ]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda file: file.name)
def test_what_others_may_have_named_is_never_part_of_a_command(workflow: Path) -> None:
    """GitHub puts an expression's text into a script as it is; a variable's is only a value."""
    assert expressions(workflow.read_text()) == []


def expressions(text: str) -> list[str]:
    """Return the scripts of a workflow that an expression is put into."""
    jobs = yaml.safe_load(text)["jobs"].values()
    scripts = [step.get("run", "") for job in jobs for step in job["steps"]]
    return [script for script in scripts if "${{" in script]


def test_an_expression_in_a_script_is_found() -> None:
    script = "echo ${{ github.head_ref }}"
    assert expressions(f"jobs: {{one: {{steps: [{{run: '{script}'}}]}}}}\n") == [script]


def test_a_comment_comes_from_mains_code_alone() -> None:
    """This workflow may write, and its event is a stranger's: it checks out nothing of theirs."""
    job = yaml.safe_load((ROOT / ".github/workflows/comment.yml").read_text())["jobs"]["sizes"]
    checkout, download, comment = job["steps"]
    assert checkout["with"] == {"persist-credentials": False, "fetch-depth": 0}
    assert download["with"]["name"] == "sizes"
    assert comment["run"] == "make comment-sizes"
    assert job["permissions"]["pull-requests"] == "write"
    assert "contents: write" not in str(job)
