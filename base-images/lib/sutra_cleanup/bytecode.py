"""Compile modules as the manifest asks: not at all, beside the sources, or instead of them.

Files are `unchecked-hash` (PEP 552): a time stamp that an image builder rewrites
makes them no staler, and start-up reads no source to find out. Docstrings may be
left out; assertions stay, other than under `python -OO`. Columns stay where the source
does: carets are drawn below its lines.
"""

from __future__ import annotations

import ast
import gc
import importlib.util
import marshal
import os
import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from . import docstrings, line_table, sandbox
from .errors import CleanupError
from .trash import Trash
from .tree import Plan

CAUSE = "bytecode"
# time limit for an interpreter to print its version
SECONDS = 60
# the header's flags: the file is checked by hash, and not at every start (PEP 552)
UNCHECKED_HASH = (1).to_bytes(4, "little")


@dataclass(frozen=True)
class Compiled:
    """The number of modules that got bytecode in each mode, and of those without docstrings,
    and which sources do not compile."""

    cached: int = 0
    sourceless: int = 0
    source: int = 0
    without_docstrings: int = 0
    refused: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Job:
    """One module: its paths in the tree, where its bytecode is made, how it is shown."""

    path: str
    mode: str
    source: str
    target: str
    ready: str
    shown: str
    drops_docstrings: bool


def require_same(python: Sequence[str]) -> None:
    """Raise CleanupError unless `python` reads the bytecode that this interpreter writes."""
    ask = "import importlib.util as u, sys; sys.stdout.write(u.MAGIC_NUMBER.hex())"
    try:
        done = sandbox.run([*python, "-c", ask], sandbox.patience(SECONDS))
    except OSError as error:
        raise CleanupError(
            f'python: cannot run "{" ".join(python)}": {error.strerror}', "check --python"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise CleanupError(
            f'python: no answer in {sandbox.patience(SECONDS)} s "{" ".join(python)}"',
            "check --python",
        ) from error
    if done.out != importlib.util.MAGIC_NUMBER.hex():
        raise CleanupError(
            f'python: bytecode of another version "{" ".join(python)}"',
            "run the cleanup with the version that the image has",
        )


def files_of(plan: Plan, path: str, source: str, ready: str, shown_as: str) -> dict[str, str]:
    """Return what a module that is new in the tree consists of: path in the tree → file made.

    `path` is its own, `source` its text in a file, and `ready` where bytecode may be made.
    """
    mode = plan.mode(path)
    if mode == "source":
        return {path: source}
    job = _job(plan, path, mode, source, ready, shown_as)
    _compile(job)
    return {job.target: ready} if mode == "sourceless" else {path: source, job.target: ready}


def compile_tree(plan: Plan, trash: Trash, shown_as: str, added: Sequence[str] = ()) -> Compiled:
    """Compile every module that stays. `shown_as` is the tree's path in the final image.

    `added` are the modules that `files_of` brought, which are counted with the others.

    Bytecode is made beside the tree and then put into it, so that it can be taken
    out again.
    """
    tree = os.fspath(plan.tree)
    jobs = list(_jobs(plan, trash, tree, shown_as))
    # syntax trees have no cycles; looking for some among millions of nodes takes long
    with ProcessPoolExecutor(initializer=gc.disable) as workers:
        done = list(workers.map(_compile, jobs, chunksize=32))
    counts = {"cached": 0, "sourceless": 0}
    without_docstrings = 0
    refused = []
    for job, compiled in zip(jobs, done, strict=True):
        if not compiled or os.path.islink(f"{tree}/{job.target}"):
            refused.append(job.path)
            continue
        counts[job.mode] += 1
        without_docstrings += job.drops_docstrings
        _install(job, trash, tree)
    modules = {entry.path for entry in plan.staying if entry.path.endswith(".py")}
    source = len(modules) - sum(counts.values())
    for path in added:
        mode = plan.mode(path)
        if mode == "source":
            source += 1
        else:
            counts[mode] += 1
            without_docstrings += plan.manifest.drops_docstrings(path)
    counts["sourceless"] += sum(_stands_alone(entry.path, modules) for entry in plan.staying)
    return Compiled(
        source=source,
        without_docstrings=without_docstrings,
        refused=tuple(refused),
        **counts,
    )


def _stands_alone(path: str, sources: set[str]) -> bool:
    """Return whether a file is a module without its source, as it came or as a run left it."""
    cached = os.path.basename(os.path.dirname(path)) == "__pycache__"
    return path.endswith(".pyc") and not cached and path[:-1] not in sources


def _install(job: _Job, trash: Trash, tree: str) -> None:
    if os.path.lexists(f"{tree}/{job.target}"):
        trash.move(CAUSE, job.target)  # the installer's own
    if job.mode == "cached":
        trash.add(CAUSE, job.target, job.ready)
    else:
        trash.move(CAUSE, job.path, added=(job.target,))
        os.rename(job.ready, f"{tree}/{job.target}")


def _jobs(plan: Plan, trash: Trash, tree: str, shown_as: str) -> Iterator[_Job]:
    for number, entry in enumerate(plan.staying):
        mode = plan.mode(entry.path) if entry.path.endswith(".py") else "source"
        if mode == "source" or entry.is_link:
            continue
        ready = trash.spare(f"{number}.pyc")
        yield _job(plan, entry.path, mode, f"{tree}/{entry.path}", ready, shown_as)


def _job(plan: Plan, path: str, mode: str, source: str, ready: str, shown_as: str) -> _Job:
    target = importlib.util.cache_from_source(path) if mode == "cached" else path + "c"
    drops = plan.manifest.drops_docstrings(path)
    return _Job(path, mode, source, target, ready, f"{shown_as}/{path}", drops)


def compile_whole(source: str, target: str, shown: str) -> None:
    """Compile a module with its docstrings, in the place of bytecode that is there."""
    _compile(_Job(source, "sourceless", source, target, target, shown, drops_docstrings=False))


def _compile(job: _Job) -> bool:
    """Compile one module; a file that is no Python of this version stays as it is."""
    with open(job.source, "rb") as file:
        source = file.read()
    try:
        parsed = ast.parse(source, job.shown)
        if job.drops_docstrings:
            docstrings.drop(parsed, source)
        code = compile(parsed, job.shown, "exec", dont_inherit=True, optimize=0)
    except (SyntaxError, ValueError, RecursionError):
        return False
    if job.mode == "sourceless":
        code = line_table.without_columns(code)
    hashed = importlib.util.source_hash(source)
    header = importlib.util.MAGIC_NUMBER + UNCHECKED_HASH + hashed
    with open(job.ready, "wb") as file:
        file.write(header + marshal.dumps(code))
    return True
