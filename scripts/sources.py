"""Where an image is read from, by its reference: the same layers, wherever they stand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any

from scripts import engine
from scripts.blobs import Layer
from scripts.tars import entries

Config = Mapping[str, Any]


@dataclass(frozen=True)
class Source:
    """An image that was found, not yet read.

    `config` returns the OCI image config. `blobs` yields what may be layers, each with
    the digest that its place gives it ("" for none), and may leave out the layers
    given by diff_id. `damaged` and `missing` begin the messages for what is wrong with it.
    """

    id: str
    diff_ids: tuple[str, ...]
    config: Callable[[], Config]
    blobs: Callable[[Mapping[str, Layer]], Iterator[tuple[str, IO[bytes]]]]
    damaged: str
    missing: str
    tip: str = "build the image again"


def find(client: engine.Client, reference: str) -> Source | None:
    """Return the image, or None when the engine does not have it."""
    image = engine.inspect(client, reference)
    if image is None:
        return None
    identity = image["Id"]
    return Source(
        identity,
        tuple(image["RootFS"].get("Layers") or ()),
        lambda: _config(client, image),
        lambda known: _saved_blobs(client, identity, known),
        f'engine: archive of "{identity}" is damaged',
        f'engine: layer missing from "{reference}"',
    )


def _config(client: engine.Client, image: Mapping[str, Any]) -> Config:
    """Return an OCI image config of what the engine tells: it does not hand out its own."""
    return {
        "architecture": image["Architecture"],
        "os": image["Os"],
        "created": image.get("Created", ""),
        "config": image["Config"],
        "rootfs": {"type": "layers", "diff_ids": list(image["RootFS"].get("Layers") or ())},
        "history": engine.history(client, image["Id"]),
    }


def _saved_blobs(
    client: engine.Client, identity: str, known: Mapping[str, Layer]
) -> Iterator[tuple[str, IO[bytes]]]:
    """Yield the blobs of `docker save`, but for those of layers that are known."""
    skip = {layer.blob for layer in known.values()} - {""}
    with engine.saved(client, identity) as stream:
        for member, archive in entries(stream):
            # before version 25 engines saved `<id>/layer.tar`
            is_blob = member.name.startswith("blobs/")
            # such a name holds no digest
            blob = "sha256:" + member.name.rpartition("/")[2] if is_blob else ""
            if not member.isreg() or blob in skip:
                continue
            if (is_blob or member.name.endswith("/layer.tar")) and (
                file := archive.extractfile(member)
            ):
                yield blob, file
