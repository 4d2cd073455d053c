"""images.yaml, the promises about every image, as frozen dataclasses.

Errors carry the key path: `images.yaml: images.sutra-api.budget.installed: …`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sutra_cleanup import strict_yaml
from sutra_cleanup.yaml_node import did_you_mean

from scripts.catalog import fresh_rates, runtime_needs, waivers
from scripts.catalog.budget import FRESH, SERVICE, SIZES, Budget, read_budgets
from scripts.catalog.catalog_node import Node
from scripts.catalog.fresh_rates import Rates
from scripts.catalog.runtime_needs import AS_IS, Runtime
from scripts.catalog.waivers import Waiver
from scripts.common import settings
from scripts.common.errors import CatalogError

CATALOG = Path("images.yaml")
TAG = "prod"
# number of names that one line lists
LISTED = 20


@dataclass(frozen=True)
class Image:
    """One image: its name is its key, its bake target and its repository."""

    name: str
    budget: Budget
    not_promoted_because: str = ""
    contents: tuple[Waiver, ...] = ()
    runtime: Runtime = AS_IS
    others: tuple[Budget, ...] = ()  # of other bases than the one that was asked for

    @property
    def reference(self) -> str:
        """The tag that a build sets: "sutra-api:prod"."""
        return f"{self.name}:{TAG}"


@dataclass(frozen=True)
class Catalog:
    """All images in the file's order, and the budget of the release as a whole."""

    path: Path
    images: tuple[Image, ...]
    release: Budget
    others: tuple[Budget, ...] = ()  # of the release, on other bases
    rates: Rates = fresh_rates.USUAL  # at which a fresh node pulls and unpacks

    def find(self, name: str) -> Image:
        """Return the image called `name`, or raise SutraError with the nearest name."""
        for image in self.images:
            if image.name == name:
                return image
        names = [image.name for image in self.images]
        raise CatalogError(
            f'{self.path}: images: no such image "{name}"{did_you_mean(name, names)}',
            f"names: {listed(names)}",
        )

    def not_built(self, image: Image, reference: str) -> CatalogError:
        """Return the error for an image whose `reference` the engine does not have."""
        return CatalogError(
            f'{self.path}: images.{image.name}: not built "{reference}"', "run `make build`"
        )


def listed(names: Sequence[str]) -> str:
    """Return the first names of a list, and how many more there are."""
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more


def load(path: Path = CATALOG, environment: Mapping[str, str] = os.environ) -> Catalog:
    """Read the catalogue, with the budgets that hold for BASE.

    Raises SutraError for anything that is not as documented.
    """
    base, rates = settings.base(environment), fresh_rates.read(environment)
    try:
        return replace(parse(path, path.read_text(encoding="utf-8"), base), rates=rates)
    except FileNotFoundError as error:
        raise CatalogError(
            f"{path}: no such file", "run it in the folder of the project"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise CatalogError(
            f"{path}: cannot be read: {error}", f"`ls -ld {path}` says more"
        ) from error


def parse(path: Path, text: str, base: str = settings.BASES[0]) -> Catalog:
    """Return the catalogue in `text`, the content of `path`, now or once. Raises as `load` does."""
    top = Node(str(path), "", content(path, text), ("release", "images"))
    images = top.child("images")
    if not images.value:
        raise images.error("", "empty")
    listed = tuple(_image(images, name, base) for name in images.value)
    runtime_needs.refuse_needs(images, {image.name: image for image in listed})
    budget, others = read_budgets(top.child("release", ("budget",)), SIZES, base)
    return Catalog(path, listed, budget, others)


def content(path: Path, text: str, tip: str = "") -> Any:
    """Return what the YAML in `text` holds. Raises SutraError with `tip` for what is no YAML."""
    try:
        return strict_yaml.load(text)
    except ValueError as error:
        tip = tip or f"`yamllint {path}` says more"
        raise CatalogError(f"{path}: not YAML: {error}", tip) from error


def _image(images: Node, name: str, base: str) -> Image:
    node = images.child(name, ("budget", "contents", "not_promoted_because", "runtime"))
    budget, others = read_budgets(node, (*SIZES, *SERVICE, FRESH), base)
    reason = node.text("not_promoted_because")
    return Image(name, budget, reason, waivers.parse(node), runtime_needs.parse(node), others)
