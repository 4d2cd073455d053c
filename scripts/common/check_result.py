"""What every verifier returns: one check of one image."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

RELEASE = "release"


@dataclass(frozen=True)
class CheckResult:
    """`actual` and `limit` are numbers of `unit`; `detail` is one line for a person.

    `unit` is "bytes" for a size, "ms" for a time, "findings" where things are counted.
    A result that is ok above its limit has no limit: it is only told. `actual` is None
    where nothing could measure it; then the result is ok and `detail` says why. `findings`
    are the lines of all that made it fail, where `detail` has the first and says how many
    more.
    """

    image: str
    name: str
    ok: bool
    actual: int | None
    limit: int
    detail: str = ""
    unit: str = "bytes"
    findings: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON types."""
        return asdict(self)


def printable(text: str) -> str:
    """Return `text` as one line that no terminal, log or XML reader takes for anything else."""
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)
