from __future__ import annotations

import json
import os
import tarfile
from pathlib import Path

from scripts.build import root_layout
from tests.unit.build.roots import ROOT_TAR, unfold
from tests.unit.fakes import digest, tar_of


def written(folder: Path, tar: bytes = ROOT_TAR) -> Path:
    root, layout = folder / "root.tar", folder / "layout"
    root.write_bytes(tar)
    root_layout.write(root, layout, "trixie-slim")
    return layout


def test_the_layout_is_an_oci_image_of_one_layer(tmp_path: Path) -> None:
    layout = written(tmp_path)
    manifest, config, layer = unfold(layout)
    assert json.loads((layout / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
    index = json.loads((layout / "index.json").read_text())
    assert index["schemaVersion"] == manifest["schemaVersion"] == 2
    assert index["manifests"][0]["mediaType"] == manifest["mediaType"]
    assert index["manifests"][0]["annotations"] == {
        "org.opencontainers.image.ref.name": "trixie-slim"
    }
    assert manifest["mediaType"] == "application/vnd.oci.image.manifest.v1+json"
    assert manifest["config"]["mediaType"] == "application/vnd.oci.image.config.v1+json"
    assert manifest["layers"][0]["mediaType"] == "application/vnd.oci.image.layer.v1.tar+gzip"
    assert layer == ROOT_TAR
    assert config["rootfs"] == {"type": "layers", "diff_ids": [digest(ROOT_TAR)]}
    assert len(config["history"]) == 1
    assert (config["os"], config["config"]["Cmd"]) == ("linux", ["bash"])


def test_the_layout_holds_nothing_else(tmp_path: Path) -> None:
    layout = written(tmp_path)
    assert sorted(file.name for file in layout.iterdir()) == ["blobs", "index.json", "oci-layout"]
    assert len(list((layout / "blobs" / "sha256").iterdir())) == 3


def test_the_same_root_gives_the_same_layout_whenever_it_is_made(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    first, two = unfold(written(tmp_path / "one")), unfold(written(tmp_path / "two"))
    assert first == two
    assert first[1]["created"] == "1980-01-01T00:00:00+00:00"


def test_the_engines_names_of_architectures_are_used(tmp_path: Path) -> None:
    _, config, _ = unfold(written(tmp_path, tar_of({})))
    machine = os.uname().machine
    assert config["architecture"] == {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)


def test_a_layer_of_the_layout_is_a_tar(tmp_path: Path) -> None:
    layer = unfold(written(tmp_path))[2]
    (tmp_path / "layer.tar").write_bytes(layer)
    with tarfile.open(tmp_path / "layer.tar") as archive:
        assert archive.getnames() == ["etc/os-release", "bin/sh"]
