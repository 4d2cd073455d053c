"""Prove that numpy multiplies vectors of more than 2^31 elements on an OpenBLAS of 32-bit integers.

numpy's own test of it fills 17 GB. Here all pages but a few are the kernel's one page of zeros, and
nothing is reserved for the others.
"""

from __future__ import annotations

import mmap
import sys

import numpy as np

LENGTH = 2**31 + 8
# Linux: no memory is promised for a mapping of which little is written
MAP_NORESERVE = 0x4000
# on both sides of where the shim divides, and of where 32 bits end
PLACES = (0, 2**30 - 1, 2**30, 2**31 - 1, 2**31, LENGTH - 1)


def sparse(value: float) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """Return a vector of zeros with `value` at PLACES."""
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_NORESERVE
    memory = mmap.mmap(-1, 4 * LENGTH, flags=flags)
    memory.madvise(mmap.MADV_HUGEPAGE)  # one of zeros as well, so that there are fewer to look up
    vector = np.frombuffer(memory, dtype=np.float32)
    vector[list(PLACES)] = value
    return vector


found, wanted = float(np.dot(sparse(2), sparse(3))), 6.0 * len(PLACES)
if found != wanted:
    sys.exit(f"long vectors: {found} in place of {wanted}")
print(f"proved: vectors of {LENGTH:,} elements", file=sys.stderr)
