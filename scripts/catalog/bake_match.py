"""The catalogue and the bake file name the same images, each by one name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sutra_cleanup.yaml_node import did_you_mean

from scripts.catalog.catalog import Catalog
from scripts.common.errors import refuse
from scripts.common.reference import tagged


def require_same_images(catalog: Catalog, tags: Mapping[str, list[str]], bake_file: Path) -> None:
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
