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
    licence_of = {(component.kind, component.name): _of(component) for component in bill.components}
    return {
        owner: licence_of.get((TYPES.get(owner.kind, "application"), owner.name), "")
        for owner in set(image.owners().values())
    }


def _of(component: Component) -> str:
    return component.licence or some(component.names) or f"{NOT_RECORDED}: {component.why}"


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
    recorded = [component for component in parts if component.licence or component.names]
    counted = Counter(
        name for component in recorded for name in component.names or (component.licence,)
    )
    missing = Counter(
        component.why for component in parts if not (component.licence or component.names)
    )
    reasons = f" Not recorded: {_ordered(missing)}." if missing else ""
    if not counted:
        return f"No licence recorded ({len(parts)} components).{reasons}"
    of = f"{len(recorded)} of {len(parts)} components"
    return f"Licences recorded ({of}): {_ordered(counted)}.{reasons}"


def _ordered(counted: Counter[str]) -> str:
    ordered = sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))
    named = [f"{shown(text)} ({count})" for text, count in ordered[:LARGEST]]
    if (not_listed := len(ordered) - LARGEST) > 0:
        named.append(f"{not_listed} more")
    return ", ".join(named)
