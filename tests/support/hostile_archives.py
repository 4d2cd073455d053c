"""Archives that are small to send and large to read: each as an OCI layout in one tar file.

Layers are packed as they are made: this side takes no memory either. Each maker yields layers,
and takes how many of its units there are, so that tests can count work for a few of them.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import struct
import tarfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from tests.support.oci import INDEX, LAYER, MANIFEST, entry

END = bytes(1024)
LONG = 1 << 20
# bytes of one kept text, and of all texts of a layer, just below the limits
TEXT, TEXTS = 4 << 20, 62_000_000
Layers = Iterator[Iterable[bytes]]


def member(name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE, link: str = "") -> bytes:
    """Return one entry of a tar, padded to whole blocks."""
    info, data = entry(name, content, kind, link)
    return info.tobuf(tarfile.GNU_FORMAT) + data + bytes(-len(data) % 512)


def header(kind: bytes, content: bytes) -> bytes:
    """Return a header block of PAX records, as they are given."""
    info = tarfile.TarInfo("h")
    info.type, info.size = kind, len(content)
    return info.tobuf(tarfile.GNU_FORMAT) + content + bytes(-len(content) % 512)


def record(key: str, value: str, size: int = 0) -> bytes:
    """Return one PAX record with its length; the key is made longer until it has `size` bytes."""
    rest = len(f" {key}={value}\n")
    length = rest + 1
    while length != rest + len(str(length)):
        length = rest + len(str(length))
    if size > length:
        digits = len(str(size))
        key += "k" * (size - digits - len(f" {key}={value}\n"))
        length = size
    return f"{length} {key}={value}\n".encode()


def dynamic(needed: int, name: int, sections: int = 0, section: int = 0) -> bytes:
    """Return an ELF library that needs a library of a long name, over and over.

    `sections` section headers have one long name, whose tail each of them begins at.
    """
    names = b"\0" + b"n" * name + b"\0" + b"s" * section + b"\0"
    start = 64 + 3 * 56
    tags = struct.pack("<QQ", 5, start) + struct.pack("<QQ", 1, 1) * needed + bytes(16)
    size = start + len(names) + len(tags)
    segments = struct.pack("<IIQQQQQQ", 1, 4, 0, 0, 0, size, size, 4096)
    at = start + len(names)
    segments += struct.pack("<IIQQQQQQ", 2, 4, at, at, at, len(tags), len(tags), 8) + bytes(56)
    table = b"".join(
        struct.pack("<IIQQQQIIQQ", name + 2, kind, 0, 0, start, len(names), 0, 0, 1, 0)
        for kind in (3, *[1] * (sections - 1))[:sections]
    )
    head = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack(
        "<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, size if sections else 0, 0, 64, 56, 3, 64,
        sections, 0,
    )  # fmt: skip # the fields in the order of elf.h
    return head + segments + names + tags + table


# ---- makers ----------------------------------------------------------------


def elf_names(count: int) -> Layers:
    """ELF files of 9,990 DT_NEEDED of 4,000 characters each."""
    library = dynamic(9990, 4000)
    yield (member(f"usr/lib/l{number}.so", library) for number in range(count))


def elf_sections(count: int) -> Layers:
    """ELF files of 60,000 sections whose names are 4 MB long."""
    library = dynamic(0, 10, 60_000, 4 << 20)
    yield (member(f"usr/lib/l{number}.so", library) for number in range(count))


def global_keys(count: int) -> Layers:
    """Global PAX headers, each of one key that is 1 MiB long."""
    yield (
        header(b"g", record(f"k{number}-", "v", LONG)) + member(f"f{number}")
        for number in range(count)
    )


def pax_keys(count: int) -> Layers:
    """Entries of 60,000 PAX keys each: 100,000 are more than one header may hold."""
    keys = b"".join(record(f"k{number}", "") for number in range(60_000))
    yield (header(b"x", keys) + member(f"f{number}") for number in range(count))


def texts(count: int) -> Layers:
    """Layers of 62 MB of package records each."""
    text = b"Name: x\nSummary: " + b"s" * (TEXT - 18) + b"\n"
    for layer in range(count):
        names = (f"p{layer}-{number}.dist-info/METADATA" for number in range(TEXTS // TEXT))
        yield (member(name, text) for name in names)


def records(count: int) -> Layers:
    """One layer of RECORD files, each of 100,000 lines about files that are not there."""
    rows = (b"p%d/%d,sha256=aGk,\n" % (number % 7, number) for number in range(100_000))
    text = b"".join(rows)
    yield (
        member(f"s{number}/p-1.dist-info/{name}", content)
        for number in range(count)
        for name, content in (("METADATA", b"Name: p\nVersion: 1\n"), ("RECORD", text))
    )


def whiteouts(count: int) -> Layers:
    """Files under 250 folders, and a layer above that removes as many others."""
    deep = "d/" * 250
    yield (member(f"{deep}f{number}", b"1") for number in range(count))
    yield (member(f"{deep}.wh.g{number}") for number in range(count))
    yield (member(f"{deep}f{number}/f") for number in range(count))


def folders(count: int) -> Layers:
    """Files of 240 folders each, which no other file is in."""
    yield (member(f"{number}/" + "d/" * 239 + "f") for number in range(count))


def repeated(count: int) -> Layers:
    """Files of a tool's name under 250 folders of its name."""
    yield (
        member("pip/" * 250 + f"{name}{number}", b"1")
        for number in range(count)
        for name in ("pip", "docs", "tests", "__pycache__/x.pyc")
    )


def long_paths(count: int) -> Layers:
    """Entries of paths of 4,000 characters."""
    yield (member("p" * 3990 + str(number)) for number in range(count))


def links(count: int) -> Layers:
    """Links in a row, each to the next, and through folders that are links."""
    yield (
        part
        for number in range(count)
        for part in (
            member(f"usr/bin/l{number}", kind=tarfile.SYMTYPE, link=f"l{number + 1}"),
            member(f"a{number}", kind=tarfile.SYMTYPE, link=f"a{number + 1}/" * 30),
            member(f"h{number}", kind=tarfile.LNKTYPE, link=f"h{number - 1}"),
        )
    )


def sparse(count: int) -> Layers:
    """Sparse files of 200 MB each, none of it stored."""
    block = bytearray(tarfile.TarInfo("hole").tobuf(tarfile.GNU_FORMAT))
    block[156:157] = tarfile.GNUTYPE_SPARSE
    block[483:495] = b"\x80" + (200_000_000).to_bytes(11, "big")
    block[148:156] = b"        "
    block[148:156] = b"%06o\0 " % sum(block)
    yield (bytes(block) for _ in range(count))


def entries(count: int) -> Layers:
    """Empty files."""
    yield (member(f"f/{number}") for number in range(count))


def many_layers(count: int) -> Layers:
    """Layers of 4,000 files each, the same files in every layer."""
    for layer in range(count):
        yield (member(f"f/{number}", b"%d" % layer) for number in range(4000))


def bomb(count: int) -> Layers:
    """Gzip files of 10 MB each of zeros, in gzip files."""
    inner = gzip.compress(gzip.compress(bytes(10_000_000), mtime=0), mtime=0)
    yield (member(f"f{number}.gz", inner) for number in range(count))


@dataclass(frozen=True)
class Hostile:
    """A maker, and its number of units at full size and at a quick one (0: no quick one).

    `refusal` is what it ends in, "" where it is read. `lines` of Python are what one unit may
    take, 0 where a unit is a whole file: tests of that file's reader have its bounds. What `fits`
    is within the budgets: its files are small, as it holds them.
    """

    make: Callable[[int], Layers]
    count: int
    quick: int
    refusal: str = ""
    lines: int = 0
    fits: bool = False


DAMAGED = "x.tar: layer is damaged"
FEW = 100
KINDS = {
    "100 ELF files of 9,990 long DT_NEEDED": Hostile(elf_names, 100, 20),
    "ELF files with long section names": Hostile(elf_sections, 20, 2),
    "global PAX headers with keys of 1 MiB": Hostile(
        global_keys, 50, 4, f"{DAMAGED}: global headers of 1048566 bytes"
    ),
    "60,000 PAX keys an entry": Hostile(
        pax_keys, 100, 40, f"{DAMAGED}: headers of more than 16803840 bytes"
    ),
    "110 layers of 62 MB texts": Hostile(
        texts, 110, 3, f"{DAMAGED}: more than 134217728 bytes of package records in all layers"
    ),
    "RECORD files of 100,000 lines": Hostile(records, 19, 1),
    "more RECORD files of 100,000 lines": Hostile(
        records, 40, 21, f"{DAMAGED}: more than 2000000 lines of package records in all layers"
    ),
    "deep paths with whiteouts": Hostile(whiteouts, 30_000, 200, lines=3_500, fits=True),
    "folders of one file each": Hostile(
        folders, 90_000, 1_000, "layers: folders that take more than 100663296 bytes"
    ),
    "pip/pip/pip/…": Hostile(repeated, 11_000, 100, lines=5_200, fits=True),
    "paths of 4,000 characters": Hostile(
        long_paths, 400_000, 13_000, f"{DAMAGED}: headers of more than 22559744 bytes", lines=1_250
    ),
    "links in rows": Hostile(links, 100_000, 200, lines=5_200),
    "a sparse 4.6 KB": Hostile(sparse, 9, 9, f'{DAMAGED}: sparse file "hole" of 200000000 bytes'),
    "a million entries": Hostile(
        entries, 1_000_000, 0, f"{DAMAGED}: more than 400000 entries in all layers"
    ),
    "as many entries as are read": Hostile(entries, 400_000, 2_000, lines=1_000),
    "layers of the same 4,000 files": Hostile(many_layers, 100, 2),
    "gzip bombs": Hostile(bomb, 200, 10, fits=True),
}


# ---- archives --------------------------------------------------------------


def write(path: Path, layers: Layers) -> Path:
    """Write an image of these layers, packed, as an OCI layout in a tar."""
    blobs = list(map(_packed, layers))
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [diff_id for _, diff_id in blobs]},
    }
    documents = Documents()
    listed = [documents.add(blob, LAYER + "+gzip") for blob, _ in blobs]
    of_config = documents.add(
        json.dumps(config).encode(), "application/vnd.oci.image.config.v1+json"
    )
    manifest = {"schemaVersion": 2, "config": of_config, "layers": listed}
    index = {
        "schemaVersion": 2,
        "mediaType": INDEX,
        "manifests": [documents.add(json.dumps(manifest).encode(), MANIFEST)],
    }
    with path.open("wb") as file:
        for name, content in {**documents, "index.json": json.dumps(index).encode()}.items():
            file.write(member(name, content))
        file.write(END)
    return path


class Documents(dict[str, bytes]):
    """Members of a layout by name."""

    def add(self, content: bytes, kind: str) -> dict[str, object]:
        """Add one; return its descriptor."""
        digest = hashlib.sha256(content).hexdigest()
        self[f"blobs/sha256/{digest}"] = content
        return {"mediaType": kind, "digest": f"sha256:{digest}", "size": len(content)}


def _packed(parts: Iterable[bytes]) -> tuple[bytes, str]:
    """Return a packed layer, and the digest of it unpacked."""
    digest, compressed = hashlib.sha256(), io.BytesIO()
    with gzip.GzipFile(fileobj=compressed, mode="wb", mtime=0, compresslevel=1) as packed:
        batch: list[bytes] = []
        for part in chain(parts, [END]):
            batch.append(part)
            if len(batch) >= 500:
                _put(packed, digest, batch)
        _put(packed, digest, batch)
    return compressed.getvalue(), f"sha256:{digest.hexdigest()}"


def _put(packed: gzip.GzipFile, digest: hashlib._Hash, batch: list[bytes]) -> None:
    content = b"".join(batch)
    packed.write(content)
    digest.update(content)
    batch.clear()
