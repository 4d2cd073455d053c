"""The three services together, hardened as they are deployed."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import docker
import pytest
from docker.models.containers import Container

HARDENED: dict[str, Any] = {
    "detach": True,
    "read_only": True,
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges"],
}
HEALTHY_SECONDS = 60
# the image's own check, asked every two seconds from the start, in nanoseconds
OFTEN = {"interval": 2 * 10**9, "start_period": 10**6}


@dataclass(frozen=True)
class Stack:
    storage: Container
    api: Container
    hybrid: Container

    @property
    def services(self) -> tuple[Container, ...]:
        return (self.storage, self.api, self.hybrid)


@pytest.fixture(scope="module")
def stack(client: docker.DockerClient, production: object) -> Iterator[Stack]:
    """Storage with a volume, API and hybrid on loopback; all removed afterwards, by id."""
    name = f"sutra-test-{uuid.uuid4().hex[:8]}"
    volume = client.volumes.create(name)
    network = client.networks.create(name)
    started: list[Container] = []

    def start(image: str, **more: Any) -> Container:
        container = client.containers.create(f"{image}:prod", healthcheck=OFTEN, **HARDENED, **more)
        started.append(container)
        return container

    try:
        storage = start("sutra-storage-server", volumes={name: {"bind": "/var/lib/sutra"}})
        api = start("sutra-api", ports={"8000/tcp": ("127.0.0.1", None)})
        hybrid = start("sutra-hybrid", ports={"8001/tcp": ("127.0.0.1", None)})
        network.connect(storage, aliases=["sutra-storage"])
        for container in (api, hybrid):
            network.connect(container)
        for container in started:
            container.start()
        for container in started:
            wait_healthy(container)
        yield Stack(storage, api, hybrid)
    finally:
        for container in started:
            container.remove(force=True)
        network.remove()
        volume.remove()


def wait_healthy(container: Container) -> None:
    """Wait until the image's own HEALTHCHECK reports healthy."""
    end = time.monotonic() + HEALTHY_SECONDS
    while time.monotonic() < end:
        container.reload()
        if container.attrs["State"]["Health"]["Status"] == "healthy":
            return
        time.sleep(0.3)
    raise AssertionError(container.logs(tail=20).decode())


def ask(container: Container, method: str, path: str, body: object = None) -> Any:
    container.reload()
    (bindings,) = container.ports.values()
    assert bindings
    request = urllib.request.Request(
        f"http://127.0.0.1:{bindings[0]['HostPort']}{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"content-type": "application/json"},
        method=method,
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def check(container: Container, path: str) -> int:
    """Return the exit status of the image's own health check, asked for `path`."""
    container.reload()
    command = [*container.attrs["Config"]["Healthcheck"]["Test"][1:], path]
    status = container.exec_run(command).exit_code
    assert status is not None
    return status


def test_what_is_learned_is_found(stack: Stack) -> None:
    for name, text in (("rust", "rust is a compiled language"), ("tea", "tea is a hot drink")):
        ask(stack.api, "PUT", f"/concepts/{name}", {"text": text})
    ask(stack.hybrid, "POST", "/refresh")
    answer = ask(stack.hybrid, "POST", "/similar", {"text": "a compiled language", "k": 1})
    assert [match["id"] for match in answer["matches"]] == ["rust"]


@pytest.mark.parametrize("how", ["restart", "kill"])
def test_what_is_learned_survives_the_storage(stack: Stack, how: str) -> None:
    kept = {"text": f"kept over a {how}"}
    ask(stack.api, "PUT", f"/concepts/{how}", kept)
    if how == "restart":
        stack.storage.restart()
    else:
        stack.storage.kill()
        stack.storage.start()
    wait_healthy(stack.storage)
    assert ask(stack.api, "GET", f"/concepts/{how}")["text"] == kept["text"]


def test_without_storage_the_api_says_so_and_recovers(stack: Stack) -> None:
    stack.storage.stop()
    with pytest.raises(urllib.error.HTTPError) as refused:
        ask(stack.api, "GET", "/health")
    refused.value.close()
    assert refused.value.code == 503
    # the process is alive: an orchestrator must not restart it
    assert [check(stack.api, path) for path in ("/live", "/health")] == [0, 1]
    stack.storage.start()
    wait_healthy(stack.storage)
    assert check(stack.api, "/health") == 0
    assert ask(stack.api, "GET", "/health") == {"status": "ok", "storage": "ok"}


def test_sigterm_ends_every_service_with_zero(stack: Stack) -> None:
    for container in stack.services:
        container.stop(timeout=10)
        container.reload()
        assert container.attrs["State"]["ExitCode"] == 0, container.name
    for container in stack.services:
        container.start()
        wait_healthy(container)
