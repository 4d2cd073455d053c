"""What every verifier returns: one check of one image."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

RELEASE = "release"


@dataclass(frozen=True)
class CheckResult:
    """`actual` and `limit` are bytes; `detail` is one line for a person."""

    image: str
    name: str
    ok: bool
    actual: int
    limit: int
    detail: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON types."""
        return asdict(self)
