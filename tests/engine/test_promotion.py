"""Promotion on the real engine with a full disk, a bad folder or another run at the same time."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from scripts.common.errors import SutraError
from scripts.engine import images
from scripts.history import journal, ledger
from scripts.promotion import promote, rollback
from scripts.promotion.options import Options
from tests.conftest import ROOT
from tests.support.tiny import Group

PAGE = os.sysconf("SC_PAGE_SIZE")
TIP = "`df -h .build` and `ls -ld .build` say more"


def options(**knobs: str) -> Options:
    return Options.read({"ALLOW_DIRTY": "1", **knobs})


def mounted(folder: Path, how: str) -> None:
    """Mount a small file system over a folder."""
    folder.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", how, "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("not run here: mounting a small file system takes root")


@pytest.fixture
def small(group: Group) -> Iterator[Path]:
    """`.build` is a file system of 64 KiB."""
    folder = group.folder / ".build"
    mounted(folder, "size=64k,nr_inodes=100")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill(folder: Path, leave: int) -> None:
    """Fill all space except for `leave` pages."""
    (folder / "filler").touch()
    space = os.statvfs(folder)
    (folder / "filler").write_bytes(b"\0" * (space.f_bavail * space.f_frsize - leave * PAGE))


def refused(group: Group, **knobs: str) -> str:
    """Return the message of a promotion that is refused; nothing was moved."""
    before = group.tags()
    with pytest.raises(SutraError) as caught:
        promote.verify_and_promote(group.client, options(**knobs))
    assert group.tags() == before
    assert caught.value.tip == TIP
    assert not journal.JOURNAL.exists()
    return caught.value.message


def test_a_full_disk_while_the_journal_is_written(group: Group, small: Path) -> None:
    group.build("one")
    (small / "lock").touch()
    fill(small, 0)
    assert refused(group) == (
        ".build/promotion.json: cannot be written: No space left on device, nothing was moved"
    )
    assert sorted(path.name for path in small.iterdir()) == ["filler", "lock"]


def test_a_full_disk_while_the_ledger_is_written(
    group: Group, small: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    group.build("one")
    promote.verify_and_promote(group.client, options(VERSION="1.4.1"))
    # the journal still fits into the page that is left; the ledger needs one more for its line
    [line] = ledger.LEDGER.read_text().splitlines(keepends=True)
    who = '"who": "'
    ledger.LEDGER.write_text(line.replace(who, who + "x" * (PAGE - 100 - len(line))))
    fill(small, 1)
    entries = ledger.read()
    group.build("two")
    message = refused(group)
    assert message == (
        ".build/history.jsonl: cannot be written: No space left on device, nothing was moved"
    )
    assert ledger.read() == entries
    (small / "filler").unlink()
    assert promote.verify_and_promote(group.client, options()) == 0


def test_a_build_that_is_read_only(group: Group) -> None:
    group.build("one")
    folder = group.folder / ".build"
    mounted(folder, "ro")
    try:
        assert refused(group) == (
            ".build/lock: cannot be written: Read-only file system, nothing was moved"
        )
        assert promote.verify_and_promote(group.client, options(DRY_RUN="1")) == 0
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def command(group: Group, module: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        group.command(module),
        cwd=group.folder,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT}/base-images/lib", "ALLOW_DIRTY": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_of_two_at_once_one_waits(group: Group) -> None:
    new = group.build("one")
    with journal.locked():
        second = command(group, "promote")
        assert second.stderr
        assert second.stderr.readline() == (
            "images.yaml: budgets: not compared with earlier ones, no commit\n"
        )
        assert second.stderr.readline() == f"waiting for process {os.getpid()}, which moves tags\n"
        assert group.tags("prod") == {}
    out, err = second.communicate(timeout=60)
    assert second.returncode == 0, out + err
    assert group.tags("prod", "kept") == {
        f"{name}:latest": new[name] for name in (group.api, group.hybrid)
    }


def test_two_at_once_leave_one_whole_group(group: Group) -> None:
    for content in ("one", "two"):
        group.build(content)
        assert promote.verify_and_promote(group.client, options()) == 0
    both = [command(group, module) for module in ("rollback", "promote")]
    for process in both:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, out + err
    entries = ledger.read()
    assert group.tags("prod", "kept") == {
        f"{name}:latest": entries[entries[-1].of - 1].ids[name] for name in group.names[1:]
    }


def test_an_image_that_is_pruned_is_not_one_that_rollback_needs(group: Group) -> None:
    first = group.build("one")
    promote.verify_and_promote(group.client, options())
    group.build("two")
    promote.verify_and_promote(group.client, options())
    for name in group.names:  # what `docker image prune` would find: nothing
        assert images.every(group.client, name=name, filters={"dangling": True}) == []
    assert rollback.rollback(group.client, options()) == 0
    assert group.client.images.get(f"{group.api}:latest").id == first[group.api]


def test_the_same_with_the_other_image_store(
    other_store: docker.DockerClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = Group(other_store, tmp_path, "other")
    monkeypatch.chdir(group.folder)
    first = group.build("one")
    assert promote.verify_and_promote(other_store, options(VERSION="1.4.1")) == 0
    second = group.build("two")
    assert promote.verify_and_promote(other_store, options(VERSION="1.4.2")) == 0
    assert rollback.rollback(other_store, options()) == 0
    for name in group.names:
        for tag, ids in (("1.4.1", first), ("1.4.2", second), ("1.4", first), ("1", first)):
            assert other_store.images.get(f"{name}:{tag}").id == ids[name]


def test_make_promote_and_history_and_rollback(group: Group) -> None:
    """Run the front door in a new folder that has this project's scripts."""
    for path in ROOT.iterdir():
        if path.name not in ("images.yaml", ".git", ".build", ".cache"):
            (group.folder / path.name).symlink_to(path)
    # the root that was bootstrapped in this checkout, if one was: another takes half a minute
    if (ROOT / ".cache/roots").is_dir():
        (group.folder / ".cache").mkdir()
        (group.folder / ".cache/roots").symlink_to(ROOT / ".cache/roots")
    first = group.build("one")

    def make(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["make", *words, "ALLOW_DIRTY=1"], cwd=group.folder, capture_output=True, text=True
        )

    assert make("promote", "VERSION=1.4.1").returncode == 0
    second = group.build("two")
    assert make("promote", "VERSION=1.4.2").returncode == 0
    wrong = make("promote", "VERSION=1.4")
    assert wrong.stderr.splitlines()[:2] == [
        'VERSION: not major.minor.patch "1.4"',
        "tip: such as VERSION=1.4.2, or VERSION=1.4.2rc1 before it",
    ]
    assert group.client.images.get(f"{group.api}:1").id == second[group.api]
    assert make("rollback", "TO=1.4.1").returncode == 0
    assert group.client.images.get(f"{group.api}:1").id == first[group.api]
    shown = make("history").stdout
    places = [shown.index(word) for word in ("back to 1.4.1", "promote 1.4.2", "promote 1.4.1")]
    assert places == sorted(places)
