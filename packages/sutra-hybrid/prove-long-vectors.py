"""Prove that numpy multiplies long vectors right on an OpenBLAS of 32-bit integers, of each kind.

numpy's own tests of it fill 17 GB, and are skipped on a machine without. Here nearly all pages are
the kernel's one page of zeros, and nothing is reserved for others.
"""

from __future__ import annotations

import mmap
import sys
from typing import Any

import numpy as np

# Linux: no memory is promised for a mapping of which little is written
MAP_NORESERVE = 0x4000
# past what 32 bits hold; of complex numbers past the shim's first chunk
LENGTHS = {"f": 2**31 + 8, "d": 2**31 + 8, "F": 2**30 + 8, "D": 2**30 + 8}


def sparse(kind: str, length: int, value: complex) -> np.ndarray[Any, np.dtype[Any]]:
    """Return a vector of zeros with `value` at both ends, and on both sides of a chunk's."""
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_NORESERVE
    memory = mmap.mmap(-1, np.dtype(kind).itemsize * length, flags=flags)
    memory.madvise(mmap.MADV_HUGEPAGE)  # one of zeros as well, so that there are fewer to look up
    vector = np.frombuffer(memory, dtype=kind)
    vector[[0, 2**30 - 1, 2**30, length - 1]] = value
    return vector


for kind, length in LENGTHS.items():
    many = [1j, 2] if kind in "FD" else [3, 2]
    product = complex(np.dot(sparse(kind, length, many[0]), sparse(kind, length, many[1])))
    if product != 4 * many[0] * many[1]:
        sys.exit(f"long vectors: {kind}: {product} in place of {4 * many[0] * many[1]}")
print("proved: vectors past 2^30 and 2^31 elements", file=sys.stderr)
