"""Bootstrap a Debian root from signed packages with mmdebstrap, into an OCI layout."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path

from scripts.build import root_layout, root_tar
from scripts.common import debian_mirror, durations, platforms
from scripts.common import reference as references
from scripts.common.errors import SutraError
from scripts.engine import emulator, process

# Bytes that mmdebstrap unpacks in TMPDIR, with the archive that it makes of them.
UNPACKED_BYTES = 600_000_000
AGAIN = "check the network, APT_MIRROR and `df -h`, then run `make roots` again"
OTHER_FOLDER = "name another folder: `TMPDIR=/var/tmp make prod`"
# Debian's own archive, which a root names wherever its packages came from: apt.sh puts APT_MIRROR
# in its place in each build.
ARCHIVE = "http://deb.debian.org/debian"
SECURITY = "http://security.debian.org/debian-security"
# releases without updates and security updates: each is their next version itself
ROLLING = ("sid", "unstable")
# Options that make Debian "slim": documentation stays out, licences stay in.
SLIM = (
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/info/*",
    "path-exclude=/usr/share/locale/*",
    "path-exclude=/usr/share/lintian/*",
)


def bootstrap(
    image: str,
    layout: Path,
    environment: Mapping[str, str] = os.environ,
    architecture: str = platforms.OWN,
) -> None:
    """Build `debian:SUITE-slim` from signed packages into the OCI layout `layout`.

    The folder appears whole or not at all. Raises SutraError for a root that
    cannot be bootstrapped, and for a bootstrap that failed.
    """
    named = references.tagged(image)
    if named is None or named.name != "debian":
        raise SutraError(
            f'roots: cannot bootstrap "{image}", and no registry serves it',
            f"`docker load` an archive of {image}, or build with BASE=debian",
        )
    if architecture:
        emulator.require(architecture)  # packages run programs of theirs when they are installed
    _require_mmdebstrap()
    _require_temporary_folder(environment)
    shown = platforms.shown(architecture, image)
    say(
        f"{shown}: bootstrapping it from Debian's signed packages (once; `make roots` refreshes it)"
    )
    with durations.step(f"bootstrap {shown}"):
        _write_root(named.tag, layout, environment, architecture)
    say(f"{shown}: bootstrapped")


def _write_root(tag: str, layout: Path, environment: Mapping[str, str], architecture: str) -> None:
    """Put the root image `tag` at `layout`, whole or not at all."""
    layout.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=layout.parent, prefix=".partial-") as folder:
        try:
            suite = tag.removesuffix("-slim")
            root = _one_form(suite, _mmdebstrap(suite, Path(folder), environment, architecture))
            written = Path(folder) / "layout"
            root_layout.write(root, written, tag, architecture)
            shutil.rmtree(layout, ignore_errors=True)
            written.rename(layout)
        except OSError as error:
            raise SutraError(
                f'roots: cannot write "{layout}": {error.strerror}',
                "free some space (`df -h .`), then run `make roots` again",
            ) from error


def _require_temporary_folder(environment: Mapping[str, str]) -> None:
    """Raise SutraError where mmdebstrap would blame the mirror for a folder that is too small."""
    folder = environment.get("TMPDIR") or "/tmp"  # noqa: S108 - mmdebstrap's own default
    try:
        system = os.statvfs(folder)
    except OSError as error:
        raise SutraError(f'roots: TMPDIR: {error.strerror} "{folder}"', OTHER_FOLDER) from error
    free = system.f_bavail * system.f_frsize
    if system.f_flag & os.ST_NOEXEC:
        raise SutraError(f'roots: TMPDIR: mounted noexec "{folder}"', OTHER_FOLDER)
    if free < UNPACKED_BYTES:
        raise SutraError(
            f'roots: TMPDIR: {free / 1e6:.0f} MB free in "{folder}", '
            f"{UNPACKED_BYTES / 1e6:.0f} MB needed",
            f"free some space there, or {OTHER_FOLDER}",
        )


def _require_mmdebstrap() -> None:
    if shutil.which("mmdebstrap"):
        return
    # uidmap: what mmdebstrap needs to work without root
    command = ["scripts/install.sh", "mmdebstrap", "debian-archive-keyring", "uidmap"]
    if subprocess.run(command, check=False).returncode:
        raise SutraError(
            "roots: no registry answers, and mmdebstrap is not installed",
            "install the package mmdebstrap, then run `make roots`",
        )


def _one_form(suite: str, root: Path) -> Path:
    """Write the root beside it without what its machine left in it; return the file."""
    plain = root.with_name("plain.tar")
    try:
        with root.open("rb") as source, plain.open("wb") as sink:
            root_tar.write(source, sink, sources(suite))
    except tarfile.TarError as error:
        raise SutraError(f'roots: bootstrap of "{suite}" failed: {error}', AGAIN) from error
    root.unlink()
    return plain


def sources(suite: str, archive: str = ARCHIVE, security: str = SECURITY) -> list[str]:
    """Return apt's sources of a release: main, with its updates and security updates."""
    lines = [f"deb {archive} {suite} main"]
    if suite in ROLLING:
        return lines
    return [
        *lines,
        f"deb {archive} {suite}-updates main",
        f"deb {security} {suite}-security main",
    ]


def _mmdebstrap(
    suite: str, folder: Path, environment: Mapping[str, str], architecture: str
) -> Path:
    """Write the root of `suite` to a tar in `folder`; main, updates and security, signatures
    checked. Return the file.
    """
    tar = folder / "root.tar"
    command = ["mmdebstrap", "--variant=minbase", "--format=tar"]
    command += [f"--dpkgopt={option}" for option in SLIM]
    if architecture:
        # its own check looks at the kernel's list, which a container may not see
        command += [f"--architectures={architecture}", "--skip=check/qemu"]
    if bundle := environment.get("CA_BUNDLE"):
        command.append(f'--aptopt=Acquire::https::CaInfo "{Path(bundle).resolve()}"')
    if debian_mirror.snapshot_day(environment.get("APT_MIRROR", "")):
        # the index of a day is past its time by intention; its signature still counts
        command.append('--aptopt=Acquire::Check-Valid-Until "false"')
    command += [suite, str(tar)]
    if mirror := environment.get("APT_MIRROR", "").rstrip("/"):
        command += sources(suite, mirror, debian_mirror.security(mirror))
    # mmdebstrap takes it for every file that is younger
    epoch = {"SOURCE_DATE_EPOCH": str(int(root_tar.STAMP.timestamp()))}
    code, lines = process.tee(command, {**os.environ, **epoch})
    if code:
        causes = [line for line in lines if re.search(r"^(E|Err):|No space left", line)]
        reason = re.sub(r".*\b(E|Err): ", "", (causes or lines or ["no output"])[0]).strip()
        raise SutraError(
            f'roots: bootstrap of "{suite}" failed: {reason}',
            AGAIN,
        )
    return tar


def say(line: str) -> None:
    """Print a line about roots to stderr, at once."""
    print(f"roots: {line}", file=sys.stderr, flush=True)
