"""images.yaml, the promises about every image, as frozen dataclasses.

Errors carry the key path: `images.yaml: images.sutra-api.budget.installed: …`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sutra_cleanup import strict_yaml
from sutra_cleanup.yaml_node import did_you_mean

from scripts.catalog import fresh_rates, runtime_needs, waivers
from scripts.catalog.budget import FRESH, SERVICE, SIZES, Budget, read_budgets, variant
from scripts.catalog.catalog_node import Node
from scripts.catalog.fresh_rates import Rates
from scripts.catalog.runtime_needs import AS_IS, Runtime
from scripts.catalog.waivers import Waiver
from scripts.common import platforms, settings
from scripts.common.check_result import RELEASE
from scripts.common.errors import CatalogError
from scripts.common.platforms import OWN

CATALOG = Path("images.yaml")
TAG = "prod"
# number of names that one line lists
LISTED = 20


@dataclass(frozen=True)
class Image:
    """One image of one platform: its name is its repository in the engine.

    On this machine's own platform that is its key in the file and its bake target as well; an
    image of another one is called "arm64/sutra-api".
    """

    name: str
    budget: Budget
    not_promoted_because: str = ""
    contents: tuple[Waiver, ...] = ()
    runtime: Runtime = AS_IS
    others: tuple[Budget, ...] = ()  # budgets that hold elsewhere: for other roots or architectures
    architecture: str = OWN

    @property
    def key(self) -> str:
        """Its key in the file and its bake target, whatever its platform: "sutra-api"."""
        return self.name.removeprefix(f"{self.architecture}/") if self.architecture else self.name

    @property
    def reference(self) -> str:
        """The tag that a build sets: "sutra-api:prod"."""
        return f"{self.name}:{TAG}"


@dataclass(frozen=True)
class Release:
    """The images of one platform as a whole, layers that they share counted once."""

    name: str  # "release", "arm64/release"
    budget: Budget
    images: tuple[Image, ...]


@dataclass(frozen=True)
class Catalog:
    """All images in the file's order, and the budget of the release as a whole.

    With PLATFORMS, the images of each platform in turn; `foreign` are the releases' budgets of
    other platforms than this machine's own.
    """

    path: Path
    images: tuple[Image, ...]
    release: Budget
    others: tuple[Budget, ...] = ()  # budgets of the release that hold elsewhere
    rates: Rates = fresh_rates.USUAL  # at which a fresh node pulls and unpacks
    foreign: Mapping[str, Budget] = field(default_factory=dict)

    @property
    def releases(self) -> tuple[Release, ...]:
        """The release of each platform that there are images of."""
        return tuple(
            Release(
                platforms.image_name(architecture, RELEASE),
                self.foreign.get(architecture, self.release),
                tuple(image for image in self.images if image.architecture == architecture),
            )
            for architecture in dict.fromkeys(image.architecture for image in self.images)
        )

    def find(self, name: str) -> Image:
        """Return the image called `name`, by its key that of the first platform.

        Raises SutraError with the nearest name.
        """
        by_key = {image.key: image for image in reversed(self.images)}
        by_name = {image.name: image for image in self.images}
        if image := by_name.get(name) or by_key.get(name):
            return image
        names = [image.name for image in self.images]
        raise CatalogError(
            f'{self.path}: images: no such image "{name}"{did_you_mean(name, names)}',
            f"names: {listed(names)}",
        )

    def not_built(self, image: Image, reference: str) -> CatalogError:
        """Return the error for an image whose `reference` the engine does not have."""
        return CatalogError(
            f'{self.path}: images.{image.key}: not built "{reference}"',
            f"run `make build{_knob(image.architecture)}`",
        )


def _knob(architecture: str) -> str:
    """Return what is added to a call of `make` for another platform: " PLATFORMS=linux/arm64"."""
    return f" {platforms.KNOB}={platforms.name_of(architecture)}" if architecture else ""


def listed(names: Sequence[str]) -> str:
    """Return the first names of a list, and how many more there are."""
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more


def load(
    path: Path = CATALOG,
    environment: Mapping[str, str] = os.environ,
    architectures: Sequence[str] = (OWN,),
) -> Catalog:
    """Read the catalogue, with the budgets that hold for BASE and for each of `architectures`.

    Raises SutraError for anything that is not as documented.
    """
    base, rates = settings.base(environment), fresh_rates.read(environment)
    try:
        text = path.read_text(encoding="utf-8")
        return replace(parse(path, text, base, architectures), rates=rates)
    except FileNotFoundError as error:
        raise CatalogError(
            f"{path}: no such file", "run it in the folder of the project"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise CatalogError(
            f"{path}: cannot be read: {error}", f"`ls -ld {path}` says more"
        ) from error


def load_platforms(path: Path = CATALOG, environment: Mapping[str, str] = os.environ) -> Catalog:
    """Read the catalogue with the images of every platform that PLATFORMS names."""
    return load(path, environment, platforms.read(environment))


def parse(
    path: Path,
    text: str,
    base: str = settings.BASES[0],
    architectures: Sequence[str] = (OWN,),
) -> Catalog:
    """Return the catalogue in `text`, the content of `path`, now or once. Raises as `load` does."""
    top = Node(str(path), "", content(path, text), ("release", "images"))
    images = top.child("images")
    if not images.value:
        raise images.error("", "empty")
    entries = tuple(
        _image(images, name, base, architecture)
        for architecture in architectures
        for name in images.value
    )
    runtime_needs.refuse_needs(images, {image.name: image for image in entries})
    release = top.child("release", ("budget",))
    budget, others = read_budgets(release, SIZES, variant(base, OWN))
    foreign = {
        architecture: read_budgets(release, SIZES, variant(base, architecture))[0]
        for architecture in architectures
        if architecture
    }
    return Catalog(path, entries, budget, others, foreign=foreign)


def content(path: Path, text: str, tip: str = "") -> Any:
    """Return what the YAML in `text` holds. Raises SutraError with `tip` for what is no YAML."""
    try:
        return strict_yaml.load(text)
    except ValueError as error:
        tip = tip or f"`yamllint {path}` says more"
        raise CatalogError(f"{path}: not YAML: {error}", tip) from error


def _image(images: Node, name: str, base: str, architecture: str) -> Image:
    node = images.child(name, ("budget", "contents", "not_promoted_because", "runtime"))
    budget, others = read_budgets(node, (*SIZES, *SERVICE, FRESH), variant(base, architecture))
    reason = node.text("not_promoted_because")
    runtime = runtime_needs.parse(node)
    needs = tuple(platforms.image_name(architecture, need) for need in runtime.needs)
    return Image(
        platforms.image_name(architecture, name),
        budget,
        reason,
        waivers.parse(node),
        replace(runtime, needs=needs),
        others,
        architecture,
    )
