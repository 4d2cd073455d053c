"""Check results for GitHub: a job summary, and annotations on the right line of images.yaml.

Neither needs a token or a permission, so that both work in a fork's pull request.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import yaml

from scripts.common.check_result import CheckResult
from scripts.common.errors import SutraError
from scripts.report import tables

# variable with the path of the file that GitHub shows as the job's summary
SUMMARY = "GITHUB_STEP_SUMMARY"


def commands(results: Sequence[CheckResult]) -> list[str]:
    """Return a workflow command that annotates the promise's line for each failed check.

    Source of the escapes: actions/toolkit, packages/core/src/command.ts.
    """
    return [_command(result) for result in results if not result.ok]


def _command(result: CheckResult) -> str:
    properties = {"title": f"{result.image}: {result.name}"}
    if result.problem and result.file.endswith((".yaml", ".yml")):
        number = line(Path(result.file), result.key)
        properties = {"file": result.file, "line": str(number), **properties}
    listed = ",".join(f"{name}={_property(text)}" for name, text in properties.items())
    return f"::error {listed}::{_data(result.detail or f'{result.name} failed')}"


def line(file: Path, key: str) -> int:
    """Return the line, from 1, of the key path or of as much of it as the file has."""
    try:
        node = yaml.compose(file.read_text(encoding="utf-8"), yaml.SafeLoader)
    except (OSError, ValueError, yaml.YAMLError):
        return 1
    number, path_left = 1, key + "."
    while isinstance(node, yaml.MappingNode):
        step = next(
            (pair for pair in node.value if path_left.startswith(f"{pair[0].value}.")), None
        )
        if step is None:
            break
        path_left = path_left[len(step[0].value) + 1 :]
        number, node = step[0].start_mark.line + 1, step[1]
    return number


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def summary(results: Sequence[CheckResult], compared: str = "") -> str:
    """Return Markdown: what failed first, then the tables, then how a pull request `compared`.

    Details stand in a block of code: they hold names of files, which are not ours.
    """
    failed = [result for result in results if not result.ok]
    verdict = (
        f"{len(failed)} of {len(results)} checks failed"
        if failed
        else (f"All {len(results)} checks passed")
    )
    parts = [f"## Sutra: {verdict}"]
    if failed:
        parts.append(_block(failed))
    parts += [tables.markdown(headings, rows) for headings, rows in tables.bodies(results)]
    if excepted := [result for result in results if result.ok and result.detail]:
        parts += ["Exceptions, each with its reason:", _block(excepted)]
    if compared:
        parts.append(compared)
    return "\n\n".join(parts) + "\n"


def _block(results: Sequence[CheckResult]) -> str:
    return block(result.detail for result in results)


def block(lines: Iterable[str]) -> str:
    """Return lines that may hold anything as a block of text."""
    return "\n".join(["~~~~text", *lines, "~~~~"])


def show(
    results: Sequence[CheckResult],
    environment: Mapping[str, str] = os.environ,
    compared: str = "",
) -> str:
    """Add the summary to the job's, and return the annotations to print.

    Outside of GitHub, where no file for the summary is named, it is returned with them.
    """
    for_printing = add_summary(summary(results, compared), environment)
    return "\n".join([*([for_printing] if for_printing else []), *commands(results)])


def add_summary(text: str, environment: Mapping[str, str] = os.environ) -> str:
    """Add Markdown to the job's summary; return it where no file for that is named, else ""."""
    if not (file := environment.get(SUMMARY)):
        return text
    try:
        with Path(file).open("a", encoding="utf-8") as written:
            written.write(text)
    except OSError as error:
        raise SutraError(
            f'{SUMMARY}: cannot write "{file}": {error.strerror}', f"`ls -ld {file}` says more"
        ) from error
    return ""
