"""Clean a tree by a manifest: plan → remove → strip → dedupe → describe → compile → record → prove
→ report.

Exit 0: clean and proven. 1: the proof failed. 2: the manifest or the call is wrong,
or the disk. Other than with 0 the tree is as it was.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from functools import partial
from pathlib import Path

from . import (
    bytecode,
    call,
    dedupe,
    descriptions,
    elf,
    manifest,
    proof,
    record,
    references,
    report,
    stand_in,
    tree,
)
from .trash import Trash


def clean(
    plan: tree.Plan, python: list[str], shown_as: str, file: Path | None = None
) -> dict[str, object]:
    """Do everything that the manifest says and return the report, written to `file`.

    Raises CleanupError when the result does not work as the tree did before, and OSError
    when the disk is full or the tree cannot be read; then every change is taken back.
    """
    if file:
        report.require_writable(file)
    bytecode.require_same(python)
    before = proof.baseline(plan, python)
    with Trash(plan.tree) as trash:
        try:
            for entry in plan.leaving:
                cause = f'rule "{plan.rule(entry.removed or 0).name}"'
                if stand_in.has_one(plan, entry):
                    stand_in.replace(plan, entry, trash, cause, shown_as)
                else:
                    trash.move(cause, entry.path)
            stripped = elf.Stripped()
            if plan.manifest.strip == "verified":
                stripped = elf.strip(plan, trash, python, shown_as)
            deduped = dedupe.dedupe(plan, trash) if plan.manifest.dedupe else dedupe.Deduped()
            described = descriptions.Described()
            if plan.manifest.descriptions == "drop":
                described = descriptions.drop(plan, trash)
            compiled = bytecode.compile_tree(plan, trash, shown_as, stand_in.modules(plan))
            recorded = record.rewrite(plan, trash)
            proven = proof.prove(plan, python, before, trash)
            done = report.Done(stripped, deduped, described, compiled, recorded, proven)
            figures = report.summary(plan, done, report.weigh(plan), shown_as)
            if file:
                report.write(figures, file)
        except BaseException:
            trash.put_all_back()
            raise
    _remove_empty_folders(plan.tree)
    return figures


def _remove_empty_folders(root: Path) -> None:
    """Remove the folders that were empty from the start, the innermost first."""
    _, *folders = tree.folders(os.fspath(root))
    for folder in reversed(folders):
        if not os.listdir(f"{root}/{folder}"):
            os.rmdir(f"{root}/{folder}")


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
    arguments = parser.parse_args()
    return call.run(partial(_work, arguments))


def _work(arguments: argparse.Namespace) -> str:
    rules = manifest.load(arguments.manifest)
    if arguments.bytecode:
        rules = manifest.with_bytecode(rules, arguments.bytecode)
    plan = tree.plan(arguments.tree, rules)
    for line in (*tree.unmatched(plan), *references.warnings(plan)):
        print(f"warning: {line}", file=sys.stderr)
    if arguments.dry_run:
        return report.dry(plan)
    shown_as = arguments.shown_as or os.fspath(arguments.tree)
    return report.text(clean(plan, shlex.split(arguments.python), shown_as, arguments.report))


if __name__ == "__main__":
    sys.exit(main())
