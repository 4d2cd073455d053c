"""Which images hold a base's Debian packages, and what a pull of their update costs.

Read from Dockerfiles and from the last promotion; no engine is asked. Layers are pulled whole:
a base is one layer, so any package of it costs that layer, once for all services on it. What
else an image holds is in its own layers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.debian import packages_lock
from scripts.history import ledger
from scripts.sbom.locks import PACKAGES, folder_of, text

DOCKERFILE = "Dockerfile.prod"
_FROM = re.compile(r"^FROM\s+(?:--\S+\s+)*([a-z0-9][a-z0-9._/-]*)", re.MULTILINE)


@dataclass(frozen=True)
class Holders:
    """What was read once, for all rows.

    `slices` are the packages of each base image, `on` the base of each service that is on one,
    `promoted` the download size of each image of the last promotion.
    """

    slices: Mapping[str, tuple[str, ...]]
    on: Mapping[str, str]
    promoted: Mapping[str, int]

    def of(self, name: str) -> tuple[str, ...]:
        """Return the base images that have a package, and the services on them."""
        bases = [base for base, names in self.slices.items() if name in names]
        return (*bases, *sorted(image for image, base in self.on.items() if base in bases))

    def pull(self, images: Sequence[str]) -> int | None:
        """Return the bytes of the layers that change, None where a size is not known.

        A base's are pulled once, whatever is on it; a service's own are those above its base.
        """
        bottom = [image for image in images if image in self.slices]
        sizes = []
        for image in bottom or images:
            image_bytes = self.promoted.get(image)
            below = self.promoted.get(self.on[image], 0) if image in self.on else 0
            if image_bytes is None or image_bytes < below:
                return None
            sizes.append(image_bytes - below)
        return sum(sizes)


def read(images: Iterable[str], packages: Path = PACKAGES) -> Holders:
    """Return who holds what, by the Dockerfiles and the last promotion."""
    slices = packages_lock.slices()
    return Holders(slices, _bases(images, slices, packages), _promoted())


def _bases(images: Iterable[str], slices: Iterable[str], packages: Path) -> dict[str, str]:
    """Return the base image of each service that is on one, by its last stage."""
    bases: dict[str, str] = {}
    for image in images:
        folder = folder_of(image, packages)
        if folder and (folder / DOCKERFILE).exists():
            last = _FROM.findall(text(folder / DOCKERFILE))[-1:]
            bases.update((image, name) for name in last if name in slices)
    return bases


def _promoted() -> dict[str, int]:
    """Return the download size of each image of the last promotion, none before the first."""
    entries = ledger.read()
    return {name: image.download for name, image in entries[-1].images.items()} if entries else {}
