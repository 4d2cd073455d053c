"""Images for the tests of this room: files with sizes, and the records that own them."""

from __future__ import annotations

from collections.abc import Mapping

from scripts.image.entry import Entry
from scripts.image.inventory import Inventory, LayerFiles

SITE = "opt/sutra/lib/python3.13/site-packages"
LABELS = {
    "org.opencontainers.image.title": "sutra-api",
    "org.opencontainers.image.version": "1.2",
}


def image(files: Mapping[str, int], *entries: Entry, **distributions: str) -> Inventory:
    """Return an image with `files` (path → bytes), and distributions with their RECORD's paths."""
    texts = {}
    for name, paths in distributions.items():
        folder = f"{SITE}/{name}-1.0.dist-info"
        texts[f"{folder}/METADATA"] = f"Name: {name}\nVersion: 1.0\n"
        texts[f"{folder}/RECORD"] = "".join(f"{path},,\n" for path in paths.split())
    listed = [
        *(Entry(path, "file", size, 0o644, 0, 0, 0) for path, size in files.items()),
        *(Entry(path, "file", len(text), 0o644, 0, 0, 0) for path, text in texts.items()),
        *entries,
    ]
    layer = LayerFiles("sha256:0", 1, 1, tuple(listed), texts)
    config = {"config": {"Labels": LABELS}}
    return Inventory("sutra-api:prod", "sha256:1", "amd64", config, (layer,))
