"""Sum the bytes of an image's files that were opened, and of those that were not, by owner."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from scripts.image.inventory import Inventory, Owner


@dataclass
class Share:
    """The files of one owner, and their bytes: those that were opened, and all."""

    owner: Owner
    files: int = 0
    opened_files: int = 0
    bytes: int = 0
    opened: int = 0

    @property
    def unopened(self) -> int:
        """Bytes of files that were not opened."""
        return self.bytes - self.opened


@dataclass(frozen=True)
class Floor:
    """An image's shares, the most unopened bytes first, and the paths of unopened files."""

    shares: list[Share]
    unopened: dict[str, int] = field(repr=False)  # path → bytes

    @property
    def bytes(self) -> int:
        """Bytes of all files that a container sees."""
        return sum(share.bytes for share in self.shares)

    @property
    def opened(self) -> int:
        """Bytes of the files that were opened."""
        return sum(share.opened for share in self.shares)


def of(image: Inventory, opened: Collection[str]) -> Floor:
    """Return the shares of an image of which the paths in `opened` were opened.

    A hard link that was opened opens the file that has the bytes. Files that a later layer
    removes or replaces are not seen by a container, and not counted.
    """
    touched = _with_linked(image, opened)
    shares: dict[Owner, Share] = {}
    unopened = {}
    whose = image.owners()
    for path, entry in image.files.items():
        if entry.kind != "file":
            continue
        share = shares.setdefault(whose[path], Share(whose[path]))
        share.files += 1
        share.bytes += entry.size
        if path in touched:
            share.opened_files += 1
            share.opened += entry.size
        else:
            unopened[path] = entry.size
    ordered = sorted(shares.values(), key=lambda share: (-share.unopened, share.owner))
    return Floor(ordered, unopened)


def _with_linked(image: Inventory, opened: Collection[str]) -> set[str]:
    touched = {path.lstrip("/") for path in opened}
    links = {path for path in touched if path in image.files}
    return touched | {
        image.files[path].link for path in links if image.files[path].kind == "hardlink"
    }
