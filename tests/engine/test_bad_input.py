"""Bad input on the real engine: one clear line, a tip, exit 2, nothing moved, nothing left."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from tests.conftest import ROOT
from tests.support.project import Project

RUN_AGAIN = "the step's own output is above; fix it, then run `make build` again"


def said(done: subprocess.CompletedProcess[str]) -> list[str]:
    """Return the last two lines of stderr: the message and the tip."""
    return done.stderr.splitlines()[-2:]


def test_a_good_project_is_built_verified_and_promoted(
    project: Project, client: docker.DockerClient
) -> None:
    done = project.run("prod")
    assert done.returncode == 0, done.stderr
    assert project.tags(client) == {"prod", "latest"}
    assert f"│ {project.name}" in done.stdout


def test_an_image_over_its_budget_is_not_promoted(
    project: Project, client: docker.DockerClient
) -> None:
    project.write("content", "x" * 1_000_001)
    done = project.run("prod")
    assert done.returncode == 1
    assert project.tags(client) == {"prod"}
    assert (
        f"images.yaml: images.{project.name}.budget.installed: "
        'over budget "1.0 MB", 1.0 MB allowed (+1 bytes): no promoted image to compare with'
    ) in done.stderr.splitlines()


def test_an_image_of_exactly_its_budget_is_promoted(
    project: Project, client: docker.DockerClient
) -> None:
    project.write("content", "x" * 1_000_000)
    assert project.run("prod").returncode == 0
    assert project.tags(client) == {"prod", "latest"}


def test_an_image_that_is_not_built(project: Project) -> None:
    done = project.run("verify_sizes")
    assert done.returncode == 2
    assert said(done) == [
        f'images.yaml: images.{project.name}: not built "{project.name}:prod"',
        "tip: run `make build`",
    ]


def test_a_budget_of_an_image_that_does_not_exist(
    project: Project, client: docker.DockerClient
) -> None:
    catalog = (project.folder / "images.yaml").read_text()
    project.write("images.yaml", catalog + catalog.splitlines()[-1].replace("sutra", "sutro", 1))
    done = project.run("prod")
    wrong = project.name.replace("sutra", "sutro", 1)
    assert done.returncode == 2
    assert said(done) == [
        f"images.yaml: images.{wrong}: not an image of docker-bake.hcl, "
        f'did you mean "{project.name}"?',
        "tip: give docker-bake.hcl that target in group prod, or remove the key",
    ]
    assert project.tags(client) == set()


def test_an_image_without_a_budget(project: Project, client: docker.DockerClient) -> None:
    bake = (project.folder / "docker-bake.hcl").read_text()
    project.write(
        "docker-bake.hcl",
        bake.replace(f'targets = ["{project.name}"]', f'targets = ["{project.name}", "more"]')
        + 'target "more" {\n  tags = ["more:prod"]\n}\n',
    )
    done = project.run("prod")
    assert done.returncode == 2
    assert said(done) == [
        "images.yaml: images.more: missing, though docker-bake.hcl builds it",
        "tip: give it a budget in images.yaml",
    ]
    assert project.tags(client) == set()


def test_a_target_that_the_bake_file_does_not_have(project: Project) -> None:
    done = project.run("build", "nothing")
    assert done.returncode == 2
    assert said(done) == [
        "docker-bake.hcl: failed to find target nothing",
        "tip: fix it, then run `make build` again",
    ]


def test_an_unknown_base(project: Project) -> None:
    bake = (project.folder / "docker-bake.hcl").read_text()
    project.write("docker-bake.hcl", bake.replace("tags ", 'args = {BASE = "arch"}\n  tags '))
    done = project.run("build")
    assert done.returncode == 2
    assert said(done) == ['BASE: unknown "arch"', "tip: choose one of debian, alpine"]


def test_a_missing_certificate_bundle(project: Project) -> None:
    done = project.run("build", CA_BUNDLE="/nothing.pem")
    assert done.returncode == 2
    assert said(done) == [
        'CA_BUNDLE: no such file "/nothing.pem"',
        "tip: name a PEM file, or leave CA_BUNDLE out",
    ]


def test_no_engine(project: Project) -> None:
    done = project.run("prod", DOCKER_HOST="unix:///nothing.sock")
    assert done.returncode == 2
    assert said(done) == [
        "engine: no answer ([Errno 2] No such file or directory)",
        "tip: run `make engine`",
    ]


def test_a_registry_that_cannot_be_reached(project: Project, client: docker.DockerClient) -> None:
    project.write("Dockerfile", "FROM 127.0.0.1:9/nobody/listens:here\n")
    done = project.run("prod")
    assert done.returncode == 2
    assert said(done) == [
        'build: no registry served "127.0.0.1:9/nobody/listens:here": connection refused',
        "tip: check the network, or `docker load` an archive of it, then run `make build` again",
    ]
    assert project.tags(client) == set()


def test_a_step_that_fails_moves_no_tag(project: Project, client: docker.DockerClient) -> None:
    assert project.run("prod").returncode == 0
    before = client.images.get(f"{project.name}:latest").id
    project.write("Dockerfile", "FROM scratch\nCOPY nothing /\n")
    done = project.run("prod")
    assert done.returncode == 2
    message, tip = said(done)
    assert message.startswith('build: step failed "1/1": failed to compute cache key: ')
    assert tip == f"tip: {RUN_AGAIN}"
    assert {client.images.get(f"{project.name}:{tag}").id for tag in ("prod", "latest")} == {before}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_an_interrupted_build_moves_no_tag(
    project: Project, client: docker.DockerClient, production: object, number: int
) -> None:
    project.write(
        "Dockerfile",
        "FROM sutra-base-python:prod\n"
        f'RUN ["python3", "-c", "import time; time.sleep(60)  # {project.name}"]\n',
    )
    process = subprocess.Popen(
        project.command("prod"),
        cwd=project.folder,
        env=project.environment(),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    assert process.stderr
    seen = [line for line in until(process.stderr, "RUN [")]
    time.sleep(1)
    process.send_signal(number)
    rest = process.stderr.read()
    process.stderr.close()
    assert process.wait(20) == 2, "".join(seen) + rest
    assert rest.splitlines()[-2:] == [
        "interrupted",
        "tip: run the same command again, finished steps are cached",
    ]
    assert project.tags(client) == set()


def until(lines: Iterator[str], wanted: str) -> Iterator[str]:
    for line in lines:
        yield line
        if wanted in line:
            return


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("not run here: mounting a small file system takes root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_leaves_no_partial_root(tiny_disk: Path) -> None:
    code = (
        "from pathlib import Path; from scripts.build import bootstrap;"
        "from scripts.common import errors;"
        f"errors.run(lambda: bootstrap.bootstrap('debian:trixie-slim', Path('{tiny_disk}/root')))"
    )
    done = subprocess.run(
        [str(ROOT / ".venv/bin/python"), "-c", code], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 2
    message, tip = said(done)
    assert re.fullmatch(
        r'roots: bootstrap of "trixie" failed: .*No space left on device.*', message
    )
    assert tip == "tip: check the network, APT_MIRROR and `df -h`, then run `make roots` again"
    assert list(tiny_disk.iterdir()) == []
