"""Clean a node_modules folder by a manifest: plan → remove → prove → report.

Exit 0: clean and proven. 1: the proof failed. 2: the manifest or the call is wrong,
or the disk. Other than with 0 the tree is as it was.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .. import bytecode, call, dedupe, descriptions, elf, manifest, record, report, tree
from ..errors import CleanupError
from ..manifest import Manifest
from ..proof import Proven
from ..trash import Trash
from . import proof
from .packages import NodePlan


def clean(
    plan: NodePlan, node: Sequence[str], shown_as: str, file: Path | None = None
) -> dict[str, Any]:
    """Remove what the rules name and return the report, written to `file`.

    Raises CleanupError when a package does not load as it did, and OSError when the disk is full
    or the tree cannot be read; then every change is taken back.
    """
    if file:
        report.require_writable(file)
    proof.refuse_broken_links(plan)
    before = proof.baseline(plan, node)
    with Trash(plan.tree) as trash:
        try:
            for entry in plan.leaving:
                trash.move(f'rule "{plan.rule(entry.removed or 0).name}"', entry.path)
            loaded = proof.prove(plan, node, before, trash)
            figures = _report(plan, loaded, shown_as)
            if file:
                report.write(figures, file)
        except BaseException:
            trash.put_all_back()
            raise
    return figures


def _report(plan: NodePlan, loaded: int, shown_as: str) -> dict[str, Any]:
    """Return the report in the form that a Python tree's has: no bytecode, nothing stripped."""
    done = report.Done(
        elf.Stripped(),
        dedupe.Deduped(),
        descriptions.Described(),
        bytecode.Compiled(),
        record.Recorded(),
        Proven(loaded),
    )
    return report.summary(plan, done, report.weigh(plan), shown_as)


def load(file: Path) -> Manifest:
    """Read a manifest. Raises CleanupError for a policy that is for Python alone."""
    rules = manifest.load(file)
    used = {
        "strip": rules.strip != manifest.STRIP[0],
        "bytecode": rules.bytecode != manifest.BYTECODE[0] or bool(rules.bytecode_for),
        "docstrings": rules.docstrings != manifest.DOCSTRINGS[0] or bool(rules.docstrings_for),
        "descriptions": rules.descriptions != manifest.DESCRIPTIONS[0],
        "dedupe": bool(rules.dedupe),
        "prove": bool(rules.imports or rules.run),
    }
    for key in (key for key, is_used in used.items() if is_used):
        raise CleanupError(
            f"{file.name}: {key}: not for packages of Node.js",
            f"remove it from {file.name} and from what it extends, then build again",
        )
    return rules


def _text(figures: dict[str, Any]) -> str:
    """Return the report as a table for a builder's log."""
    total = f"{figures['before'] / 1e6:.2f} MB → {figures['after'] / 1e6:.2f} MB"
    proven = f"{figures['proven']} names of packages load as before"
    return "\n".join([*report.by_rule(figures), f"{total}, {proven}"])


def main() -> int:
    """Read the call, and print one clear line for what is wrong with it."""
    parser = argparse.ArgumentParser(prog="python3 -m sutra_cleanup.node", description=__doc__)
    parser.add_argument("--tree", type=Path, required=True, help="the node_modules folder")
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--node", default="node", help="command of Node.js")
    parser.add_argument("--shown-as", help="the tree's path in the final image")
    parser.add_argument("--report", type=Path, help="write the JSON report here")
    arguments = parser.parse_args()

    def work() -> str:
        if os.path.basename(os.path.abspath(arguments.tree)) != "node_modules":
            raise CleanupError(f'--tree: not a node_modules folder "{arguments.tree}"', "name one")
        rules = load(arguments.manifest)
        plan = tree.plan(arguments.tree, rules)
        for line in tree.unmatched(plan):
            print(f"warning: {line}", file=sys.stderr)
        of_packages = NodePlan(plan.tree, plan.manifest, plan.entries)
        shown_as = arguments.shown_as or os.fspath(arguments.tree)
        return _text(clean(of_packages, shlex.split(arguments.node), shown_as, arguments.report))

    return call.run(work)


if __name__ == "__main__":
    sys.exit(main())
