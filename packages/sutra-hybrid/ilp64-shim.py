"""Write in C the 64-bit-integer names of OpenBLAS that numpy's wheel asks for.

The image has one OpenBLAS, with 32-bit integers (LP64), as scipy's wheel wants it. numpy's
wheel asks for 64-bit ones (ILP64) under names that end in `64_`: each becomes a function that
narrows its integers, calls the 32-bit one, and widens what comes back. numpy then need not be
compiled again, which took most of a first build.

Source of the argument lists: the reference BLAS and LAPACK, www.netlib.org/lapack/explore-html.

    eg: ilp64-shim.py names >shim.c     (names: one `scipy_dgesv_64_` a line)

Exit 1: numpy asks for a name that is not in the tables below.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

REAL = {"s": "float", "d": "double"}
# bytes of one element
SIZES = {"s": 4, "d": 8, "c": 8, "z": 16}
# e: enum, i: integer, a: alpha or beta (complex ones come as a pointer), p: pointer
CBLAS = {
    "gemm": "eeeiiiapipiapi",
    "gemv": "eeiiapipiapi",
    "syrk": "eeeiiapiapi",
}
# arguments of a function of two vectors
VECTORS = "int64_t n, const void *x, int64_t ix, const void *y, int64_t iy"
# level-1 functions, which take two vectors and are called for one chunk after the other
CHUNKED = ("axpy", "dot", "dotc_sub", "dotu_sub")
# p: pointer, i: integer, o: integer that comes back, q: size of a workspace, where -1 asks for it,
# w: workspace of integers whose own size comes back in it then, n: as many pivots as the first
# integer says, m: as the lesser of two
LAPACK: dict[str, str | tuple[str, str]] = {
    "gesv": "iipinpio",
    "getrf": "iipimo",
    "potrf": "pipio",
    "geqrf": "iipippio",
    "orgqr": "iiipippio",
    "ungqr": "iiipippio",
    "syevd": "ppipippqwqo",
    "heevd": "ppipippqpqwqo",
    # real, complex
    # its workspace of integers tells no size: for an empty matrix there is no room for one
    "gesdd": ("piipippipipqpo", "piipippipipqppo"),
    "gelsd": ("iiipipippopqwo", "iiipipippopqpwo"),
    "geev": ("ppipipppipipio", "ppipippipipipo"),
}
PRELUDE = """\
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* elements of one call: numpy divides long vectors itself only where integers are of 32 bits */
#define CHUNK ((int64_t)1 << 30)

static int narrow(int64_t value) {
  if (value != (int)value) {
    fprintf(stderr, "OpenBLAS: dimension %lld is past 32 bits\\n", (long long)value);
    abort();
  }
  return (int)value;
}

/* from the end: both kinds of integers are in the same bytes */
static void widen(int64_t *array, int64_t length) {
  for (int64_t n = length - 1; n >= 0; n--) {
    int value;
    memcpy(&value, (char *)array + 4 * n, 4);
    array[n] = value;
  }
}

/* where a chunk begins: BLAS walks a vector with a negative stride from its end */
static char *part(const void *x, int64_t n, int64_t done, int64_t count, int64_t stride, int size) {
  int64_t first = stride < 0 ? n - done - count : done;
  return (char *)x + first * (stride < 0 ? -stride : stride) * size;
}

/* numpy divides strides as if they had no sign: a step back arrives as 2^61 and more, and gets
   where it should by overflow, which no 32-bit function can take over */
static inline void copy(int64_t n, char *x, uint64_t ix, char *y, uint64_t iy, uint64_t size) {
  if ((int64_t)ix < 0) x += (uint64_t)(1 - n) * ix * size;
  if ((int64_t)iy < 0) y += (uint64_t)(1 - n) * iy * size;
  for (; n > 0; n--, x += ix * size, y += iy * size) memcpy(y, x, size);
}
"""


def main(names: Iterable[str]) -> int:
    """Print the C file; return 1 and say which names nothing is known of."""
    parts = {name: function(name) for name in names}
    if unknown := sorted(name for name, text in parts.items() if not text):
        print(f'sutra: numpy asks for "{" ".join(unknown)}", which is not known', file=sys.stderr)
        print("tip: add its arguments to the tables of ilp64-shim.py", file=sys.stderr)
        return 1
    print(PRELUDE, *parts.values(), sep="\n")
    return 0


def function(name: str) -> str:
    """Return the C text for a name, "" for one that is in no table."""
    if match := re.fullmatch(r"scipy_cblas_([sdcz])(\w+?)64_", name):
        kind, what = match.groups()
        return chunked(kind, what) if what in CHUNKED else cblas(kind, what)
    if match := re.fullmatch(r"scipy_([sdcz])(\w+?)_64_", name):
        kind, what = match.groups()
        return copy(kind) if what == "copy" else lapack(kind, what)
    return ""


def cblas(kind: str, what: str) -> str:
    """Return a function that passes its arguments on, integers narrowed."""
    shape = CBLAS.get(what, "")
    value = REAL.get(kind, "const void *")
    outer = {"e": "int", "i": "int64_t", "p": "void *", "a": value}
    inner = {**outer, "i": "int"}
    name = f"scipy_cblas_{kind}{what}"
    passed = (f"narrow(x{n})" if code == "i" else f"x{n}" for n, code in enumerate(shape))
    return shape and (
        f"void {name}({', '.join(inner[code] for code in shape)});\n"
        f"void {name}64_({', '.join(f'{outer[code]} x{n}' for n, code in enumerate(shape))}) {{\n"
        f"  {name}({', '.join(passed)});\n}}\n"
    )


def chunked(kind: str, what: str) -> str:
    """Return a level-1 function that calls the 32-bit one for CHUNK elements at a time."""
    real = REAL.get(kind)
    if what == "axpy":
        return _axpy(kind, real or "const void *")
    if (what == "dot") != bool(real):
        return ""  # a complex one gives its result back by pointer, a real one does not
    name, size = f"scipy_cblas_{kind}{what}", SIZES[kind]
    if real:
        return (
            f"{real} {name}(int, const void *, int, const void *, int);\n"
            f"{real} {name}64_({VECTORS}) {{\n"
            f"  double sum = 0;\n{_loop(size)}"
            f"    sum += {name}((int)count, px, narrow(ix), py, narrow(iy));\n  }}\n"
            f"  return ({real})sum;\n}}\n"
        )
    part = "float" if kind == "c" else "double"
    return (
        f"void {name}(int, const void *, int, const void *, int, void *);\n"
        f"void {name}64_({VECTORS}, void *to) {{\n"
        f"  {part} sum[2] = {{0, 0}}, one[2];\n{_loop(size)}"
        f"    {name}((int)count, px, narrow(ix), py, narrow(iy), one);\n"
        f"    sum[0] += one[0];\n    sum[1] += one[1];\n  }}\n"
        f"  memcpy(to, sum, sizeof sum);\n}}\n"
    )


def _axpy(kind: str, value: str) -> str:
    name = f"scipy_cblas_{kind}axpy"
    return (
        f"void {name}(int, {value}, const void *, int, void *, int);\n"
        f"void {name}64_(int64_t n, {value} a, const void *x, int64_t ix, void *y, int64_t iy) {{\n"
        f"{_loop(SIZES[kind])}"
        f"    {name}((int)count, a, px, narrow(ix), py, narrow(iy));\n  }}\n}}\n"
    )


def _loop(size: int) -> str:
    """Return the head of the loop over chunks of the vectors x and y."""
    return (
        "  for (int64_t done = 0; done < n; done += CHUNK) {\n"
        "    int64_t count = n - done < CHUNK ? n - done : CHUNK;\n"
        f"    char *px = part(x, n, done, count, ix, {size}), "
        f"*py = part(y, n, done, count, iy, {size});\n"
    )


def copy(kind: str) -> str:
    """Return a copy of a vector, which needs no OpenBLAS."""
    return (
        f"void scipy_{kind}copy_64_(int64_t *n, char *x, int64_t *ix, char *y, int64_t *iy) {{\n"
        f"  copy(*n, x, *ix, y, *iy, {SIZES[kind]});\n}}\n"
    )


def lapack(kind: str, what: str) -> str:
    """Return a LAPACK function: every argument is a pointer, integers go through 32-bit ones."""
    shape = LAPACK.get(what, "")
    if isinstance(shape, tuple):
        shape = shape[kind not in REAL]
    name = f"scipy_{kind}{what}_"
    outer = (f"{'void' if code == 'p' else 'int64_t'} *x{n}" for n, code in enumerate(shape))
    passed = (
        f"x{n}" if code == "p" else f"(int *)x{n}" if code in "wnm" else f"&y{n}"
        for n, code in enumerate(shape)
    )
    return shape and (
        f"void {name}({', '.join('void *' for _ in shape)});\n"
        f"int {name}64_({', '.join(outer)}) {{\n"
        f"{''.join(before(shape))}  {name}({', '.join(passed)});\n"
        f"{''.join(after(shape))}  return 0;\n}}\n"
    )


def before(shape: str) -> Iterator[str]:
    """Yield the lines that narrow what goes in."""
    for n, code in enumerate(shape):
        if code in "iq":
            yield f"  int y{n} = narrow(*x{n});\n"
        elif code == "o":
            yield f"  int y{n} = 0;\n"
    if "w" in shape:
        asks = " || ".join(f"y{n} == -1" for n, code in enumerate(shape) if code == "q")
        yield f"  int query = {asks};\n"


def after(shape: str) -> Iterator[str]:
    """Yield the lines that widen what came back."""
    info = len(shape) - 1
    for n, code in enumerate(shape):
        if code == "o":
            yield f"  *x{n} = y{n};\n"
        elif code == "w":
            yield f"  if (query) widen(x{n}, 1);\n"
        elif code in "nm":
            length = "y0" if code == "n" else "y0 < y1 ? y0 : y1"
            # pivots stay unset where an argument was wrong
            yield f"  if (y{info} >= 0) widen(x{n}, {length});\n"


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).read_text("ascii").split()))
