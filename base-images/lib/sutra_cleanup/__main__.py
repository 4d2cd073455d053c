"""Clean a tree by a manifest: plan → remove → strip → dedupe → compile → prove → report.

Exit 0: clean and proven. 1: the proof failed, the tree is as it was. 2: the
manifest or the call is wrong, nothing was touched.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from pathlib import Path

from . import bytecode, dedupe, elf, manifest, proof, report, tree
from .errors import CleanupError
from .trash import Trash


def clean(plan: tree.Plan, python: list[str], shown_as: str) -> dict[str, object]:
    """Do everything that the manifest says and return the report.

    Raises CleanupError when the result does not work as the tree did before; then
    every change is taken back.
    """
    bytecode.require_same(python)
    before = proof.baseline(plan, python)
    with Trash(plan.tree) as trash:
        try:
            for entry in plan.leaving:
                trash.move(f'rule "{plan.rule(entry.removed or 0).name}"', entry.path)
            stripped = elf.Stripped()
            if plan.manifest.strip == "verified":
                stripped = elf.strip(plan, trash, python, shown_as)
            deduped = dedupe.dedupe(plan, trash) if plan.manifest.dedupe else dedupe.Deduped()
            compiled = bytecode.compile_tree(plan, trash, shown_as)
            proven = proof.prove(plan, python, before, trash)
        except BaseException:
            trash.put_all_back()
            raise
    _remove_empty_folders(plan.tree)
    done = report.Done(stripped, deduped, compiled, proven)
    return report.summary(plan, done, report.weigh(plan), shown_as)


def _remove_empty_folders(root: Path) -> None:
    for folder, _, _ in os.walk(root, topdown=False):
        if folder != os.fspath(root) and not os.listdir(folder):
            os.rmdir(folder)


def main() -> int:
    """Read the call, and print one clear line for what is wrong with it."""
    parser = argparse.ArgumentParser(prog="python3 -m sutra_cleanup", description=__doc__)
    parser.add_argument("--tree", type=Path, required=True, help="the install tree")
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--python", default=sys.executable, help="command of its interpreter")
    parser.add_argument("--shown-as", help="the tree's path in the final image")
    parser.add_argument("--report", type=Path, help="write the JSON report here")
    parser.add_argument(
        "--bytecode",
        choices=manifest.BYTECODE,
        help="one mode for every module, docstrings kept, whatever the manifest says",
    )
    parser.add_argument("--dry-run", action="store_true", help="show what would leave")
    given = parser.parse_args()
    try:
        rules = manifest.load(given.manifest)
        if given.bytecode:
            rules = manifest.with_bytecode(rules, given.bytecode)
        plan = tree.plan(given.tree, rules)
        for line in tree.unmatched(plan):
            print(f"warning: {line}", file=sys.stderr)
        if given.dry_run:
            print(report.dry(plan))
            return 0
        found = clean(plan, shlex.split(given.python), given.shown_as or os.fspath(given.tree))
    except CleanupError as error:
        print(error.message, file=sys.stderr)
        if error.tip:
            print(f"tip: {error.tip}", file=sys.stderr)
        return error.exit_code
    print(report.text(found))
    if given.report:
        report.write(found, given.report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
