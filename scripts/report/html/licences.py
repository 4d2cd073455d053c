"""Licences by the image's own records: of each owner, and counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from scripts.image.inventory import Inventory, Owner
from scripts.report.html.breakdown import LONGEST, shown
from scripts.sbom.components import TYPES, Bill, Component

# most licences that the summary names
LARGEST = 12
NOT_RECORDED = "not recorded"


def by_owner(image: Inventory, bill: Bill) -> Mapping[Owner, str]:
    """Return the licence of each owner of files, or why it is not recorded; "" without a record."""
    known = {(one.kind, one.name): _of(one) for one in bill.components}
    return {
        owner: known.get((TYPES.get(owner.kind, "application"), owner.name), "")
        for owner in set(image.owners().values())
    }


def _of(one: Component) -> str:
    return one.licence or some(one.names) or f"{NOT_RECORDED}: {one.why}"


def some(names: Sequence[str]) -> str:
    """Return the first names that a cell has room for, and how many more there are."""
    line = ", ".join(names)
    kept = len(names)
    while len(line) > LONGEST and kept > 1:
        kept -= 1
        line = f"{', '.join(names[:kept])} and {len(names) - kept} more"
    return line


def summary(bill: Bill) -> str:
    """Return in sentences how many components record which licence, the most frequent first."""
    parts = list(bill.all())
    recorded = [one for one in parts if one.licence or one.names]
    counted = Counter(name for one in recorded for name in one.names or (one.licence,))
    missing = Counter(one.why for one in parts if not (one.licence or one.names))
    reasons = f" Not recorded: {_ordered(missing)}." if missing else ""
    if not counted:
        return f"No licence recorded ({len(parts)} components).{reasons}"
    of = f"{len(recorded)} of {len(parts)} components"
    return f"Licences recorded ({of}): {_ordered(counted)}.{reasons}"


def _ordered(counted: Counter[str]) -> str:
    ordered = sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))
    named = [f"{shown(text)} ({count})" for text, count in ordered[:LARGEST]]
    if (rest := len(ordered) - LARGEST) > 0:
        named.append(f"{rest} more")
    return ", ".join(named)
