"""Helpers behind the make targets, one verb a module."""

import sys
from pathlib import Path

# sutra_cleanup stands in the base images' build context, where their builders reach it
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "base-images" / "lib"))
