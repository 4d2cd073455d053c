"""The seeds of each fuzz target: small valid inputs, one of each kind that its reader knows."""

# ruff: noqa: E501 - files in one line each

from __future__ import annotations

import gzip
import json
import struct
import tarfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from scripts.engine.move import Move
from scripts.history.journal import Intent
from scripts.history.ledger import Entry, Promoted
from tests.fuzz.packing import WAYS, zstd
from tests.fuzz.parts import joined
from tests.support.fixture_images import Item, elf, layer
from tests.support.good_image import BASE, CONFIG, LOADER, SERVICE, good
from tests.support.oci import INDEX, LAYER, MANIFEST, entry
from tests.support.oci import layer as layer_of

ROOT = Path(__file__).resolve().parents[2]
ID = "sha256:" + "a" * 64
# made here, so that no scanner takes this file for a leak
KEY = "-----BEGIN " + "PRIVATE KEY-----\nMIIBVAIBADANBgkqhkiG9w0BAQEFAASCAT4wggE6AgEAAkEA\n"
TOKEN = "ghp" + "_" + "Zq8" * 12


def layers() -> Iterator[bytes]:
    """Yield tar layers, each with another form of header."""
    yield from map(_short, _layers())


def _short(tar: bytes) -> bytes:
    """Return a tar with as many zeros at its end as its format asks for."""
    kept = tar.rstrip(b"\0")
    return kept + bytes(-len(kept) % tarfile.BLOCKSIZE + 2 * tarfile.BLOCKSIZE)


def _layers() -> Iterator[bytes]:
    yield layer_of(entry("a", b"12345"), entry("b/c", b"x" * 70))
    yield layer_of(entry("d/" * 60 + "n", b"1"), entry("l", kind=tarfile.SYMTYPE, link="a" * 150))
    yield layer_of(entry("é" * 80, b"1"), form=tarfile.PAX_FORMAT)
    yield layer({"bin/su": _capable()})
    yield layer_of(
        entry("a", elf(["libc.so.6"], LOADER)), entry("b", kind=tarfile.LNKTYPE, link="a")
    )
    yield layer_of(entry("x.pyc", b"\xf3\r\r\n" + bytes(20)), entry("d/e", b"1"), entry("d/x.py"))
    yield layer_of(
        entry("s", b"#!/usr/bin/env -S python3 -E\r\n"), entry("dev/null", kind=tarfile.CHRTYPE)
    )
    yield _sparse(1000)
    yield _pax({"GNU.sparse.map": "0,1,5,1", "GNU.sparse.size": "9", "GNU.sparse.name": "n"})
    yield _pax({"size": "12", "mtime": "1.5", "path": "some/where"}, b"123456789012")


def _capable() -> Item:
    value = struct.pack("<IIIII", 0x02000001, 1 << 13, 0, 0, 0).decode("latin-1")
    return Item(b"\x7fELF", 0o755, headers={"SCHILY.xattr.security.capability": value})


def _pax(records: dict[str, str], content: bytes = b"") -> bytes:
    info, data = entry("a", content)
    info.pax_headers = records
    return layer_of((info, data), form=tarfile.PAX_FORMAT)


def _sparse(real: int) -> bytes:
    block = bytearray(tarfile.TarInfo("hole").tobuf(tarfile.GNU_FORMAT))
    block[156:157] = tarfile.GNUTYPE_SPARSE
    block[386:398], block[398:410] = b"00000000010\0", b"00000000000\0"
    block[483:495] = b"\x80" + real.to_bytes(11, "big")
    return bytes(block) + bytes(1024)


def tar() -> Iterator[bytes]:
    yield from layers()


def layer_stacks() -> Iterator[bytes]:
    first, second, *rest = layers()
    gone = layer_of(entry(".wh.a"), entry("b/.wh..wh..opq"), entry("b/x", kind=tarfile.DIRTYPE))
    yield joined(first, _short(gone))
    replaced = layer_of(entry("b", b"a file"), entry("a/b", b"a folder"))
    yield joined(first, _short(replaced), second)
    yield gzip.compress(first, mtime=0)
    yield zstd.compress(first)
    yield from rest


def frames() -> Iterator[bytes]:
    text = b"twelve bytes" * 9
    yield gzip.compress(text, mtime=0) + gzip.compress(b"", mtime=0)
    yield zstd.compress(text)
    yield b"\x50\x2a\x4d\x18" + struct.pack("<I", 4) + b"skip" + zstd.compress(text)
    yield text


def documents() -> Iterator[bytes]:
    config = {"rootfs": {"type": "layers", "diff_ids": [ID]}, "os": "linux"}
    blob = {"mediaType": LAYER, "digest": ID, "size": 10}
    for number in (0, 1):
        image = {
            "schemaVersion": 2,
            "layers": [blob],
            "config": {"digest": f"@{number + 1}@", "mediaType": "x", "size": 1},
        }
        index = {
            "schemaVersion": 2,
            "mediaType": INDEX,
            "manifests": [
                {
                    "mediaType": MANIFEST,
                    "digest": "@1@",
                    "size": 1,
                    "platform": {"os": "linux", "architecture": "amd64", "variant": "v2"},
                },
                {
                    "mediaType": MANIFEST,
                    "digest": ID,
                    "size": 1,
                    "annotations": {"vnd.docker.reference.type": "attestation-manifest"},
                },
            ],
        }
        listed = [index, image, config] if number else [image, config]
        yield joined(*(json.dumps(part).encode() for part in listed))
    yield b'{"manifests": null}'


def archive() -> Iterator[bytes]:
    file = ROOT / ".cache" / "seed.tar"
    file.parent.mkdir(exist_ok=True)
    yield good().save(file).read_bytes()
    yield good(without="usr/").save(file, "x:1").read_bytes()
    file.unlink()


def config() -> Iterator[bytes]:
    whole = {
        "architecture": "amd64",
        "os": "linux",
        "config": CONFIG,
        "rootfs": {"type": "layers", "diff_ids": [ID]},
        "history": [
            {"created_by": "ENV TOKEN=" + TOKEN},
            {"created_by": "COPY x", "empty_layer": True},
        ],
    }
    yield json.dumps(whole).encode()
    yield json.dumps(
        {"config": {"Entrypoint": ["/bin/sh", "-c", "x"], "Env": ["A=b"], "Labels": {}}}
    ).encode()
    yield b'{"config": null, "history": null}'


def records() -> Iterator[bytes]:
    for files in (BASE, SERVICE):
        pairs = [f"{path}\n{text}" for path, text in files.items() if isinstance(text, str)]
        yield joined(*(pair.encode() for pair in pairs[:12]))
    yield joined(
        b"var/lib/dpkg/status\nPackage: a\nVersion: 1\n\nPackage: b\nVersion: 2\n folded\n",
        b"var/lib/dpkg/info/a:amd64.list\n/.\n/usr/bin/a\n",
        b"var/lib/dpkg/info/a.md5sums\n0123456789abcdef0123456789abcdef  usr/bin/a\n",
        b"usr/bin/a\n#!/bin/sh\n",
    )
    yield joined(
        b"lib/apk/db/installed\nP:musl\nV:1.2\nF:lib\nR:libc.so\nZ:Q1aGk=\n\n",
        b"etc/ld-musl-x86_64.path\n/lib:/usr/lib\n",
    )
    yield joined(
        b"s/p-1.dist-info/METADATA\nName: p\nVersion: 1\nRequires-Dist: q; extra == 'x'\n",
        b's/p-1.dist-info/RECORD\n"p,/x.py",sha256=aGk,2\np-1.dist-info/RECORD,,\n../../bin/p,,\n',
        b"s/e.egg-info/PKG-INFO\nName: e\nVersion: 2\n",
        b"s/e.egg-info/installed-files.txt\n../e.py\n",
        b"v/pyvenv.cfg\nhome = /usr/bin\n",
    )


def program() -> Iterator[bytes]:
    yield elf(["libc.so.6", "libm.so.6"], LOADER, rpath="$ORIGIN/../lib:", symbols=True)
    yield elf(soname="libx.so.1", runpath="/a:/b", kind=2, stack=True)
    yield elf(machine="aarch64")
    yield b"\x7fELF\x01\x02" + bytes(60)


def secrets() -> Iterator[bytes]:
    yield b"app/settings.py\nDB_PASSWORD = 'correct-horse'\ntoken='" + TOKEN.encode() + b"'\n"
    yield b'app/.env\nexport API_KEY="abc\'def"\nURL=postgres://me:secret@db/x\n'
    yield b"root/.docker/config.json\n" + b'{"auths": {"x": {"auth": "bWU6c2VjcmV0"}}}'
    yield b"etc/x.pem\n" + KEY.encode()
    yield b"run.sh\ncurl -u me:secret --password=x -H 'Authorization: Bearer abcdef' http://x\n"
    yield b"a.yaml\npassword: |\n  secret\nkey: {client_secret: x}\n"
    yield b"x\n" + KEY.encode("utf-16-le")


def packed() -> Iterator[bytes]:
    for number in range(len(WAYS)):
        yield bytes([number]) + KEY.encode() + b"token=" + TOKEN.encode()
    yield b"\1" + gzip.compress(KEY.encode(), mtime=0)


def promises() -> Iterator[bytes]:
    yield (ROOT / "images.yaml").read_bytes()[:4000]
    yield (
        b"release: {budget: {installed: 6 MB, download: 2 MiB, alpine: {installed: 1 B, download: 1 B}}}\n"
        b"images:\n  a:\n    budget: {installed: 1.5 MB, download: 9 kB, ready: 2 s, because: x}\n"
        b"    contents:\n      secrets: {allow: ['a/**'], because: y}\n      libraries: {skip: true, because: z}\n"
    )
    yield b"a: &x [1]\nb: *x\n? [1]\n: 2\n"


def cleanup() -> Iterator[bytes]:
    for name in ("http-service.yaml", "stdlib.yaml"):
        yield (ROOT / "base-images/cleanup" / name).read_bytes()[:3000]
    yield (
        b"strip: verified\nbytecode: {default: cached, source: ['a/*.py']}\ndocstrings: {drop: ['b/**']}\n"
        b"dedupe: true\nprove: {import: [a.b], run: [python3, -c, x]}\n"
        b"rules: {x: {why: y, remove: ['**/{a,b}/[!c]*.so'], keep: ['!d'], stand_in: true, breaks: [e]}}\n"
    )
    yield b"extends: [cleanup.yaml]\n"


def login() -> Iterator[bytes]:
    yield b'{"auths": {"registry.example": {"auth": "bWU6c2VjcmV0"}, "https://index.docker.io/v1/": {"identitytoken": "x"}}}'
    yield b'{"credsStore": "none", "credHelpers": {"registry.example": "other"}, "HttpHeaders": {"A": "b"}}'
    yield b'{"registry.example": {"username": "me", "password": "secret", "email": "x"}}'


def history() -> Iterator[bytes]:
    yield b"".join(_entry(number).line() for number in (1, 2))
    yield _entry(1).line()[:-1]


def intent() -> Iterator[bytes]:
    moves = (Move("api:latest", None, ID), Move("api:1", ID, ID))
    yield json.dumps(
        asdict(Intent(_entry(1), moves, moves[:1], ("localhost:5000/api:kept-a",)))
    ).encode()


def _entry(number: int) -> Entry:
    images = {"api": Promoted(ID, "", "c" * 40, 3, 2)}
    return Entry(
        number,
        "2026-01-02T03:04:05Z",
        "me@here",
        "promote",
        "1.2.3",
        "c" * 40,
        "localhost:5000/x",
        "6 checks passed",
        number,
        number - 1,
        {"latest": number},
        images,
    )


SEEDS = {
    "tar": tar,
    "layer": layer_stacks,
    "frames": frames,
    "documents": documents,
    "archive": archive,
    "config": config,
    "records": records,
    "program": program,
    "secrets": secrets,
    "packed": packed,
    "promises": promises,
    "cleanup": cleanup,
    "login": login,
    "history": history,
    "intent": intent,
}
