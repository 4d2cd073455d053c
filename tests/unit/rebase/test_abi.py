"""Bases that break a service, planted one by one: each break is refused and named."""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from scripts.common.errors import SutraError
from scripts.image import inventory
from scripts.rebase import abi, archive, parts
from tests.support.fixture_images import Files, Made, elf, link, program
from tests.support.planted_faults import versions

LIB = "usr/lib/x86_64-linux-gnu"
BASE: Files = {
    "lib": link("usr/lib"),
    f"{LIB}/libssl.so.3": versions({}, ["OPENSSL_3.0.0", "OPENSSL_3.4.0"]),
    f"{LIB}/libz.so.1": elf(soname="libz.so.1"),
    "usr/bin/python3.13": program(elf()),
}
OWN: Files = {
    "opt/ext.so": versions({"libssl.so.3": ["OPENSSL_3.4.0"]}, []),
    "opt/zip.so": elf(["libz.so.1"]),
}
SETTINGS = {"User": "10001:10001"}
OLD = Made([BASE], SETTINGS)


def without(path: str, **more: bytes) -> Files:
    return {**{name: item for name, item in BASE.items() if name != path}, **more}


def saved(folder: Path, name: str, subject: Made) -> tuple[Path, str]:
    path = subject.save(folder / f"{name}.tar")
    with tarfile.open(path) as tar:
        manifest = tar.extractfile("manifest.json")
        assert manifest is not None
        return path, "sha256:" + json.loads(manifest.read())[0]["Config"].rpartition("/")[2]


def breaks(folder: Path, new: Made, service: Made | None = None) -> list[str]:
    """Return the message for a service on OLD that is put on `new`."""
    subjects = {"old": OLD, "new": new, "service": service or Made([BASE, OWN], SETTINGS)}
    files = {name: saved(folder, name, subject) for name, subject in subjects.items()}
    archives = {
        name: archive.read(path, {name: identity})[name] for name, (path, identity) in files.items()
    }
    if messages := list(abi.breaks(archives["old"], archives["new"], archives["service"])):
        return messages
    config, own = parts.moved(archives["service"], archives["old"], archives["new"], "sha256:0")
    layers = [(files["new"][0], member) for member in archives["new"].layers]
    layers += [(files["service"][0], member) for member in own]
    archive.write(folder / "rebased.tar", "sutra-api:test", config, layers)
    images = [
        inventory.read(None, f"archive:{folder / name}.tar", folder / "cache")
        for name in ("old", "new", "rebased")
    ]
    before, after, rebased = images
    assert before
    assert after
    assert rebased
    assert rebased.layers[-1].diff_id == archives["service"].diff_ids[-1]
    return list(abi.breaks_inside(before, after, rebased))


def test_a_base_with_newer_files_breaks_nothing(tmp_path: Path) -> None:
    newer = {**BASE, f"{LIB}/libz.so.1": elf(soname="libz.so.1", text=b"patched")}
    assert breaks(tmp_path, Made([newer, {"etc/new": "a second layer"}], SETTINGS)) == []


PLANTED: Mapping[str, tuple[Made, str]] = {
    "a library": (
        Made([without(f"{LIB}/libz.so.1")], SETTINGS),
        'library "libz.so.1" is gone, "opt/zip.so" needs it',
    ),
    "a symbol version": (
        Made([{**BASE, f"{LIB}/libssl.so.3": versions({}, ["OPENSSL_3.0.0"])}], SETTINGS),
        'symbol version "OPENSSL_3.4.0" is gone from "libssl.so.3", "opt/ext.so" needs it',
    ),
    "another Python": (
        Made([{**without("usr/bin/python3.13"), "usr/bin/python3.14": program(elf())}], SETTINGS),
        "another Python (3.14), the service is compiled for 3.13",
    ),
    "no Python": (
        Made([without("usr/bin/python3.13")], SETTINGS),
        "another Python (none), the service is compiled for 3.13",
    ),
    "another architecture": (
        replace(OLD, architecture="arm64"),
        'another architecture "arm64", the service is of "amd64"',
    ),
    "an architecture that is no word": (
        replace(OLD, architecture="\x1b[31mamd64\nx"),
        'another architecture "\ufffd[31mamd64\ufffdx", the service is of "amd64"',
    ),
    "no architecture": (
        replace(OLD, architecture=""),
        'another architecture "none", the service is of "amd64"',
    ),
    "another variant": (
        replace(OLD, platform={"variant": "v3"}),
        'another variant of its architecture "v3", the service is of "none"',
    ),
    "a variant that is no word": (
        replace(OLD, platform={"variant": ["v3"]}),
        'another variant of its architecture "[\'v3\']", the service is of "none"',
    ),
    "another system": (
        replace(OLD, platform={"os": "windows"}),
        'another system "windows", the service is of "linux"',
    ),
    "a version of the system": (
        replace(OLD, platform={"os.version": "10.0"}),
        'another version of its system "10.0", the service is of "none"',
    ),
    "a Python of another machine": (
        Made([{**BASE, "usr/bin/python3.13": program(elf(machine="aarch64"))}], SETTINGS),
        '"usr/bin/python3.13" is for another machine "aarch64"',
    ),
    "libraries of another machine": (
        Made(
            [
                {
                    **BASE,
                    f"{LIB}/libz.so.1": elf(soname="libz.so.1", machine="aarch64"),
                    "usr/lib/x": elf(machine="aarch64"),
                }
            ],
            SETTINGS,
        ),
        f'"{LIB}/libz.so.1" (+1 more) is for another machine "aarch64"',
    ),
    "another user": (
        Made([BASE], {"User": "999"}),
        'another user "999", the service\'s files are for "10001:10001"',
    ),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_break_is_refused_by_its_name(tmp_path: Path, name: str) -> None:
    base, line = PLANTED[name]
    assert breaks(tmp_path, base) == [line]


@pytest.mark.parametrize(
    ("architecture", "variant"), [("amd64", "v1"), ("amd64", ""), ("arm64", "v8")]
)
def test_a_variant_that_is_the_architecture_itself_breaks_nothing(
    tmp_path: Path, architecture: str, variant: str
) -> None:
    base = replace(OLD, architecture=architecture, platform={"variant": variant})
    service = Made([BASE, OWN], SETTINGS, architecture)
    assert breaks(tmp_path, base, service) == []


def test_layers_of_the_service_keep_their_bytes(tmp_path: Path) -> None:
    newer = Made([{**BASE, "etc/new": "x"}], SETTINGS)
    assert breaks(tmp_path, newer) == []
    with (
        tarfile.open(tmp_path / "service.tar") as before,
        tarfile.open(tmp_path / "rebased.tar") as after,
    ):
        own = [
            tar.extractfile(member)
            for tar, member in ((before, _members(before)[1]), (after, _members(after)[1]))
        ]
        hashes = {hashlib.sha256(file.read()).hexdigest() for file in own if file}
    assert len(hashes) == 1


def _members(tar: tarfile.TarFile) -> list[str]:
    manifest = tar.extractfile("manifest.json")
    assert manifest is not None
    return list(json.loads(manifest.read())[0]["Layers"])


def test_an_archive_of_something_else_is_one_line(tmp_path: Path) -> None:
    path, identity = saved(tmp_path, "old", OLD)
    with pytest.raises(SutraError) as caught:
        archive.read(path, {"sutra-api": "sha256:" + "0" * 64})
    assert caught.value.message == 'rebase: archive lacks "sutra-api"'
    path.write_bytes(path.read_bytes()[:600])
    with pytest.raises(SutraError) as caught:
        archive.read(path, {"sutra-api": identity})
    assert caught.value.message.startswith("rebase: archive is damaged: ")


@pytest.mark.parametrize(
    ("documents", "problem"),
    [
        ({"manifest.json": [], "index.json": {"manifests": [{"digest": "sha256:1"}]},
          "blobs/sha256/1": {"manifests": []}}, "list index out of range"),
        ({"manifest.json": [], "index.json": [1]},
         "list indices must be integers or slices, not str"),
        ({"manifest.json": ["x"]}, "string indices must be integers, not 'str'"),
    ],
)  # fmt: skip # a row a case
def test_documents_of_another_form_are_one_line(
    tmp_path: Path, documents: dict[str, Any], problem: str
) -> None:
    path = tmp_path / "saved.tar"
    with tarfile.open(path, "w") as sink:
        for name, value in documents.items():
            archive._add(sink, name, json.dumps(value).encode())
    with pytest.raises(SutraError) as caught:
        archive.read(path, {})
    assert caught.value.message == f"rebase: archive is damaged: {problem}"
    assert caught.value.tip == "run the same command again"
