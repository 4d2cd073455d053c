"""Debian trixie's `cosign`, from PATH, or else fetched from Debian's archive and kept.

apt checks the package by the release's signed index. What is not asked for is that the index be
young: mirrors that are frozen serve one whose `Valid-Until` has passed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.conftest import ROOT
from tests.engines import cache

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
PASSWORD = "horse battery"  # noqa: S105 - of keys that live as long as a test


def program() -> Path:
    """Return where cosign is."""
    if path := shutil.which("cosign"):
        return Path(path)
    mirror = os.environ.get("APT_MIRROR") or "http://deb.debian.org/debian"
    return cache.kept("cosign", [mirror, "trixie", "cosign"], lambda file: fetch(mirror, file))


def fetch(mirror: str, file: Path) -> None:
    """Write the program of the package to `file`."""
    with tempfile.TemporaryDirectory(dir=file.parent, prefix=".apt-") as name:
        folder = Path(name)
        for subfolder in ("lists/partial", "archives/partial"):
            (folder / subfolder).mkdir(parents=True)
        (folder / "sources.list").write_text(f"deb [signed-by={KEYRING}] {mirror} trixie main\n")
        options = {
            "Dir::Etc::sourcelist": folder / "sources.list",
            "Dir::Etc::sourceparts": "/dev/null",
            "Dir::State::lists": folder / "lists",
            "Dir::State::status": "/dev/null",
            "Dir::Cache": folder,
            "Acquire::Check-Valid-Until": "false",
            "APT::Sandbox::User": "",
        }
        words = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
        for command in (["update"], ["download", "cosign"]):
            done = subprocess.run(
                ["apt-get", "-q", *words, *command], cwd=folder, capture_output=True, text=True
            )
            assert done.returncode == 0, done.stderr[-3000:]
        [package] = folder.glob("cosign_*.deb")
        subprocess.run(["dpkg-deb", "-x", package, folder / "unpacked"], cwd=ROOT, check=True)
        (folder / "unpacked/usr/bin/cosign").rename(file)


def on_path(folder: Path) -> str:
    """Return a PATH on which cosign is, by a link in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    link = folder / "cosign"
    if not link.exists():
        link.symlink_to(program())
    return f"{folder}:{os.environ['PATH']}"


def key_pair(folder: Path, name: str = "sutra") -> tuple[Path, Path]:
    """Return a new private key, opened by PASSWORD, and its public one."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [program(), "generate-key-pair", f"--output-key-prefix={name}"],
        cwd=folder,
        env={**os.environ, "COSIGN_PASSWORD": PASSWORD},
        check=True,
        capture_output=True,
    )
    return folder / f"{name}.key", folder / f"{name}.pub"
