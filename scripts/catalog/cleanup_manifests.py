"""Find the cleanup manifest of an image."""

from __future__ import annotations

from pathlib import Path

BASE = "sutra-base-python"
BASE_MANIFEST = Path("base-images/cleanup/stdlib.yaml")


def find_manifest(image: str) -> Path | None:
    """Return the path of an image's cleanup manifest, or None for an image without one."""
    path = BASE_MANIFEST if image == BASE else Path("packages") / image / "cleanup.yaml"
    return path if path.exists() else None
