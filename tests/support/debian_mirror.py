"""A mirror of Debian on loopback: small packages, signed indexes, its own keyring."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from scripts.debian.archive import parts
from scripts.debian.packages_lock import MACHINES
from tests.support.running import served

SUITE = "trixie"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    endless = 0  # bytes that were sent of answers without an end


class _Handler(SimpleHTTPRequestHandler):
    """Serves files; those beside one called "endless" never end."""

    server: _Server

    def do_GET(self) -> None:
        if not (Path(self.translate_path(self.path)).parent / "endless").exists():
            super().do_GET()
            return
        self.send_response(200)
        self.end_headers()
        with suppress(OSError):  # the client has had enough
            while True:
                self.server.endless += self.wfile.write(b"A: endless\n" * 4096)

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""


@dataclass
class Mirror:
    """The folder that is served; `entries` are paragraphs by part of the release and machine."""

    folder: Path
    address: str
    keys: Path
    keyring: Path
    server: _Server
    entries: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    @property
    def knobs(self) -> dict[str, str]:
        """The environment that leads to this mirror."""
        return {"APT_MIRROR": f"{self.address}/debian", "KEYRING": str(self.keyring)}

    def add(
        self,
        name: str,
        version: str,
        part: str = SUITE,
        *,
        changelog: str = "",
        source: str = "",
        architecture: str = "all",
        doc: str = "",
        depends: str = "",
    ) -> str:
        """Add a package with its changelog in the folder `doc`, and return its SHA-256."""
        deb = self._deb(name, version, architecture, changelog, doc or name)
        machines = MACHINES if architecture == "all" else (architecture,)
        place = self._place(part)
        file = f"pool/{name}_{version.replace(':', '%3a')}_{architecture}.deb"
        (place / "pool").mkdir(parents=True, exist_ok=True)
        shutil.move(deb, place / file)
        data = (place / file).read_bytes()
        sha256 = hashlib.sha256(data).hexdigest()
        for machine in machines:
            self.entries.setdefault((part, machine), []).append(
                f"Package: {name}\n"
                + (f"Source: {source}\n" if source else "")
                + (f"Depends: {depends}\n" if depends else "")
                + f"Version: {version}\nArchitecture: {architecture}\nFilename: {file}\n"
                f"Size: {len(data)}\nSHA256: {sha256}\nDescription: small\n"
            )
        return sha256

    def _deb(self, name: str, version: str, architecture: str, changelog: str, doc: str) -> Path:
        tree = Path(tempfile.mkdtemp(dir=self.folder.parent))
        (tree / "DEBIAN").mkdir(mode=0o755)
        tree.chmod(0o755)
        (tree / "DEBIAN/control").write_text(
            f"Package: {name}\nVersion: {version}\nArchitecture: {architecture}\n"
            "Maintainer: A <a@example.org>\nDescription: small\n"
        )
        if changelog:
            (tree / f"usr/share/doc/{doc}").mkdir(parents=True)
            packed = gzip.compress(changelog.encode(), mtime=0)
            (tree / f"usr/share/doc/{doc}/changelog.Debian.gz").write_bytes(packed)
        deb = tree.with_suffix(".deb")
        command = ["dpkg-deb", "--build", "--root-owner-group", "-Znone", str(tree), str(deb)]
        # a version has the same bytes in every part, as in Debian: apt refuses others
        stamp = {**os.environ, "SOURCE_DATE_EPOCH": "1"}
        subprocess.run(command, check=True, capture_output=True, env=stamp)
        return deb

    def _place(self, part: str) -> Path:
        return self.folder / ("debian-security" if part.endswith("-security") else "debian")

    def publish(self) -> None:
        """Write and sign the indexes of all parts."""
        for part in parts(SUITE):
            top = self._place(part) / "dists" / part
            sums = []
            for machine in MACHINES:
                name = f"main/binary-{machine}/Packages"
                data = "\n".join(self.entries.get((part, machine), [])).encode()
                (top / name).parent.mkdir(parents=True, exist_ok=True)
                (top / name).write_bytes(data)
                sums.append(f" {hashlib.sha256(data).hexdigest()} {len(data)} {name}")
            (top / "Release").write_text(
                f"Origin: Debian\nSuite: stable\nCodename: {part}\n"
                "Date: Thu, 01 Jan 2026 00:00:00 UTC\n"
                f"Architectures: {' '.join(MACHINES)}\nComponents: main\n"
                "SHA256:\n" + "\n".join(sums) + "\n"
            )
            self._gpg("--yes", "--output", str(top / "InRelease"), "--clearsign", f"{top}/Release")

    def _gpg(self, *words: str) -> None:
        gpg(self.keys, *words)


def gpg(home: Path, *words: str) -> None:
    """Run gpg with separate keys."""
    command = ["gpg", "--batch", "--quiet", "--homedir", str(home), *words]
    subprocess.run(command, check=True, capture_output=True)


@contextmanager
def signing_keys() -> Iterator[Path]:
    """Yield a folder with a new key, and the keyring that trusts it."""
    with tempfile.TemporaryDirectory(prefix="gpg-") as name:  # short: the agent's socket is in it
        home = Path(name)
        words = ("--passphrase", "", "--quick-gen-key", "test@example.org", "ed25519", "sign")
        try:
            gpg(home, *words, "never")
            gpg(home, "--output", str(home / "keyring.gpg"), "--export")
            yield home
        finally:
            command = ["gpgconf", "--homedir", name, "--kill", "gpg-agent"]
            subprocess.run(command, check=False, capture_output=True)


@contextmanager
def serving(folder: Path, keys: Path) -> Iterator[Mirror]:
    """Yield an empty mirror below a folder, served until the end."""
    top = folder / "mirror"
    for name in ("debian", "debian-security"):
        (top / name).mkdir(parents=True)
    handler = partial(_Handler, directory=str(top))
    server = _Server(("127.0.0.1", 0), handler)
    address = f"http://127.0.0.1:{server.server_address[1]}"
    with served(server):
        yield Mirror(top, address, keys, keys / "keyring.gpg", server)
