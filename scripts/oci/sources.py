"""Choose the source of an image by its reference: engine, file or registry, the same layers."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import IO, Any

from scripts.engine import client as engine
from scripts.engine import images
from scripts.oci import content_store, docker_archive, manifest, registry
from scripts.oci.content_store import Stored, StoredLayer
from scripts.oci.layer import Layer
from scripts.oci.tar_stream import content, entries

Config = Mapping[str, Any]
Blobs = Callable[[Mapping[str, Layer]], Iterator[tuple[str, IO[bytes]]]]
Files = Callable[[], Sequence[StoredLayer] | None]


@dataclass(frozen=True)
class Source:
    """An image that was found, not yet read.

    `config` returns the OCI image config. `blobs` yields what may be layers, each with
    the digest that its place gives it ("" for none), and may leave out the layers
    given by diff_id. `stored` are the digests of the layers' bytes as they are stored there, ""
    for an unknown one; None where only the bytes say it. `announced` are the bytes of all
    layers as they are stored, where its manifest says so. `files` returns the layers of the
    engine's store as files, None where they cannot be read there. `damaged` and `missing` begin
    the messages for what is wrong with it.
    """

    id: str
    diff_ids: tuple[str, ...]
    config: Callable[[], Config]
    blobs: Blobs
    damaged: str
    missing: str
    tip: str = "build the image again"
    announced: int | None = None
    stored: tuple[str, ...] | None = None
    files: Files = lambda: None


def scheme(reference: str) -> tuple[str, str]:
    """Return where a reference leads ("oci", "archive", "registry", "engine"), and the rest.

    `oci:` and its like are also names of images ("registry:2"): they count as a scheme
    only before a path, or before a file or folder that is there. NAME:TAG is always an image of
    the engine: a file of that name in a checkout must not be checked in its place.
    """
    name, _, place = reference.partition(":")
    if name in ("oci", "archive", "registry") and ("/" in place or _is_there(place)):
        return name, place
    has_tag = ":" in reference.rpartition("/")[2]
    is_file = not has_tag and _is_there(reference, Path.is_file)
    return ("archive" if is_file else "engine"), reference


def _is_there(place: str, test: Callable[[Path], bool] = Path.exists) -> bool:
    """Return whether a file passes `test`; a text that can be no path does not."""
    try:
        return test(Path(place))
    except (OSError, ValueError):  # too long, or with a byte that no path has
        return False


def find(client: engine.Client | None, reference: str) -> Source | None:
    """Return the image, or None when the engine does not have it.

    Without a client one is connected for an image of the engine, and for no other. Raises
    SutraError for a file, layout or registry that does not hold what was asked for.
    """
    kind, place = scheme(reference)
    if kind == "oci":
        return _layout(place)
    if kind == "archive":
        return _archive(Path(place))
    if kind == "registry":
        return _registry(place)
    return _engine(client or engine.connect(), reference)


def _layout(place: str) -> Source:
    image, folder = docker_archive.layout(place)
    return _source(
        image,
        str(folder),
        lambda known_layers: docker_archive.layout_blobs(image, folder, known_layers),
    )


def _archive(path: Path) -> Source:
    image, names = docker_archive.archive(path)
    source = _source(
        image,
        str(path),
        lambda known_layers: docker_archive.archive_blobs(path, image, names, known_layers),
    )
    return replace(source, announced=None)  # engines save layers uncompressed


def _registry(place: str) -> Source:
    image, repository = registry.find(place)
    blobs = partial(registry.blobs, image, repository)
    return _source(image, repository.where, blobs)


def _source(image: manifest.Image, where: str, blobs: Blobs) -> Source:
    return Source(
        image.digest,
        image.diff_ids,
        lambda: image.config,
        blobs,
        f"{where}: layer is damaged",
        f"{where}: layer missing",
        manifest.SAVE_AGAIN,
        sum(layer.size for layer in image.layers),
        tuple(layer.digest for layer in image.layers),
    )


def _engine(client: engine.Client, reference: str) -> Source | None:
    image = images.inspect(client, reference)
    if image is None:
        return None
    identity = image["Id"]
    stored = cache(partial(content_store.find, client, image))
    return Source(
        identity,
        tuple(image["RootFS"].get("Layers") or ()),
        lambda: on_disk.config if (on_disk := stored()) else _config(client, image),
        lambda known_layers: _engine_blobs(client, identity, stored(), known_layers),
        f'engine: archive of "{identity}" is damaged',
        f'engine: layer missing from "{reference}"',
        files=lambda: on_disk.layers if (on_disk := stored()) else None,
    )


def _engine_blobs(
    client: engine.Client,
    identity: str,
    stored: Stored | None,
    known_layers: Mapping[str, Layer],
) -> Iterator[tuple[str, IO[bytes]]]:
    """Yield the layers that are not known: from the disk where they can be read there."""
    if stored is None:
        yield from _saved_blobs(client, [identity], known_layers)
    else:
        yield from content_store.blobs(stored.layers, known_layers)


def together(client: engine.Client, images: Sequence[Source]) -> Source:
    """Return images of the engine as one: what they share is handed out once."""
    identities = [image.id for image in images]
    return Source(
        "",
        tuple(dict.fromkeys(diff_id for image in images for diff_id in image.diff_ids)),
        dict,
        lambda known_layers: _saved_blobs(client, identities, known_layers),
        "engine: archive of several images is damaged",
        "engine: layer missing from several images",
    )


def _config(client: engine.Client, image: Mapping[str, Any]) -> Config:
    """Return an OCI image config of what the engine tells: it does not hand out its own."""
    try:
        history = images.history(client, image["Id"])
    except images.NotUnpackedError:
        return _saved_config(client, image["Id"])
    return {
        "architecture": image["Architecture"],
        "os": image["Os"],
        "created": image.get("Created", ""),
        "config": image["Config"],
        "rootfs": {"type": "layers", "diff_ids": list(image["RootFS"].get("Layers") or ())},
        "history": history,
    }


def _saved_config(client: engine.Client, identity: str) -> Config:
    """Return the image's own config, which is in what the engine saves of it."""
    with tempfile.NamedTemporaryFile(suffix=".tar") as file:
        with images.saved(client, identity) as stream:
            shutil.copyfileobj(stream, file)
        file.flush()
        image, _ = docker_archive.archive(Path(file.name))
        return image.config


def _saved_blobs(
    client: engine.Client, identities: Sequence[str], known_layers: Mapping[str, Layer]
) -> Iterator[tuple[str, IO[bytes]]]:
    """Yield the blobs of `docker save`, but for those of layers that are known."""
    skip = {layer.blob for layer in known_layers.values()}
    with images.saved(client, *identities) as stream:
        for member, archive in entries(stream):
            blob = docker_archive.digest_in(member.name)
            if not member.isreg() or blob in skip:
                continue
            # before version 25 engines saved `<id>/layer.tar`, whose name holds no digest
            if member.name.startswith("blobs/") or member.name.endswith("/layer.tar"):
                yield blob, content(member, archive)
