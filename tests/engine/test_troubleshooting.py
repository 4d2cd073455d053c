"""The first three entries of docs/troubleshooting.md: each problem, then its fix."""

from __future__ import annotations

from typing import Any

import docker
import pytest

from scripts.engine import sandbox
from scripts.engine.sandbox import Setup
from tests.support import services
from tests.support.fixture_images import Files, Item, link

SECONDS = 60
LIBRARIES = "/usr/lib/x86_64-linux-gnu"
# user that services run as
USER = 10001


@pytest.fixture(autouse=True)
def _built(production: None) -> None:
    """The base exists."""


def run(
    client: docker.DockerClient, reference: str, code: str, **how: Any
) -> tuple[int | None, str]:
    """Run Python code in the image, hardened; return its exit code and its last line."""
    setup = Setup(reference, ("python3", "-c", code), **how)
    ending, output = sandbox.run(client, setup, SECONDS)
    return ending, (output.splitlines() or [""])[-1]


def test_a_module_that_the_runtime_stage_lacks(client: docker.DockerClient) -> None:
    code = "import sys; sys.path.insert(0, '/app'); import main"
    main: Files = {"app/main.py": "import helper; print(helper.WORD)"}
    with services.on_base(client, main) as broken:
        said = run(client, broken, code)
    assert said == (1, "ModuleNotFoundError: No module named 'helper'")
    with services.on_base(client, {**main, "app/helper.py": "WORD = 'here'"}) as fixed:
        assert run(client, fixed, code) == (0, "here")


def test_a_library_that_the_runtime_stage_lacks(client: docker.DockerClient) -> None:
    """libssl needs a library of another name; then one of that name exists."""
    needs = (f"{LIBRARIES}/libssl.so.3".lstrip("/"), b"libcrypto.so.3", b"libcrypta.so.3")
    code = "import ssl; print(ssl.OPENSSL_VERSION.split()[0])"
    with services.patched(client, *needs) as broken:
        assert run(client, broken, code) == (
            1,
            "ImportError: libcrypta.so.3: cannot open shared object file: "
            "No such file or directory",
        )
        files = {"libcrypta.so.3": link("libcrypto.so.3")}
        with services.on_base(client, files, broken, LIBRARIES) as fixed:
            assert run(client, fixed, code) == (0, "OpenSSL")


def test_a_folder_that_the_service_may_not_write(client: docker.DockerClient) -> None:
    """The folder is root's, as after `COPY` without `--chown`; then the user's, or a tmpfs."""
    code = "print(open('/state/x', 'w').write('kept'))"

    def folder(owner: int) -> Files:
        return {"state": Item(kind="folder", mode=0o755, uid=owner, gid=owner)}

    with services.on_base(client, folder(0)) as broken:
        said = run(client, broken, code, read_only=False)
        assert said == (1, "PermissionError: [Errno 13] Permission denied: '/state/x'")
    with services.on_base(client, folder(USER)) as fixed:
        assert run(client, fixed, code, read_only=False) == (0, "4")
        said = run(client, fixed, code)
        assert said == (1, "OSError: [Errno 30] Read-only file system: '/state/x'")
    assert run(client, services.BASE, code, writes=("/state",)) == (0, "4")
