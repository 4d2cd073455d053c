"""A fuzz target for each reader of hostile input: bytes in, nothing out.

A target may raise what its reader promises to raise, with one printable line; that is checked
here. Anything else that it raises is a fault.
"""

from __future__ import annotations

import io
import json
import os
import tempfile
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout, suppress
from functools import cache, partial
from pathlib import Path
from typing import Any

from sutra_cleanup import manifest as cleanup_manifest
from sutra_cleanup.errors import CleanupError

from scripts.catalog import catalog
from scripts.checks.contents import verify
from scripts.common.errors import SutraError
from scripts.engine import logins
from scripts.history import journal, ledger
from scripts.image import elf, entry_cache, secret_scan
from scripts.image.inventory import Entry, Inventory, LayerFiles
from scripts.image.inventory import read as read_image
from scripts.image.layer_reader import read_layer
from scripts.image.overlay import Overlay
from scripts.oci import compression, manifest, tar_stream
from scripts.report import show
from tests.fuzz import packing, parts

# bytes of an unpacked frame that are read; the readers take them as they come
MOST_UNPACKED = 8 << 20
CATALOG = """\
release: {budget: {installed: 6 MB, download: 2 MB}}
images: {sutra-good: {budget: {installed: 6 MB, download: 2 MB}}}
"""


def refused(call: Callable[[], Any]) -> bool:
    """Return whether the call ends in an error of ours, which must be one printable line."""
    try:
        call()
    except (SutraError, CleanupError) as error:
        for text in (error.message, error.tip):
            if not text.isprintable():
                raise AssertionError(f"not one printable line: {text!r}") from error
        return True
    return False


def damaged(call: Callable[[], Any]) -> bool:
    """Return whether the call raises one of DAMAGE."""
    try:
        call()
    except tar_stream.DAMAGE:
        return True
    return False


@cache
def folder() -> Path:
    """Return a folder for the files that readers want, removed with the process."""
    _KEPT.append(tempfile.TemporaryDirectory())
    return Path(_KEPT[0].name)


_KEPT: list[tempfile.TemporaryDirectory[str]] = []


def written(name: str, data: bytes) -> Path:
    """Return a file with `data` in it."""
    file = folder() / name
    file.write_bytes(data)
    return file


# ---- layers ----------------------------------------------------------------


def tar(data: bytes) -> None:
    """Tar headers: ustar, GNU long names and sparse maps, PAX of one entry and of all."""

    def read() -> None:
        for member, archive in tar_stream.entries(io.BytesIO(packing.summed(data))):
            if member.isreg():
                file = tar_stream.content(member, archive)
                while file.read(compression.BLOCK):
                    pass

    damaged(read)


def layer(data: bytes) -> None:
    """Layers: entries, whiteouts and links, laid over each other as they come."""
    layers = []
    for part in parts.split(data, 3):
        entries: list[Entry] = []
        blob = io.BytesIO(packing.summed(part))
        if not damaged(partial(read_layer, blob, partial(_keep, entries))):
            layers.append(entries)
    overlay = Overlay()
    for number, entries in enumerate(layers):
        overlay.apply(number, entries)
    overlay.files()


def _keep(entries: list[Entry], entry: Entry, _: str | None) -> None:
    entries.append(entry)


def frames(data: bytes) -> None:
    """Gzip and zstd frames, skippable ones too."""

    def read() -> None:
        left = MOST_UNPACKED
        _, whole = compression.unpacked(io.BytesIO(data))
        while left > 0 and (block := whole.read(compression.BLOCK)):
            left -= len(block)

    damaged(read)


# ---- images ----------------------------------------------------------------


def documents(data: bytes) -> None:
    """OCI index, manifest and config; each may name a later one's digest as @1@, @2@ …"""
    texts = parts.linked(parts.split(data, 4))
    by_digest = {manifest.digest_of(part): part for part in texts}

    def read() -> None:
        top = manifest.Document.parse("here", texts[0])
        manifest.resolve("here", top, "", lambda _, digest: by_digest.get(digest, b""))

    refused(read)


def archive(data: bytes) -> None:
    """Read an archive of `docker save`, keep it in a fresh cache, and read it again."""
    file = written("archive.tar", packing.summed(data))
    entry_cache._RECENT.clear()
    with tempfile.TemporaryDirectory(dir=folder()) as kept:
        refused(lambda: read_image(None, f"archive:{file}", Path(kept)))


def config(data: bytes) -> None:
    """An image's config, and a few files, judged by every rule."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return
    if isinstance(value, dict):  # as `manifest.image` ensures
        judge(value, {})


def records(data: bytes) -> None:
    """Package records of dpkg, apk and Python, each "path", a line end, and its text."""
    texts = {}
    for part in parts.split(data, 12):
        path, _, text = part.decode("utf-8", "backslashreplace").partition("\n")
        texts[path] = text
    judge({}, texts)


def judge(config: dict[str, Any], texts: dict[str, str]) -> None:
    """Judge an image of one layer by all rules, and ask for owners."""
    entries = []

    def sink(entry: Entry, text: str | None) -> None:
        entries.append((entry, text))

    blob = packing.tar_of({path: text.encode("utf-8", "replace") for path, text in texts.items()})
    if damaged(lambda: read_layer(io.BytesIO(blob), sink)):
        return
    kept = {entry.path: text for entry, text in entries if text is not None}
    files = LayerFiles("sha256:" + "0" * 64, 1, 1, tuple(entry for entry, _ in entries), kept)
    image = Inventory("here", "sha256:0", "amd64", config, (files,))
    promises = catalog.parse(Path("images.yaml"), CATALOG)
    results = verify.judge(promises, promises.images[0], image)
    out, said = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(said):
        show.show(results, "junit")
    for text in said.getvalue().split("\n"):
        if not text.isprintable():
            raise AssertionError(f"not one printable line: {text!r}")


# ---- files inside images ---------------------------------------------------


def program(data: bytes) -> None:
    """ELF files: segments, sections, dynamic tags, names, symbol versions."""
    elf.facts(io.BytesIO(data))


def secrets(data: bytes) -> None:
    """Texts in which secrets are looked for: a path, a line end, then the content."""
    path, _, content = data.partition(b"\n")
    secret_scan.find(path.decode("utf-8", "backslashreplace"), content)
    secret_scan.find_text(content.decode("utf-8", "surrogateescape"))


def packed(data: bytes) -> None:
    """The same packed: the first byte chooses gzip, zip, tar, base64, zstd, xz or plain."""
    name, content = packing.packed(data)
    secret_scan.find(name, content)
    watch = secret_scan.Watch(io.BytesIO(content), content[:64], name)
    watch.read(len(content))
    watch.kinds(())


# ---- files of the project --------------------------------------------------


def promises(data: bytes) -> None:
    """images.yaml."""
    file = written("images.yaml", data)
    refused(lambda: catalog.load(file, {}))


def cleanup(data: bytes) -> None:
    """A cleanup manifest."""
    file = written("cleanup.yaml", data)
    refused(lambda: cleanup_manifest.load(file))


def login(data: bytes) -> None:
    """`~/.docker/config.json`, and the login of a registry in it."""
    written("config.json", data)
    os.environ["DOCKER_CONFIG"] = str(folder())
    # credential helpers are programs: the fuzzer's input must not start any
    with suppress(KeyError):
        del os.environ["PATH"]
    refused(lambda: logins.credentials("registry.example"))
    refused(lambda: logins.credentials("index.docker.io"))


def history(data: bytes) -> None:
    """`.build/history.jsonl`, the ledger of promotions."""
    file = written("history.jsonl", data)
    refused(lambda: ledger.state(ledger.read(file)))


def intent(data: bytes) -> None:
    """`.build/promotion.json`, the journal of a promotion under way."""
    file = written("promotion.json", data)
    refused(lambda: journal.read(file))


TARGETS: dict[str, Callable[[bytes], None]] = {
    target.__name__: target
    for target in (
        tar,
        layer,
        frames,
        documents,
        archive,
        config,
        records,
        program,
        secrets,
        packed,
        promises,
        cleanup,
        login,
        history,
        intent,
    )
}
