"""Shows the steps of a change and does them."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from scripts.common import settings
from scripts.common.confirm import confirm
from scripts.services import steps
from scripts.services.steps import Step


def run(who: str, todo: Sequence[Step], knobs: Mapping[str, str], question: str = "") -> bool:
    """Show the steps, what destroys first; ask where there is a question; do them all or none.

    DRY_RUN=1 only shows them. Return whether they were done. Raises SutraError.
    """
    dry_run, yes = settings.flag(knobs, "DRY_RUN"), settings.flag(knobs, "YES")
    ordered = steps.in_order(todo)
    print(*(line for step in ordered for line in step.shown()), sep="\n")
    sys.stdout.flush()
    if dry_run:
        return False
    if question:
        confirm(who, question, yes)
    steps.apply(ordered, who)
    return True
