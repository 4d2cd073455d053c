"""The header of a .pyc: the Python that wrote it, and its source (PEP 552)."""

from __future__ import annotations

import _imp
import struct

# CPython, Include/internal/pycore_magic_number.h: what each release writes
MAGIC = {"3.11": 3495, "3.12": 3531, "3.13": 3571, "3.14": 3627}


def source_hash(magic: int, source: bytes) -> str:
    """Return the hash of `source` as bytecode of that magic number has it, in hexadecimal.

    importlib.util.source_hash knows the magic number of the running Python alone.
    """
    key = int.from_bytes(struct.pack("<H2s", magic, b"\r\n"), "little")
    return _imp.source_hash(key, source).hex()
