"""Every change of an image since an earlier one, under the change that caused it."""

from __future__ import annotations

from dataclasses import dataclass

from scripts.checks.sizes import causes
from scripts.checks.sizes.growth import Change
from scripts.image.inventory import Inventory
from scripts.image.package_owners import PROGRAMS

# kinds of owners whose version is the image's: another in every commit
OF_EACH_COMMIT = ("ours", *PROGRAMS)


@dataclass(frozen=True)
class Reason:
    """A cause, and the owners that it changed, the largest change first."""

    cause: str
    changes: tuple[Change, ...]

    @property
    def bytes(self) -> int:
        """The number of bytes that it added, less than zero where more went."""
        return sum(change.bytes for change in self.changes)


def of(before: Inventory, after: Inventory, bases: causes.Bases = ((), ())) -> list[Reason]:
    """Return what came, went, grew, shrank or has another version, the largest cause first.

    `bases` are the diff_ids of the layers of the base image, before and after.
    """
    changes_of: dict[str, list[Change]] = {}
    for cause, key, was, now in causes.of_owners(before, after, bases):
        change = _change(key, was, now)
        if was is None or now is None or change.bytes or change.versions[0] != change.versions[1]:
            changes_of.setdefault(cause, []).append(change)
    reasons = [
        Reason(cause, tuple(sorted(changes, key=lambda change: (-abs(change.bytes), change.name))))
        for cause, changes in changes_of.items()
    ]
    return sorted(reasons, key=lambda reason: (-abs(reason.bytes), reason.cause))


def _change(key: causes.Key, was: causes.Part | None, now: causes.Part | None) -> Change:
    kind, name, _ = key
    had, has = was or (None, ""), now or (None, "")
    versions = ("", "") if kind in OF_EACH_COMMIT else (had[1], has[1])
    return Change(name, had[0], has[0], versions)
