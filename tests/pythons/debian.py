"""The unit tests on the Python of another Debian release, with Debian's patches to it.

The release's root is made by mmdebstrap from signed packages and kept; it is unpacked in
memory, in namespaces of its own, and is gone with them. Signatures are checked as always;
that an index is young is not, since frozen mirrors serve one whose `Valid-Until` has passed.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from scripts.common import settings
from tests.conftest import ROOT

# 3.13, and the newest that Debian has
SUITES = ("trixie", "forky")
PACKAGES = ("ca-certificates", "git", "make", "procps", "python3", "python3-venv")
OPTIONS = (
    "--variant=minbase",
    '--aptopt=Acquire::Check-Valid-Until "false"',
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    "--dpkgopt=path-exclude=/usr/share/man/*",
)
FOLDER = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sutra-tests/pythons"
BUNDLE = "/etc/ssl/certs/ca-certificates.crt"

# as root of the namespaces: $1 the release's root, $2 the sources, $3 what is kept, $4 the
# certificates, $5 the name of the environment that is kept; then what pytest gets
SCRIPT = f"""
set -eu
mount -t tmpfs -o mode=755 tmpfs /mnt
tar -xf "$1" -C /mnt --exclude=./dev/*
cp -L /etc/resolv.conf /etc/hosts /mnt/etc/
[ -z "$4" ] || cp -L "$4" /mnt{BUNDLE}
mount --rbind /dev /mnt/dev
mount -t proc proc /mnt/proc
mount -t tmpfs -o mode=1777 tmpfs /mnt/tmp
mkdir -p /mnt/src /mnt/kept
mount --bind "$3" /mnt/kept
tar -xf "$2" -C /mnt/src
environment=$5
shift 5
exec chroot /mnt /usr/bin/env -i PATH=/usr/bin:/bin:/usr/sbin:/sbin HOME=/root LANG=C.UTF-8 \\
  PIP_INDEX_URL="${{PIP_INDEX_URL:-}}" PIP_CACHE_DIR=/kept/pip CA_BUNDLE={BUNDLE} \\
  sh -euc '
    cd /src
    kept=/kept/$1
    shift
    if [ -e "$kept" ]; then tar -xf "$kept"; fi
    scripts/venv.sh dev
    if [ ! -e "$kept" ]; then tar -cf "$kept.partial" .venv && mv "$kept.partial" "$kept"; fi
    git init -q . # tests ask git for the list of files
    git add -A
    python3 --version
    exec .venv/bin/python -m pytest -q -p no:cacheprovider "$@"
  ' sh "$environment" "$@"
"""


def run(suite: str, words: Sequence[str]) -> int:
    """Run pytest with `words` on the Python of Debian's `suite`; return its exit code."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    sources = FOLDER / f"sources-{os.getpid()}.tar"
    environment = f"{suite}-{_digest('requirements-dev.lock', 'scripts/venv.sh')}.venv.tar"
    for old in set(FOLDER.glob(f"{suite}-*.venv.tar")) - {FOLDER / environment}:
        old.unlink()
    try:
        _pack(sources)
        given = [root(suite), sources, FOLDER, settings.ca_bundle(os.environ), environment]
        command = [*_namespaces(), "sh", "-c", SCRIPT, "sh", *map(str, given), *words]
        return subprocess.run(command, cwd=ROOT).returncode
    finally:
        sources.unlink(missing_ok=True)


def root(suite: str) -> Path:
    """Return an archive of the release's root, made once for each list of packages."""
    command = ["mmdebstrap", *OPTIONS, f"--include={','.join(PACKAGES)}"]
    if bundle := settings.ca_bundle(os.environ):
        command.append(f'--aptopt=Acquire::https::CaInfo "{bundle}"')
    key = hashlib.sha256(" ".join((*OPTIONS, *PACKAGES)).encode()).hexdigest()[:12]
    file, partial = FOLDER / f"{suite}-{key}.tar", FOLDER / f"{suite}.partial.tar"
    if not file.exists():
        packages = ["mmdebstrap", "debian-archive-keyring", "uidmap"]
        if subprocess.run(["which", "mmdebstrap"], capture_output=True).returncode:
            subprocess.run(["scripts/install.sh", *packages], cwd=ROOT, check=True)
        mirror = [os.environ["APT_MIRROR"]] if os.environ.get("APT_MIRROR") else []
        subprocess.run([*command, suite, str(partial), *mirror], cwd=ROOT, check=True)
        partial.rename(file)
    return file


def _namespaces() -> list[str]:
    """Return the start of a command that is root of its own mounts and processes."""
    users = [] if os.geteuid() == 0 else ["--map-root-user", "--map-auto"]
    return ["unshare", *users, "--mount", "--pid", "--fork", "--kill-child"]


def _pack(file: Path) -> None:
    """Write what git knows of this checkout, changed or new, as it is now."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True).stdout
    there = b"\0".join(name for name in names.split(b"\0") if (ROOT / name.decode()).is_file())
    command = ["tar", "-cf", str(file), "--null", "--files-from=-"]
    subprocess.run(command, cwd=ROOT, input=there, check=True)


def _digest(*names: str) -> str:
    data = b"".join((ROOT / name).read_bytes() for name in names)
    return hashlib.sha256(data).hexdigest()[:12]
