"""The content of an image: every layer's entries, and the files that a container sees."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from scripts.common.errors import SutraError
from scripts.engine import client as engine
from scripts.image import entry_cache, kept_texts, package_owners, read_layers
from scripts.image.elf import Elf as Elf
from scripts.image.entry import Entry as Entry
from scripts.image.entry import Pyc as Pyc
from scripts.image.entry_cache import Loaded
from scripts.image.held import Held
from scripts.image.overlay import Overlay, parents
from scripts.image.package_owners import Owner as Owner
from scripts.image.size_cache import CACHE
from scripts.oci import sources

AGAIN = "run the same command again"
# most symlinks that Linux follows before ELOOP
MAX_LINKS = 40


@dataclass(frozen=True)
class LayerFiles:
    """One layer: its sizes in bytes, its entries in order, and its kept texts by path."""

    diff_id: str
    installed: int
    download: int
    entries: tuple[Entry, ...]
    texts: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Inventory:
    """An image as it was read: `id` is the engine's, or the manifest's digest elsewhere."""

    reference: str
    id: str
    architecture: str  # "amd64"
    config: Mapping[str, Any]  # the OCI image config, whole
    layers: tuple[LayerFiles, ...]

    @cached_property
    def files(self) -> Mapping[str, Entry]:
        """Entries by path as a container sees them: whiteouts applied, later layers win.

        A hard link has the facts of the file that it leads to, but no size.
        """
        return self._overlay.files()

    @cached_property
    def folders(self) -> frozenset[str]:
        """Paths of all folders, also of those that are there by what is in them alone."""
        named = (path for path, entry in self.files.items() if entry.kind == "folder")
        return frozenset((*parents(self.files), *named))

    @cached_property
    def wasted(self) -> tuple[tuple[Entry, str], ...]:
        """Files that a later layer overwrites or removes, each with its layer's diff_id."""
        return tuple(
            (visible.file, self.layers[visible.layer].diff_id) for visible in self._overlay.wasted
        )

    @cached_property
    def _overlay(self) -> Overlay:
        overlay = Overlay()
        for number, layer in enumerate(self.layers):
            overlay.apply(number, layer.entries)
        return overlay

    def resolve(self, path: str) -> Entry | None:
        """Return the entry at `path`, links followed inside the image, at most MAX_LINKS."""
        place = self.walk(path)
        entry = self.files.get(place[-1]) if place else None
        if entry and entry.kind == "hardlink":  # two names of one file: the one with its bytes
            first = self.files.get(entry.link)
            return first if first and first.digest == entry.digest else entry
        return entry

    def walk(self, path: str) -> list[str]:
        """Return the folders that `path` leads through, and where it ends; symlinks followed.

        "bin/x" → [".", "usr", "usr/bin", "usr/bin/x"]. Nothing for more than MAX_LINKS symlinks.
        """
        parts, here, followed, passed = path.strip("/").split("/"), "", 0, ["."]
        while parts:
            part = parts.pop(0)
            if part in ("", "."):
                continue
            if part == "..":
                here = posixpath.dirname(here)
                continue
            place = f"{here}/{part}" if here else part
            entry = self.files.get(place)
            if entry and entry.kind == "symlink":
                followed += 1
                if followed > MAX_LINKS:
                    return []
                here = "" if entry.link.startswith("/") else here
                parts = entry.link.split("/") + parts
            else:
                here = place
                passed.append(here)
        return passed if (here or ".") == passed[-1] else [*passed, here or "."]

    def text(self, path: str) -> str | None:
        """Return the text of a file that is kept as one, as a container sees it.

        A symlink is followed: an installer such as uv may make some to its cache.
        """
        if not kept_texts.has_name(path):
            return None
        visible = self._overlay.visible.get(path)
        if visible and visible.entry.kind == "symlink" and (place := self.walk(path)):
            visible = self._overlay.visible.get(place[-1])
        if visible is None or visible.entry.kind not in ("file", "hardlink"):
            return None
        return self.layers[visible.layer].texts.get(visible.file.path)

    @cached_property
    def texts(self) -> Mapping[str, str]:
        """All kept texts by path, as a container sees them."""
        return {path: text for path in self.files if (text := self.text(path)) is not None}

    def owners(self) -> Mapping[str, Owner]:
        """Return whose each path is, of all layers: also of what a later one overwrites."""
        return self._owners

    @cached_property
    def labels(self) -> Mapping[str, str]:
        """The image's labels; a config of another form has none."""
        config = self.config.get("config")
        labels = config.get("Labels") if isinstance(config, dict) else None
        named = labels if isinstance(labels, dict) else {}
        return {str(name): str(value) for name, value in named.items()}

    @cached_property
    def _owners(self) -> Mapping[str, Owner]:
        paths = {entry.path: entry for layer in self.layers for entry in layer.entries}
        return package_owners.of({**paths, **self.files}, self.texts, self.labels)


def read(
    client: engine.Client | None,
    reference: str,
    cache: Path = CACHE,
    source: sources.Source | None = None,
) -> Inventory | None:
    """Return what an image holds, or None when the engine does not have it.

    `reference` is anything that scripts.oci.sources finds; `source` is what it found there, if
    somebody asked before. Raises SutraError as scripts.image.read_layers.measure does.
    """
    source = source or sources.find(client, reference)
    if source is None:
        return None
    kept = _kept(source, cache, reference)
    found_layers, held = [], Held()
    for layer in read_layers.layers_of(source, cache, set(source.diff_ids) - set(kept)):
        content = kept.get(layer.diff_id) or entry_cache.load(cache, layer.diff_id)
        if content is None:
            raise SutraError(f'layers: cache was emptied while "{reference}" was read', AGAIN)
        kept[layer.diff_id] = content
        _refuse_too_much(held, content, reference)
        found_layers.append(
            LayerFiles(
                layer.diff_id, layer.installed, layer.download, content.entries, content.texts
            )
        )
    config = source.config()
    return Inventory(
        reference, source.id, str(config.get("architecture", "")), config, tuple(found_layers)
    )


def _kept(source: sources.Source, cache: Path, reference: str) -> dict[str, Loaded]:
    """Return what the cache holds of an image, refused as soon as it is too much."""
    kept, held = {}, Held()
    for diff_id in dict.fromkeys(source.diff_ids):
        if content := entry_cache.load(cache, diff_id):
            _refuse_too_much(held, content, reference)
            kept[diff_id] = content
    return kept


def _refuse_too_much(held: Held, layer: Loaded, reference: str) -> None:
    """Count what a layer holds. Raise SutraError where it is too much for one image."""
    held.add_all(layer.held)
    if problem := held.too_much():
        raise SutraError(
            f'layers: {problem} of "{reference}"',
            "ordinary images are smaller; inspect its layers",
        )
