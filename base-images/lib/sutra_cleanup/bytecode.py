"""Bytecode as the manifest says: none, beside the sources, or instead of them.

Files are `unchecked-hash` (PEP 552): a time stamp that an image builder rewrites
makes them no staler, and start-up reads no source to find out.
"""

from __future__ import annotations

import importlib.util
import os
import py_compile
import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from .errors import CleanupError
from .trash import Trash
from .tree import Plan


@dataclass(frozen=True)
class Compiled:
    """How many modules got bytecode in each mode, and which sources do not compile."""

    cached: int = 0
    sourceless: int = 0
    source: int = 0
    refused: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Job:
    source: str
    target: str
    shown: str


def require_same(python: Sequence[str]) -> None:
    """Raise CleanupError unless `python` reads the bytecode that this interpreter writes."""
    ask = "import importlib.util as u, sys; sys.stdout.write(u.MAGIC_NUMBER.hex())"
    done = subprocess.run([*python, "-c", ask], capture_output=True, text=True, check=False)
    if done.stdout != importlib.util.MAGIC_NUMBER.hex():
        raise CleanupError(
            f'python: bytecode of another version "{" ".join(python)}"',
            "run the cleanup with the version that the image has",
        )


def compile_tree(plan: Plan, trash: Trash, shown_as: str) -> Compiled:
    """Compile every module that stays. `shown_as` is the tree's path in the final image."""
    tree = os.fspath(plan.tree)
    jobs = dict(_jobs(plan, tree, shown_as))
    with ProcessPoolExecutor() as workers:
        done = dict(zip(jobs, workers.map(_compile, jobs.values(), chunksize=32), strict=True))
    counts = {"cached": 0, "sourceless": 0}
    for path, compiled in done.items():
        if not compiled:
            continue
        mode = plan.manifest.mode(path)
        counts[mode] += 1
        if mode == "sourceless":
            trash.move("bytecode", path, made=(path + "c",))
    modules = sum(entry.path.endswith(".py") for entry in plan.staying)
    refused = tuple(path for path, compiled in done.items() if not compiled)
    return Compiled(source=modules - sum(counts.values()), refused=refused, **counts)


def _jobs(plan: Plan, tree: str, shown_as: str) -> Iterator[tuple[str, _Job]]:
    for entry in plan.staying:
        mode = plan.manifest.mode(entry.path) if entry.path.endswith(".py") else "source"
        if mode == "source" or entry.is_link:
            continue
        source = f"{tree}/{entry.path}"
        target = source + "c" if mode == "sourceless" else importlib.util.cache_from_source(source)
        yield entry.path, _Job(source, target, f"{shown_as}/{entry.path}")


def _compile(job: _Job) -> bool:
    """Compile one module; a file that is no Python of this version stays as it is."""
    try:
        py_compile.compile(
            job.source, job.target, job.shown, doraise=True,
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )  # fmt: skip
    except (py_compile.PyCompileError, ValueError, RecursionError):
        return False
    return True
