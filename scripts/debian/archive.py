"""Debian's archive by apt, in a folder of its own: signed indexes, and packages by their hashes.

apt checks every signature, hash and size, and bounds what it reads of an unsigned answer. No
setting, list or package of this machine is touched.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from scripts.common import debian_mirror, settings
from scripts.common.errors import SutraError
from scripts.common.text import printable
from scripts.debian import apt_errors, packages_lock
from scripts.debian.packages_lock import MACHINES
from scripts.engine import process

MIRROR = "http://deb.debian.org/debian"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
# seconds for all indexes or packages together, and for a mirror that sends nothing
WHOLE_SECONDS, SILENT_SECONDS = 300, 20
SECURITY = "-security"
_ADDRESS = re.compile(r"https?://[^\s\[\]]+")


class NotKnownError(SutraError):
    """The archive gave no answer that can be used; `why` is the reason in a few words."""

    def __init__(self, why: str, tip: str = apt_errors.TIP) -> None:
        super().__init__(f"debian: not known: {why}", tip)
        self.why = printable(why)


class NotHereError(NotKnownError):
    """The archive cannot be asked from this machine, which has no apt."""

    def __init__(self) -> None:
        why, tip = "not run here: no apt-get", "run it on Debian or Ubuntu, or in a container of it"
        super().__init__(why, tip)
        self.message = f"debian: {why}"


@dataclass(frozen=True)
class Index:
    """One list of packages: of which part of the release, for which machine, in which file."""

    part: str
    machine: str
    file: Path

    @property
    def is_security(self) -> bool:
        """Return whether it is of Debian's security suite."""
        return self.part.endswith(SECURITY)


@dataclass(frozen=True)
class Archive:
    """An archive whose signed indexes were read; `options` are apt's."""

    folder: Path
    options: tuple[str, ...]
    suite: str
    day: str

    def indexes(self) -> list[Index]:
        """Return the lists of the release's parts. Raises NotKnownError without its own.

        apt leaves out a list that is signed as an empty one, as that of updates may be.
        """
        form = "$(RELEASE) $(ARCHITECTURE) $(FILENAME)"
        words = ("indextargets", "--format", form, "Created-By: Packages")
        lines = _answer(self.options, words, self.folder).splitlines()
        listed = [Index(part, machine, Path(file)) for part, machine, file in map(_split, lines)]
        there = {index.machine for index in listed if index.part == self.suite}
        for machine in MACHINES:
            if machine not in there:
                raise NotKnownError(f"the mirror has no index of {self.suite} for {machine}")
        return listed

    def would_fetch(self, names: Iterable[str], machine: str) -> list[str]:
        """Return a line for each package that apt would fetch to install these into nothing."""
        options = (*self.options, "-o", f"APT::Architecture={machine}", "--no-install-recommends")
        output = _answer(options, ("install", "--yes", "--print-uris", *names), self.folder)
        return [line for line in output.splitlines() if line.startswith("'")]

    def download(self, words: Sequence[str]) -> list[Path]:
        """Return the packages "libc6:amd64=2.41-12" as files whose hashes are the index's."""
        with tempfile.TemporaryDirectory(dir=self.folder) as place:
            _answer(self.options, ("download", *words), Path(place))
            kept = Path(tempfile.mkdtemp(dir=self.folder))
            return [file.rename(kept / file.name) for file in sorted(Path(place).glob("*.deb"))]


def _split(line: str) -> tuple[str, str, str]:
    part, machine, file = line.split(" ", 2)
    return part, machine, file


def parts(suite: str) -> tuple[str, str, str]:
    """Return the parts of a release: what it was, what it got since, and security updates."""
    return suite, f"{suite}-updates", suite + SECURITY


def suite_of(environment: Mapping[str, str]) -> str:
    """Return the release of DEBIAN_VERSION: "trixie-slim" is of trixie."""
    return (environment.get("DEBIAN_VERSION") or "trixie-slim").removesuffix("-slim")


@contextmanager
def opened(suite: str, environment: Mapping[str, str] = os.environ) -> Iterator[Archive]:
    """Yield the archive at APT_MIRROR, its indexes read. Raises NotKnownError where it cannot be.

    Without apt that is a NotHereError.
    """
    mirror = (environment.get("APT_MIRROR") or MIRROR).rstrip("/")
    keyring = environment.get("KEYRING") or KEYRING
    if not _ADDRESS.fullmatch(mirror):
        raise SutraError("APT_MIRROR: not an address of http or https", f"APT_MIRROR={MIRROR}")
    if not packages_lock.SUITE.fullmatch(suite):
        raise SutraError(
            f'DEBIAN_VERSION: not a release of Debian "{suite}"', "DEBIAN_VERSION=trixie-slim"
        )
    if not shutil.which("apt-get"):
        raise NotHereError
    if not Path(keyring).is_file():
        raise NotKnownError(
            f'no keys of Debian\'s archive "{keyring}"', "install debian-archive-keyring"
        )
    with tempfile.TemporaryDirectory(prefix="sutra-debian-") as name:
        folder = Path(name).resolve()
        options = _options(folder, mirror, settings.ca_bundle(environment))
        for place in ("lists/partial", "archives/partial"):
            (folder / place).mkdir(parents=True)
        (folder / "sources.list").write_text(_sources(mirror, suite, keyring))
        _answer(options, ("update",), folder)
        yield Archive(folder, options, suite, debian_mirror.snapshot_day(mirror))


def _sources(mirror: str, suite: str, keyring: str) -> str:
    """Return the list of sources; security has its own place (base-images/lib/apt.sh)."""
    places = zip((mirror, mirror, debian_mirror.security(mirror)), parts(suite), strict=True)
    trust = f"[signed-by={keyring} target=Packages]"
    return "".join(f"deb {trust} {place} {part} main\n" for place, part in places)


def _options(folder: Path, mirror: str, certificates: str) -> tuple[str, ...]:
    """Return apt's options; the index of a day of the past is too old, and still signed."""
    values = {
        "Dir::Etc::sourcelist": f"{folder}/sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State::lists": f"{folder}/lists",
        "Dir::State::status": "/dev/null",
        "Dir::Cache": str(folder),
        "APT::Sandbox::User": "",
        "APT::Architecture": MACHINES[0],
        "APT::Update::Error-Mode": "any",  # else a part that is missing is a warning
        "Acquire::Languages": "none",
        "Acquire::GzipIndexes": "false",
        "Acquire::Retries": "1",
        "Acquire::http::Timeout": str(SILENT_SECONDS),
        "Acquire::https::Timeout": str(SILENT_SECONDS),
    }
    if certificates:
        values["Acquire::https::CaInfo"] = certificates
    if debian_mirror.snapshot_day(mirror):
        values["Acquire::Check-Valid-Until"] = "false"
    pairs = [*values.items(), *(("APT::Architectures::", machine) for machine in MACHINES)]
    return tuple(word for name, value in pairs for word in ("-o", f"{name}={value}"))


def _answer(options: Sequence[str], words: Sequence[str], folder: Path) -> str:
    command = ["apt-get", "-q", *options, *words]
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    try:
        done = process.run(command, b"", environment, WHOLE_SECONDS, folder)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotKnownError(f"apt-get: {process.reason(error)}") from error
    if done.returncode:
        output = done.stderr.decode(errors="replace")
        raise NotKnownError(apt_errors.reason(output), apt_errors.tip(output))
    return done.stdout.decode(errors="replace")
