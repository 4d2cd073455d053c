"""Ask Node.js which packages load: each in a process of its own, from the folder that has it."""

from __future__ import annotations

import json
import os
import subprocess
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from .. import sandbox
from .packages import Package

# time limit for what one package offers; one that exceeds it HANGS times is asked no further
SECONDS = 30
HANGS = 2
OK = ""
UNANSWERED = "it ended the process, or did not return"
WAYS = ("import", "require")
_WORKER = Path(__file__).with_name("load.mjs").read_text(encoding="utf-8")
# how a name is loaded, and the name
Question = tuple[str, str]
Answers = dict[tuple[Package, Question], str]


def ask(node: Sequence[str], tree: str, questions: Mapping[Package, Sequence[Question]]) -> Answers:
    """Return what each package's names said when they were loaded, "" for those that loaded."""
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        answers = pool.map(partial(_package, node, tree), questions.items())
        return {
            (package, question): text
            for package, texts in zip(questions, answers, strict=True)
            for question, text in texts.items()
        }


def _package(
    node: Sequence[str], tree: str, item: tuple[Package, Sequence[Question]]
) -> dict[Question, str]:
    """Ask all at once; what ends the process or hangs, and what comes after it, alone."""
    package, questions = item
    folder = os.path.dirname(os.path.abspath(f"{tree}/{package.above}"))
    answers, hangs = _run(node, folder, questions)
    for question in questions:
        if question not in answers and len(questions) > 1 and hangs < HANGS:
            answer, hung = _run(node, folder, [question])
            answers.update(answer)
            hangs += hung
    return {question: answers.get(question, UNANSWERED) for question in questions}


def _run(
    node: Sequence[str], folder: str, questions: Sequence[Question]
) -> tuple[dict[Question, str], int]:
    """Return what one process answered, and 1 if it had to be ended."""
    mark = uuid.uuid4().hex
    words = [*node, "--input-type=module", "--eval", _WORKER, "--", mark, json.dumps(questions)]
    try:
        output, hung = sandbox.run(words, SECONDS, folder).out, 0
    except subprocess.TimeoutExpired:
        return {}, 1
    lines = (line.removeprefix(mark) for line in output.splitlines() if line.startswith(mark))
    answers = {(how, name): text for how, name, text in map(json.loads, lines)}
    return answers, hung
