"""The command of docs/debugging.md gets past Pod Security, as kubectl sends it to a cluster."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.kubernetes.test_manifests import pod, rendered
from tests.support.running import served

PAGE = (ROOT / "docs/debugging.md").read_text()
DEFAULTS = ("runAsNonRoot", "runAsUser", "seccompProfile")
LISTS = {
    "/api": {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []},
    "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": []},
    "/api/v1": {
        "kind": "APIResourceList",
        "groupVersion": "v1",
        "resources": [
            {"name": name, "namespaced": True, "kind": "Pod", "verbs": ["get", "patch"]}
            for name in ("pods", "pods/ephemeralcontainers")
        ],
    },
}


class Cluster(ThreadingHTTPServer):
    """Has one pod, and keeps the container that kubectl puts into it."""

    def __init__(self, spec: dict[str, Any]) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        about = {"name": "POD", "namespace": "default", "resourceVersion": "1"}
        self.pod = {"kind": "Pod", "apiVersion": "v1", "metadata": about, "spec": spec}
        self.container: dict[str, Any] = {}


class Answers(BaseHTTPRequestHandler):
    server: Cluster

    def log_message(self, *_: object) -> None:
        """Print nothing."""

    def do_GET(self) -> None:
        self.answer(LISTS.get(self.path.partition("?")[0], self.server.pod))

    def do_PATCH(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        (self.server.container,) = body["spec"]["ephemeralContainers"]
        self.answer(self.server.pod)

    def answer(self, document: object) -> None:
        content = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def documented() -> list[str]:
    """Return the words of the page's command."""
    match = re.search(r"^kubectl debug .*?[^\\]$", PAGE, re.MULTILINE | re.DOTALL)
    assert match
    return shlex.split(match[0].replace("\\\n", " "))


def sent(command: list[str], spec: dict[str, Any]) -> dict[str, Any]:
    """Return the container that a command puts into a pod; it is not waited for."""
    cluster = Cluster(spec)
    with served(cluster):
        server = f"--server=http://127.0.0.1:{cluster.server_port}"
        words = [command[0], server, *(word for word in command[1:] if word != "-it")]
        done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return cluster.container


def refusals(container: dict[str, Any], spec: dict[str, Any]) -> Iterator[str]:
    """Yield what Pod Security's level "restricted" refuses in a container of a pod.

    Source: https://kubernetes.io/docs/concepts/security/pod-security-standards/
    """
    whole = {key: spec["securityContext"].get(key) for key in DEFAULTS}
    settings = {**whole, **(container.get("securityContext") or {})}
    capabilities = settings.get("capabilities") or {}
    if settings.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation"
    if capabilities.get("drop") != ["ALL"] or set(capabilities.get("add") or ()):
        yield "capabilities"
    if not settings["runAsNonRoot"] or settings["runAsUser"] in (None, 0):
        yield "user"
    if (settings["seccompProfile"] or {}).get("type") not in ("RuntimeDefault", "Localhost"):
        yield "seccompProfile"


@pytest.fixture
def spec() -> dict[str, Any]:
    if not shutil.which("kubectl"):
        pytest.skip("kubectl is not installed")
    return pod(rendered("one-node"), "sutra-api")


def test_the_documented_shell_is_let_in_and_has_the_targets_user(spec: dict[str, Any]) -> None:
    container = sent(documented(), spec)
    assert container["targetContainerName"] == "sutra-api"
    assert container["command"] == ["bash"]
    assert list(refusals(container, spec)) == []
    # its user is the pod's, which the target has too: /proc/1/root is open to it
    assert "runAsUser" not in container["securityContext"]
    # a tool may call what the service may not (deploy/kubernetes/components/seccomp)
    assert container["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}


def test_the_profile_that_adds_a_capability_is_refused(spec: dict[str, Any]) -> None:
    command = [word.replace("restricted", "general") for word in documented()]
    assert list(refusals(sent(command, spec), spec)) == ["allowPrivilegeEscalation", "capabilities"]
