"""Licences by the image's own records: of each owner, and counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from scripts.image.inventory import Inventory, Owner
from scripts.report.html.breakdown import shown
from scripts.sbom.components import TYPES, Bill

# most licences that the summary names
LARGEST = 12


def by_owner(image: Inventory, bill: Bill) -> Mapping[Owner, str]:
    """Return the licence of each owner of files, "" where its record names none."""
    known = {(one.kind, one.name): one.licence for one in bill.components}
    return {
        owner: known.get((TYPES.get(owner.kind, "application"), owner.name), "")
        for owner in set(image.owners().values())
    }


def summary(bill: Bill) -> str:
    """Return in a sentence how many components record which licence, the most frequent first."""
    parts = list(bill.all())
    counted = Counter(one.licence for one in parts if one.licence)
    if not counted:
        return f"No licence recorded ({len(parts)} components)."
    ordered = sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))
    named = [f"{shown(licence)} ({count})" for licence, count in ordered[:LARGEST]]
    if (rest := len(ordered) - LARGEST) > 0:
        named.append(f"{rest} more")
    return f"Licences recorded ({counted.total()} of {len(parts)} components): {', '.join(named)}."
