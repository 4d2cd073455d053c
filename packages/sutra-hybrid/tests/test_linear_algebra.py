"""The linear algebra under scikit-learn, which the image brings in a form of its own.

numpy and scipy share one OpenBLAS, linked with what they ask for (link-openblas.sh).
Each result is checked against what defines it, so that a routine that is missing,
mixed up or miscompiled shows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.linalg as la
from numpy.typing import NDArray
from scipy.sparse import random_array
from scipy.sparse.linalg import svds
from threadpoolctl import threadpool_info, threadpool_limits

TYPES = [np.float32, np.float64, np.complex64, np.complex128]
SIZE = 120

Matrix = NDArray[Any]


@pytest.fixture(params=TYPES, ids=lambda kind: kind.__name__)
def matrix(request: pytest.FixtureRequest) -> Matrix:
    random = np.random.default_rng(7)
    real = random.standard_normal((SIZE, SIZE))
    imaginary = random.standard_normal((SIZE, SIZE))
    kind = np.dtype(request.param)
    result: Matrix = (real + 1j * imaginary if kind.kind == "c" else real).astype(kind)
    return result


def close(left: Matrix, right: Matrix) -> bool:
    """Return whether both agree to what the type can hold, over SIZE additions."""
    tolerance = float(np.finfo(left.dtype).eps) * SIZE * 50
    return bool(np.abs(left - right).max() <= tolerance * max(1.0, float(np.abs(right).max())))


def test_products_are_exact_where_they_can_be() -> None:
    left = np.arange(64.0).reshape(8, 8)
    expected = [
        [float(sum(a * b for a, b in zip(row, column, strict=True))) for column in left.T]
        for row in left
    ]
    assert (left @ left).tolist() == expected


def test_solve(matrix: Matrix) -> None:
    right = matrix[:, :3]
    assert close(matrix @ la.solve(matrix, right), right)
    assert close(matrix @ np.linalg.solve(matrix, right), right)


def test_singular_values(matrix: Matrix) -> None:
    for svd in (la.svd, np.linalg.svd):
        left, values, right = svd(matrix)
        assert close((left * values) @ right, matrix)


def test_orthogonal_and_triangular(matrix: Matrix) -> None:
    for qr in (la.qr, np.linalg.qr):
        orthogonal, triangular = qr(matrix)
        assert close(orthogonal @ triangular, matrix)
        assert close(orthogonal.conj().T @ orthogonal, np.eye(SIZE, dtype=matrix.dtype))


def test_eigenvalues(matrix: Matrix) -> None:
    values, vectors = la.eig(matrix)
    assert close(matrix @ vectors, vectors * values)
    symmetric = matrix @ matrix.conj().T
    for eigh in (la.eigh, np.linalg.eigh):
        values, vectors = eigh(symmetric)
        assert close(symmetric @ vectors, vectors * values)


def test_cholesky(matrix: Matrix) -> None:
    positive = matrix @ matrix.conj().T + SIZE * np.eye(SIZE, dtype=matrix.dtype)
    lower = la.cholesky(positive, lower=True)
    assert close(lower @ lower.conj().T, positive)


def test_schur_and_lu(matrix: Matrix) -> None:
    triangular, unitary = la.schur(matrix)
    assert close(unitary @ triangular @ unitary.conj().T, matrix)
    order, lower, upper = la.lu(matrix)
    assert close(order @ lower @ upper, matrix)


def test_sparse_singular_values() -> None:
    sparse = random_array((200, 150), density=0.05, rng=np.random.default_rng(3))
    few = np.sort(svds(sparse, k=4)[1])
    assert close(few, np.sort(la.svdvals(sparse.toarray()))[-4:])


def openblas_libraries() -> list[dict[str, object]]:
    return [dict(library) for library in threadpool_info() if library["internal_api"] == "openblas"]


def test_threads_can_be_limited() -> None:
    with threadpool_limits(1, user_api="blas"):
        assert {library["num_threads"] for library in openblas_libraries()} == {1}
