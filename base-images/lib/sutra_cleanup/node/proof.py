"""Prove that the packages that stay are what they were, or name the rule that broke one."""

from __future__ import annotations

import os
from collections.abc import Sequence

from .. import blame
from ..errors import BrokenTreeError, CleanupError, Fix
from ..trash import Trash
from ..tree import show
from . import links, loads, packages
from .loads import OK, Answers, Question
from .packages import NodePlan, Package


def baseline(plan: NodePlan, node: Sequence[str]) -> Answers:
    """Return what loads in the unchanged tree. Raises CleanupError for another interpreter."""
    try:
        answers = loads.ask(node, os.fspath(plan.tree), _questions(plan))
    except FileNotFoundError as error:
        raise CleanupError(f'--node: not found "{node[0]}"', "name Node.js") from error
    loaded = {key: text for key, text in answers.items() if text == OK}
    if answers and not loaded:
        (_, (how, name)), text = next(iter(answers.items()))
        raise CleanupError(
            f'node_modules: no package loads before the cleanup: {how} "{name}": {text}',
            "install the packages again, or check --node",
        )
    return loaded


def _questions(plan: NodePlan) -> dict[Package, list[Question]]:
    return {
        package: [
            (how, name)
            for name in packages.entries(package, packages.about(plan, package))
            for how in loads.WAYS
        ]
        for package in plan.packages
    }


def refuse_broken_links(plan: NodePlan) -> None:
    """Raise CleanupError for a file that leaves and that a staying one names."""
    broken = sorted(links.broken(plan), key=lambda item: (item[0].target, item[0].file))
    if not broken:
        return
    link, number = broken[0]
    more = f" (+{len(broken) - 1} more)" if len(broken) > 1 else ""
    fix = Fix("keep", show(link.target))
    raise BrokenTreeError(
        f'"{show(link.file)}": it names what leaves: by rule "{plan.rule(number).name}" '
        f'"{show(link.target)}"{more}',
        f"{plan.manifest.file.name}: {fix.text()}",
        fix,
    )


def prove(plan: NodePlan, node: Sequence[str], before: Answers, trash: Trash) -> int:
    """Return how many names load as before. Raises CleanupError with the rule that broke one."""
    questions: dict[Package, list[Question]] = {}
    for package, question in before:
        questions.setdefault(package, []).append(question)
    after = loads.ask(node, os.fspath(plan.tree), questions)
    failed = [(key, text) for key, text in after.items() if text != OK]
    if not failed:
        return len(after)
    (package, question), text = failed[0]
    how, name = question

    def still() -> str:
        return loads.ask(node, os.fspath(plan.tree), {package: [question]})[package, question]

    broken = blame.Broken(f'{how} "{name}"', name, text, still)
    raise blame.blame(plan, broken, trash, len(failed) - 1)
