"""Images as archives: the engine's are saved, one on another base is written, layers unchanged."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.common.errors import SutraError
from scripts.common.reference import digits
from scripts.engine import client as engine
from scripts.engine import images
from scripts.oci.manifest import digest_of
from scripts.rebase.parts import Image

AGAIN = "run the same command again"
# errors of reading a file that is not as `docker save` writes it
DAMAGE = (
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    RecursionError,
    tarfile.TarError,
)


def save(client: engine.Client, names: Mapping[str, str], file: Path) -> dict[str, Image]:
    """Save images (name → id) into one archive; return each by its name."""
    with images.saved(client, *dict.fromkeys(names.values())) as stream, file.open("wb") as sink:
        shutil.copyfileobj(stream, sink, 1 << 20)
    return read(file, names)


def read(file: Path, names: Mapping[str, str]) -> dict[str, Image]:
    """Return the images of an archive by name; each is known by its id or its config's digest.

    Raises SutraError for an archive that is not what `docker save` writes.
    """
    try:
        with tarfile.open(file) as archive:
            listed = json.loads(_member(archive, "manifest.json"))
            images = [_image(archive, row) for row in listed]
            order = _order(archive)
    except DAMAGE as error:
        raise SutraError(f"rebase: archive is damaged: {error}", AGAIN) from error
    image_of = {
        identity: image for image in images for identity in (image[0], order.get(image[0], ""))
    }
    missing = [name for name, identity in names.items() if identity not in image_of]
    if missing:
        raise SutraError(f'rebase: archive lacks "{missing[0]}"', AGAIN)
    return {
        name: Image(name, image_of[identity][1], image_of[identity][2])
        for name, identity in names.items()
    }


def write(
    file: Path,
    tag: str,
    config: Mapping[str, Any],
    layers: Sequence[tuple[Path, str]],
) -> None:
    """Write an archive of one image for `docker load`; `layers` are (archive, member) each."""
    data = json.dumps(config, sort_keys=True).encode()
    name = f"{digits(digest_of(data))}.json"
    members = []
    with tarfile.open(file, "w") as sink:
        _add(sink, name, data)
        for number, (source, member) in enumerate(layers):
            members.append(f"{number}/layer.tar")
            with tarfile.open(source) as archive:
                _copy(archive, member, sink, members[-1])
        described = [{"Config": name, "RepoTags": [tag], "Layers": members}]
        _add(sink, "manifest.json", json.dumps(described).encode())


def _copy(archive: tarfile.TarFile, member: str, sink: tarfile.TarFile, name: str) -> None:
    content = archive.extractfile(member)  # Docker 24 and older link layers that are shared
    if content is None:
        raise SutraError(f'rebase: archive is damaged: "{member}" is not a file', AGAIN)
    member_info = tarfile.TarInfo(name)
    member_info.size = content.seek(0, io.SEEK_END)
    content.seek(0)
    sink.addfile(member_info, content)


def _add(sink: tarfile.TarFile, name: str, data: bytes) -> None:
    member_info = tarfile.TarInfo(name)
    member_info.size = len(data)
    sink.addfile(member_info, io.BytesIO(data))


def _image(archive: tarfile.TarFile, listed: Mapping[str, Any]) -> tuple[str, Any, tuple[str, ...]]:
    data = _member(archive, listed["Config"])
    return digest_of(data), json.loads(data), tuple(map(str, listed["Layers"]))


def _order(archive: tarfile.TarFile) -> dict[str, str]:
    """Return config's digest → manifest's digest, by which the containerd store knows images."""
    try:
        index = json.loads(_member(archive, "index.json"))
    except KeyError:  # Docker 24 and older write no OCI layout
        return {}
    manifests = {}
    for entry in index["manifests"]:
        manifest = json.loads(_member(archive, _blob(entry["digest"])))
        while "manifests" in manifest:  # of several platforms; the engine has its own alone
            inner = manifest["manifests"][0]["digest"]
            manifest = json.loads(_member(archive, _blob(inner)))
        manifests[str(manifest["config"]["digest"])] = str(entry["digest"])
    return manifests


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    content = archive.extractfile(name)
    if content is None:
        raise KeyError(name)
    return content.read()


def _blob(digest: str) -> str:
    return f"blobs/sha256/{digits(digest)}"
