"""The attacks of the services' own tests, here against services in containers."""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType

from docker.models.containers import Container

from tests.conftest import ROOT

# control groups of version 2, or of version 1
READ_EVENTS = """
from pathlib import Path
group = Path("/sys/fs/cgroup")
events = [group / "memory.events", group / "memory/memory.oom_control"]
text = next(file for file in events if file.exists()).read_text()
print(dict(line.split() for line in text.splitlines())["oom_kill"])
"""
FILE = ROOT / "packages/sutra-service/tests/attacks.py"


def _load() -> ModuleType:
    """Load the file by its path: the tests' folder is not an importable package."""
    spec = spec_from_file_location("sutra_service_attacks", FILE)
    assert spec, FILE
    assert spec.loader, FILE
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


attacks = _load()


@contextmanager
def descriptors(number: int) -> Iterator[None]:
    """Allow this process that many open files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, number), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def ended(container: Container) -> tuple[bool, int]:
    """Return whether the kernel ended it for its memory, and how often it was started again."""
    container.reload()
    return container.attrs["State"]["OOMKilled"], container.attrs["RestartCount"]


def killed_inside(container: Container) -> int:
    """Return how many of its processes the kernel ended for their memory, as its group counts.

    A worker that was ended does not end its container.
    """
    status, output = container.exec_run(["python", "-c", READ_EVENTS])
    assert status == 0, output
    assert isinstance(output, bytes)
    return int(output)
