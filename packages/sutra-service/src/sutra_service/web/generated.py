"""Take what the standard library generates at every import from what a build has kept.

`dataclasses` writes and compiles source for each class, `re` compiles each pattern: a sixth of the
processor time of a start, with the same result every time. In an image both are in a module of
bytecode, `kept`, which generate.py has made there. Its keys are all that a result depends on. What
is not kept is generated as ever, and so is everything where there is no such module.
"""

import builtins
import dataclasses
import marshal
import re
import zlib
from hashlib import blake2b
from importlib import import_module
from types import CodeType
from typing import Any

KEPT = "sutra_service.web.kept"
# code by the digest of its source; what `_sre.compile` takes after a pattern, by pattern and flags
Sources = dict[bytes, CodeType]
Patterns = dict[tuple[str | bytes, int], tuple[Any, ...]]
# errors of reading a module that is missing, another Python's, or damaged
NOT_READ = (ImportError, AttributeError, EOFError, TypeError, ValueError, zlib.error)


def digest(source: str) -> bytes:
    """Return what identifies a source: the text itself is as long as its code."""
    return blake2b(source.encode(), digest_size=16).digest()


def read() -> tuple[Sources, Patterns]:
    """Return what is kept: nothing where it is missing, damaged or another Python's.

    A start without it only takes longer; the image's build proves that it is there and whole.
    """
    try:
        kept = import_module(KEPT)
        sources, patterns = marshal.loads(zlib.decompress(kept.BOTH))  # noqa: S302 # as bytecode is read
    except NOT_READ:
        return {}, {}
    return sources, patterns


def use(sources: Sources, patterns: Patterns) -> None:
    """Let `dataclasses` and `re` look there first."""
    library: Any = dataclasses
    compiler: Any = re._compiler  # type: ignore[attr-defined] # there since Python 3.11
    make, programs = compiler.compile, compiler._sre

    def execute(source: str, *names: Any) -> None:
        builtins.exec(sources.get(digest(source), source), *names)  # noqa: S102 # as dataclasses

    def compile_pattern(pattern: Any, flags: int = 0) -> Any:
        program = patterns.get((pattern, flags))
        return programs.compile(pattern, *program) if program else make(pattern, flags)

    if sources:
        library.exec = execute  # seen before the built-in, in that module alone
    if patterns:
        compiler.compile = compile_pattern
