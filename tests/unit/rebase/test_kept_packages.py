"""Which packages' code a moved service keeps in an older version than the lock has now."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.common.errors import SutraError
from scripts.image.elf import Elf
from scripts.image.entry import Entry
from scripts.image.inventory import Inventory, LayerFiles
from scripts.rebase import kept_packages
from tests.unit.fakes import run_git

HEAD = "# suite: trixie\n# day: 20260101T000000Z\n"
BUILDERS, BASES = "base-images/builders.lock", "base-images/packages.lock"
FIRST = {
    "gcc-14": "14.2-1",
    "golang-1.24-src": "1.24.4-1",
    "libc6-dev": "2.41-1",
    "libgcc-14-dev": "14.2-1",
    "libopenblas-pthread-dev": "0.3.29-3",
    "libstd-rust-dev": "1.85.1-1",
    "libstdc++6": "14.2-1",
}
RECORDS = ("libopenblas-pthread-dev 0.3.29-3", "libstdc++6 14.2-1", "libssl3 3.5.1-1")


def lock(**versions: str) -> str:
    """Return a lock of FIRST with other versions; names have "_" for "-"."""
    changed = {name.replace("_", "-"): version for name, version in versions.items()}
    rows = [
        f"{name} {version} {machine} {'0' * 64}\n"
        for name, version in {**FIRST, **changed}.items()
        for machine in ("amd64", "arm64")
    ]
    return HEAD + "".join(rows)


def commit(**contents: str) -> str:
    for name, content in contents.items():
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(content)
    run_git("add", "--all")
    run_git("commit", "--quiet", "--allow-empty", "-m", "next")
    return run_git("rev-parse", "HEAD")


@pytest.fixture
def first(folder: Path) -> str:
    """A commit with both locks; the base has libssl3."""
    run_git("init")
    bases = f"{HEAD}libssl3 3.5.1-1 amd64 {'0' * 64}\n"
    return commit(**{BUILDERS: lock(), BASES: bases})


def image(*records: str, language: str = "") -> Inventory:
    """Return an image with dpkg's records of packages, and with a static program of ours."""
    texts = {}
    for record in records:
        name, version = record.split()
        texts[f"var/lib/dpkg/status.d/{name}"] = f"Package: {name}\nVersion: {version}\n"
    entries = [Entry(path, "file", len(text), 0o644, 0, 0, 0) for path, text in texts.items()]
    program = Elf("x86_64", "EXEC", language=language) if language else None
    entries.append(Entry("usr/local/bin/server", "file", 9, 0o755, 0, 0, 0, elf=program))
    layer = LayerFiles("sha256:0", 1, 1, tuple(entries), texts)
    return Inventory("x:prod", "sha256:1", "amd64", {}, (layer,))


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        (
            {"libopenblas_pthread_dev": "0.3.30-1"},
            ["libopenblas-pthread-dev 0.3.29-3 (now 0.3.30-1)"],
        ),
        (
            {"libopenblas_pthread_dev": "0.3.30-1", "libstdc++6": "14.2-2"},
            [
                "libopenblas-pthread-dev 0.3.29-3 (now 0.3.30-1)",
                "libstdc++6 14.2-1 (now 14.2-2)",
            ],
        ),
        # not in the image; of the base
        ({"libc6_dev": "2.41-2", "gcc_14": "14.2-2"}, []),
        ({"libssl3": "3.5.1-2"}, []),
    ],
)
def test_what_a_service_has_records_of(
    first: str, changed: dict[str, str], expected: list[str]
) -> None:
    second = commit(**{BUILDERS: lock(**changed)})
    assert kept_packages.of_service(image(*RECORDS), first, second) == expected


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        (
            "rust",
            [
                "libc6-dev 2.41-1 (now 2.41-2)",
                "libgcc-14-dev 14.2-1 (now 14.2-2)",
                "libstd-rust-dev 1.85.1-1 (now 1.85.1-2)",
            ],
        ),
        ("go", ["golang-1.24-src 1.24.4-1 (now 1.24.5-1)"]),
        ("", []),
    ],
)
def test_what_a_compiler_links_into_every_static_program(
    first: str, language: str, expected: list[str]
) -> None:
    changed = lock(
        gcc_14="14.2-2",
        libc6_dev="2.41-2",
        libgcc_14_dev="14.2-2",
        libopenblas_pthread_dev="0.3.30-1",
        libstd_rust_dev="1.85.1-2",
        **{"golang-1.24-src": "1.24.5-1"},
    )
    second = commit(**{BUILDERS: changed})
    assert kept_packages.of_service(image(language=language), first, second) == expected


def test_a_package_that_the_lock_has_no_more_has_no_newer_version(first: str) -> None:
    kept = (line for line in lock().splitlines(keepends=True) if "openblas" not in line)
    second = commit(**{BUILDERS: "".join(kept)})
    assert kept_packages.of_service(image(*RECORDS), first, second) == []


def test_a_commit_before_there_was_a_lock(folder: Path) -> None:
    run_git("init")
    before = commit(other="1")
    after = commit(**{BUILDERS: lock(libstd_rust_dev="2-1"), BASES: HEAD})
    assert kept_packages.of_service(image(language="rust"), before, after) == []
    recorded = image("libstdc++6 14.1-1")
    assert kept_packages.of_service(recorded, before, after) == ["libstdc++6 14.1-1 (now 14.2-1)"]


def test_a_damaged_lock_of_a_commit_is_one_line(first: str) -> None:
    second = commit(**{BUILDERS: "# suite: trixie\nhalf a line\n"})
    with pytest.raises(SutraError) as caught:
        kept_packages.of_service(image(*RECORDS), first, second)
    assert caught.value.message == (f'{BUILDERS}: line 2: not a locked package "half a line"')
