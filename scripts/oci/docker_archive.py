"""Images that are files: OCI layouts, and what `docker save` writes."""

from __future__ import annotations

import os
import posixpath
import stat
import tarfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from scripts.common.errors import SutraError
from scripts.common.reference import ALGORITHM, DIGEST, digits
from scripts.oci.compression import ZSTD, is_packed, unpacked
from scripts.oci.layer import Layer
from scripts.oci.manifest import (
    MAX_DOCUMENT,
    SAVE_AGAIN,
    Blob,
    Document,
    Image,
    digest_of,
    image,
    resolve,
)
from scripts.oci.tar_stream import DAMAGE, content, entries

# most bytes of all JSON documents in one archive
MAX_DOCUMENTS = 64 << 20
CHECK = "check the path"
# annotation of an image in a layout, which `oci:FOLDER:NAME` names
NAME = "org.opencontainers.image.ref.name"


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """Open a regular file, or raise SutraError; a pipe would never end."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise SutraError(f"{path}: not a regular file", CHECK)
        file = path.open("rb")
    except OSError as error:
        raise SutraError(f"{path}: cannot be read: {error.strerror}", CHECK) from error
    with file:
        yield file


# ---- OCI layouts -----------------------------------------------------------


def layout(place: str) -> tuple[Image, Path]:
    """Return the image of a layout, and its folder. `place` is "path" or "path:name"."""
    folder, name = Path(place), ""
    if not folder.is_dir() and ":" in place:
        path, _, name = place.rpartition(":")
        folder = Path(path)
    _refuse_no_layout(folder)
    index = Document.parse(f"{folder}: index.json", document(folder / "index.json"))
    manifests = index.children("manifests")
    if name:
        manifests = [manifest for manifest in manifests if name in _names(manifest)]
    if not manifests:
        called, tip = (f' "{name}"', "leave the name out") if name else ("", SAVE_AGAIN)
        raise SutraError(f"{folder}: index.json: no image{called}", tip)
    _refuse_several(folder, manifests)
    top = Document(index.where, {"manifests": [manifest.value for manifest in manifests]})
    return resolve(str(folder), top, "", lambda _, digest: document(_blob(folder, digest))), folder


def _refuse_no_layout(folder: Path) -> None:
    """Raise SutraError for a file, and for a folder of another form, such as skopeo's `dir:`."""
    if folder.is_file():
        raise SutraError(f"{folder}: not a folder", f"an archive is archive:{folder}")
    if folder.is_dir() and not os.path.lexists(folder / "index.json"):
        raise SutraError(
            f'{folder}: not an OCI layout: no "index.json"',
            "save the image as one, or as an archive",
        )


def _refuse_several(folder: Path, manifests: Sequence[Document]) -> None:
    """Raise SutraError where a layout has several images, each with a name of its own."""
    digests: dict[str, set[str]] = {}
    for manifest in manifests:
        if name := _name(manifest):
            digests.setdefault(name, set()).add(manifest.digest())
    if len(set(map(frozenset, digests.values()))) > 1:
        raise SutraError(
            f"{folder}: index.json: several images: {', '.join(digests)}",
            f"name one: oci:{folder}:{next(iter(digests))}",
        )


def layout_blobs(
    stored_image: Image, folder: Path, known_layers: Mapping[str, Layer]
) -> Iterator[tuple[str, IO[bytes]]]:
    """Yield the layers of a layout that are not known."""
    for diff_id, blob in zip(stored_image.diff_ids, stored_image.layers, strict=True):
        if diff_id not in known_layers:
            with opened(_blob(folder, blob.digest)) as file:
                yield blob.digest, file


def _names(manifest: Document) -> list[Any]:
    annotations = manifest.value.get("annotations")
    return list(annotations.values()) if isinstance(annotations, dict) else []


def _name(manifest: Document) -> str:
    annotations = manifest.value.get("annotations")
    name = annotations.get(NAME) if isinstance(annotations, dict) else None
    return name if isinstance(name, str) else ""


def _blob(folder: Path, digest: str) -> Path:
    return folder / "blobs" / "sha256" / digits(digest)


def document(path: Path) -> bytes:
    """Return the bytes of a JSON document, at most MAX_DOCUMENT. Raises SutraError."""
    with opened(path) as file:
        data = file.read(MAX_DOCUMENT + 1)
    if len(data) > MAX_DOCUMENT:
        raise SutraError(f"{path}: more than {MAX_DOCUMENT} bytes of JSON", SAVE_AGAIN)
    return data


# ---- what `docker save` writes ---------------------------------------------


@dataclass(frozen=True)
class Archive:
    """The documents of an archive by the names of their members, its symlinks, what is packed."""

    path: Path
    documents: Mapping[str, bytes]
    links: Mapping[str, str]
    packed: Collection[str]

    def document(self, name: str) -> bytes:
        """Return one document, or raise SutraError."""
        if name not in self.documents:
            raise SutraError(f'{self.path}: missing "{name[:100]}"', SAVE_AGAIN)
        return self.documents[name]


def archive(path: Path) -> tuple[Image, tuple[str, ...]]:
    """Return the image of an archive, and its layers' members in order.

    The archive is Docker's or Podman's (manifest.json), or an OCI layout as a tar;
    itself plain, gzip or zstd.
    """
    if path.is_dir():
        raise SutraError(f"{path}: a folder", f"an OCI layout is oci:{path}")
    saved = _documents(path)
    if "manifest.json" in saved.documents:
        return _saved(saved)
    index = Document.parse(f"{path}: index.json", saved.document("index.json"))
    image = resolve(str(path), index, "", lambda _, digest: saved.document(_member(digest)))
    return image, tuple(_member(layer.digest) for layer in image.layers)


def archive_blobs(
    path: Path, stored_image: Image, names: Sequence[str], known_layers: Mapping[str, Layer]
) -> Iterator[tuple[str, IO[bytes]]]:
    """Yield the layers of an archive that are not known, in the archive's order."""
    pairs = zip(stored_image.diff_ids, stored_image.layers, names, strict=True)
    digests = {name: blob.digest for diff_id, blob, name in pairs if diff_id not in known_layers}
    with opened(path) as packed:
        for member, tar in entries(unpacked(packed)[1]):
            name = _normal(member.name)
            if name in digests and member.isreg():
                yield digests[name], content(member, tar)


def _documents(path: Path) -> Archive:
    documents: dict[str, bytes] = {}
    links: dict[str, str] = {}
    compressed: set[str] = set()
    bytes_left = MAX_DOCUMENTS
    try:
        with opened(path) as packed:
            for member, tar in entries(unpacked(packed)[1]):
                bytes_left -= tarfile.BLOCKSIZE
                name = _normal(member.name)
                if member.issym():
                    place = posixpath.join(posixpath.dirname(name), member.linkname)
                    links[name] = posixpath.normpath(place)
                elif member.isreg():
                    file = content(member, tar)
                    start = file.read(len(ZSTD))
                    if is_packed(start):
                        compressed.add(name)
                    elif start.startswith((b"{", b"[")) and member.size <= MAX_DOCUMENT:
                        documents[name] = start + file.read(MAX_DOCUMENT)
                        bytes_left -= member.size
                if bytes_left < 0:
                    raise SutraError(f"{path}: too many documents beside the layers", SAVE_AGAIN)
    except DAMAGE as error:
        raise SutraError(f"{path}: archive is damaged: {error}", SAVE_AGAIN) from error
    return Archive(path, documents, links, compressed)


def _saved(opened_archive: Archive) -> tuple[Image, tuple[str, ...]]:
    where = f"{opened_archive.path}: manifest.json"
    text = opened_archive.document("manifest.json")
    images = Document.parse(where, b'{"images": %b}' % text).children("images")
    if len(images) != 1:
        raise SutraError(f"{where}: {len(images)} images", "save one image an archive")
    config = opened_archive.document(_normal(images[0].get("Config", str)))
    members = map(_normal, _texts(images[0], "Layers"))
    names = tuple(opened_archive.links.get(name, name) for name in members)
    blobs = [Blob(digest_in(name), 0) for name in names]
    saved_image = image(str(opened_archive.path), digest_of(config), config, blobs)
    # a plain layer's digest is its diff_id, whatever its member is called
    layers = [
        Blob(diff_id, 0) if not blob.digest and name not in opened_archive.packed else blob
        for diff_id, blob, name in zip(saved_image.diff_ids, blobs, names, strict=True)
    ]
    return replace(saved_image, layers=tuple(layers)), names


def _normal(name: str) -> str:
    """Return a member's name without the "./" that `tar -C folder -c .` puts before it."""
    return posixpath.normpath(name)


def _texts(document: Document, key: str) -> list[str]:
    values = document.listed(key)
    if not all(isinstance(value, str) for value in values):
        raise SutraError(f"{document.where}: {key}: not all texts", SAVE_AGAIN)
    return values


def _member(digest: str) -> str:
    return f"blobs/sha256/{digits(digest)}"


def digest_in(member: str) -> str:
    """Return the digest in a member's name, or "" where it holds none."""
    digest = ALGORITHM + posixpath.basename(member)
    return digest if member.startswith("blobs/") and DIGEST.fullmatch(digest) else ""
