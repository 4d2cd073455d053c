"""What an image holds: every layer's entries, and the files that a container sees."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from scripts.common.errors import SutraError
from scripts.engine import client as engine
from scripts.image import entry_cache, package_owners, read_layers
from scripts.image.elf import Elf as Elf
from scripts.image.layer_entries import Entry as Entry
from scripts.image.layer_entries import Pyc as Pyc
from scripts.image.package_owners import Owner as Owner
from scripts.image.size_cache import CACHE
from scripts.oci import sources

AGAIN = "run the same command again"
# what Linux follows before it says ELOOP
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
        return {path: entry for path, (entry, _) in self._seen[0].items()}

    @cached_property
    def wasted(self) -> tuple[tuple[Entry, str], ...]:
        """Files that a later layer overwrites or removes, each with its layer's diff_id."""
        return tuple(self._seen[1])

    @cached_property
    def _seen(self) -> tuple[dict[str, tuple[Entry, int]], list[tuple[Entry, str]]]:
        seen: dict[str, tuple[Entry, int]] = {}
        wasted: list[tuple[Entry, str]] = []
        for number, layer in enumerate(self.layers):
            _Overlay(seen, wasted, self.layers, number).apply(layer.entries)
        return seen, wasted

    def resolve(self, path: str) -> Entry | None:
        """Return the entry at `path`, links followed inside the image, at most MAX_LINKS."""
        left, here, followed = path.strip("/").split("/"), "", 0
        while left:
            part = left.pop(0)
            if part in ("", "."):
                continue
            if part == "..":
                here = posixpath.dirname(here)
                continue
            entry = self.files.get(posixpath.join(here, part))
            if entry and entry.kind == "symlink":
                followed += 1
                if followed > MAX_LINKS:
                    return None
                here = "" if entry.link.startswith("/") else here
                left = entry.link.split("/") + left
            else:
                here = posixpath.join(here, part)
        found = self.files.get(here or ".")
        if found and found.kind == "hardlink":  # two names of one file: the one with its bytes
            first = self.files.get(found.link)
            return first if first and first.digest == found.digest else found
        return found

    def text(self, path: str) -> str | None:
        """Return the text of one of layer_entries.TEXTS, as a container sees it."""
        entry, number = self._seen[0].get(path, (None, 0))
        if entry is None or entry.kind not in ("file", "hardlink"):
            return None
        return self.layers[number].texts.get(entry.link or path)

    @cached_property
    def texts(self) -> Mapping[str, str]:
        """All kept texts by path, as a container sees them."""
        return {path: text for path in self.files if (text := self.text(path)) is not None}

    def owners(self) -> Mapping[str, Owner]:
        """Return whose each path is, of all layers: also of what a later one overwrites."""
        return self._owners

    @cached_property
    def _owners(self) -> Mapping[str, Owner]:
        paths = {entry.path: entry for layer in self.layers for entry in layer.entries}
        config = self.config.get("config")
        labels = config.get("Labels") if isinstance(config, dict) else None
        known = labels if isinstance(labels, dict) else {}
        return package_owners.of({**paths, **self.files}, self.texts, known)


@dataclass(frozen=True)
class _Overlay:
    """One layer on what those below it show."""

    seen: dict[str, tuple[Entry, int]]
    wasted: list[tuple[Entry, str]]
    layers: tuple[LayerFiles, ...]
    number: int

    def apply(self, entries: tuple[Entry, ...]) -> None:
        """Remove what the layer's whiteouts name of the layers below, then add its entries."""
        gone = {entry.path for entry in entries if entry.kind == "whiteout"}
        emptied = {entry.path for entry in entries if entry.kind == "opaque"}
        replaced = {
            entry.path
            for entry in entries
            if entry.kind not in ("folder", "whiteout", "opaque")
            and (below := self.seen.get(entry.path))
            and below[0].kind == "folder"
        }
        if gone or emptied or replaced:
            for path in [path for path in self.seen if _under(path, gone, emptied | replaced)]:
                self._remove(path)
        for entry in entries:
            if entry.kind not in ("whiteout", "opaque"):
                self._add(entry)

    def _add(self, entry: Entry) -> None:
        if entry.kind != "folder" or self.seen.get(entry.path, (entry, 0))[0].kind != "folder":
            self._remove(entry.path)
        if entry.kind == "hardlink" and (target := self.seen.get(entry.link)):
            entry = replace(target[0], path=entry.path, kind="hardlink", link=entry.link, size=0)
        self.seen[entry.path] = entry, self.number

    def _remove(self, path: str) -> None:
        below = self.seen.pop(path, None)
        if below and below[0].kind == "file":
            self.wasted.append((below[0], self.layers[below[1]].diff_id))


def _under(path: str, gone: set[str], emptied: set[str]) -> bool:
    """Say whether `path` is in `gone`, or inside of anything in `gone` or `emptied`."""
    if path in gone:
        return True
    while path := posixpath.dirname(path):
        if path in gone or path in emptied:
            return True
    return "." in emptied


def read(client: engine.Client | None, reference: str, cache: Path = CACHE) -> Inventory | None:
    """Return what an image holds, or None when the engine does not have it.

    `reference` is anything that scripts.oci.sources finds. Raises SutraError as
    scripts.image.read_layers.measure does.
    """
    source = sources.find(client, reference)
    if source is None:
        return None
    wanted = dict.fromkeys(source.diff_ids)
    kept = {diff_id: entry_cache.load(cache, diff_id) for diff_id in wanted}
    again = {diff_id for diff_id, found in kept.items() if found is None}
    found_layers = []
    for layer in read_layers.known(source, cache, again):
        found = kept[layer.diff_id] or entry_cache.load(cache, layer.diff_id)
        if found is None:
            raise SutraError(f'layers: cache was emptied while "{reference}" was read', AGAIN)
        kept[layer.diff_id] = found
        found_layers.append(LayerFiles(layer.diff_id, layer.installed, layer.download, *found))
    config = source.config()
    return Inventory(
        reference, source.id, str(config.get("architecture", "")), config, tuple(found_layers)
    )
