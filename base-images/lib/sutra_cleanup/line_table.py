"""Bytecode without columns: only carets below a source line use them (PEP 657).

A traceback of a module without its source prints no line, so no carets either, and a column
table is larger than the instructions it describes. Line numbers stay.

CPython can leave columns out too (PYTHONNODEBUGRANGES), but for the whole process, and with an
entry for each instruction; here neighbours of one line share an entry, which is half the size.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from types import CodeType

# CPython, InternalDocs/code_objects.md: kinds of entries in a location table (3.11 to 3.14)
NO_COLUMNS, NO_LOCATION = 13, 15
# bytes of a code unit, and how many of them one entry can cover
UNIT, MOST_UNITS = 2, 8


def without_columns(code: CodeType) -> CodeType:
    """Return the code, and every code in it, with the same lines and no columns."""
    constants = tuple(
        without_columns(constant) if isinstance(constant, CodeType) else constant
        for constant in code.co_consts
    )
    return code.replace(co_consts=constants, co_linetable=b"".join(_entries(code)))


def _entries(code: CodeType) -> Iterator[bytes]:
    """Yield the location table's entries, joining neighbours of one line."""
    last = code.co_firstlineno
    for line, ranges in groupby(code.co_lines(), key=lambda entry: entry[2]):
        units = sum(end - start for start, end, _ in ranges) // UNIT
        while units > 0:
            covered = min(units, MOST_UNITS)
            units -= covered
            if line is None:
                yield _first_byte(NO_LOCATION, covered)
            else:
                yield _first_byte(NO_COLUMNS, covered) + _signed(line - last)
                last = line


def _first_byte(kind: int, units: int) -> bytes:
    return bytes([0x80 | kind << 3 | units - 1])


def _signed(number: int) -> bytes:
    """Return a signed number as the table has it: six bits a byte, lowest first, sign in bit 0."""
    rest = -number << 1 | 1 if number < 0 else number << 1
    encoded = bytearray()
    while rest >= 0x40:
        encoded.append(0x40 | rest & 0x3F)
        rest >>= 6
    encoded.append(rest)
    return bytes(encoded)
