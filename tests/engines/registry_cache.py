"""A registry's cache that holds other bytes than it says: part of `make test-engines`.

The name is one that pytest does not look for: `make test` leaves it out, because buildkitd is
compiled first.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import docker

from tests.conftest import ROOT
from tests.engines.cache_bench import empty_builder
from tests.support import registries

TARGET = "sutra-base-rust-runtime"
# bytes of a blob above which it is a layer rather than a manifest
LAYER = 1_000_000


def build(knobs: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "scripts", "build", TARGET],
        cwd=ROOT,
        env={**os.environ, **knobs},
        capture_output=True,
        text=True,
    )


def spoil(data: Path) -> int:
    """Change the bytes of every layer in a registry's folder; return how many there were."""
    layers = [file for file in data.rglob("data") if file.stat().st_size > LAYER]
    for file in layers:
        with file.open("r+b") as content:
            content.seek(LAYER // 2)
            content.write(b"other bytes")
    return len(layers)


def test_it_is_left_out_and_the_layers_are_the_same(
    client: docker.DockerClient, tmp_path: Path
) -> None:
    with registries.registry(tmp_path / "registry") as address:
        cache = {"CACHE": f"{address}/cache"}
        with empty_builder(tmp_path / "one") as builder:
            first = build({**builder, **cache})
        assert first.returncode == 0, first.stderr[-3000:]
        layers = client.images.get(f"{TARGET}:prod").attrs["RootFS"]["Layers"]
        assert spoil(tmp_path / "registry/data") > 0
        with empty_builder(tmp_path / "two") as two:
            second = build({**two, **cache})
        assert second.returncode == 0, second.stderr[-3000:]
        assert (
            f'CACHE: "{cache["CACHE"]}" does not match its digests: '
            "building without it; delete it in the registry if this comes back"
        ) in second.stderr.splitlines()
        assert client.images.get(f"{TARGET}:prod").attrs["RootFS"]["Layers"] == layers
