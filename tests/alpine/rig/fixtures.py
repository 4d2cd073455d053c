"""Fetch the pinned files of fixtures.yaml, and refuse any other bytes."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

from scripts.common.errors import SutraError

PINS = Path("tests/alpine/fixtures.yaml")
# platform of the wheels: musl, and the Python among the files
WHEELS = [
    "--only-binary=:all:",
    "--python-version=3.13",
    "--implementation=cp",
    "--abi=cp313",
    "--abi=none",
    "--platform=musllinux_1_2_x86_64",
    "--platform=musllinux_1_1_x86_64",
    "--platform=manylinux_2_17_x86_64",
]


def fetch(folder: Path, pins: Path = PINS) -> dict[str, Path]:
    """Return the files by name, after downloading missing ones into `folder`.

    Raises SutraError for a version that no index has, and for bytes that are not those
    that were pinned.
    """
    return {name: fetch_one(folder, name, pins) for name in _read(pins)}


def fetch_one(folder: Path, name: str, pins: Path = PINS) -> Path:
    """Return one of the files, as `fetch` does."""
    pin = _read(pins)[name]
    return _ensure(folder / pin["sha256"], name, str(pin["version"]), pin["sha256"], pins)


def _read(pins: Path) -> dict[str, dict[str, Any]]:
    wanted: dict[str, dict[str, Any]] = yaml.safe_load(pins.read_text("utf-8"))
    return wanted


def _ensure(folder: Path, name: str, version: str, sha256: str, pins: Path) -> Path:
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".partial-") as partial:
            whole = Path(partial, "whole")
            _download(whole, name, version, pins)
            _refuse_other(whole, name, sha256, pins)
            whole.rename(folder)
    return _refuse_other(folder, name, sha256, pins)


def _download(folder: Path, name: str, version: str, pins: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", *WHEELS]
    command += ["--disable-pip-version-check", "--dest", str(folder), f"{name}=={version}"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        reason = next((x for x in done.stderr.splitlines() if x.startswith("ERROR: ")), "no reason")
        raise SutraError(
            f'{pins}: {name}.version: not to be had "{version}": {reason.removeprefix("ERROR: ")}',
            "check the network and PIP_INDEX_URL; pin another version, with its sha256, "
            "if this one is gone",
        )


def _refuse_other(folder: Path, name: str, sha256: str, pins: Path) -> Path:
    (file,) = folder.iterdir()
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if digest != sha256:
        raise SutraError(
            f'{pins}: {name}.sha256: other bytes than were pinned "{digest}", in {file.name}',
            "look at what upstream changed, then pin what you looked at",
        )
    return file
