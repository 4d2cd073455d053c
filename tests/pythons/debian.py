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
from tests.support import debian_root
from tests.support.tracked import present

# 3.13, and the newest that Debian has
SUITES = ("trixie", "forky")
FOLDER = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sutra-tests/pythons"
SCRIPT = "tests/pythons/in_namespace.sh"


def run(suite: str, words: Sequence[str]) -> int:
    """Run pytest with `words` on the Python of Debian's `suite`; return its exit code."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    sources = FOLDER / f"sources-{os.getpid()}.tar"
    environment = f"{suite}-{_digest('requirements-dev.lock', 'scripts/venv.sh')}.venv.tar"
    for old in set(FOLDER.glob(f"{suite}-*.venv.tar")) - {FOLDER / environment}:
        old.unlink()
    try:
        _pack(sources)
        root, certificates = debian_root.archive(suite), settings.ca_bundle(os.environ)
        arguments = [root, sources, FOLDER, certificates, environment]
        command = [*_namespaces(), "sh", SCRIPT, *map(str, arguments), *words]
        return subprocess.run(command, cwd=ROOT).returncode
    finally:
        sources.unlink(missing_ok=True)


def _namespaces() -> list[str]:
    """Return the start of a command that runs as root in its own mount and process namespaces."""
    users = [] if os.geteuid() == 0 else ["--map-root-user", "--map-auto"]
    return ["unshare", *users, "--mount", "--pid", "--fork", "--kill-child"]


def _pack(file: Path) -> None:
    """Write what git knows of this checkout, changed or new, as it is now."""
    command = ["tar", "-cf", str(file), "--null", "--files-from=-"]
    subprocess.run(command, cwd=ROOT, input="\0".join(present()), text=True, check=True)


def _digest(*names: str) -> str:
    data = b"".join((ROOT / name).read_bytes() for name in names)
    return hashlib.sha256(data).hexdigest()[:12]
