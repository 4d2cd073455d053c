"""When an image was made, as documents about it write it."""

from __future__ import annotations

import re

from scripts.image.inventory import Inventory

# time for an image that does not say when it was made
UNKNOWN = "1970-01-01T00:00:00Z"


def made_at(image: Inventory) -> str:
    """Return when the image was made, in the form that all formats take: whole seconds, UTC."""
    text = str(image.config.get("created") or "")
    match = re.match(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?Z", text)
    return f"{match[1]}Z" if match else UNKNOWN
