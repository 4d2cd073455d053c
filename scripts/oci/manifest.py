"""The JSON documents of an image: index, manifest and config, as hostile as its layers.

https://github.com/opencontainers/image-spec says what they hold; Docker's own
forms of them differ in their media types alone.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from scripts.common import platforms
from scripts.common.errors import SutraError
from scripts.common.reference import DIGEST

T = TypeVar("T")
Config = Mapping[str, Any]
# most bytes of one document; registries accept no larger manifest either
MAX_DOCUMENT = 4 << 20
# an index may lead to another; nobody nests more
MAX_DEPTH = 4
MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
# Accept header for registries
ACCEPTED = ", ".join((*MANIFESTS, *INDEXES))
LAYERS = (
    *(
        f"application/vnd.oci.image.layer.{kind}v1.tar{packed}"
        for kind in ("", "nondistributable.")
        for packed in ("", "+gzip", "+zstd")
    ),
    "application/vnd.docker.image.rootfs.diff.tar",
    "application/vnd.docker.image.rootfs.diff.tar.gzip",
    "application/vnd.docker.image.rootfs.diff.tar.zstd",
)
SAVE_AGAIN = "save the image again"


@dataclass(frozen=True)
class Blob:
    """One layer as a manifest names it: its digest as stored, and its size in bytes."""

    digest: str
    size: int


@dataclass(frozen=True)
class Image:
    """The documents of one image. `digest` is the manifest's; layers and diff_ids match."""

    digest: str
    config: Config
    diff_ids: tuple[str, ...]
    layers: tuple[Blob, ...]


class Document:
    """A JSON object with the place that it came from, for messages."""

    def __init__(self, where: str, value: Any) -> None:
        self.where = where
        if not isinstance(value, dict):
            raise SutraError(f"{where}: not a JSON object", SAVE_AGAIN)
        self.value: dict[str, Any] = value

    @classmethod
    def parse(cls, where: str, data: bytes) -> Document:
        """Return the document in `data`, or raise SutraError."""
        try:
            return cls(where, json.loads(data))
        except (ValueError, RecursionError) as error:
            raise SutraError(f"{where}: not JSON", SAVE_AGAIN) from error

    def get(self, key: str, kind: type[T]) -> T:
        """Return the value of `key`, or raise SutraError when it is not of `kind`."""
        value = self.value.get(key)
        if not isinstance(value, kind) or isinstance(value, bool):
            raise SutraError(f"{self.where}: {key}: missing or of a wrong type", SAVE_AGAIN)
        return value

    def listed(self, key: str) -> list[Any]:
        """Return the values of a list; Go writes an empty one as null."""
        if key in self.value and self.value[key] is None:
            return []
        values: list[Any] = self.get(key, list)
        return values

    def children(self, key: str) -> list[Document]:
        """Return the objects of a list."""
        listed = enumerate(self.listed(key))
        return [Document(f"{self.where}: {key}.{at}", value) for at, value in listed]

    def child(self, key: str) -> Document:
        """Return one object."""
        return Document(f"{self.where}: {key}", self.get(key, dict))

    def digest(self) -> str:
        """Return the digest of a descriptor."""
        digest = self.get("digest", str)
        if not DIGEST.fullmatch(digest):
            raise SutraError(f'{self.where}: digest: not a sha256 "{digest[:100]}"', SAVE_AGAIN)
        return digest


# (kind, digest) → bytes; kinds as in a registry's paths: "manifests" and "blobs"
Fetch = Callable[[str, str], bytes]


def resolve(where: str, document: Document, digest: str, fetch: Fetch) -> Image:
    """Return the image that a manifest or an index describes.

    `fetch` returns the bytes of a document; their digest is checked here. Raises
    SutraError, its message beginning with `where`.
    """
    for _ in range(MAX_DEPTH):
        if "manifests" not in document.value:
            layers = tuple(_layer(child) for child in document.children("layers"))
            config = fetched(where, "blobs", document.child("config").digest(), fetch)
            return image(where, digest, config, layers)
        digest = choose(where, document.children("manifests"))
        document = Document.parse(f"{where}: manifest", fetched(where, "manifests", digest, fetch))
    raise SutraError(f"{where}: indexes in indexes, more than {MAX_DEPTH} deep", SAVE_AGAIN)


def image(where: str, digest: str, config: bytes, layers: Sequence[Blob]) -> Image:
    """Return an image of its parsed config and the blobs of its layers."""
    document = Document.parse(f"{where}: config", config)
    diff_ids = document.child("rootfs").listed("diff_ids")
    if not all(isinstance(diff_id, str) and DIGEST.fullmatch(diff_id) for diff_id in diff_ids):
        raise SutraError(f"{where}: config: rootfs.diff_ids: not digests", SAVE_AGAIN)
    if len(diff_ids) != len(layers):
        raise SutraError(
            f"{where}: config: rootfs.diff_ids: {len(diff_ids)} layers, "
            f"{len(layers)} in the manifest",
            SAVE_AGAIN,
        )
    return Image(digest, document.value, tuple(diff_ids), tuple(layers))


def fetched(where: str, kind: str, digest: str, fetch: Fetch) -> bytes:
    """Return the document with that digest, or raise SutraError when its bytes are others."""
    data = fetch(kind, digest)
    if digest_of(data) != digest:
        raise SutraError(f"{where}: content is not that of {digest}", SAVE_AGAIN)
    return data


def digest_of(data: bytes) -> str:
    """Return "sha256:…" of `data`."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _layer(descriptor: Document) -> Blob:
    kind = descriptor.get("mediaType", str)
    if kind not in LAYERS:
        raise SutraError(
            f'{descriptor.where}: mediaType: unknown "{kind[:100]}"',
            "only layers that are tar archives can be read: plain, gzip or zstd",
        )
    if (size := descriptor.get("size", int)) < 0:
        raise SutraError(f"{descriptor.where}: size: negative", SAVE_AGAIN)
    return Blob(descriptor.digest(), size)


def wanted_platform() -> str:
    """Return "linux/amd64": DOCKER_DEFAULT_PLATFORM, the first of PLATFORMS, or this machine's."""
    named = os.environ.get("DOCKER_DEFAULT_PLATFORM")
    return named or platforms.name_of(platforms.read(os.environ)[0])


def choose(where: str, manifests: Sequence[Document]) -> str:
    """Return the digest of the manifest for the wanted platform; attestations are skipped.

    Where one is left, it is taken, whatever it is for.
    """
    digests: dict[str, str] = {}
    for manifest in manifests:
        name = _platform(manifest)
        if not name.startswith("unknown/") and not _is_attestation(manifest):
            digests.setdefault(name, manifest.digest())
    platform = wanted_platform()
    if not digests:
        raise SutraError(f"{where}: no image in the index", SAVE_AGAIN)
    if len(digests) == 1:
        return next(iter(digests.values()))
    for name, digest in digests.items():
        if name == platform or name.startswith(platform + "/"):
            return digest
    raise SutraError(
        f'{where}: no image for "{platform}", but for {", ".join(digests)}',
        "set DOCKER_DEFAULT_PLATFORM to one of them"
        if any("/" in name for name in digests)
        else "save one image alone, or with its platform",
    )


def _is_attestation(manifest: Document) -> bool:
    annotations = manifest.value.get("annotations")
    return isinstance(annotations, dict) and "vnd.docker.reference.type" in annotations


def _platform(manifest: Document) -> str:
    """Return "linux/arm/v7", or the digest where an index names no platform."""
    platform = manifest.value.get("platform")
    if not isinstance(platform, dict):
        return manifest.digest()
    parts = (platform.get(key) for key in ("os", "architecture", "variant"))
    return "/".join(str(part) for part in parts if part)
