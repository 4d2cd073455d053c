from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from scripts.build import cache
from scripts.build.cache import Cache
from scripts.common.errors import SutraError
from scripts.engine import builders

IMAGES = ("sutra-api", "sutra-hybrid")
NEW = f".new-{os.getpid()}"


def test_without_the_knob_there_is_none() -> None:
    assert cache.read({}) is None
    assert cache.read({"CACHE": ""}) is None


@pytest.mark.parametrize(
    ("place", "folder"),
    [
        ("registry.example/sutra-cache", False),
        ("127.0.0.1:5000/a/b", False),
        ("localhost/cache", False),
        ("./cache", True),
        ("../cache/", True),
        ("/var/cache/sutra", True),
    ],
)
def test_a_registry_is_distinguished_from_a_folder(place: str, folder: bool) -> None:
    store = cache.read({"CACHE": place, "GITHUB_REF_NAME": "main"})
    assert store == Cache(place.rstrip("/"), "main")
    assert store.is_folder is folder


@pytest.mark.parametrize(
    "place", ["cache", "registry.example", "registry.example/Upper", "./a,b", "a b/c", "http://a/b"]
)
def test_a_place_that_is_neither_is_refused(place: str) -> None:
    with pytest.raises(SutraError) as caught:
        cache.read({"CACHE": place, "GITHUB_REF_NAME": "main"})
    assert caught.value.message == f'CACHE: neither host/path nor a folder "{place}"'
    assert caught.value.tip == "such as CACHE=registry.example/sutra-cache or CACHE=./cache"


@pytest.mark.parametrize(
    ("environment", "branch"),
    [
        ({"GITHUB_HEAD_REF": "fix/x", "GITHUB_REF_NAME": "12/merge"}, "fix/x"),
        ({"GITHUB_HEAD_REF": "", "GITHUB_REF_NAME": "main"}, "main"),
        ({"CI_COMMIT_REF_NAME": "release"}, "release"),
    ],
)
def test_the_pipeline_names_the_branch(environment: dict[str, str], branch: str) -> None:
    assert cache.branch(environment) == branch


def test_git_names_the_branch_where_one_is_checked_out(folder: Path) -> None:
    for command in (["init", "-q"], ["checkout", "-q", "-b", "fix/x"]):
        subprocess.run(["git", *command], check=True)
    assert cache.branch({}) == "fix/x"


def test_outside_of_a_repository_there_is_no_branch(folder: Path) -> None:
    assert cache.branch({}) == "detached"


def test_a_tag_is_one_that_a_registry_takes() -> None:
    assert cache.tag("sutra-api", "fix/größe #2") == "sutra-api-fix-gr--e--2"
    assert len(cache.tag("sutra-api", "x" * 200)) == 128


def test_a_branch_reads_its_own_cache_and_main_s_and_writes_its_own() -> None:
    store = Cache("registry.example/c", "fix")
    assert store.reads(IMAGES) == [
        f"*.cache-from=type=registry,ref=registry.example/c:{image}-{branch}"
        for image in IMAGES
        for branch in ("fix", "main")
    ]
    assert store.writes(IMAGES) == [
        f"{image}.cache-to=type=registry,ref=registry.example/c:{image}-fix,"
        "mode=max,ignore-error=true"
        for image in IMAGES
    ]
    assert len(Cache("registry.example/c", "main").reads(IMAGES)) == 2


def test_a_folder_is_read_where_it_is_there_and_written_beside_it(tmp_path: Path) -> None:
    store = Cache(str(tmp_path))
    blob(tmp_path / "sutra-api", b"layer")
    assert store.reads(IMAGES) == [f"*.cache-from=type=local,src={tmp_path}/sutra-api"]
    assert store.writes(IMAGES)[0] == (
        f"sutra-api.cache-to=type=local,dest={tmp_path}/{NEW}/sutra-api,mode=max"
    )


def blob(folder: Path, content: bytes) -> Path:
    """Write a blob of a cache under the name that it must have."""
    file = folder / "blobs/sha256" / hashlib.sha256(content).hexdigest()
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    (folder / "index.json").touch()
    return file


def test_a_folder_that_holds_other_bytes_is_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    blob(tmp_path / "sutra-api", b"layer").write_bytes(b"layer!")
    blob(tmp_path / "sutra-hybrid", b"layer")
    reads = Cache(str(tmp_path)).reads(IMAGES)
    assert reads == [f"*.cache-from=type=local,src={tmp_path}/sutra-hybrid"]
    assert capsys.readouterr().err == (
        f'CACHE: "{tmp_path}/sutra-api" does not match its digests: '
        "building without it and writing it again\n"
    )


@pytest.mark.parametrize("missing", ["index.json", "blobs"])
def test_a_folder_that_was_not_written_whole_is_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], missing: str
) -> None:
    blob(tmp_path / "sutra-api", b"layer")
    (tmp_path / "sutra-api" / missing).rename(tmp_path / "gone")
    assert Cache(str(tmp_path)).reads(IMAGES) == []
    assert "does not match its digests" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "damaged"),
    [
        ("#13 ERROR: failed commit on ref: unexpected commit digest sha256:e, expected", True),
        ("ERROR: failed to solve: process did not complete successfully: exit code: 1", False),
    ],
)
def test_a_registry_that_holds_other_bytes_is_known_by_what_buildkit_says(
    line: str, damaged: bool
) -> None:
    assert cache.is_damaged(["", line]) is damaged


def test_a_new_cache_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    (tmp_path / "sutra-api").mkdir()
    (tmp_path / "sutra-api/old").touch()
    (tmp_path / "sutra-hybrid").mkdir()
    with cache.renewed(Cache(str(tmp_path)), IMAGES):
        (tmp_path / NEW / "sutra-api").mkdir(parents=True)
        (tmp_path / NEW / "sutra-api/new").touch()
    left = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*"))
    assert left == ["sutra-api", "sutra-api/new", "sutra-hybrid"]


def test_a_build_that_fails_leaves_the_old_cache(tmp_path: Path) -> None:
    (tmp_path / "sutra-api").mkdir()
    (tmp_path / NEW / "sutra-api").mkdir(parents=True)
    with pytest.raises(KeyboardInterrupt), cache.renewed(Cache(str(tmp_path)), IMAGES):
        raise KeyboardInterrupt
    assert [path.name for path in tmp_path.iterdir()] == ["sutra-api"]


@pytest.mark.parametrize(
    ("driver", "containerd", "writes"),
    [
        ("docker", True, True),
        ("docker", False, False),
        ("remote", False, True),
    ],
)
def test_the_classic_store_alone_writes_no_cache(
    monkeypatch: pytest.MonkeyPatch, driver: str, containerd: bool, writes: bool
) -> None:
    monkeypatch.setattr("scripts.engine.client.has_containerd_store", lambda client: containerd)
    client: Any = object()
    builder = builders.Builder("x", driver)
    if writes:
        cache.require_export(client, builder)
        return
    with pytest.raises(SutraError) as caught:
        cache.require_export(client, builder)
    assert caught.value.message == (
        "CACHE: the engine's own BuildKit writes no cache with the classic image store"
    )
    assert "BUILDER=name" in caught.value.tip
