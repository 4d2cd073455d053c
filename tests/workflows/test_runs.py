"""Every command of every workflow, run on this machine by act as GitHub would run it."""

from __future__ import annotations

import docker
import pytest

from scripts.catalog import catalog
from scripts.commands import checker_image
from tests.conftest import ROOT
from tests.workflows import local_run
from tests.workflows.__main__ import RUNS


@pytest.mark.long
@pytest.mark.parametrize(("workflow", "event", "job"), RUNS)
def test_every_step_of_a_job_succeeds(
    client: docker.DockerClient, workflow: str, event: str, job: str
) -> None:
    with local_run.clone() as checkout:
        ran = local_run.run(checkout, workflow, event, job)
    assert ran.code == 0, "\n".join(list(local_run.printed(ran.log))[-60:])
    wanted = {name for of, name in local_run.commands(workflow) if of == job}
    ended = {step.name: step.result for step in ran.steps if step.job == job}
    # a step for another event is skipped, and act says nothing of it
    assert ended.keys() & wanted
    assert set(ended.values()) <= {"success", "skipped"}
    if workflow == "release.yml":
        for image in catalog.load(ROOT / "images.yaml").images:
            latest = () if image.not_promoted_because else ("latest",)
            refuse_unsigned(image.name, latest, set(ran.pushed))
        refuse_unsigned(checker_image.NAME, ("latest",), set(ran.pushed))


def refuse_unsigned(image: str, latest: tuple[str, ...], pushed: set[str]) -> None:
    """Fail unless a release has pushed an image under its tags, signed and with its statements."""
    name = f"example/sutra/{image}"
    tags = {"99.1.0", "99.1", "99", *latest}
    assert {f"{name}:{tag}" for tag in tags} <= pushed
    kinds = {tag[-4:] for tag in pushed if tag.startswith(f"{name}:sha256-")}
    assert kinds == {".sig", ".att"}
