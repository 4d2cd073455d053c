"""numpy and scipy share one OpenBLAS, which has only the symbols that they need."""

from __future__ import annotations

import json
from collections.abc import Callable

from tests.images.conftest import Files

ASK = """
import json, numpy, scipy.linalg
from threadpoolctl import threadpool_info
(numpy.ones((9, 9)) @ numpy.ones((9, 9)), scipy.linalg.svd(numpy.ones((9, 9))))
libraries = [each for each in threadpool_info() if each["internal_api"] == "openblas"]
features = numpy.show_config(mode="dicts")["SIMD Extensions"]
print(json.dumps([
    [each["filepath"].rpartition("/")[2][:18] for each in libraries],
    libraries[0]["architecture"],
    sorted({*features["found"], *features.get("not found", [])}),
]))
"""
# kernels that link-openblas.sh keeps; other processors use the next lower generation's
GENERATIONS = {"Nehalem", "Prescott", "Haswell", "Zen", "SkylakeX", "Cooperlake"}


def test_one_openblas_serves_both(python: Callable[[str, str], str]) -> None:
    libraries, generation, dispatched = json.loads(python("sutra-hybrid", ASK))
    assert libraries == ["libscipy_openblas-"]
    assert generation in GENERATIONS
    # all kernels of numpy's own wheel
    assert dispatched == ["AVX512_ICL", "AVX512_SPR", "X86_V3", "X86_V4"]


def test_no_fortran_runtime_and_no_second_openblas(files: Callable[[str], Files]) -> None:
    names = [path.rpartition("/")[2] for path in files("sutra-hybrid")]
    libraries = [name for name in names if ".so" in name]  # packages' records stay
    fortran = ("libgfortran", "libquadmath")
    assert [name for name in libraries if name.startswith(fortran)] == []
    assert len([name for name in libraries if "openblas" in name]) == 1


def test_scanners_see_whose_code_is_in_openblas(files: Callable[[str], Files]) -> None:
    """It is linked from the static archives of these Debian packages (link-openblas.sh)."""
    listing = files("sutra-hybrid")
    records = {path.rpartition("/")[2] for path in listing if "/dpkg/status.d/" in path}
    packages = {"libopenblas-pthread-dev", "libgfortran-14-dev", "libgcc-14-dev"}
    assert packages <= records
    assert "usr/share/doc/libopenblas-pthread-dev/copyright" in listing
    # links to the folder of gcc-14-base, whose licence the base has
    assert {f"usr/share/doc/{name}" for name in packages if "14" in name} <= listing.keys()


def test_a_solver_that_was_left_out_says_by_which_rule(python: Callable[[str, str], str]) -> None:
    code = """
from scipy.optimize import linprog
try:
    linprog([1.0], bounds=[(0.0, 1.0)])
except RuntimeError as error:
    print(error)
"""
    assert python("sutra-hybrid", code).strip() == (
        '_core: left out by rule "unused-solvers" of cleanup.yaml, so there is no "kHighsInf"'
    )
