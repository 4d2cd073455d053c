from __future__ import annotations

import socket
import threading

import pytest

from scripts.common.errors import SutraError
from scripts.oci import registry


@pytest.mark.parametrize("host", ["docker.io", "index.docker.io"])
def test_docker_hub_is_asked_at_the_server_of_its_api(
    monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    """A proxy on loopback records the requested server, and refuses."""
    heard: list[bytes] = []

    def refuse() -> None:
        connection, _ = listener.accept()
        with connection:
            heard.append(connection.recv(65536).split(b"\r\n")[0])
            connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(20)
        proxy = threading.Thread(target=refuse)
        proxy.start()
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        for name in ("https_proxy", "HTTPS_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{listener.getsockname()[1]}")
        with pytest.raises(SutraError, match=f'^registry: "{host}/library/debian:1": '):
            registry.find(f"{host}/library/debian:1")
        proxy.join(20)
    assert heard == [b"CONNECT registry-1.docker.io:443 HTTP/1.0"] or heard == [
        b"CONNECT registry-1.docker.io:443 HTTP/1.1"
    ]
