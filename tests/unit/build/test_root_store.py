from __future__ import annotations

import gzip
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import pytest

from scripts.build import root_layout, root_store
from scripts.common.errors import SutraError
from scripts.engine import builders
from scripts.engine.builders import Builder
from tests.unit.fakes import tar_of

IMAGE = "debian:trixie-slim"
ROOT = tar_of({"etc/os-release": b"ID=debian\n"})
SNAPSHOTTER = ["driver-type", "io.containerd.snapshotter.v1"]


class Classic:
    """An engine of the classic store, which keeps every archive that it loads."""

    def __init__(self, status: Sequence[Sequence[str]] = ()) -> None:
        self.images, self.status = self, status
        self.loaded: list[list[str]] = []
        self.attrs: dict[str, Any] = {"Id": ""}
        self.tags: set[str] = set()

    def info(self) -> dict[str, Any]:
        return {"DriverStatus": self.status}

    def get(self, reference: str) -> Any:
        return self

    def load(self, archive: IO[bytes]) -> None:
        with tarfile.open(fileobj=archive) as opened:
            self.loaded.append(opened.getnames())
            (described,) = json.loads(opened.extractfile("manifest.json").read())  # type: ignore[union-attr] # a regular file
            (layer,) = described["Layers"]
            assert gzip.decompress(opened.extractfile(layer).read()) == ROOT  # type: ignore[union-attr] # a regular file
            self.tags |= set(described["RepoTags"])
            self.attrs = {"Id": f"sha256:{described['Config'].removesuffix('.json')}"}


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    (tmp_path / "root.tar").write_bytes(ROOT)
    root_layout.write(tmp_path / "root.tar", tmp_path / "layout", "trixie-slim")
    return tmp_path / "layout"


@pytest.mark.parametrize(
    ("driver", "status", "takes"),
    [
        ("docker", [SNAPSHOTTER], True),
        ("docker", [["Backing Filesystem", "extfs"]], False),
        ("docker", None, False),
        ("docker-container", None, True),
        ("remote", [["Backing Filesystem", "extfs"]], True),
    ],
)
def test_which_builder_takes_layouts(driver: str, status: Any, takes: bool) -> None:
    client: Any = Classic(status)
    assert builders.takes_layouts(client, Builder("farm", driver)) is takes


def test_a_builder_that_takes_layouts_gets_one(layout: Path) -> None:
    client: Any = Classic([SNAPSHOTTER])
    context = root_store.context(client, IMAGE, layout, builders.OWN)
    assert context == f"oci-layout://{layout}:trixie-slim"
    assert client.loaded == []


def test_the_classic_store_gets_the_image_once(layout: Path) -> None:
    client: Any = Classic()
    for _ in range(2):
        context = root_store.context(client, IMAGE, layout, builders.OWN)
        assert context == "docker-image://sutra-root:debian-trixie-slim"
    assert client.tags == {"sutra-root:debian-trixie-slim"}
    (names,) = client.loaded
    assert len(names) == 3
    client.attrs = {"Id": "sha256:of-an-earlier-bootstrap"}
    root_store.context(client, IMAGE, layout, builders.OWN)
    assert client.loaded == [names, names]


@pytest.mark.parametrize("broken", ["{}", "[]", "no JSON", '{"manifests": []}', ""])
def test_a_layout_that_cannot_be_read(layout: Path, broken: str) -> None:
    (layout / "index.json").write_text(broken)
    client: Any = Classic()
    with pytest.raises(SutraError) as caught:
        root_store.load(client, "sutra-root:x", layout)
    assert caught.value.message.startswith(f'roots: cannot read "{layout}": ')
    assert caught.value.tip == "`make roots` builds it again"
    assert client.loaded == []
