"""The C code that gives numpy its 64-bit names has every name, and keeps integers intact."""

from __future__ import annotations

import ctypes
import importlib.util
import shutil
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

FILE = Path(__file__).resolve().parents[2] / "packages/sutra-hybrid/ilp64-shim.py"
# every name that numpy 2.x imports from an OpenBLAS with 64-bit integers (`nm -D` of its wheel)
NAMES = [
    *(
        f"scipy_cblas_{kind}{what}64_"
        for kind in "sdcz"
        for what in ("axpy", "gemm", "gemv", "syrk")
    ),
    *(f"scipy_cblas_{kind}dot64_" for kind in "sd"),
    *(f"scipy_cblas_{kind}dot{form}_sub64_" for kind in "cz" for form in "cu"),
    *(
        f"scipy_{kind}{what}_64_"
        for kind in "sdcz"
        for what in ("copy", "gesv", "getrf", "potrf", "geqrf", "gesdd", "gelsd", "geev")
    ),
    *(f"scipy_{kind}{what}_64_" for kind in "sd" for what in ("orgqr", "syevd")),
    *(f"scipy_{kind}{what}_64_" for kind in "cz" for what in ("ungqr", "heevd")),
]
# stand-ins for the 32-bit functions, which record their arguments
OURS = """
#include <string.h>
int seen[16]; char *vectors[8]; int calls;
double scipy_cblas_ddot(int n, const void *x, int ix, const void *y, int iy) {
  seen[calls] = n; vectors[2 * calls] = (char *)x; vectors[2 * calls + 1] = (char *)y; calls++;
  return 1.5;
}
void scipy_dgesv_(int *n, int *nrhs, void *a, int *lda, int *ipiv, void *b, int *ldb, int *info) {
  seen[0] = *n; seen[1] = *nrhs; seen[2] = *lda; seen[3] = *ldb;
  for (int i = 0; i < *n; i++) ipiv[i] = i + 7;
  *info = *n == 3 ? 2 : -1;
}
void scipy_dgesdd_(void *job, int *m, int *n, void *a, int *lda, void *s, void *u, int *ldu,
                   void *vt, int *ldvt, void *work, int *lwork, void *iwork, int *info) {}
void scipy_dgelsd_(int *m, int *n, int *nrhs, void *a, int *lda, void *b, int *ldb, void *s,
                   void *rcond, int *rank, void *work, int *lwork, int *iwork, int *info) {
  if (*lwork == -1) iwork[0] = 321;
}
"""


@pytest.fixture
def shim() -> ModuleType:
    spec = importlib.util.spec_from_file_location("ilp64_shim", FILE)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", NAMES)
def test_every_name_of_numpys_wheel_is_known(shim: ModuleType, name: str) -> None:
    text = shim.function(name)
    assert f" {name}(" in text
    assert text.count("{") == text.count("}")


@pytest.mark.parametrize(
    "name", ["scipy_dfoo_64_", "scipy_cblas_dfoo64_", "scipy_cblas_cdot64_", "dgesv_64_", ""]
)
def test_an_unknown_name_is_one_clear_line(
    shim: ModuleType, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shim.main(["scipy_dgesv_64_", name]) == 1
    assert capsys.readouterr() == (
        "",
        f'sutra: numpy asks for "{name}", which is not known\n'
        "tip: add its arguments to the tables of ilp64-shim.py\n",
    )


COMPILED = [
    "scipy_cblas_ddot64_",
    "scipy_dgesv_64_",
    "scipy_dcopy_64_",
    "scipy_dgesdd_64_",
    "scipy_dgelsd_64_",
]


@pytest.fixture
def library(shim: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> ctypes.CDLL:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.fail("a C compiler is needed: `scripts/install.sh gcc`")
    assert shim.main(COMPILED) == 0
    # three elements a chunk, so that a vector of seven takes three calls
    source = capsys.readouterr().out.replace("(int64_t)1 << 30", "3")
    (tmp_path / "shim.c").write_text(source)
    (tmp_path / "ours.c").write_text(OURS)
    subprocess.run(
        [
            compiler,
            "-Wall",
            "-Werror",
            "-O2",
            "-fno-strict-aliasing",
            "-shared",
            "-fPIC",
            tmp_path / "shim.c",
            tmp_path / "ours.c",
            "-o",
            tmp_path / "shim.so",
        ],
        check=True,
    )
    return ctypes.CDLL(str(tmp_path / "shim.so"))


def test_pivots_come_back_as_64_bits_and_not_where_an_argument_was_wrong(
    library: ctypes.CDLL,
) -> None:
    def solve(count: int) -> tuple[list[int], int]:
        number = ctypes.c_int64
        pivots, info = (number * 4)(*([-1] * 4)), number(99)
        refs = [ctypes.byref(number(value)) for value in (count, 5, 6, 8)]
        library.scipy_dgesv_64_(
            refs[0], refs[1], None, refs[2], pivots, None, refs[3], ctypes.byref(info)
        )
        return list(pivots), info.value

    assert solve(3) == ([7, 8, 9, -1], 2)
    assert list((ctypes.c_int * 4).in_dll(library, "seen")) == [3, 5, 6, 8]
    assert solve(2)[1] == -1


@pytest.mark.parametrize(("stride", "offsets"), [(1, [0, 3, 6]), (2, [0, 6, 12]), (-1, [4, 1, 0])])
def test_a_long_vector_is_walked_in_chunks(
    library: ctypes.CDLL, stride: int, offsets: list[int]
) -> None:
    """BLAS walks a vector with a negative stride from its end, and so must its chunks."""
    library.scipy_cblas_ddot64_.restype = ctypes.c_double
    count, number = ctypes.c_int.in_dll(library, "calls"), ctypes.c_int64
    count.value = 0
    vector = (ctypes.c_double * 14)()
    total = library.scipy_cblas_ddot64_(number(7), vector, number(stride), vector, number(1))
    assert (total, count.value) == (4.5, 3)
    assert list((ctypes.c_int * 3).in_dll(library, "seen")) == [3, 3, 1]
    vectors = (ctypes.c_void_p * 6).in_dll(library, "vectors")
    start = ctypes.addressof(vector)
    assert [((vectors[2 * n] or 0) - start) // 8 for n in range(3)] == offsets


def test_a_copy_walks_backwards_where_the_stride_says_so(library: ctypes.CDLL) -> None:
    number = ctypes.c_int64
    source, target = (ctypes.c_double * 3)(1, 2, 3), (ctypes.c_double * 3)()
    count, back, on = number(3), number(-1), number(1)
    library.scipy_dcopy_64_(
        ctypes.byref(count), source, ctypes.byref(back), target, ctypes.byref(on)
    )
    assert list(target) == [3, 2, 1]


# no 32 bits of it are the whole
UNTOUCHED = 1 << 40


def asked_for_a_workspace(function: Any, integers: str) -> int:
    """Ask for the size of a workspace; return its first integer, UNTOUCHED before."""
    last = ctypes.c_int64(UNTOUCHED)
    minus_one, others = ctypes.c_int64(-1), [ctypes.c_int64(0) for _ in integers]
    words = zip(integers, others, strict=True)
    arguments = [{"q": minus_one, "w": last}.get(word, other) for word, other in words]
    function(*(ctypes.byref(argument) for argument in arguments))
    return last.value


def test_the_size_of_a_workspace_of_integers_comes_back_as_64_bits(library: ctypes.CDLL) -> None:
    assert asked_for_a_workspace(library.scipy_dgelsd_64_, "iiipipippipqwo") == 321


def test_a_workspace_that_tells_no_size_is_left_alone(library: ctypes.CDLL) -> None:
    """numpy gives svd of an empty matrix no room for it: a write would be past a buffer's end."""
    assert asked_for_a_workspace(library.scipy_dgesdd_64_, "piipippipipqwo") == UNTOUCHED
