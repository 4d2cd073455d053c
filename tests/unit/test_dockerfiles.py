"""Rules that every Dockerfile keeps, for faults that only some engines show."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILES = sorted(
    file
    for folder in ("base-images", "packages", "samples", "scripts", "tests")
    for pattern in ("*.Dockerfile", "Dockerfile*")
    for file in (ROOT / folder).rglob(pattern)
)
ADD = re.compile(r"^ADD\s+(?!(?:--\S+\s+)*(?:https?://|git@))", re.IGNORECASE)
UPDATE = re.compile(r"(?:apt|apt-get|apt\.sh|apk|apk\.sh)\s+(?:-\S+\s+)*update\b")
INSTALL = re.compile(r"\b(?:install|add|upgrade|dist-upgrade|full-upgrade)\b")
PIP = re.compile(r"\bpip3?\s(?:[^&;|]*\s)?install\s")
COPY = re.compile(r"^(?:COPY|ADD)\s.*", re.MULTILINE)


# an argument that the bake file passes as the variable of its name, with the variable's default
PASSED = {
    *re.findall(r"\b([A-Z_]+)\s*= \1\b", (ROOT / "docker-bake.hcl").read_text(), re.MULTILINE)
}


def without_default(text: str, arguments: set[str]) -> list[str]:
    """Return those of `arguments` that a plain `docker build` leaves unset, in order.

    BuildKit gives a step the arguments that are set. One that is unset and one that is empty are
    two environments, so that a plain build would find no step of what bake has built.
    """
    head, _, stages = text.partition("\nFROM ")
    values = re.findall(r"^ARG (\w+)=", head, re.MULTILINE)
    bare = re.findall(r"^ARG (\w+)$", stages, re.MULTILINE)
    return [name for name in bare if name in arguments and name not in values]


def closes_folders(line: str) -> bool:
    """Return whether a COPY gives a mode without x: a folder that it creates gets it too."""
    modes = [word.partition("=")[2] for word in shlex.split(line) if word.startswith("--chmod=")]
    octal = [mode for mode in modes if mode.isdecimal()]
    return any(int(mode, 8) & 0o111 != 0o111 for mode in octal)


def instructions(text: str) -> list[str]:
    return COPY.findall(text.replace("\\\n", " "))


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_no_copy_gives_a_folder_that_it_creates_a_mode_that_closes_it(file: Path) -> None:
    """BuildKit 0.22 and newer: moby#49851."""
    assert [line for line in instructions(file.read_text()) if closes_folders(line)] == []


@pytest.mark.parametrize(
    ("line", "closed"),
    [
        ("COPY --chmod=644 a /new/", True),
        ("ADD --chown=1 --chmod=0640 a /new/", True),
        ("COPY \\\n  --chmod=600 a /new/", True),
        ("COPY --chmod=755 a /new/", False),
        ("COPY --chmod=u=rwX,go=rX a /new/", False),
        ("COPY a /new/", False),
    ],
)
def test_a_mode_without_x_is_found(line: str, closed: bool) -> None:
    assert [closes_folders(instruction) for instruction in instructions(line)] == [closed]


def whole_instructions(text: str) -> list[str]:
    """Return every instruction on one line, without the comments within it."""
    plain = re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE)
    return [line.strip() for line in plain.replace("\\\n", " ").splitlines() if line.strip()]


def adds(line: str) -> bool:
    """Return whether it is an ADD of what COPY could take: CIS Docker Benchmark 4.9."""
    return bool(ADD.match(line))


def updates_alone(line: str) -> bool:
    """Return whether a layer would hold package lists that get old: CIS Docker Benchmark 4.7."""
    return line.upper().startswith("RUN ") and any(
        not INSTALL.search(line[update.end() :]) for update in UPDATE.finditer(line)
    )


def installs_anything(line: str) -> bool:
    """Return whether pip takes what no hash of a lock names: CIS Docker Benchmark 4.11.

    With --no-index it takes a wheel that an earlier stage made, and asks no index.
    """
    calls = (part for part in re.split("&&|;|[|]", line) if PIP.search(part))
    return any("--require-hashes" not in call and "--no-index" not in call for call in calls)


def installs_unlocked(line: str) -> bool:
    """Return whether apt takes what no lock names: what builds an image is in its bytes."""
    return "apt.sh install" in line and "target=/mnt/builders.lock" not in line


def all_instructions() -> list[str]:
    return [line for file in DOCKERFILES for line in whole_instructions(file.read_text())]


def test_nothing_is_added_that_can_be_copied() -> None:
    assert [line for line in all_instructions() if adds(line)] == []


def test_no_instruction_only_updates_package_lists() -> None:
    assert [line for line in all_instructions() if updates_alone(line)] == []


def test_python_packages_are_installed_by_their_hashes() -> None:
    lines = all_instructions()
    assert [line for line in lines if installs_anything(line)] == []
    assert any(PIP.search(line) for line in lines)


def test_debian_packages_of_builders_are_locked() -> None:
    files = [*ROOT.glob("base-images/*.Dockerfile"), *ROOT.glob("*/*/Dockerfile.prod")]
    lines = [line for file in files for line in whole_instructions(file.read_text())]
    assert [line for line in lines if installs_unlocked(line)] == []
    assert sum("apt.sh install" in line for line in lines) == 6


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("ADD a /", adds),
        (
            "RUN --mount=type=bind,source=lib,target=/mnt/lib /mnt/lib/apt.sh install \\\n  x",
            installs_unlocked,
        ),
        ("add --chown=1 a.tar /", adds),
        ("RUN apt-get update", updates_alone),
        ("RUN set -e \\\n # why\n && apt-get -q update", updates_alone),
        ("RUN apk add x && apk update", updates_alone),
        ("RUN python3 -m pip install \\\n  requests", installs_anything),
        ("RUN pip --python /x install -r lock", installs_anything),
        ("RUN pip install --require-hashes -r lock && pip install x", installs_anything),
    ],
)
def test_a_fault_of_an_instruction_is_found(line: str, fault: Callable[[str], bool]) -> None:
    assert [fault(instruction) for instruction in whole_instructions(line)] == [True]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("ADD https://example.org/a /", adds),
        ("ADD --checksum=sha256:0 https://example.org/a /", adds),
        ("COPY ADD /", adds),
        ("RUN apt-get update && apt-get install -y x", updates_alone),
        ("RUN apt.sh install x", updates_alone),
        ("RUN pip install --require-hashes -r lock", installs_anything),
        ("RUN pip install --no-index /mnt/wheels/x.whl", installs_anything),
        ("# RUN apt-get update\nRUN pip list", installs_anything),
    ],
)
def test_an_instruction_without_the_fault(line: str, fault: Callable[[str], bool]) -> None:
    assert [fault(instruction) for instruction in whole_instructions(line)] == [False]


# ---- a plain build finds what bake has built -------------------------------------


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_what_bake_passes_has_the_same_value_in_a_plain_build(file: Path) -> None:
    assert without_default(file.read_text(), PASSED) == []


def test_bake_passes_the_mirrors() -> None:
    mirrors = {"APT_MIRROR", "ALPINE_MIRROR", "PIP_INDEX_URL", "CARGO_REGISTRY", "GOPROXY"}
    assert mirrors | {"NPM_REGISTRY", "DEBIAN_VERSION"} <= PASSED


@pytest.mark.parametrize(
    ("text", "unset"),
    [
        ("ARG A=1\nFROM x\nARG A\n", []),
        ("FROM x\nARG A\nARG B=\nFROM y\nARG B\n", ["A", "B"]),
        ("FROM x\nARG A=\nARG OTHER\n", []),
    ],
)
def test_an_argument_without_a_default_is_found(text: str, unset: list[str]) -> None:
    assert without_default(f"# x\n{text}", {"A", "B"}) == unset
