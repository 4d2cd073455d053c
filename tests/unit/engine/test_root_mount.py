"""Where a container's root is mounted, by what the kernel and the engine say."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from scripts.common.errors import EngineError
from scripts.engine import root_mount

ID = "3f" * 32
OTHER = "ab" * 32
CONTAINERD = f"/var/lib/docker/rootfs/overlayfs/{ID}"
SHIM = f"/run/containerd/io.containerd.runtime.v2.task/moby/{ID}/rootfs"
CLASSIC = "/var/lib/docker/overlay2/77aa/merged"


def mount(place: str, kind: str = "overlay") -> str:
    return f"513 29 0:52 / {place} rw,relatime shared:9 - {kind} {kind} rw,lowerdir=/l\n"


SHARED_MEMORY = mount(f"/var/lib/docker/containers/{ID}/mounts/shm", "tmpfs")


@pytest.mark.parametrize("place", [CONTAINERD, SHIM])
def test_a_root_is_known_by_its_containers_id(place: str) -> None:
    mounts = mount("/", "ext4") + mount(CLASSIC) + SHARED_MEMORY + mount(place)
    assert root_mount.find(mounts, ID) == place
    assert root_mount.find(mounts, OTHER) == ""


def test_a_root_of_the_classic_store_is_known_by_the_engine() -> None:
    assert root_mount.find(mount(CLASSIC), ID, CLASSIC) == CLASSIC
    assert root_mount.find(mount(CLASSIC), ID) == ""


def test_a_place_is_read_without_its_escapes() -> None:
    mounts = mount(f"/mnt/my\\040disk\\134/{ID}")
    assert root_mount.find(mounts, ID) == f"/mnt/my disk\\/{ID}"


@pytest.mark.parametrize("mounts", ["", "\n", " - overlay", "1 2 3 - overlay", f"1 2 3 4 /{ID}"])
def test_other_text_holds_no_mount(mounts: str) -> None:
    assert root_mount.find(mounts, ID) == ""


class Made:
    """A container that was made, as the engine describes it."""

    id = ID

    def __init__(self, **attributes: Any) -> None:
        self.attrs = attributes


def test_the_engine_names_the_place_of_the_classic_store() -> None:
    driver = {"Name": "overlay2", "Data": {"MergedDir": CLASSIC}}
    container: Any = Made(GraphDriver=driver)
    assert root_mount.merged_folder(container) == CLASSIC
    for other in (Made(), Made(GraphDriver=None), Made(GraphDriver={"Data": None})):
        unnamed: Any = other
        assert root_mount.merged_folder(unnamed) == ""


def test_another_form_of_answer_is_one_line() -> None:
    container: Any = Made(GraphDriver=["overlay2"])
    with pytest.raises(EngineError) as caught:
        root_mount.merged_folder(container)
    assert "\n" not in caught.value.message


@pytest.fixture
def mounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "mountinfo"
    file.write_text(mount("/"))
    monkeypatch.setattr(root_mount, "MOUNTS", file)
    return file


def test_a_root_is_reported_as_soon_as_it_is_mounted(mounts: Path) -> None:
    container: Any = Made()
    places, seen = list[str](), threading.Event()

    def watch(place: str) -> None:
        places.append(place)
        seen.set()

    with root_mount.when_mounted(container, watch):
        assert not seen.wait(0.05)
        mounts.write_text(mount("/") + mount(CONTAINERD))
        assert seen.wait(10)
    assert places == [CONTAINERD]


def test_a_root_that_is_unmounted_again_is_waited_for(mounts: Path) -> None:
    container: Any = Made()
    places, seen = list[str](), threading.Event()

    def watch(place: str) -> None:
        places.append(place)
        if len(places) == 1:
            raise FileNotFoundError(place)
        seen.set()

    mounts.write_text(mount(CONTAINERD))
    with root_mount.when_mounted(container, watch):
        assert seen.wait(10)
    assert places == [CONTAINERD, CONTAINERD]


def test_what_the_watcher_raises_ends_the_block(mounts: Path) -> None:
    container: Any = Made()
    begun = threading.Event()

    def refuse(place: str) -> None:
        begun.set()
        raise EngineError("no")

    mounts.write_text(mount(CONTAINERD))
    with pytest.raises(EngineError, match="engine: no"), root_mount.when_mounted(container, refuse):
        assert begun.wait(10)


def test_nothing_is_reported_of_a_root_that_is_never_mounted(mounts: Path) -> None:
    container: Any = Made()
    before = threading.active_count()
    places = list[str]()
    with (
        pytest.raises(ValueError, match="of the block"),
        root_mount.when_mounted(container, places.append),
    ):
        raise ValueError("of the block")
    assert (places, threading.active_count()) == ([], before)
