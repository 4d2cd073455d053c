"""The images under test, in groups."""

from __future__ import annotations

from scripts.catalog import catalog
from scripts.services import shared_files
from tests.conftest import ROOT

IMAGES = tuple(image.name for image in catalog.load().images)
BASES = tuple(name for name in IMAGES if name.startswith("sutra-base-"))
SERVICES = tuple(name for name in IMAGES if name not in BASES)
LISTED = shared_files.listed((ROOT / shared_files.BAKE).read_text("utf-8"))
# a base image's tests run on its children too
PYTHON_IMAGES = (
    "sutra-base-python",
    *(service.name for service in LISTED if service.language == "python"),
)
