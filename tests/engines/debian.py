"""Another Debian release as an image: its engine, buildx, compose and Python.

How its packages are checked: tests/support/debian_root.py.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from pathlib import Path

from tests.engines import cache
from tests.support import debian_root

REPOSITORY = "sutra-test-machine"


def archive(suite: str) -> Path:
    """Return an archive for `docker load` of Debian's `suite`, made once from its root."""
    root, tag = debian_root.archive(suite), f"{REPOSITORY}:{suite}"
    return cache.kept(f"{suite}.tar", [root.name, tag], lambda file: pack(root, file, tag))


def pack(root: Path, file: Path, tag: str) -> None:
    """Write the archive of an image whose one layer is the tar file `root`."""
    with root.open("rb") as content:
        diff_id = hashlib.file_digest(content, "sha256").hexdigest()
    config = {
        "architecture": {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine],
        "os": "linux",
        "config": {"Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{diff_id}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [tag], "Layers": ["layer.tar"]}]
    with tarfile.open(file, "w") as archive:
        archive.add(root, "layer.tar")
        for name, document in (("config.json", config), ("manifest.json", manifest)):
            data = json.dumps(document).encode()
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
