"""Explain an image's growth by owner, layer and file, compared with an earlier one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from scripts.catalog.catalog import Catalog, Image
from scripts.checks.sizes import causes
from scripts.checks.sizes.budgets import Why
from scripts.common import platforms
from scripts.common import reference as references
from scripts.common.errors import EngineError, SutraError
from scripts.common.labels import BASE_NAME
from scripts.common.units import format_change
from scripts.engine import client as engine
from scripts.history import ledger
from scripts.image import inventory
from scripts.image.inventory import Inventory, LayerFiles
from scripts.image.size_cache import CACHE
from scripts.oci import sources
from scripts.oci.layer import Measured

PROMOTED = "latest"
# most owners and files that one line names
OWNERS, FILES = 3, 2


@dataclass(frozen=True)
class Change:
    """Bytes before and after of an owner or a file; None where it was not, or is no more."""

    name: str
    before: int | None
    after: int | None
    versions: tuple[str, str] = ("", "")

    @property
    def bytes(self) -> int:
        """The number of bytes that were added."""
        return (self.after or 0) - (self.before or 0)

    @property
    def verb(self) -> str:
        """Return "came", "went", "grew", "shrank" or "changed", where only a version did."""
        if self.before is None or self.after is None:
            return "came" if self.before is None else "went"
        return "changed" if not self.bytes else "grew" if self.bytes > 0 else "shrank"

    @property
    def label(self) -> str:
        """Return the name with its version, or with both where it changed."""
        old, new = self.versions
        version = f"{old} → {new}" if old and new and old != new else new or old
        return f"{self.name} {version}".rstrip()

    def __str__(self) -> str:
        return f"{self.label} {format_change(self.bytes)}"


Layers = Sequence[tuple[Inventory, LayerFiles]]


def layers_of(images: Sequence[Inventory]) -> Layers:
    """Return all layers with their image: of one image as they are, of several each once."""
    pairs = [(image, layer) for image in images for layer in image.layers]
    if len(images) == 1:
        return pairs
    return list({layer.diff_id: (image, layer) for image, layer in reversed(pairs)}.values())


def by_owner(before: Layers, after: Layers) -> list[Change]:
    """Return every owner whose bytes or version changed, the largest change first."""
    old, new = _owners(before), _owners(after)
    return _changes(
        Change(
            name,
            old[kind, name][1] if (kind, name) in old else None,
            new[kind, name][1] if (kind, name) in new else None,
            (old.get((kind, name), ("", 0))[0], new.get((kind, name), ("", 0))[0]),
        )
        for kind, name in old | new
    )


def by_file(before: Layers, after: Layers) -> list[Change]:
    """Return every file whose bytes changed, the largest change first."""
    old, new = _files(before), _files(after)
    return _changes(Change(path, old.get(path), new.get(path)) for path in old | new)


def at_equal_size(before: Layers, after: Layers) -> list[Change]:
    """Return every file with other bytes and as many of them, the largest first."""
    old, new = _digests(before), _digests(after)
    changed = [
        Change(path, size, size)
        for path, (digest, size) in new.items()
        if path in old and old[path][1] == size and old[path][0] != digest
    ]
    return sorted(changed, key=lambda change: (-(change.after or 0), change.name))


def by_layer(before: Layers, after: Layers, size: Callable[[LayerFiles], int]) -> list[Change]:
    """Return every layer whose bytes changed, by its place in the image."""
    old, new = ([size(layer) for _, layer in layers] for layers in (before, after))
    places = range(max(len(old), len(new)))
    return _changes(
        Change(
            f"layer {place + 1} of {len(new)}",
            old[place] if place < len(old) else None,
            new[place] if place < len(new) else None,
        )
        for place in places
    )


def explain(what: str, before: Sequence[Inventory], after: Sequence[Inventory]) -> str:
    """Return one line: what grew, largest first. `what` is "installed" or "download".

    Packed bytes belong to a layer as a whole: of a download, owners and files are
    given unpacked.
    """
    old, new = layers_of(before), layers_of(after)
    owners, files = _line(by_owner(old, new), OWNERS), _line(by_file(old, new), FILES)
    single = len(before) == len(after) == 1
    if what == "installed":
        layers = _line(by_layer(old, new, lambda layer: layer.installed), 1) if single else ""
        parts = [owners, layers, files]
    else:
        layers = _line(by_layer(old, new, lambda layer: layer.download), 1) if single else ""
        parts = [layers, f"unpacked: {owners}" if owners else "", files]
    return "; ".join(part for part in parts if part)


def _line(changes: Sequence[Change], most: int) -> str:
    grown = [change for change in changes if change.bytes > 0]
    more = f" (+{len(grown) - most} more)" if len(grown) > most > 1 else ""
    return ", ".join(str(change) for change in grown[:most]) + more


def _changes(changes: Iterator[Change]) -> list[Change]:
    changed = [
        change
        for change in changes
        if change.before != change.after or change.versions[0] != change.versions[1]
    ]
    return sorted(changed, key=lambda change: (-abs(change.bytes), change.name))


def _owners(layers: Layers) -> dict[tuple[str, str], tuple[str, int]]:
    """Return version and bytes by kind and name."""
    bytes_of: dict[tuple[str, str], tuple[str, int]] = {}
    for image, layer in layers:
        owners = image.owners()
        for entry in layer.entries:
            if entry.kind == "file":
                owner = owners[entry.path]
                versions, so_far = bytes_of.get((owner.kind, owner.name), ("", 0))
                versions = causes.with_version(versions, owner.version)
                bytes_of[owner.kind, owner.name] = versions, so_far + entry.size
                # a program's bytes are not told apart by module, versions are
                for name, version in entry.elf.modules if entry.elf else ():
                    versions, size = bytes_of.get((owner.kind, name), ("", 0))
                    bytes_of[owner.kind, name] = causes.with_version(versions, version), size
    return bytes_of


def _files(layers: Layers) -> dict[str, int]:
    sizes: dict[str, int] = defaultdict(int)
    for _, layer in layers:
        for entry in layer.entries:
            if entry.kind == "file":
                sizes[entry.path] += entry.size
    return dict(sizes)


def _digests(layers: Layers) -> dict[str, tuple[str, int]]:
    """Return digest and bytes of each file by its path, as the last layer has it."""
    return {
        entry.path: (entry.digest, entry.size)
        for _, layer in layers
        for entry in layer.entries
        if entry.kind == "file"
    }


# ---- against what was promoted ---------------------------------------------


def since_promoted(
    client: engine.Client | None,
    promises: Catalog,
    measured: Mapping[str, Measured],
    cache: Path = CACHE,
) -> Why:
    """Return a function that says why an image, or the release, is larger than its last one."""

    def why(image: Image | None, what: str) -> str:
        names = [image.name] if image else list(measured)
        chosen = [candidate for candidate in promises.images if candidate.name in names]
        previous = {
            candidate.name: earlier
            for candidate in chosen
            if (earlier := promoted(client, candidate, cache))
        }
        if not previous:
            return "no promoted image to compare with"
        # a new image, and one whose layers the others share no longer, make a release grow
        now = [_present(client, measured[name], cache) for name in names]
        since = next(iter(previous.values())).reference if image else "the last promotion"
        grown = explain(what, list(previous.values()), now)
        if not grown:
            return f"nothing grew since {since}"
        cause = _cause(promises, measured, image, (previous[image.name], now[0])) if image else ""
        return f"since {since}: {grown}" + (f"; by cause: {cause}" if cause else "")

    return why


def _cause(
    promises: Catalog,
    measured: Mapping[str, Measured],
    image: Image,
    versions: tuple[Inventory, Inventory],
) -> str:
    """Return whose changes made an image grow, in words."""
    before, after = versions
    base = platforms.image_name(image.architecture, base_of(promises, after))
    measured_base = measured.get(base)
    layers = {layer.diff_id for layer in measured_base.layers} if measured_base else set[str]()
    reasons = causes.of(before, after, causes.base_layers(before, after, layers))
    return causes.line(reasons, before, after)


def base_of(promises: Catalog, image: Inventory) -> str:
    """Return the name of the image of the catalogue that it is built on, "" for any other."""
    base = references.read(image.labels.get(BASE_NAME, ""))
    names = {entry.key for entry in promises.images}
    return base.name if base and base.name in names else ""


def promoted(client: engine.Client | None, image: Image, cache: Path) -> Inventory | None:
    """Return the last promoted image of that name, its reference saying where it comes from.

    A toolchain image has no promoted tag; its last promoted id is in the ledger.
    """
    try:
        if not image.not_promoted_because:
            return inventory.read(client, f"{image.name}:{PROMOTED}", cache)
        last = ledger.read()[-1:]
        if not last or image.name not in last[0].images:
            return None
        earlier = inventory.read(client, last[0].images[image.name].id, cache)
        where = f"{image.name} of promotion {last[0].of}"
        return replace(earlier, reference=where) if earlier else None
    except EngineError:
        if client is None:  # a file or a registry is checked where there is no engine
            return None
        raise


def _present(client: engine.Client | None, measured: Measured, cache: Path) -> Inventory:
    # the id is what was measured, whatever its tag is on by now
    engines = sources.scheme(measured.reference)[0] == "engine"
    content = inventory.read(client, measured.id if engines else measured.reference, cache)
    if content is None:
        raise SutraError(f'engine: image no longer exists "{measured.id}"', "run `make build`")
    return content
