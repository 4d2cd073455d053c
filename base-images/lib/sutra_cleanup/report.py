"""Report what a cleanup did: for a person, and as a few kB of JSON for the image."""

from __future__ import annotations

import errno
import json
import os
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from . import stand_in
from .bytecode import Compiled
from .dedupe import Deduped
from .descriptions import Described
from .elf import Stripped
from .errors import CleanupError
from .proof import Proven
from .record import Recorded
from .tree import Plan, folders, show


@dataclass(frozen=True)
class Done:
    """The report of each step."""

    stripped: Stripped
    deduped: Deduped
    described: Described
    compiled: Compiled
    recorded: Recorded
    proven: Proven


def summary(plan: Plan, done: Done, after: Counter[str], shown_as: str) -> dict[str, Any]:
    """Return the report: bytes by rule and by package, and what each step did.

    `shown_as` is the tree's path in the final image, which is checked against it.
    """
    rules = {rule.name: {"files": 0, "bytes": 0, "why": rule.why} for rule in plan.manifest.rules}
    before: Counter[str] = Counter()
    for entry in plan.entries:
        before[plan.owner(entry.path)] += entry.size
        if entry.leaves and entry.removed is not None:
            row: dict[str, Any] = rules[plan.rule(entry.removed).name]
            row["files"] += 1
            row["bytes"] += entry.size
    return {
        "manifest": plan.manifest.file.name,
        "tree": shown_as,
        "before": sum(before.values()),
        "after": sum(after.values()),
        "rules": {name: row for name, row in rules.items() if row["files"]},
        "packages": {
            show(name): {"before": before[name], "after": after[name]}
            for name in dict.fromkeys([*(name for name, _ in before.most_common()), *after])
        },
        **{name: value for name, value in asdict(done).items() if name != "proven"},
        "proven": done.proven.modules,
        "entry_points": done.proven.entry_points,
        "broken": done.proven.broken,
        "stand_ins": [show(path) for path in stand_in.modules(plan)],
    }


def weigh(plan: Plan) -> Counter[str]:
    """Return the bytes of each package in the tree as it is now."""
    sizes: Counter[str] = Counter()
    root = os.fspath(plan.tree)
    for folder in folders(root):
        for item in os.scandir(f"{root}/{folder}"):
            if not item.is_symlink() and not item.is_dir():
                sizes[plan.owner(folder + item.name)] += item.stat().st_size
    return sizes


def dry(plan: Plan) -> str:
    """Return what would leave, as text: bytes by rule and each file, then bytes by package."""
    rows = []
    for number, rule in enumerate(plan.manifest.rules):
        leaving = [entry for entry in plan.leaving if entry.removed == number]
        if leaving:
            size = sum(entry.size for entry in leaving)
            rows.append(f"{rule.name}: {len(leaving)} files, {size} bytes: {rule.why}")
            rows += [f"  {show(entry.path)}" for entry in leaving]
    files, sizes = Counter[str](), Counter[str]()
    for entry in plan.leaving:
        owner = plan.owner(entry.path)
        files[owner] += 1
        sizes[owner] += entry.size
    rows += ["by package:"] if files else []
    rows += [
        f"  {show(owner)}: {files[owner]} files, {size} bytes"
        for owner, size in sizes.most_common()
    ]
    return "\n".join(rows)


def by_rule(figures: dict[str, Any]) -> list[str]:
    """Return the first rows of a table for a builder's log: what each rule removed."""
    return [
        f"{'rule':32} {'files':>7} {'MB':>8}",
        *(
            f"{name:32} {row['files']:7} {row['bytes'] / 1e6:8.2f}"
            for name, row in sorted(figures["rules"].items(), key=lambda item: -item[1]["bytes"])
        ),
    ]


def text(figures: dict[str, Any]) -> str:
    """Return the report as a table for a builder's log."""
    rows = by_rule(figures)
    stripped, compiled = figures["stripped"], figures["compiled"]
    described = figures["described"]
    rows += [
        f"{'strip':32} {stripped['files']:7} {stripped['saved'] / 1e6:8.2f}",
        f"{'dedupe':32} {figures['deduped']['files']:7} {figures['deduped']['saved'] / 1e6:8.2f}",
        f"{'descriptions':32} {described['files']:7} {described['saved'] / 1e6:8.2f}",
        f"{'package':32} {'before':>7} {'after':>8}",
    ]
    rows += [
        f"{name:32} {row['before'] / 1e6:7.2f} {row['after'] / 1e6:8.2f}"
        for name, row in list(figures["packages"].items())[:15]
    ]
    rows += [
        f"put back after strip: {show(path)}: {show(why)}" for path, why in stripped["restored"]
    ]
    rows += [f"raises an error when used: {path}" for path in figures["stand_ins"]]
    rows += [f"no longer loads, as its rule says: {name}" for name in figures["broken"]]
    rows.append(
        f"bytecode: {compiled['sourceless']} sourceless, {compiled['cached']} cached, "
        f"{compiled['source']} sources alone, {len(compiled['refused'])} do not compile, "
        f"{compiled['without_docstrings']} without docstrings"
    )
    rows.append(
        f"{figures['before'] / 1e6:.2f} MB → {figures['after'] / 1e6:.2f} MB, "
        f"{figures['proven']} modules and {figures['entry_points']} entry points proven"
    )
    return "\n".join(rows)


def require_writable(file: Path) -> None:
    """Raise CleanupError unless a report can be written there."""
    try:
        if file.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        file.parent.mkdir(parents=True, exist_ok=True)
        _partial(file).touch()
        _partial(file).unlink()
    except OSError as error:
        raise CleanupError(
            f'report: cannot be written "{file}": {error.strerror}', "check --report"
        ) from error


def write(figures: dict[str, Any], file: Path) -> None:
    """Write the report as JSON, whole or not at all."""
    partial = _partial(file)
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        partial.write_text(json.dumps(figures, separators=(",", ":")))
        partial.rename(file)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


def _partial(file: Path) -> Path:
    return file.with_name(f"{file.name}.partial")
