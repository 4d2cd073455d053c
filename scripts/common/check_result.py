"""The result of one check of one image, which every verifier returns."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

RELEASE = "release"


@dataclass(frozen=True)
class CheckResult:
    """`actual` and `limit` are numbers of `unit`; `problem` says in one line what is wrong.

    `unit` is "bytes" for a size, "ms" for a time, "findings" where things are counted.
    `limit` is None where there is no promise: then the figure is only shown. `actual` is None
    where nothing could measure it; then the result is ok and `problem` says why. A result that
    is ok by an exception has its reason there. `file` and `key` are where the promise is made:
    images.yaml, and the key path. `findings` are the lines of all that made it fail, where
    `problem` has the first and says how many more.
    """

    image: str
    name: str
    ok: bool
    actual: int | None
    limit: int | None
    problem: str = ""
    unit: str = "bytes"
    findings: tuple[str, ...] = ()
    file: str = ""
    key: str = ""

    @property
    def detail(self) -> str:
        """Return the line for a person, `file: key.path: problem`; "" where there is no problem."""
        return self.place + self.problem if self.problem else ""

    @property
    def place(self) -> str:
        """Return what each line about it begins with: "file: key.path: ", or "" """
        return "".join(f"{part}: " for part in (self.file, self.key) if part)

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON types, and the line for a person as `detail`."""
        return {**asdict(self), "detail": self.detail}
