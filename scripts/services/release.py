"""The release's budget, which a new service raises by what it adds, and a removed one lowers.

What a service adds is its own budget without that of the image that it is built on: layers that
images share count once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from scripts.catalog import catalog, yaml_edit
from scripts.catalog.budget import Budget
from scripts.catalog.budget_history import SIZES
from scripts.catalog.catalog import Catalog
from scripts.common.check_result import RELEASE
from scripts.common.units import format_size
from scripts.services.shared_files import IMAGES
from scripts.services.words import Words

ADDED = "{} was added"
# with the one that a budget may leave out
ALL_SIZES = (*SIZES, "download.zstd")
# the bytes that a service adds to a release, by the key path of the release's budget
Share = Mapping[yaml_edit.Path, int]


def share(text: str, name: str, stands_on: str) -> Share:
    """Return what the image `name` of a catalogue's text adds to the release."""
    promises = catalog.parse(Path(IMAGES), text)
    budgets = _budgets(promises, name)
    below = _budgets(promises, stands_on) if stands_on else {}
    amounts: dict[yaml_edit.Path, int] = {}
    for release in (promises.release, *promises.others):
        own, base = budgets.get(release.base, budgets[""]), below.get(release.base) or below.get("")
        for size in ALL_SIZES:
            if _size(release, size) is not None:
                added = (_size(own, size) or own.download) - ((base and _size(base, size)) or 0)
                amounts[(RELEASE, *release.key.split("."), size)] = max(added, 0)
    return amounts


def _size(budget: Budget, size: str) -> int | None:
    """Return one size of a budget in bytes; None for one that it does not promise."""
    value: int | None = getattr(budget, size.replace(".", "_"))
    return value


def _budgets(promises: Catalog, name: str) -> dict[str, Budget]:
    image = promises.find(name)
    return {budget.base: budget for budget in (image.budget, *image.others)}


def raised(text: str, words: Words, share: Share) -> str:
    """Return the catalogue's text with the release's budget raised, and why."""
    text = _changed(text, share, 1)
    reasons = {_reason(text, path, ADDED.format(words.name)) for path in _budget_paths(share)}
    for end, reason in sorted(reasons, reverse=True):
        text = text[:end] + reason + text[end:]
    return text


def lowered(text: str, words: Words, share: Share) -> str:
    """Return the catalogue's text with the release's budget lowered, and that reason gone."""
    reason = re.escape(ADDED.format(words.name))
    text = re.sub(rf";\n +{reason}(?=[;,}}\n])", "", text)
    text = re.sub(rf"(?<=because: ){reason};\n +", "", text)
    text = re.sub(rf",\n +because: {reason}(?=[,}}\n])", "", text)
    return _changed(text, share, -1)


def _changed(text: str, share: Share, sign: int) -> str:
    promises = catalog.parse(Path(IMAGES), text)
    held = {budget.key: budget for budget in (promises.release, *promises.others)}
    values = {}
    for path, amount in share.items():
        before = _size(held[".".join(path[1:-1])], path[-1]) or 0
        values[path] = format_size(max(before + sign * amount, 0))
    return yaml_edit.replaced(text, values)


def _budget_paths(share: Share) -> set[yaml_edit.Path]:
    return {path[:-1] for path in share}


def _reason(text: str, path: yaml_edit.Path, reason: str) -> tuple[int, str]:
    """Return where a reason goes and what is written there, on its own line.

    It goes behind the one that is there, else behind the last size.
    """
    column = yaml_edit.column(text, (*path, SIZES[0]))
    try:
        end = yaml_edit.end(text, (*path, "because"))
    except KeyError:
        return yaml_edit.end(text, (*path, SIZES[-1])), f",\n{' ' * column}because: {reason}"
    return end, f";\n{' ' * (column + 2)}{reason}"
