"""A catalogue of images that were not built here: names, tags, budgets, exceptions.

images:
  web:
    tag: registry.example/web:1.4
    budget: {installed: 90 MB, download: 40 MB}
    contents: {shells: {skip: true, because: …}}

A file with `release:` is the images.yaml of a project like this one, and is read as that.
"""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from scripts.catalog import catalog, waivers
from scripts.catalog.budget import Budget
from scripts.catalog.catalog import Catalog, Image
from scripts.catalog.catalog_node import Node
from scripts.common.errors import CatalogError, SutraError
from scripts.common.text import escaped

KEYS = ("tag", "budget", "contents")
SIZES = ("installed", "download")
TAG = "latest"


@dataclass(frozen=True)
class Foreign:
    """All images of the file, where each is found, and the bytes that each may have, by size.

    The budgets in `promises` are not read: a foreign image may have one size alone, or none.
    """

    promises: Catalog
    tags: Mapping[str, str]
    limits: Mapping[str, Mapping[str, int]]

    def chosen(self, name: str, reference: str) -> list[tuple[Image, str]]:
        """Return what to check: all images, or the one called `name`, each with its reference.

        `reference` is checked in place of its tag, then as the only image of the file without
        a name. Raises SutraError where it is not clear which one is meant.
        """
        if name:
            return [(self.promises.find(name), reference or self.tags.get(name, ""))]
        if not reference:
            return [(image, self.tags[image.name]) for image in self.promises.images]
        names = [image.name for image in self.promises.images]
        if len(names) > 1:
            raise SutraError(
                f'--like: which image of {self.promises.path} is "{reference}"',
                f"name it: --like {_word(f'{self.promises.path}#{names[0]}')}; "
                f"names: {catalog.listed(names)}",
            )
        return [(self.promises.images[0], reference)]


def _word(text: str) -> str:
    """Return "FILE#NAME" as one word of a shell, quoted where it must be."""
    plain = text.replace("#", "")
    return text if shlex.quote(plain) == plain else shlex.quote(text)


def file_and_name(like: str) -> tuple[str, str]:
    """Return both parts of "FILE#NAME"; a file that is there may have a # in its name."""
    parts = like.split("#")
    for count in range(1, len(parts) + 1):
        if os.path.exists(file := "#".join(parts[:count])):
            return file, "#".join(parts[count:])
    return parts[0], "#".join(parts[1:])


def load(path: Path) -> Foreign:
    """Read a foreign catalogue. Raises SutraError for anything that is not as documented."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe that nobody writes to never ends
            raise CatalogError(f"{path}: not a regular file", "name it: --like FILE#NAME")
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise CatalogError(
            f"{path}: no such file",
            "name it: --like FILE#NAME; the smallest is `images: {web: {}}`",
        ) from error
    except UnicodeDecodeError as error:
        raise CatalogError(f"{path}: cannot be read: {error}", "save it as UTF-8") from error
    except OSError as error:
        raise CatalogError(
            f"{path}: cannot be read: {error}", f"`ls -ld {shlex.quote(str(path))}` says more"
        ) from error
    return parse(path, text)


def parse(path: Path, text: str) -> Foreign:
    """Return the catalogue in `text`, the content of `path`. Raises as `load` does."""
    content = catalog.content(path, text, f"fix {path}, then run the same command again")
    if isinstance(content, Mapping) and "release" in content:
        return _of_a_project(catalog.parse(path, text))
    images = Node(str(path), "", content, ("images",)).child("images")
    if not images.value:
        raise images.error("", "empty")
    for name in images.value:
        if not name.strip() or not name.isprintable():
            raise images.error("", "not a name", escaped(name))
    nodes = {name: images.child(name, KEYS) for name in images.value}
    limits = {name: _limits(node) for name, node in nodes.items()}
    none = Budget(0, 0)
    rules = tuple(Image(name, none, contents=waivers.parse(node)) for name, node in nodes.items())
    tags = {name: _tag(node) or f"{name}:{TAG}" for name, node in nodes.items()}
    return Foreign(Catalog(path, rules, none), tags, limits)


def _tag(image: Node) -> str:
    tag = image.text("tag")
    if not tag.isprintable():
        raise image.error("tag", "not printable", escaped(tag))
    return tag


def _limits(image: Node) -> dict[str, int]:
    if "budget" not in image.value:
        return {}
    budget = image.child("budget", SIZES)
    if not budget.value:
        raise budget.error("", "empty, give it installed or download")
    return {size: budget.size(size) for size in budget.value}


def _of_a_project(promises: Catalog) -> Foreign:
    return Foreign(
        promises,
        {image.name: image.reference for image in promises.images},
        {
            image.name: {size: getattr(image.budget, size) for size in SIZES}
            for image in promises.images
        },
    )
