"""A test's folder on the disk, where the folders of the other tests may be in /dev/shm."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A new folder below /tmp: a proof lets what it runs write below /dev."""
    with tempfile.TemporaryDirectory(prefix="sutra-test-", ignore_cleanup_errors=True) as folder:
        yield Path(folder).resolve()
