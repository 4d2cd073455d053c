"""The deployed stack under a separate project name and ports, removed afterwards."""

from __future__ import annotations

import http.client
import json
import os
import secrets
import subprocess
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import docker
import yaml
from docker.models.containers import Container

from tests.conftest import ROOT

T = TypeVar("T")
STORAGE, API, HYBRID = "sutra-storage", "sutra-api", "sutra-hybrid"
PORTS = {API: "8000/tcp", HYBRID: "8001/tcp"}
QUICK = ROOT / "tests/support/quick_checks.yml"
# version of the engine's API since which checks may begin sooner: Docker 25
STARTS_CHECKS_SOONER = (1, 44)
# seconds that a container may take to start on a busy machine
PATIENCE = 120


@dataclass(frozen=True)
class Answer:
    """One HTTP answer; `seconds` is how long it took."""

    status: int
    body: Any
    seconds: float


class Services(ABC):
    """Services that a test calls, wherever they run."""

    @abstractmethod
    def address(self, service: str) -> tuple[str, int]:
        """Return where a service answers."""

    def ask(self, service: str, method: str, path: str, body: object = None) -> Any:
        """Return the body of an answer that must be a success."""
        answer = self.try_ask(service, method, path, body)
        assert 200 <= answer.status < 300, answer
        return answer.body

    def try_ask(self, service: str, method: str, path: str, body: object = None) -> Answer:
        """Return the answer, whatever its status."""
        return request(self.address(service), method, path, body)

    def wait_ready(self, service: str = API) -> None:
        """Wait until a service reports that it and its storage are healthy."""

        def well() -> bool:
            try:
                return self.try_ask(service, "GET", "/health").status == 200
            except (OSError, http.client.HTTPException):
                return False

        wait_for(well, f"{service}: not well again")


@dataclass
class Stack(Services):
    """One compose project; ports are chosen by the engine, and found again after a restart."""

    client: docker.DockerClient
    project: str
    knobs: dict[str, str] = field(default_factory=dict)
    addresses: dict[str, tuple[str, int]] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        """Return the environment of this stack: nothing of the caller's own deployment."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("SUTRA_", "COMPOSE"))}
        ours = {"SUTRA_PROJECT": self.project, "SUTRA_API_PORT": "0", "SUTRA_HYBRID_PORT": "0"}
        if can_check_sooner(self.client):
            ours["SUTRA_COMPOSE_OVERRIDE"] = str(QUICK)
        return inherited | ours | self.knobs

    @property
    def key(self) -> Path:
        """Return the file with the token between the services."""
        return ROOT / ".secrets" / f"{self.project}-storage-key"

    def make_key(self) -> None:
        """Make the key as `up` does, for calls of compose without the script."""
        self.key.parent.mkdir(mode=0o700, exist_ok=True)
        self.key.touch(mode=0o600, exist_ok=False)
        self.key.write_text(secrets.token_hex(32))
        os.chown(self.key, 10001, 10001)

    def deploy(self, *words: str, **knobs: str) -> subprocess.CompletedProcess[str]:
        """Run `./sutra-deploy.sh` with these words, without a terminal."""
        self.addresses.clear()
        return subprocess.run(
            ["./sutra-deploy.sh", *words],
            cwd=ROOT,
            env=self.environment() | knobs,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )

    def up(self) -> None:
        """Start the stack; all of it is healthy afterwards."""
        done = self.deploy("up")
        assert done.returncode == 0, done.stderr[-3000:]

    def container(self, service: str) -> Container:
        """Return the one container of a service, running or not."""
        labels = [
            f"com.docker.compose.project={self.project}",
            f"com.docker.compose.service={service}",
        ]
        (container,) = self.client.containers.list(all=True, filters={"label": labels})
        return container

    def address(self, service: str) -> tuple[str, int]:
        """Return the published address of a service, which a restart changes."""
        if service in self.addresses:
            return self.addresses[service]

        def published() -> list[dict[str, str]]:
            return self.container(service).ports.get(PORTS[service]) or []

        first = wait_for(published, f"{service}: no port")[0]
        self.addresses[service] = first["HostIp"], int(first["HostPort"])
        return self.addresses[service]

    def remove(self) -> None:
        """Remove all of the project: containers, networks, data."""
        done = self.deploy("down", "--data", "--yes")
        assert done.returncode == 0, done.stderr[-3000:]


def request(
    address: tuple[str, int],
    method: str,
    path: str,
    body: object = None,
    headers: dict[str, str] | None = None,
    text: bool = False,
) -> Answer:
    """Send one request on a new connection, bytes as NDJSON and other bodies as JSON.

    The body of the answer is read as JSON, or left as `text`. Raises OSError or HTTPException.
    """
    started = time.monotonic()
    with closing(http.client.HTTPConnection(*address, timeout=30)) as connection:
        media = "application/x-ndjson" if isinstance(body, bytes) else "application/json"
        payload = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        connection.request(method, path, payload, {"Content-Type": media, **(headers or {})})
        response = connection.getresponse()
        content = response.read()
    read = bytes.decode if text else json.loads
    return Answer(response.status, read(content) if content else None, time.monotonic() - started)


def wait_for(look: Callable[[], T], problem: str) -> T:
    """Return the first true answer of `look`; fail with `problem` when none comes."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if value := look():
            return value
        time.sleep(0.1)
    raise AssertionError(problem)


@contextmanager
def deployed(client: docker.DockerClient, **knobs: str) -> Iterator[Stack]:
    """Start a separate stack, and remove it with its data."""
    stack = Stack(client, f"sutra-test-e2e-{uuid.uuid4().hex[:8]}", dict(knobs))
    try:
        stack.up()
        yield stack
    finally:
        stack.remove()


def can_check_sooner(client: docker.DockerClient) -> bool:
    """Return whether the engine takes what QUICK sets."""
    version = client.version()["ApiVersion"]
    return tuple(map(int, version.split("."))) >= STARTS_CHECKS_SOONER


def override(client: docker.DockerClient, folder: Path, text: str) -> str:
    """Write a compose file that changes ours; return the value of SUTRA_COMPOSE_OVERRIDE."""
    changes = yaml.safe_load(text)
    if can_check_sooner(client):
        quick = yaml.safe_load(QUICK.read_text())["services"]
        chosen = changes.get("services", {})
        changes["services"] = {name: quick[name] | chosen.get(name, {}) for name in quick}
    file = folder / "override.yml"
    file.write_text(yaml.safe_dump(changes))
    return str(file)
