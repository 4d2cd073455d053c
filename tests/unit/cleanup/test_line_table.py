from __future__ import annotations

import marshal
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from types import CodeType

import pytest
from sutra_cleanup.line_table import without_columns

STDLIB = Path(sysconfig.get_path("stdlib"))
# large and small, old and new syntax, generators, matches, comprehensions, long functions
MODULES = [
    "argparse.py",
    "ast.py",
    "asyncio/tasks.py",
    "dataclasses.py",
    "inspect.py",
    "locale.py",
    "opcode.py",
    "tarfile.py",
    "this.py",
    "typing.py",
]


def codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from codes(constant)


def compiled(source: str | bytes) -> CodeType:
    return compile(source, "m.py", "exec", dont_inherit=True)


def lines(code: CodeType) -> list[tuple[int, int | None]]:
    """Return (bytes, line) of each run of instructions that are of one line."""
    runs = groupby(code.co_lines(), key=lambda entry: entry[2])
    return [(sum(end - start for start, end, _ in run), line) for line, run in runs]


def require_same_without_columns(before: CodeType) -> None:
    after = without_columns(before)
    for old, new in zip(codes(before), codes(after), strict=True):
        assert lines(new) == lines(old), old
        assert [position[0] for position in new.co_positions()] == [
            position[0] for position in old.co_positions()
        ]
        assert {position[2:] for position in new.co_positions()} <= {(None, None)}
        assert new.co_linetable != old.co_linetable
        assert new.replace(co_linetable=b"", co_consts=()) == old.replace(
            co_linetable=b"", co_consts=()
        )


@pytest.mark.parametrize("module", MODULES)
def test_every_instruction_keeps_its_line_and_loses_its_columns(module: str) -> None:
    require_same_without_columns(compiled((STDLIB / module).read_bytes()))


@pytest.mark.parametrize("gap", [0, 1, 15, 16, 31, 32, 33, 1023, 1024, 40_000])
@pytest.mark.parametrize("terms", [1, 7, 8, 9, 300])
def test_lines_that_are_far_apart_and_lines_that_are_long(gap: int, terms: int) -> None:
    # the second name is before the first one's end: a step back in the table
    far = "\n" * gap
    require_same_without_columns(compiled(f"x = ({far}{'a + ' * terms}b({far}c\n))\ny = 1\n"))


def test_a_module_of_nothing() -> None:
    require_same_without_columns(compiled(""))


def test_code_without_a_line_keeps_none() -> None:
    # a generator's first instructions belong to no line of the source
    code = compiled("def f():\n    with a:\n        yield\n")
    assert any(line is None for part in codes(code) for _, line in lines(part))
    require_same_without_columns(code)


def test_it_is_no_larger_than_what_cpython_writes_without_columns() -> None:
    source = STDLIB / "json/decoder.py"
    ask = (
        "import marshal, sys; sys.stdout.buffer.write(marshal.dumps("
        f"compile(open({str(source)!r}, 'rb').read(), 'm.py', 'exec', dont_inherit=True)))"
    )
    theirs = subprocess.check_output([sys.executable, "-X", "no_debug_ranges", "-c", ask])
    ours = marshal.dumps(without_columns(compiled(source.read_bytes())))
    assert len(ours) < 0.95 * len(theirs)


def test_code_that_already_has_no_columns_is_merged_in_the_same_way() -> None:
    code = compiled((STDLIB / "json/decoder.py").read_bytes())
    assert without_columns(without_columns(code)) == without_columns(code)
