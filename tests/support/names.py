"""The images under test, by what they have in common."""

from __future__ import annotations

from scripts.catalog import catalog

IMAGES = tuple(image.name for image in catalog.load().images)
BASES = tuple(name for name in IMAGES if name.startswith("sutra-base-"))
SERVICES = tuple(name for name in IMAGES if name not in BASES)
# a base image's tests run on its children too
PYTHON_IMAGES = ("sutra-base-python", "sutra-api", "sutra-hybrid")
