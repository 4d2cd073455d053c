"""What a first reading of images needs, begun before anything else is loaded.

It is compiled in a thread beside Python's own, for as long as loading the engine's SDK takes.
"""

from __future__ import annotations

from pathlib import Path

from scripts.image import entry_cache, secret_scan
from scripts.image.size_cache import CACHE


def prepare(cache: Path = CACHE) -> None:
    """Begin, where nothing is known of any image yet."""
    if not entry_cache.has_any(cache):
        secret_scan.prepare()
