"""Debian's docker-registry on loopback, plain or with TLS and a password; a proxy that cuts."""

from __future__ import annotations

import json
import socket
import socketserver
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.engines import cache
from tests.support.running import running, served

USER, PASSWORD = "founder", "correct horse"
# output of `htpasswd -nbB founder 'correct horse'`; bcrypt is all that docker-registry takes
HTPASSWD = "founder:$2y$05$abcdefghijklmnopqrstuuHNbAKRhpaujgo33bRWs.NLUTJO3lOy2\n"


def program() -> str:
    """Return where docker-registry is, installed if need be."""
    return cache.program("docker-registry")


def free_port() -> int:
    """Return a port of loopback that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def settings(address: str, data: Path) -> dict[str, object]:
    """Return the settings of a plain registry at "host:port" that keeps its data in a folder."""
    return {
        "version": "0.1",
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(data)}},
        "http": {"addr": address},
    }


@contextmanager
def registry(folder: Path, secured: bool = False) -> Iterator[str]:
    """Run one; yield its "host:port"."""
    folder.mkdir(parents=True, exist_ok=True)
    address = f"127.0.0.1:{free_port()}"
    config = settings(address, folder / "data")
    if secured:
        certificate(folder)
        (folder / "htpasswd").write_text(HTPASSWD)
        config["http"] = {
            "addr": address,
            "tls": {"certificate": str(folder / "crt.pem"), "key": str(folder / "key.pem")},
        }
        config["auth"] = {"htpasswd": {"realm": "test", "path": str(folder / "htpasswd")}}
    (folder / "config.yml").write_text(json.dumps(config))  # JSON is YAML
    with running(folder / "log", program(), "serve", str(folder / "config.yml")):
        wait_for(address, folder / "log")
        yield address


def certificate(folder: Path) -> None:
    """Write a certificate for 127.0.0.1 that nobody signed."""
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"]
    command += ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-keyout", str(folder / "key.pem"), "-out", str(folder / "crt.pem")]
    subprocess.run(command, check=True, capture_output=True)


def wait_for(address: str, log: Path) -> None:
    """Return as soon as something listens."""
    host, _, port = address.partition(":")
    end = time.monotonic() + 30
    while time.monotonic() < end:
        with suppress(OSError), socket.create_connection((host, int(port)), 1):
            return
        time.sleep(0.05)
    raise AssertionError(log.read_text()[-2000:])


class Proxy(socketserver.ThreadingTCPServer):
    """Passes bytes on to a registry until `left` are used up; then every connection is cut.

    `used` counts the bytes that clients sent.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, target: str) -> None:
        host, _, port = target.partition(":")
        self.target = (host, int(port))
        self.left: int | None = None
        self.used = 0
        self.guard = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Pipe)

    @property
    def address(self) -> str:
        """Return the address that it listens on, "host:port"."""
        return f"127.0.0.1:{self.server_address[1]}"

    def take(self, wanted: int) -> int:
        """Return how many of `wanted` bytes may pass."""
        with self.guard:
            allowed = wanted if self.left is None else min(wanted, self.left)
            self.used += allowed
            if self.left is not None:
                self.left -= allowed
            return allowed


class _Pipe(socketserver.BaseRequestHandler):
    server: Proxy

    def handle(self) -> None:
        with suppress(OSError), socket.create_connection(self.server.target) as other:
            back = threading.Thread(target=self.answers, args=(other,))
            back.start()
            self.requests(other)
            for connection in (other, self.request):
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            back.join()

    def requests(self, other: socket.socket) -> None:
        while data := self.request.recv(1 << 16):
            allowed = self.server.take(len(data))
            other.sendall(data[:allowed])
            if allowed < len(data):
                return

    def answers(self, other: socket.socket) -> None:
        with suppress(OSError):
            while data := other.recv(1 << 16):
                if self.server.left == 0:
                    break
                self.request.sendall(data)
            for connection in (other, self.request):
                connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def cutting(target: str) -> Iterator[Proxy]:
    """Run a proxy before a registry."""
    proxy = Proxy(target)
    with served(proxy):
        yield proxy
