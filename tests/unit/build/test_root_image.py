from __future__ import annotations

import gzip
import hashlib
import json
import os
import resource
import tarfile
from pathlib import Path
from typing import Any

import pytest
import requests
from docker.errors import APIError, ImageNotFound
from requests.exceptions import ReadTimeout

from scripts.__main__ import main as front_door
from scripts.build import root_image
from scripts.common.errors import SutraError
from scripts.engine import builders
from tests.unit.fakes import FakeEngine, FakeImage, RegistryEngine, digest, program, tar_of

IMAGE = "debian:trixie-slim"
ROOT_TAR = tar_of({"etc/os-release": b"ID=debian\n", "bin/sh": os.urandom(3_000_000)})
START = (
    "roots: debian:trixie-slim: bootstrapping it from Debian's signed packages "
    "(once; `make roots` refreshes it)\n"
)
END = "roots: debian:trixie-slim: bootstrapped\n"


# ---- root_image ------------------------------------------------------------


def plan(**args: str) -> dict[str, Any]:
    return {"target": {"builder": {}, "api": {"args": {"VERSION": "1"}}, "base": {"args": args}}}


@pytest.mark.parametrize(
    ("base", "root"), [("debian", "debian:trixie-slim"), ("alpine", "alpine:3.23"), ("", "")]
)
def test_the_bases_are_built_on_the_root(base: str, root: str) -> None:
    made = plan(BASE=base, DEBIAN_VERSION="trixie-slim", ALPINE_VERSION="3.23")
    assert root_image.root_image(made) == root


def test_a_plan_without_base_images_has_no_root() -> None:
    assert root_image.root_image(plan()) == ""
    assert root_image.root_image({"target": {}}) == ""


def test_an_unknown_base_is_refused() -> None:
    with pytest.raises(SutraError) as caught:
        root_image.root_image(
            plan(BASE="fedora", DEBIAN_VERSION="trixie-slim", ALPINE_VERSION="3.23")
        )
    assert caught.value.message == 'BASE: unknown "fedora"'
    assert caught.value.tip == "choose one of debian, alpine"


# ---- write_layout ----------------------------------------------------------


def blob(layout: Path, descriptor: dict[str, Any]) -> bytes:
    """Return the blob of a descriptor, whose digest and size must be its own."""
    algorithm, _, name = descriptor["digest"].partition(":")
    data: bytes = (layout / "blobs" / algorithm / name).read_bytes()
    assert (algorithm, name) == ("sha256", hashlib.sha256(data).hexdigest())
    assert descriptor["size"] == len(data)
    return data


def written(folder: Path, tar: bytes = ROOT_TAR) -> Path:
    root, layout = folder / "root.tar", folder / "layout"
    root.write_bytes(tar)
    root_image.write_layout(root, layout, "trixie-slim")
    return layout


def unfold(layout: Path) -> tuple[dict[str, Any], dict[str, Any], bytes]:
    """Return manifest, config and unpacked layer."""
    index = json.loads((layout / "index.json").read_text())
    (entry,) = index["manifests"]
    manifest = json.loads(blob(layout, entry))
    (layer,) = manifest["layers"]
    config = json.loads(blob(layout, manifest["config"]))
    return manifest, config, gzip.decompress(blob(layout, layer))


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
    one, two = unfold(written(tmp_path / "one")), unfold(written(tmp_path / "two"))
    assert one == two
    assert one[1]["created"] == "1980-01-01T00:00:00+00:00"


def test_the_engines_names_of_architectures_are_used(tmp_path: Path) -> None:
    _, config, _ = unfold(written(tmp_path, tar_of({})))
    machine = os.uname().machine
    assert config["architecture"] == {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)


# ---- bootstrap -------------------------------------------------------------


@pytest.fixture
def debootstrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A mmdebstrap first on PATH that writes its words to `words` and copies a ready root."""
    (tmp_path / "sample.tar").write_bytes(ROOT_TAR)
    program(
        tmp_path / "bin",
        "mmdebstrap",
        "ulimit -S -f unlimited\n"
        f"printf '%s\\n' \"$@\" > {tmp_path}/words\n"
        f'for word; do case $word in */root.tar) cp {tmp_path}/sample.tar "$word";; esac; done\n',
    )
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    return tmp_path


def words(folder: Path) -> list[str]:
    """Return the words that mmdebstrap got, the name of the temporary folder taken out."""
    lines = (folder / "words").read_text().splitlines()
    return ["root.tar" if line.endswith("/root.tar") else line for line in lines]


COMMON = [
    "--variant=minbase",
    "--format=tar",
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-include=/usr/share/doc/*/copyright",
    "--dpkgopt=path-exclude=/usr/share/man/*",
    "--dpkgopt=path-exclude=/usr/share/info/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    "--dpkgopt=path-exclude=/usr/share/lintian/*",
    "trixie",
    "root.tar",
]


def test_a_bootstrap_leaves_a_whole_layout(
    debootstrap: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    layout = debootstrap / "cache" / "roots" / "debian-trixie-slim"
    root_image.bootstrap(IMAGE, layout, {})
    assert unfold(layout)[2] == ROOT_TAR
    assert os.listdir(layout.parent) == ["debian-trixie-slim"]
    assert words(debootstrap) == COMMON
    assert capfd.readouterr() == ("", START + END)


@pytest.mark.parametrize("mirror", ["http://mirror.test/debian", "http://mirror.test/debian/"])
def test_a_mirror_is_passed_on_as_three_suites(debootstrap: Path, mirror: str) -> None:
    root_image.bootstrap(IMAGE, debootstrap / "layout", {"APT_MIRROR": mirror})
    assert words(debootstrap) == [
        *COMMON,
        "deb http://mirror.test/debian trixie main",
        "deb http://mirror.test/debian trixie-updates main",
        "deb http://mirror.test/debian-security trixie-security main",
    ]


@pytest.mark.parametrize("end", ["", "/"])
def test_a_day_of_debian_is_a_mirror_too(debootstrap: Path, end: str) -> None:
    day = "http://snapshot.test/archive/debian/20260101T000000Z"
    root_image.bootstrap(IMAGE, debootstrap / "layout", {"APT_MIRROR": day + end})
    assert words(debootstrap) == [
        *COMMON[:-2],
        '--aptopt=Acquire::Check-Valid-Until "false"',
        *COMMON[-2:],
        f"deb {day} trixie main",
        f"deb {day} trixie-updates main",
        "deb http://snapshot.test/archive/debian-security/20260101T000000Z trixie-security main",
    ]


def test_the_mirror_comes_from_the_environment(
    debootstrap: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APT_MIRROR", "http://env.test/debian")
    root_image.bootstrap(IMAGE, debootstrap / "layout")
    assert words(debootstrap)[-3] == "deb http://env.test/debian trixie main"


@pytest.mark.parametrize("given", ["ca.pem", "{folder}/ca.pem", "{folder}/more/../ca.pem"])
def test_a_bundle_is_passed_on_by_its_absolute_path(
    debootstrap: Path, folder: Path, given: str
) -> None:
    bundle = given.format(folder=folder)
    root_image.bootstrap(IMAGE, debootstrap / "layout", {"CA_BUNDLE": bundle})
    assert words(debootstrap) == [
        *COMMON[:-2],
        f'--aptopt=Acquire::https::CaInfo "{folder}/ca.pem"',
        *COMMON[-2:],
    ]


def test_a_bundle_and_a_mirror_go_together(debootstrap: Path) -> None:
    knobs = {"CA_BUNDLE": "/certificates/ca.pem", "APT_MIRROR": "https://mirror.test/debian"}
    root_image.bootstrap(IMAGE, debootstrap / "layout", knobs)
    assert words(debootstrap) == [
        *COMMON[:-2],
        '--aptopt=Acquire::https::CaInfo "/certificates/ca.pem"',
        *COMMON[-2:],
        "deb https://mirror.test/debian trixie main",
        "deb https://mirror.test/debian trixie-updates main",
        "deb https://mirror.test/debian-security trixie-security main",
    ]


@pytest.mark.parametrize("knob", ["CA_BUNDLE", "APT_MIRROR"])
def test_an_empty_knob_counts_as_unset(debootstrap: Path, knob: str) -> None:
    root_image.bootstrap(IMAGE, debootstrap / "layout", {knob: ""})
    assert words(debootstrap) == COMMON


def test_a_new_bootstrap_replaces_the_old_one(debootstrap: Path) -> None:
    layout = debootstrap / "roots" / "debian-trixie-slim"
    layout.mkdir(parents=True)
    (layout / "old").touch()
    root_image.bootstrap(IMAGE, layout, {})
    assert unfold(layout)[2] == ROOT_TAR
    assert not (layout / "old").exists()


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (
            "I: starting\nE: cannot fetch InRelease\nE: another\n",
            "cannot fetch InRelease",
        ),
        ("W: old\nErr:1 http://x trixie InRelease\n", "Err:1 http://x trixie InRelease"),
        ("tar: x: No space left on device\nE: tar failed\n", "tar: x: No space left on device"),
        ("  perl: not found\nmore\n", "perl: not found"),
        ("", "no output"),
    ],
)
def test_a_failed_bootstrap_leaves_nothing(
    debootstrap: Path, capfd: pytest.CaptureFixture[str], output: str, reason: str
) -> None:
    (debootstrap / "output").write_text(output)
    program(debootstrap / "bin", "mmdebstrap", f"cat {debootstrap}/output >&2; exit 1")
    layout = debootstrap / "roots" / "debian-trixie-slim"
    with pytest.raises(SutraError) as caught:
        root_image.bootstrap(IMAGE, layout, {})
    assert caught.value.message == f'roots: bootstrap of "trixie" failed: {reason}'
    assert caught.value.tip == (
        "check the network, APT_MIRROR and `df -h`, then run `make roots` again"
    )
    assert os.listdir(layout.parent) == []
    assert capfd.readouterr() == ("", START + output)


def test_a_bootstrap_that_ends_its_whole_process_group_ends_no_other(debootstrap: Path) -> None:
    program(debootstrap / "bin", "mmdebstrap", "echo 'E: unable to chroot' >&2; kill -TERM 0")
    with pytest.raises(SutraError) as caught:
        root_image.bootstrap(IMAGE, debootstrap / "layout", {})
    assert caught.value.message == 'roots: bootstrap of "trixie" failed: unable to chroot'


def test_a_failed_refresh_keeps_the_root_of_before(debootstrap: Path) -> None:
    layout = debootstrap / "roots" / "debian-trixie-slim"
    root_image.bootstrap(IMAGE, layout, {})
    program(debootstrap / "bin", "mmdebstrap", "exit 1")
    with pytest.raises(SutraError):
        root_image.bootstrap(IMAGE, layout, {})
    assert unfold(layout)[2] == ROOT_TAR
    assert os.listdir(layout.parent) == ["debian-trixie-slim"]


def test_a_full_disk_leaves_nothing(debootstrap: Path, capfd: pytest.CaptureFixture[str]) -> None:
    layout = debootstrap / "roots" / "debian-trixie-slim"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(SutraError) as caught:
            root_image.bootstrap(IMAGE, layout, {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert caught.value.message == f'roots: cannot write "{layout}": File too large'
    assert caught.value.tip == "free some space (`df -h .`), then run `make roots` again"
    assert os.listdir(layout.parent) == []
    assert capfd.readouterr() == ("", START)


@pytest.mark.parametrize("image", ["alpine:3.23", "fedora:40"])
def test_only_debian_is_bootstrapped(tmp_path: Path, image: str) -> None:
    with pytest.raises(SutraError) as caught:
        root_image.bootstrap(image, tmp_path / "roots" / "layout", {})
    assert caught.value.message == (f'roots: cannot bootstrap "{image}", and no registry serves it')
    assert caught.value.tip == f"`docker load` an archive of {image}, or build with BASE=debian"
    assert os.listdir(tmp_path) == []


def test_a_missing_folder_for_temporary_files(debootstrap: Path) -> None:
    with pytest.raises(SutraError) as caught:
        root_image.bootstrap(IMAGE, debootstrap / "layout", {"TMPDIR": "/nothing"})
    assert caught.value.message == 'roots: TMPDIR: No such file or directory "/nothing"'
    assert caught.value.tip == "name another folder: `TMPDIR=/var/tmp make prod`"


@pytest.mark.parametrize(
    ("flags", "missing", "message", "tip"),
    [
        (os.ST_NOEXEC, 0, 'TMPDIR: mounted noexec "/t"', ""),
        (0, 1, 'TMPDIR: 600 MB free in "/t", 600 MB needed', "free some space there, or "),
    ],
)
def test_temporary_files_that_mmdebstrap_cannot_make(
    debootstrap: Path,
    monkeypatch: pytest.MonkeyPatch,
    flags: int,
    missing: int,
    message: str,
    tip: str,
) -> None:
    free = root_image.UNPACKED_BYTES - missing
    system = os.statvfs_result((1, 1, free, free, free, 1, 1, 1, flags, 255))
    monkeypatch.setattr(os, "statvfs", lambda folder: system)
    with pytest.raises(SutraError) as caught:
        root_image.bootstrap(IMAGE, debootstrap / "layout", {"TMPDIR": "/t"})
    assert caught.value.message == f"roots: {message}"
    assert caught.value.tip == f"{tip}name another folder: `TMPDIR=/var/tmp make prod`"
    assert not (debootstrap / "words").exists()


def test_just_enough_space_is_enough(debootstrap: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = root_image.UNPACKED_BYTES
    system = os.statvfs_result((1, 1, free, free, free, 1, 1, 1, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda folder: system)
    root_image.bootstrap(IMAGE, debootstrap / "layout", {"TMPDIR": "/t"})
    assert words(debootstrap) == COMMON


def test_without_mmdebstrap_it_is_installed(
    debootstrap: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (debootstrap / "bin" / "mmdebstrap").rename(debootstrap / "packaged")
    monkeypatch.setenv("PATH", f"{debootstrap}/bin")
    program(
        folder / "scripts",
        "install.sh",
        f'echo "$@" > {folder}/asked\n'
        f"/bin/sed 's/cp /\\/bin\\/cp /' {folder}/packaged > {folder}/bin/mmdebstrap\n"
        f"/bin/chmod +x {folder}/bin/mmdebstrap\n",
    )
    root_image.bootstrap(IMAGE, folder / "layout", {})
    assert (folder / "asked").read_text() == "mmdebstrap debian-archive-keyring uidmap\n"
    assert unfold(folder / "layout")[2] == ROOT_TAR


def test_a_failed_installation_of_mmdebstrap_is_reported(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(folder))
    program(folder / "scripts", "install.sh", "exit 1")
    with pytest.raises(SutraError) as caught:
        root_image.bootstrap(IMAGE, folder / "layout", {})
    assert caught.value.message == ("roots: no registry answers, and mmdebstrap is not installed")
    assert caught.value.tip == "install the package mmdebstrap, then run `make roots`"
    assert not (folder / "layout").exists()


# ---- registry and context --------------------------------------------------


PULL = '[ "$1" = pull ] && echo "$3" >>"${0%/*}/pulled"; exit 0\n'


@pytest.fixture
def registry(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> RegistryEngine:
    made = RegistryEngine()
    monkeypatch.setattr("scripts.engine.client.connect", made.connect)
    monkeypatch.setattr("scripts.engine.client.has_containerd_store", lambda client: True)
    docker = program(tmp_path_factory.mktemp("client"), "docker", PULL)
    monkeypatch.setenv("DOCKER", str(docker))
    return made


PULLING = "roots: debian:trixie-slim: pulling it\n"


def pulled() -> list[str]:
    """Return the references that the client was asked to pull."""
    file = Path(os.environ["DOCKER"]).parent / "pulled"
    return file.read_text().splitlines() if file.exists() else []


def test_a_root_that_the_engine_holds_is_left_to_it(
    engine: FakeEngine, registry: RegistryEngine, tmp_path: Path
) -> None:
    engine.add(FakeImage([]), IMAGE)
    assert root_image.context(engine, IMAGE, tmp_path) == ""
    assert (registry.asked, pulled()) == ([], [])


def test_a_root_that_the_registry_serves_is_kept_by_the_engine(
    engine: FakeEngine, registry: RegistryEngine, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """An image that only BuildKit pulled is lost when the registry is gone."""
    assert root_image.context(engine, IMAGE, tmp_path) == ""
    assert pulled() == [IMAGE]
    assert os.listdir(tmp_path) == []
    assert capfd.readouterr() == ("", PULLING)


def test_a_refresh_pulls_what_the_engine_holds(
    engine: FakeEngine, registry: RegistryEngine, tmp_path: Path
) -> None:
    engine.add(FakeImage([]), IMAGE)
    assert root_image.context(engine, IMAGE, tmp_path, fresh=True) == ""
    assert pulled() == [IMAGE]


def test_a_refresh_without_a_registry_leaves_what_the_engine_holds(
    engine: FakeEngine, registry: RegistryEngine, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    engine.add(FakeImage([]), IMAGE)
    registry.answer = ReadTimeout()
    assert root_image.context(engine, IMAGE, tmp_path, fresh=True) == ""
    assert (pulled(), os.listdir(tmp_path)) == ([], [])
    refused = "roots: debian:trixie-slim: no registry serves it (no answer in 5 s)\n"
    assert capfd.readouterr() == ("", refused)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo 'error pulling image: EOF' >&2; exit 1", "error pulling image: EOF"),
        ("exit 1", "exit code 1"),
        ("exec sleep 9", "not pulled in 1 s"),
    ],
)
def test_a_registry_that_breaks_off_or_drips_is_given_up(
    engine: FakeEngine,
    registry: RegistryEngine,
    debootstrap: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    script: str,
    reason: str,
) -> None:
    client = Path(os.environ["DOCKER"])
    program(client.parent, "docker", f'[ "$1" = pull ] || exit 0\n{script}\n')
    monkeypatch.setattr(root_image, "PULL_SECONDS", 1)
    cache = debootstrap / "roots"
    wanted = f"oci-layout://{cache}/debian-trixie-slim:trixie-slim"
    assert root_image.context(engine, IMAGE, cache) == wanted
    refused = f"roots: debian:trixie-slim: no registry serves it ({reason})\n"
    assert capfd.readouterr() == ("", PULLING + refused + START + END)


def layout_of_before(folder: Path) -> Path:
    layout = folder / "roots" / "debian-trixie-slim"
    (layout / "blobs").mkdir(parents=True)
    (layout / "index.json").touch()
    return layout


def test_a_fresh_root_that_the_registry_serves_again_replaces_the_layout(
    engine: FakeEngine, registry: RegistryEngine, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    layout = layout_of_before(tmp_path)
    (layout.parent / "alpine-3.23").mkdir()
    assert root_image.context(engine, IMAGE, layout.parent, fresh=True) == ""
    assert os.listdir(layout.parent) == ["alpine-3.23"]
    assert (registry.asked, pulled()) == ([IMAGE], [IMAGE])
    assert capfd.readouterr() == ("", PULLING)


def test_a_layout_is_used_without_asking_the_registry(
    engine: FakeEngine, registry: RegistryEngine, tmp_path: Path
) -> None:
    layout = layout_of_before(tmp_path)
    assert root_image.context(engine, IMAGE, layout.parent) == f"oci-layout://{layout}:trixie-slim"
    assert registry.asked == []


def test_a_root_that_its_registry_refuses_is_not_bootstrapped(
    engine: FakeEngine, registry: RegistryEngine, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    layout = layout_of_before(tmp_path)
    registry.answer = ImageNotFound("404", explanation="manifest unknown")
    registry.answer.response = requests.Response()
    registry.answer.response.status_code = 404
    with pytest.raises(SutraError) as caught:
        root_image.context(engine, IMAGE, layout.parent, fresh=True)
    assert caught.value.message == (
        'roots: its registry refuses "debian:trixie-slim": manifest unknown'
    )
    assert caught.value.tip == "check the name and the login"
    assert (layout / "index.json").exists()
    assert capfd.readouterr() == ("", "")


def test_without_a_registry_the_root_is_bootstrapped_once(
    engine: FakeEngine,
    registry: RegistryEngine,
    debootstrap: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    registry.answer = ReadTimeout()
    cache = debootstrap / "roots"
    wanted = f"oci-layout://{cache}/debian-trixie-slim:trixie-slim"
    assert root_image.context(engine, IMAGE, cache) == wanted
    refused = "roots: debian:trixie-slim: no registry serves it (no answer in 5 s)\n"
    assert capfd.readouterr() == ("", refused + START + END)
    assert root_image.context(engine, IMAGE, cache) == wanted
    assert capfd.readouterr() == ("", "")
    assert registry.asked == [IMAGE]


def test_a_fresh_root_is_bootstrapped_again(
    engine: FakeEngine, registry: RegistryEngine, debootstrap: Path
) -> None:
    registry.answer = ReadTimeout()
    cache = debootstrap / "roots"
    root_image.context(engine, IMAGE, cache)
    newer = tar_of({"newer": b"1"})
    (debootstrap / "sample.tar").write_bytes(newer)
    root_image.context(engine, IMAGE, cache, fresh=True)
    assert unfold(cache / "debian-trixie-slim")[2] == newer
    assert registry.asked == [IMAGE, IMAGE]


def test_a_layout_without_an_index_is_not_used(
    engine: FakeEngine, registry: RegistryEngine, debootstrap: Path
) -> None:
    registry.answer = ReadTimeout()
    layout = debootstrap / "roots" / "debian-trixie-slim"
    layout.mkdir(parents=True)
    root_image.context(engine, IMAGE, layout.parent)
    assert unfold(layout)[2] == ROOT_TAR


def test_a_relative_cache_gives_an_absolute_context(
    engine: FakeEngine, registry: RegistryEngine, debootstrap: Path, folder: Path
) -> None:
    registry.answer = ReadTimeout()
    assert root_image.context(engine, IMAGE) == (
        f"oci-layout://{folder}/.cache/roots/debian-trixie-slim:trixie-slim"
    )


def test_alpine_without_a_registry_is_refused(
    engine: FakeEngine, registry: RegistryEngine, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    registry.answer = APIError("500", explanation="unreachable")
    with pytest.raises(SutraError) as caught:
        root_image.context(engine, "alpine:3.23", tmp_path)
    assert caught.value.message == (
        'roots: cannot bootstrap "alpine:3.23", and no registry serves it'
    )
    assert capfd.readouterr() == ("", "roots: alpine:3.23: no registry serves it (unreachable)\n")


def test_main_says_where_the_root_comes_from(
    engine: FakeEngine,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    engine.add(FakeImage([]), IMAGE)
    # any machine has this client, also one without Docker
    docker = program(folder / "bin", "docker", "printf 'Name: default\\nDriver: docker\\n'\n")
    monkeypatch.setenv("DOCKER", str(docker))
    unanswered = RegistryEngine()
    unanswered.answer = ReadTimeout()
    monkeypatch.setattr(
        "scripts.engine.client.connect", lambda timeout=0: unanswered if timeout else engine
    )
    monkeypatch.setattr(
        "scripts.engine.buildx.bake_plan",
        lambda groups, knobs: plan(BASE="debian", DEBIAN_VERSION="trixie-slim"),
    )
    assert front_door(["roots"]) == 0
    refused = "roots: debian:trixie-slim: no registry serves it (no answer in 5 s)\n"
    left = "roots: debian:trixie-slim: left to the engine\n"
    assert capfd.readouterr() == ("", refused + left)


def test_a_layer_of_the_layout_is_a_tar(tmp_path: Path) -> None:
    layer = unfold(written(tmp_path))[2]
    (tmp_path / "layer.tar").write_bytes(layer)
    with tarfile.open(tmp_path / "layer.tar") as archive:
        assert archive.getnames() == ["etc/os-release", "bin/sh"]


def test_another_builder_gets_no_image_of_the_engine(
    engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It cannot see one; and what its registry serves it pulls itself."""
    engine.add(FakeImage([]), IMAGE)
    farm = builders.Builder("farm", "remote", {"tcp://127.0.0.1:7770": "running"})
    monkeypatch.setattr("scripts.engine.registries.registry_refusal", lambda *_: "")
    monkeypatch.setattr("scripts.engine.registries.pull_refusal", lambda *_: 1 / 0)
    assert root_image.context(engine, IMAGE, tmp_path, builder=farm) == ""
    layout = tmp_path / "debian-trixie-slim"
    layout.mkdir()
    (layout / "index.json").touch()
    context = root_image.context(engine, IMAGE, tmp_path, builder=farm)
    assert context == f"oci-layout://{layout}:trixie-slim"
