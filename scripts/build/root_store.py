"""The form in which the engine at hand takes a root image that was bootstrapped here.

A builder takes an OCI layout as a named context, but for one: the builder inside of an engine
with the classic image store ("unknown scheme oci-layout"). There the same blobs are loaded as
an image, once, and the context is that image.
"""

from __future__ import annotations

import io
import json
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts.common import platforms
from scripts.common.errors import SutraError
from scripts.engine import builders, images
from scripts.engine import client as engine
from scripts.engine.builders import Builder

REPOSITORY = "sutra-root"


def context(
    client: engine.Client,
    image: str,
    layout: Path,
    builder: Builder,
    architecture: str = platforms.OWN,
) -> str:
    """Return the bake context for the root `image` ("debian:trixie-slim") in `layout`."""
    if builders.takes_layouts(client, builder):
        return f"oci-layout://{layout.resolve()}:{image.partition(':')[2]}"
    reference = f"{REPOSITORY}:{platforms.suffixed(architecture, image.replace(':', '-'))}"
    load(client, reference, layout)
    return f"docker-image://{reference}"


def digest(layout: Path) -> str:
    """Return the digest of the layout's one image. Raises SutraError for a damaged layout."""
    try:
        (entry,) = _json(layout / "index.json")["manifests"]
        return str(entry["digest"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SutraError(
            f'roots: cannot read "{layout}": {error}', "`make roots` builds it again"
        ) from error


def load(client: engine.Client, reference: str, layout: Path) -> None:
    """Have the layout's image in the engine as `reference`; it keeps its id, so only once.

    Raises SutraError for a layout that cannot be read.
    """
    try:
        blobs = layout / "blobs" / "sha256"
        (entry,) = _json(layout / "index.json")["manifests"]
        manifest = _json(blobs / _hex(entry))
        identity = manifest["config"]["digest"]
        if (images.inspect(client, reference) or {}).get("Id") == identity:
            return
        with tempfile.TemporaryFile(dir=layout.parent) as file:
            _write_archive(file, reference, blobs, manifest)
            file.seek(0)
            images.load(client, file)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SutraError(
            f'roots: cannot read "{layout}": {error}', "`make roots` builds it again"
        ) from error


def _write_archive(file: Any, reference: str, blobs: Path, manifest: Mapping[str, Any]) -> None:
    """Write what `docker load` reads. Source: moby, image/tarexport/load.go."""
    config, layers = manifest["config"], manifest["layers"]
    names = [f"{_hex(layer)}/layer.tar" for layer in layers]
    described = {"Config": f"{_hex(config)}.json", "RepoTags": [reference], "Layers": names}
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.add(blobs / _hex(config), f"{_hex(config)}.json")
        for layer, name in zip(layers, names, strict=True):
            archive.add(blobs / _hex(layer), name)
        data = json.dumps([described]).encode()
        member = tarfile.TarInfo("manifest.json")
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))


def _json(file: Path) -> Any:
    return json.loads(file.read_text())


def _hex(descriptor: Mapping[str, Any]) -> str:
    return str(descriptor["digest"]).removeprefix("sha256:")
