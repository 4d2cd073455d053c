"""Keep what the standard library generates while a service's app is imported: see generated.py.

A build runs it on the cleaned tree; `no_debug_ranges`, because columns of a source that nobody has
say nothing. The image then shows with `--prove` that its own Python generates the same.

    python -X no_debug_ranges -m sutra_service.web.generate sutra_api.app [--prove]
"""

import builtins
import dataclasses
import importlib.util
import marshal
import re
import sys
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from sutra_service.web import generated
from sutra_service.web.generated import Patterns, Sources
from sutra_service.web.startup import quick_imports

# the header of bytecode that is not compared with a source (PEP 552), as there is none
HEADER = importlib.util.MAGIC_NUMBER + (1).to_bytes(4, "little") + bytes(8)
FILE = Path(__file__).with_name(f"{generated.KEPT.rpartition('.')[2]}.pyc")
PROVE = "--prove"


class _Programs:
    """`_sre` as the compiler of patterns sees it: what it was given last is remembered."""

    def __init__(self, real: Any) -> None:
        """Pass everything on to the `real` one."""
        self.real = real
        self.program: tuple[Any, ...] = ()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def compile(self, pattern: Any, *program: Any) -> Any:
        """Make a pattern of a program."""
        self.program = program
        return self.real.compile(pattern, *program)


def record(app: str) -> tuple[Sources, Patterns]:
    """Import the module `app` and the server, as a start does; return what was generated.

    Every route is read as well, so that a build ends where a declaration is wrong.
    """
    sources: Sources = {}
    patterns: Patterns = {}
    with _watched(sources, patterns), quick_imports(kept=False):
        import_module(app)
        import_module("sutra_service.web.server")
        import_module("sutra_service.web.deferred_route").read_all()
    return sources, patterns


@contextmanager
def _watched(sources: Sources, patterns: Patterns) -> Iterator[None]:
    library: Any = dataclasses
    compiler: Any = re._compiler  # type: ignore[attr-defined] # there since Python 3.11
    make, programs = compiler.compile, _Programs(compiler._sre)

    def execute(source: str, *names: Any) -> None:
        code = sources[generated.digest(source)] = compile(source, "<string>", "exec")
        builtins.exec(code, *names)  # noqa: S102 # as dataclasses does

    def compile_pattern(pattern: Any, flags: int = 0) -> Any:
        compiled = make(pattern, flags)
        if isinstance(pattern, str | bytes):
            all_flags, code, *rest = programs.program
            # the compiler's numbers have names, which marshal does not take
            patterns[pattern, int(flags)] = (int(all_flags), [int(word) for word in code], *rest)
        return compiled

    library.exec, compiler.compile, compiler._sre = execute, compile_pattern, programs
    try:
        yield
    finally:
        del library.exec
        compiler.compile, compiler._sre = make, programs.real


def as_module(sources: Sources, patterns: Patterns) -> bytes:
    """Return bytecode of a module that has both."""
    both = zlib.compress(marshal.dumps((sources, patterns)), 9)
    return HEADER + marshal.dumps(compile(f"BOTH = {both!r}", f"<{generated.KEPT}>", "exec"))


def main(words: Sequence[str]) -> int:
    """Write what the app named first generates; with PROVE compare it with what is kept."""
    app, proves = words[0], PROVE in words
    kept = generated.read()
    recorded = record(app)
    if proves and kept != recorded:
        print(f"{FILE}: not what this Python generates for {app}", file=sys.stderr)
        return 1
    if not proves:
        FILE.write_bytes(as_module(*recorded))
    verb = "proved" if proves else "kept"
    print(f"{verb}: {len(recorded[0])} sources, {len(recorded[1])} patterns", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
