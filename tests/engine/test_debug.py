"""A shell with tools beside containers that have none, on the real engine."""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.models.containers import Container

from scripts.common.errors import SutraError
from scripts.engine import debugging, sandbox
from scripts.engine.debugging import Target
from tests.conftest import ROOT
from tests.support import services
from tests.support.tiny import archive

TOOLS = "sutra-base-python:latest"
SHOWN = "its processes and network are shared, its files are under /target, read-only"


@pytest.fixture(scope="module", autouse=True)
def _tools(toolchain: None) -> None:
    """The toolchain image is there."""


@pytest.fixture(autouse=True)
def _nothing_is_left(client: docker.DockerClient) -> Iterator[None]:
    def ours() -> set[str]:
        containers = client.api.containers(all=True, filters={"label": sandbox.LABEL})
        return {str(container["Id"]) for container in containers}

    before = ours()
    yield
    assert ours() <= before


def debug(*words: str) -> tuple[int, str, list[str]]:
    """Return exit code, output and lines of errors."""
    done = subprocess.run(
        [sys.executable, "-m", "scripts", "debug", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    return done.returncode, done.stdout, done.stderr.splitlines()


@pytest.fixture
def service(client: docker.DockerClient) -> Iterator[Container]:
    """A service that runs, on a root that could be written to."""
    with services.image(client, "listens") as reference:
        container = client.containers.run(
            reference, detach=True, tmpfs={"/run": "mode=1777"}, network_mode="none"
        )
        try:
            yield container
        finally:
            container.remove(v=True, force=True)


def test_processes_network_and_files_are_those_of_the_target(
    service: Container,
) -> None:
    ask = (
        'sh -c \'tr "\\0" " " </proc/1/cmdline; echo; head -c 40 /target/srv/service.py; echo; '
        "for n in 1 2 3 4 5 6 7 8 9; do grep -q 2328 /proc/net/tcp && break; sleep 1; done; "
        "grep -c 2328 /proc/net/tcp; ls /target/usr/bin/python3; pwd'"
    )
    code, output, errors = debug("--container", str(service.name), "--command", ask)
    assert (code, errors) == (0, [f"debug: {service.name}: {SHOWN}"])
    lines = output.splitlines()
    assert lines[0].strip() == "python3 /srv/service.py listens"
    assert lines[-3:] == ["1", "/target/usr/bin/python3", "/target"]


@pytest.mark.parametrize(
    "attempt",
    [
        "echo x >/target/srv/service.py",
        "echo x >/target/srv/new",
        "echo x >/target/tmp/new",
        "echo x >/target/run/new",  # a tmpfs of its own
        "rm /target/srv/service.py",
        "chmod 777 /target/srv/service.py",
        "mount -o remount,rw /target",
        "umount /target",
        "echo x >/proc/1/root/srv/new",
        "kill 1",
        "nsenter -t 1 -m true",
    ],
)
def test_nothing_can_be_changed(
    client: docker.DockerClient, service: Container, attempt: str
) -> None:
    image = client.images.get(service.attrs["Image"]).id
    code, _, errors = debug("--container", str(service.name), "--command", f"sh -c '{attempt}'")
    assert code != 0
    assert len(errors) > 1, "the attempt says why"
    service.reload()
    assert service.status == "running"
    assert client.images.get(service.attrs["Image"]).id == image
    written = {change["Path"] for change in service.diff() or []}
    assert written <= {"/run"}


def test_a_target_of_root_without_capabilities_cannot_be_changed_either(
    client: docker.DockerClient,
) -> None:
    """Root of the tools would be the same user, with all that the target may do."""
    attempts = (
        "kill -9 $(grep -lzs Child /proc/[0-9]*/cmdline | cut -d/ -f3)",
        "echo x >/proc/1/root/srv/new",
        "echo x >/proc/1/cwd/new",
        "head -c 1 /proc/1/mem",
        "setpriv --reuid 0 true",
    )
    child = "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; "
    child += "time.sleep(600)', 'Child']); time.sleep(600)"
    with (
        services.image(client, "listens") as reference,
        run(
            client, reference, ["-c", child], entrypoint="python3", user="0", cap_drop=["ALL"]
        ) as box,
    ):
        tried = " ".join(f"sh -c {shlex.quote(attempt)} && echo done;" for attempt in attempts)
        own = "id -u >&2; id -un >&2; echo said >/dev/stderr; true"
        command = f"sh -c {shlex.quote(f'sleep 1; {tried} {own}')}"
        code, output, errors = debug("--container", str(box.name), "--command", command)
        assert (code, output) == (0, "")
        assert {"65533", "debug", "said"} <= set(errors)
        assert any("kill" in line and "not permitted" in line for line in errors)
        assert len(box.top()["Processes"]) == 2
        assert not box.diff()


@contextmanager
def run(
    client: docker.DockerClient, reference: str, command: list[str] | None = None, **options: Any
) -> Iterator[Container]:
    """Run a container without a network for the time of the context."""
    box = client.containers.run(reference, command, detach=True, network_mode="none", **options)
    try:
        yield box
    finally:
        box.remove(v=True, force=True)


def test_a_target_that_shares_the_processes_of_others_has_its_own_files(
    client: docker.DockerClient, service: Container
) -> None:
    """Process 1 is another's there: of the host, whose files are not the target's."""
    ask = "ls /target/srv /target/boot"
    for mode in ("host", f"container:{service.id}"):
        with (
            services.on_base(client, {"srv/mine": b"1"}) as reference,
            run(client, reference, ["-c", "import time; time.sleep(600)"],
                entrypoint="python3", pid_mode=mode) as box,
        ):  # fmt: skip # an option a line hides what differs
            code, output, errors = debug("--container", str(box.name), "--command", ask)
        assert code != 0, "the base has no /boot, the host has"
        assert output == "/target/srv:\nmine\n"
        assert errors[0] == f"debug: {box.name}: {SHOWN}"


def test_the_files_of_a_paused_container_are_shown(service: Container) -> None:
    service.pause()
    try:
        code, output, _ = debug("--container", str(service.name), "--command", "ls /target/srv")
    finally:
        service.unpause()
    assert (code, output) == (0, "service.py\n")


def test_an_image_without_a_file(client: docker.DockerClient) -> None:
    name = f"sutra-test-debug-{uuid.uuid4().hex[:8]}"
    client.api.import_image_from_data(b"\0" * 10240, repository=name, tag="test")
    try:
        ask = "sh -c 'find /target -type f -size +0'"
        code, output, errors = debug("--image", f"{name}:test", "--command", ask)
    finally:
        client.images.remove(f"{name}:test", force=True)
    assert (code, output, len(errors)) == (0, "", 1)


def test_a_new_container_of_an_image_of_the_catalogue(
    client: docker.DockerClient, production: None
) -> None:
    before = client.images.get("sutra-api:prod").id
    ask = 'sh -c \'tr "\\0" " " </proc/1/cmdline; echo; ls /target/app\''
    code, output, errors = debug("--image", "sutra-api", "--command", ask)
    assert (code, errors) == (0, [f"debug: sutra-api:prod: {SHOWN}"])
    assert output.startswith("python -m sutra_api")
    assert "sutra_api" in output.splitlines()[-2:]
    assert client.images.get("sutra-api:prod").id == before


@pytest.fixture
def scratch(client: docker.DockerClient) -> Iterator[str]:
    """An image of one file, without a command."""
    reference = f"sutra-test-debug-{uuid.uuid4().hex[:8]}:test"
    client.api.import_image_from_data(
        archive("hello"), repository=reference.partition(":")[0], tag="test"
    )
    yield reference
    client.images.remove(reference, force=True)


def test_an_image_from_scratch_without_a_command(client: docker.DockerClient, scratch: str) -> None:
    before = client.images.get(scratch).id
    code, output, errors = debug("--image", scratch, "--command", "sh -c 'cat /target/content'")
    assert (code, output) == (0, "hello")
    (line,) = errors
    assert line.startswith(f"debug: {scratch}: no process to join: cannot be started (")
    assert line.endswith("); a copy of its files is under /target")
    assert client.images.get(scratch).id == before


def test_a_command_that_ends_at_once(client: docker.DockerClient) -> None:
    with services.image(client, "exits") as reference:
        code, output, errors = debug("--image", reference, "--command", "ls /target/srv")
    assert (code, output) == (0, "service.py\n")
    assert errors == [
        f"debug: {reference}: no process to join: it ended with 3, last words "
        '"reading settings | no settings\ufffd[31m"; a copy of its files is under /target'
    ]


def test_the_commands_exit_code_is_passed_on(service: Container) -> None:
    assert debug("--container", str(service.name), "--command", "sh -c 'exit 7'")[0] == 7


# ---- bad input --------------------------------------------------------------


def test_a_container_that_is_gone_or_has_ended(
    client: docker.DockerClient, service: Container
) -> None:
    assert debug("--container", "nobody-has-this") == (
        2,
        "",
        ['debug: no such container "nobody-has-this"', "tip: `docker ps` lists those that run"],
    )
    service.kill()
    service.wait()
    code, _, errors = debug("--container", str(service.name))
    assert (code, errors) == (
        2,
        [
            f'debug: not running "{service.name}", it ended with 137',
            f"tip: `docker start {service.name}`, or IMAGE=… for a new one of its image",
        ],
    )


def test_a_container_that_was_not_started_or_starts_over_and_over(
    client: docker.DockerClient,
) -> None:
    with services.image(client, "exits") as reference:
        created = client.containers.create(reference)
        restarting = client.containers.run(
            reference, detach=True, restart_policy={"Name": "always"}
        )
        try:
            assert debug("--container", str(created.name)) == (
                2,
                "",
                [
                    f'debug: not started yet "{created.name}"',
                    f"tip: `docker start {created.name}`, or IMAGE=… for another one",
                ],
            )
            wait_for(restarting, "restarting")
            code, _, errors = debug("--container", str(restarting.name))
            assert (code, errors) == (
                2,
                [
                    f'debug: restarting "{restarting.name}", it ended with 3',
                    f"tip: `docker logs {restarting.name}` says why; "
                    "IMAGE=… shows the files of its image",
                ],
            )
        finally:
            for box in (created, restarting):
                box.remove(v=True, force=True)


def test_a_target_that_ends_before_the_tools_join_it(
    client: docker.DockerClient, service: Container
) -> None:
    service.kill()
    service.wait()
    with pytest.raises(SutraError) as caught:
        debugging.shell(client, Target("service", str(service.id)), TOOLS, ["true"])
    assert (caught.value.message, caught.value.tip) == (
        'debug: cannot join "service", which ran just now',
        "`docker ps -a` says what became of it",
    )


def wait_for(box: Container, status: str) -> None:
    """Wait until a container has failed so often that the engine waits before the next start."""
    end = time.monotonic() + 60
    while box.status != status or box.attrs["RestartCount"] < 5:
        assert time.monotonic() < end
        time.sleep(0.05)
        box.reload()


@pytest.mark.parametrize(
    ("words", "errors"),
    [
        (
            [],
            [
                "debug: name an image or a container, one of them",
                "tip: such as `make debug IMAGE=sutra-api` or `make debug CONTAINER=sutra-api-1`",
            ],
        ),
        (
            ["--image", "nobody/has:this"],
            ['debug: no such image "nobody/has:this"', "tip: `docker images` lists them"],
        ),
    ],
)
def test_a_wrong_call_is_one_line(words: list[str], errors: list[str]) -> None:
    assert debug(*words) == (2, "", errors)


def test_missing_tools(service: Container) -> None:
    code, _, errors = debug("--container", str(service.name), "--tools", "nobody/has:this")
    assert (code, errors[-2:]) == (
        2,
        [
            'debug: no image of tools "nobody/has:this"',
            "tip: `make dev` builds ours; TOOLS=… names another",
        ],
    )


def test_tools_without_python(service: Container, scratch: str) -> None:
    code, _, errors = debug("--container", str(service.name), "--tools", scratch)
    assert (code, errors[-2:]) == (
        2,
        [
            f'debug: no python3 in the image of tools "{scratch}"',
            "tip: `make dev` builds one that has it",
        ],
    )


def test_the_script_that_shows_the_files_is_of_the_standard_library() -> None:
    text = Path(debugging.VIEW).read_text()
    assert "from scripts" not in text
