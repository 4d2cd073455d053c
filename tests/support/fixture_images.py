"""Small images built from scratch: what `docker save` would write, without an engine."""

from __future__ import annotations

import _imp
import hashlib
import io
import json
import struct
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TYPES = {
    "file": tarfile.REGTYPE,
    "folder": tarfile.DIRTYPE,
    "symlink": tarfile.SYMTYPE,
    "hardlink": tarfile.LNKTYPE,
    "device": tarfile.CHRTYPE,
    "fifo": tarfile.FIFOTYPE,
}
MACHINES = {"x86_64": 62, "aarch64": 183, "s390x": 22}
BASE = 1 << 20


@dataclass(frozen=True)
class Item:
    """One entry of a layer."""

    content: bytes = b""
    mode: int = 0o644
    kind: str = "file"
    link: str = ""
    uid: int = 0
    gid: int = 0
    mtime: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)  # of PAX


Files = Mapping[str, Item | bytes | str]


def link(target: str) -> Item:
    return Item(kind="symlink", link=target, mode=0o777)


def program(content: bytes) -> Item:
    return Item(content, 0o755)


def layer(files: Files) -> bytes:
    """Return an uncompressed tar of `files`; text and bytes are files of mode 644."""
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, value in files.items():
            content = value.encode() if isinstance(value, str) else value
            item = content if isinstance(content, Item) else Item(content)
            member = tarfile.TarInfo(name)
            member.type, member.linkname = TYPES[item.kind], item.link
            member.mode, member.uid, member.gid = item.mode, item.uid, item.gid
            member.mtime, member.size = item.mtime, len(item.content)
            member.pax_headers = dict(item.headers)
            archive.addfile(member, io.BytesIO(item.content))
    return tar.getvalue()


@dataclass(frozen=True)
class Made:
    """An image in parts: its layers and its configuration."""

    layers: Sequence[Files]
    config: Mapping[str, Any] = field(default_factory=dict)
    architecture: str = "amd64"
    history: Sequence[Mapping[str, Any]] = ()
    # further keys of the config beside "architecture": "variant", "os.version"
    platform: Mapping[str, Any] = field(default_factory=dict)

    def save(self, path: Path, tag: str = "") -> Path:
        """Write it as `docker save` does, so that `docker load` reads it."""
        blobs = [layer(files) for files in self.layers]
        config = json.dumps(
            {
                "architecture": self.architecture,
                "os": "linux",
                "config": self.config,
                "rootfs": {"type": "layers", "diff_ids": [_digest(blob) for blob in blobs]},
                "history": list(self.history),
                **self.platform,
            }
        ).encode()
        names = {_digest(blob): blob for blob in (config, *blobs)}
        manifest = {
            "Config": _place(_digest(config)),
            "Layers": [_place(_digest(blob)) for blob in blobs],
            "RepoTags": [tag] if tag else None,
        }
        files: dict[str, Item | bytes | str] = {_place(key): blob for key, blob in names.items()}
        files["manifest.json"] = json.dumps([manifest])
        path.write_bytes(layer(files))
        return path


def _digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def _place(digest: str) -> str:
    return digest.replace("sha256:", "blobs/sha256/")


def buildinfo(*lines: str, version: str = "go1.24.4") -> bytes:
    """Return the section .go.buildinfo of a program with these lines of modules.

    Source: debug/buildinfo of Go 1.18 and newer.
    """

    def text(value: bytes) -> bytes:
        length, count = b"", len(value)
        while count > 0x7F:
            length, count = length + bytes([count & 0x7F | 0x80]), count >> 7
        return length + bytes([count]) + value

    head = b"\xff Go buildinf:" + b"\x08\x02" + bytes(16)
    listed = "".join(f"{line}\n" for line in lines).encode()
    return head + text(version.encode()) + text(b"<" * 16 + listed + b">" * 16)


def elf(
    needed: Sequence[str] = (),
    interpreter: str = "",
    soname: str = "",
    rpath: str = "",
    runpath: str = "",
    machine: str = "x86_64",
    symbols: bool = False,
    text: bytes = b"",
    kind: int = 3,
    stack: bool = False,
    tags: Sequence[tuple[int, int]] = (),
    buildinfo: bytes = b"",
) -> bytes:
    """Return an ELF file that says this of itself; it holds no code. Source: elf(5).

    `kind` is e_type: 1 an object, 2 a program, 3 shared, 4 a core dump. `stack`: it may be
    executed. `tags` are numbers and values of the dynamic section. `buildinfo`: of a Go program.
    """
    strings = b"\0"
    tags = list(tags)
    values = [*((1, name) for name in needed), (14, soname), (15, rpath), (29, runpath)]
    for tag, value in values:
        if value:
            tags.append((tag, len(strings)))
            strings += value.encode() + b"\0"
    names = b"\0.shstrtab\0.symtab\0.go.buildinfo\0"
    text = buildinfo + text
    start = 64 + 4 * 56
    interp = interpreter.encode() + b"\0" if interpreter else b""
    at_strings = start + len(interp)
    tags += [(5, BASE + at_strings), (10, len(strings)), (0, 0)]
    dynamic = b"".join(struct.pack("<QQ", *tag) for tag in tags)
    at_dynamic = at_strings + len(strings)
    at_names = at_dynamic + len(dynamic)
    at_sections = at_names + len(names) + len(text)
    sections = [_section(0, 0, 0, 0), _section(1, 3, at_names, len(names))]
    sections += [_section(11, 2, at_names, 0)] if symbols else []
    at_text = at_names + len(names)
    sections += [_section(19, 1, at_text, len(buildinfo))] if buildinfo else []
    segments = [_segment(1, 0, at_sections), _segment(2, at_dynamic, len(dynamic))]
    segments += [_segment(3, start, len(interp))] if interp else [_segment(0, 0, 0)]
    segments += [_segment(0x6474E551, 0, 0, 7)] if stack else [_segment(0, 0, 0)]
    header = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack(
        "<HHIQQQIHHHHHH", kind, MACHINES[machine], 1, 0, 64, at_sections, 0, 64, 56, 4, 64,
        len(sections), 1,
    )  # fmt: skip # the fields in the order of elf.h
    body = interp + strings + dynamic + names + text
    return header + b"".join(segments) + body + b"".join(sections)


def _segment(kind: int, offset: int, size: int, flags: int = 4) -> bytes:
    at = BASE + offset
    return struct.pack("<IIQQQQQQ", kind, flags, offset, at, at, size, size, 1)


def _section(name: int, kind: int, offset: int, size: int) -> bytes:
    entry = 24 if kind == 2 else 0
    return struct.pack("<IIQQQQIIQQ", name, kind, 0, 0, offset, size, 1, 0, 1, entry)


def pyc(
    magic: int = 3571, flags: int = 1, mtime: int = 0, size: int = 0, source: bytes | None = None
) -> bytes:
    """Return the header of a .pyc (PEP 552): flags 0 timestamp, 1 unchecked, 3 checked hash.

    With `source`, it has that source's hash.
    """
    if source is not None:
        head = struct.pack("<H2sI", magic, b"\r\n", flags)
        return head + _imp.source_hash(int.from_bytes(head[:4], "little"), source)
    return struct.pack("<H2sIII", magic, b"\r\n", flags, mtime, size)
