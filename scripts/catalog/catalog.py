"""images.yaml, the promises about every image, as frozen dataclasses.

Errors carry the key path: `images.yaml: images.sutra-api.budget.installed: …`.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sutra_cleanup import strict_yaml
from sutra_cleanup.yaml_node import did_you_mean

from scripts.catalog import runtime_needs, waivers
from scripts.catalog.catalog_node import Node
from scripts.catalog.runtime_needs import AS_IS, Runtime
from scripts.catalog.waivers import Waiver
from scripts.common import settings
from scripts.common.errors import CatalogError, refuse
from scripts.common.reference import tagged

CATALOG = Path("images.yaml")
TAG = "prod"
SIZES = ("installed", "download", "download.zstd", "because")
# keys of a budget that are about a service that runs
SERVICE = ("ready", "memory", "start-cpu", "ready-at-quarter")
# roots that a budget may have sizes of its own for
OTHER_BASES = settings.BASES[1:]


@dataclass(frozen=True)
class Budget:
    """The most bytes that an image may be: unpacked, and compressed for a pull.

    A service has more: `ready`, the milliseconds from its start to its first healthy
    answer; `memory`, the bytes that it holds by then; `start_cpu`, the milliseconds of
    processor time that its start takes; `ready_at_quarter`, those until it is ready with a
    quarter of a processor.
    """

    installed: int
    download: int
    because: str = ""  # why it was raised
    ready: int | None = None
    memory: int | None = None
    start_cpu: int | None = None
    ready_at_quarter: int | None = None
    download_zstd: int | None = None  # the layers packed by zstd, for COMPRESSION=zstd
    base: str = ""  # the root that it is for; "" for the default one, or for any

    @property
    def key(self) -> str:
        """Its key path within its entry of the file: "budget" or "budget.alpine"."""
        return f"budget.{self.base}" if self.base else "budget"


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

    def find(self, name: str) -> Image:
        """Return the image called `name`, or raise SutraError with the nearest name."""
        for image in self.images:
            if image.name == name:
                return image
        names = [image.name for image in self.images]
        raise CatalogError(
            f'{self.path}: images: no such image "{name}"{did_you_mean(name, names)}',
            f"names: {', '.join(names)}",
        )

    def not_built(self, image: Image, reference: str) -> CatalogError:
        """Return the error for an image whose `reference` the engine does not have."""
        return CatalogError(
            f'{self.path}: images.{image.name}: not built "{reference}"', "run `make build`"
        )


def load(path: Path = CATALOG, environment: Mapping[str, str] = os.environ) -> Catalog:
    """Read the catalogue, with the budgets that hold for BASE.

    Raises SutraError for anything that is not as documented.
    """
    base = settings.base(environment)
    try:
        return parse(path, path.read_text(encoding="utf-8"), base)
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
    found = tuple(_image(images, name, base) for name in images.value)
    runtime_needs.refuse_needs(images, {image.name: image for image in found})
    budget, others = _budgets(top.child("release", ("budget",)), SIZES, base)
    return Catalog(path, found, budget, others)


def content(path: Path, text: str) -> Any:
    """Return what the YAML in `text` holds. Raises SutraError for what is no YAML."""
    try:
        return strict_yaml.load(text)
    except ValueError as error:
        raise CatalogError(f"{path}: not YAML: {error}", f"`yamllint {path}` says more") from error


def _image(images: Node, name: str, base: str) -> Image:
    node = images.child(name, ("budget", "contents", "not_promoted_because", "runtime"))
    budget, others = _budgets(node, (*SIZES, *SERVICE), base)
    reason = node.text("not_promoted_because")
    return Image(name, budget, reason, waivers.parse(node), runtime_needs.parse(node), others)


def _budgets(node: Node, keys: Collection[str], base: str) -> tuple[Budget, tuple[Budget, ...]]:
    """Return the budget that holds for `base`, and those that are for other bases.

    A base without sizes of its own has the default one's. Times and memory are the
    same promise whatever the base.
    """
    outer = node.child("budget", (*keys, *OTHER_BASES))
    budgets = {"": _budget(outer)}
    for name in OTHER_BASES:
        if name in outer.value:
            own = _budget(outer.child(name, SIZES), name)
            same = (key.replace("-", "_") for key in SERVICE)
            budgets[name] = replace(own, **{key: getattr(budgets[""], key) for key in same})
    holds = budgets.pop(base, None) or budgets.pop("")
    return holds, tuple(budgets.values())


def _budget(budget: Node, base: str = "") -> Budget:
    for key in SERVICE[1:]:
        if key in budget.value and "ready" not in budget.value:
            raise budget.error(key, "of a service alone, and it has no ready:", budget.value[key])
    return Budget(
        budget.size("installed"),
        budget.size("download"),
        budget.text("because"),
        budget.time("ready") if "ready" in budget.value else None,
        budget.size("memory") if "memory" in budget.value else None,
        budget.time("start-cpu") if "start-cpu" in budget.value else None,
        budget.time("ready-at-quarter") if "ready-at-quarter" in budget.value else None,
        budget.size("download.zstd") if "download.zstd" in budget.value else None,
        base,
    )


def check_against(catalog: Catalog, tags: Mapping[str, list[str]], bake_file: Path) -> None:
    """Raise SutraError unless the catalogue and the bake file name the same images.

    `tags` are the tags of each exported target: `{"sutra-api": ["sutra-api:prod"]}`.
    """
    unknown = [
        f"{catalog.path}: images.{image.name}: not an image of {bake_file}"
        f"{did_you_mean(image.name, tags)}"
        for image in catalog.images
        if image.name not in tags
    ]
    refuse(unknown, f"give {bake_file} that target in group prod, or remove the key")
    renamed = [
        f'{bake_file}: target.{name}.tags: not the target\'s own name "{", ".join(references)}"'
        for name, references in tags.items()
        if {_repository(reference) for reference in references} != {name}
    ]
    refuse(renamed, "target, key and image carry the same name; rename one")
    names = {image.name for image in catalog.images}
    missing = [
        f"{catalog.path}: images.{name}: missing, though {bake_file} builds it"
        for name in tags
        if name not in names
    ]
    refuse(missing, f"give it a budget in {catalog.path}")


def _repository(reference: str) -> str:
    """Return the repository of a tag, "" of what is no tag."""
    named = tagged(reference)
    return named.name if named else ""
