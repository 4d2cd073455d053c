"""Check results by the line that a person reads: "file: key.path: problem"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from scripts.common.check_result import CheckResult


def flat(results: Sequence[CheckResult]) -> list[CheckResult]:
    """Return the results with the whole line as their problem, and no file or key beside it."""
    return [replace(result, problem=result.detail, file="", key="") for result in results]


def placed(result: CheckResult) -> CheckResult:
    """Return a result whose problem is a whole line with its file and key beside it."""
    file, _, rest = result.problem.partition(": ")
    key, _, problem = rest.partition(": ")
    if not file.endswith(".yaml"):
        return result
    return replace(result, problem=problem, file=file, key=key)
