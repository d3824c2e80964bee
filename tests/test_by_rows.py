"""A matrix of rows most of whose columns are in use: it is read by rows, and no copy of them is made."""

from itertools import product

import numpy as np
import pytest
import reference
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from test_sparse import FINE, TYPES, scattered, stored, weights_of

from fastreg import Problem, fit_path, fit_paths
from fastreg.design import as_design, lines
from fastreg.kernels.residual import ResidualSet

GRID = {"alphas": 8, "eps": 1e-2, "tol": FINE, "max_iter": 20_000}


@pytest.fixture
def reads(monkeypatch):
    """Have every problem on residuals go by rows, and one column copied at a time; returns what is asked for."""
    calls = []
    monkeypatch.setattr(lines, "FEW", 0)
    monkeypatch.setattr(lines, "PACKED", 0.0)
    monkeypatch.setattr(lines, "SWEPT", 0.0)

    class Noted(lines.RowSet):
        def __init__(self, *arguments):
            calls.append(arguments)
            super().__init__(*arguments)

    monkeypatch.setattr(lines, "RowSet", Noted)
    return calls


def residual_set(design, columns, y, weights=None):
    """A problem on residuals, without penalty factors, bounds or means."""
    m = len(columns)
    total = len(y) if weights is None else weights.sum()
    active, ones = ResidualSet(y, weights, float(total)), np.ones(m)
    norm = design.moments(columns, weights, float(total), False)[1] / total
    active.extend(np.zeros(m), norm, ones, ones, np.full(m, -np.inf), np.full(m, np.inf))
    design.give_to(active, columns)
    return active


@pytest.mark.parametrize(("integer", "real"), TYPES)
@pytest.mark.parametrize("weighted", [False, True])
def test_gradients_are_those_of_numpy(reads, integer, real, weighted):
    X, y = scattered(3_000, 40)  # entries enough for several runs of rows
    A, weights, w = stored(X, "csr", integer, real), weights_of(3_000) if weighted else None, np.zeros(30)
    w[::3] = np.linspace(-1, 1, 10)
    columns = np.random.default_rng(2).permutation(40)[:30].astype(np.intp)
    s = np.ones(3_000) if weights is None else weights
    B = np.zeros(X.shape)
    np.add.at(B, (np.repeat(np.arange(3_000), np.diff(A.indptr)), A.indices), A.data.astype(float))
    found = residual_set(as_design(A), columns, y, weights).gradients(w)
    assert_allclose(found, B[:, columns].T @ (s * (y - B[:, columns] @ w)) / s.sum(), atol=1e-13)
    assert reads


@pytest.mark.parametrize(
    ("l1_ratio", "fit_intercept", "standardize", "positive", "weighted"),
    list(product([1.0, 0.4], [False, True], [False, True], [False, True], [False, True])),
)
def test_every_mix_has_its_certificate(reads, l1_ratio, fit_intercept, standardize, positive, weighted):
    arguments = {
        "l1_ratio": l1_ratio, "fit_intercept": fit_intercept, "standardize": standardize, "positive": positive,
    }  # fmt: skip
    for n, p in ((60, 25), (25, 60)):
        X, y = scattered(n, p)
        weights = weights_of(n) if weighted else None
        path = fit_path(stored(X, "csr"), y, sample_weight=weights, precompute=False, **GRID, **arguments)
        for alpha, coef, intercept in zip(path.alphas, path.coefs.toarray().T, path.intercepts, strict=True):
            off = reference.kkt_residual(X, y, coef, intercept, alpha, weights=weights, **arguments)
            assert off <= 1e-6 * path.alpha_max
    assert reads


@pytest.mark.parametrize("bounds", [None, (-0.4, 0.9), (0.0, np.inf)])
@pytest.mark.parametrize("factors", [None, "some"])
def test_it_is_the_path_of_the_columns(reads, bounds, factors):
    X, y = scattered(80, 50)
    arguments = {"l1_ratio": 0.7, "precompute": False, **GRID}
    if bounds is not None:
        arguments["lower_bounds"], arguments["upper_bounds"] = bounds
    if factors is not None:
        arguments["penalty_factor"] = np.where(np.arange(50) % 7 == 0, 0.0, np.linspace(0.5, 2.0, 50))
        arguments["penalty_factor"][5] = np.inf
    by_rows = fit_path(stored(X, "csr"), y, **arguments)
    assert reads
    by_columns = fit_path(stored(X, "csc"), y, **arguments)
    assert_allclose(by_rows.coefs.toarray(), by_columns.coefs.toarray(), atol=1e-6)
    assert_allclose(by_rows.intercepts, by_columns.intercepts, atol=1e-6)
    assert by_rows.relative_gaps.max() <= 1.01 * FINE


def test_the_room_for_copies_does_not_show(reads, monkeypatch):
    X, y = scattered(200, 120)
    one = fit_path(stored(X, "csr"), y, l1_ratio=0.5, precompute=False, **GRID)
    monkeypatch.setattr(lines, "SWEPT", 1.0)
    all_of_them = fit_path(stored(X, "csr"), y, l1_ratio=0.5, precompute=False, **GRID)
    assert_array_equal(one.coefs.toarray(), all_of_them.coefs.toarray())
    assert_array_equal(one.n_iter, all_of_them.n_iter)


def test_the_same_bits_for_any_number_of_threads(reads):
    X, y = scattered(4_000, 60)
    paths = [fit_path(stored(X, "csr"), y, l1_ratio=0.5, precompute=False, n_jobs=k, **GRID) for k in (1, 2, 3)]
    for other in paths[1:]:
        assert_array_equal(paths[0].coefs.toarray(), other.coefs.toarray())
        assert_array_equal(paths[0].dual_gaps, other.dual_gaps)


def test_folds_go_by_rows_side_by_side(reads):
    X, y = scattered(90, 40)
    folds = [np.where(np.arange(90) % 3 == k, 0.0, 1.0) for k in range(3)]
    paths = fit_paths(
        stored(X, "csr"),
        [Problem(y, sample_weight=fold, alphas=[0.1, 0.02], tol=FINE) for fold in folds],
        precompute=False,
        n_jobs=2,
    )
    assert reads
    for path, fold in zip(paths, folds, strict=True):
        for alpha, coef, intercept in zip(path.alphas, path.coefs.toarray().T, path.intercepts, strict=True):
            assert reference.kkt_residual(X, y, coef, intercept, alpha, weights=fold) <= 1e-7


def test_columns_are_packed_until_they_are_too_many(monkeypatch):
    X, y = scattered(400, 150, density=0.2)
    monkeypatch.setattr(lines, "FEW", 0)
    A = stored(X, "csr")
    design = as_design(A)
    some, more = np.arange(30, dtype=np.intp), np.arange(150, dtype=np.intp)
    active = residual_set(design, some, y)
    assert not design.many and design.packed.sum() == 30
    active = residual_set(design, more, y)
    assert design.many and design.packed.sum() == 0 and design.index is None
    assert_allclose(active.gradients(np.zeros(150)), X.T @ y / 400, atol=1e-12)
    assert_array_equal(design.entries(some)[0][some] >= 0, True)  # who needs columns gets them all the same


@pytest.mark.parametrize(("weighted", "centred"), list(product([False, True], repeat=2)))
def test_moments_of_many_columns_leave_none_packed(weighted, centred):
    X, _ = scattered(50, 400)
    X[:, 3], X[:, 4] = 7.0, 1e6 + np.arange(50) % 2
    weights = weights_of(50) if weighted else None
    total = 50.0 if weights is None else weights.sum()
    every = np.arange(400, dtype=np.intp)
    for messy in (True, False):
        A = stored(X, "csr") if messy else sparse.csr_array(X)
        B = stored(X, "csc") if messy else sparse.csc_array(X)
        rows = as_design(A).moments(every, weights, total, centred)
        columns = as_design(B).moments(every, weights, total, centred)
        assert_allclose(rows, columns, rtol=1e-11, atol=1e-13)
    assert not as_design(A).packed.any()
