"""Sparse X: the kernels against their slow twins, whole fits against certificates that a dense X gives."""

import os
import subprocess
import sys
import time
import tracemalloc
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from fastreg import fit_path
from fastreg.design import as_design
from fastreg.design import lines as design_lines
from fastreg.design.blocks import parallel_for
from fastreg.kernels import lines

TOL = 1e-10  # the default
FINE = 1e-14  # so that coefficients of a well-conditioned problem agree in seven digits
FORMATS = ["csc", "csr"]
TYPES = list(product([np.int32, np.int64], [np.float64, np.float32]))


# --- matrices --------------------------------------------------------------------------------------------------------


def scattered(n, p, seed=0, density=0.4):
    """A dense X with many zeros, column p // 2 and row n // 3 empty, and a response."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) * (rng.random((n, p)) < density) * np.linspace(0.5, 2.0, p)
    X[:, p // 2] = 0.0
    X[n // 3] = 0.0
    return X, X[:, : min(p, 5)] @ [2.0, -1.5, 1.0, -1.0, 0.5][: min(p, 5)] + 0.5 * rng.normal(size=n) + 3.0


def stored(X, form, integer=np.int32, real=np.float64, seed=0):
    """X in CSC or CSR the hard way: entries out of order, a third of them split in two, a few explicit zeros."""
    rng = np.random.default_rng(seed)
    i, j = np.nonzero(X)
    value, some = X[i, j], rng.permutation(len(i))[: len(i) // 3]
    value[some] *= 0.75  # the rest follows as an entry of its own
    i = np.concatenate([i, i[some], rng.integers(X.shape[0], size=7)])
    j = np.concatenate([j, j[some], rng.integers(X.shape[1], size=7)])
    value = np.concatenate([value, value[some] / 3, np.zeros(7)])
    order = rng.permutation(len(i))
    line, other, count = (j, i, X.shape[1]) if form == "csc" else (i, j, X.shape[0])
    order = order[np.argsort(line[order], kind="stable")]
    ends = np.cumsum(np.bincount(line, minlength=count))
    return raw(form, X.shape, value[order].astype(real), other[order], np.concatenate([[0], ends]), integer)


def raw(form, shape, data, indices, indptr, integer=np.int32):
    """A matrix of these arrays, none of which scipy gets to look at."""
    A = (sparse.csc_array if form == "csc" else sparse.csr_array)(shape)
    A.data, A.indices, A.indptr = data, np.asarray(indices, dtype=integer), np.asarray(indptr, dtype=integer)
    return A


def dense_of(A):
    X = reference.dense_of(A.indptr[:-1], A.indptr[1:], A.indices, A.data, A.shape[0 if A.format == "csc" else 1])
    return X if A.format == "csc" else X.T


def weights_of(n, seed=1):
    weights = np.random.default_rng(seed).uniform(0.2, 3.0, n)
    weights[::7] = 0.0
    return weights


def proved(X, y, path, tol=TOL, weights=None, **arguments):
    """Every solution's gap is within tol by its own word and by the dense certificate; returns the coefficients."""
    coefs = path.coefs.toarray()
    null = reference.null_objective(X, y, fit_intercept=arguments.get("fit_intercept", True), weights=weights)
    assert path.relative_gaps.max() <= tol
    for k, alpha in enumerate(path.alphas):
        gap = reference.gap(X, y, coefs[:, k], path.intercepts[k], alpha, weights=weights, **arguments)
        assert gap <= (tol + 1e-13) * null, (alpha, gap / null)
    return coefs


# --- kernels ---------------------------------------------------------------------------------------------------------


@pytest.fixture(params=TYPES, ids=lambda types: "-".join(kind.__name__ for kind in types))
def held(request):
    """[(X, entries by columns, CSR)] of several shapes, with duplicates, zeros, and empty columns and rows."""
    found = []
    for n, p, density in ((1, 1, 1.0), (5, 9, 0.5), (70, 23, 0.2), (33, 40, 0.9)):
        X, _ = scattered(n, p, density=density)
        A, B = (stored(X, form, *request.param) for form in FORMATS)
        found.append((dense_of(A), (A.indptr[:-1], A.indptr[1:], A.indices, A.data), dense_of(B), B))
    return found


def test_twin_of_correlate(held):
    rng = np.random.default_rng(0)
    for X, entries, X_rows, rows in held:
        n, p = X.shape
        R, out = rng.normal(size=(2, n, 8)), np.full((2, p, 8), 7.25)
        first, stop = (0, p) if p < 4 else (1, p - 1)
        lines.correlate_columns(*entries, first, stop, R, out)
        assert_allclose(out[:, first:stop], reference.correlate(X, R)[:, first:stop], atol=1e-12)
        assert np.all(out[:, :first] == 7.25)
        assert np.all(out[:, stop:] == 7.25)
        by_rows = np.full((p, 8), np.nan)
        lines.correlate_rows(rows.indptr, rows.indices, rows.data, R[1], by_rows)
        assert_allclose(by_rows, reference.correlate(X_rows, R)[1], atol=1e-12)


def test_twin_of_residuals(held):
    rng = np.random.default_rng(1)
    for (X, entries, *_), weighted in product(held, [False, True]):
        n, p = X.shape
        weights = weights_of(n) if weighted else None
        columns = np.sort(rng.permutation(p)[: rng.integers(0, p + 1)]).astype(np.intp)
        Y, W = rng.normal(size=(3, n)), rng.normal(size=(len(columns), 8))
        target = rng.integers(-1, 3, 8).astype(np.intp)
        expected, total = reference.residuals(X, Y, target[None], columns, W[None], weights)
        R, sums = np.full((n, 8), np.nan), np.full(8, np.nan)
        lines.residuals(*entries, Y, target, columns, W.copy(), weights, R, sums)
        assert_allclose(R, expected[0], atol=1e-12)
        assert_allclose(sums, total[0], atol=1e-11)


@pytest.mark.parametrize(("dense", "weighted", "centred"), list(product([False, True], repeat=3)))
def test_twin_of_gram_columns(held, dense, weighted, centred):
    rng = np.random.default_rng(2)
    for X, entries, *_ in held:
        n, p = X.shape
        weights = weights_of(n) if weighted and n > 1 else None
        total = float(n) if weights is None else weights.sum()
        rows = rng.permutation(p)[: max(1, 4 * p // 5)].astype(np.intp)
        means = reference.moments(X, weights, rows, centred)[0]
        panel = np.zeros((n, 8))
        for count in {1, min(8, len(rows))}:
            new, out = rows[-count:].copy(), np.full((len(rows), 8), np.nan)
            lines.gram_columns(*entries, weights, total, rows, new, means[-count:].copy(), means, dense, panel, out)
            expected = reference.gram_columns(X, weights, rows, new, means, means[-count:])
            assert_allclose(out[:, :count], expected, atol=1e-11)
            assert not out[:, count:].any()
            assert not panel.any()


@pytest.mark.parametrize(("weighted", "centred"), list(product([False, True], repeat=2)))
def test_twin_of_moments(held, weighted, centred):
    for X, entries, *_ in held:
        n, p = X.shape
        weights = weights_of(n) if weighted and n > 1 else None
        total = float(n) if weights is None else weights.sum()
        columns = np.random.default_rng(3).permutation(p).astype(np.intp)
        work, out = np.zeros(n), np.full((3, p), np.nan)
        lines.moments(*entries, weights, total, columns, centred, work, *out)
        assert_allclose(out, reference.moments(X, weights, columns, centred), atol=1e-11)
        assert not work.any()


@pytest.mark.parametrize("types", TYPES)
@pytest.mark.parametrize("value", [0.1, -1e8, 1e8 / 3, 1e-100])
@pytest.mark.parametrize("kind", ["full", "weighted", "duplicates"])
def test_twin_of_moments_of_a_constant_column(types, value, kind):
    integer, real = types
    rows, data = np.random.default_rng(4).permutation(1000), np.full(1000, value, dtype=real)
    if kind == "duplicates":  # two halves in different places
        rows, data = np.concatenate([rows, rows[::-1]]), np.full(2000, value / 2, dtype=real)
    weights = weights_of(1000) if kind == "weighted" else None
    ends, out = np.array([0, len(rows)], dtype=integer), np.empty((3, 1))
    total = 1000.0 if weights is None else weights.sum()
    one = np.zeros(1, np.intp)
    lines.moments(ends[:1], ends[1:], rows.astype(integer), data, weights, total, one, True, np.zeros(1000), *out)
    assert out[1, 0] <= 1e-30 * out[2, 0]
    assert_allclose(out[0, 0], float(real(value)), rtol=1e-15)


def test_twin_of_pack_columns(held):
    for *_, X, rows in held:
        p = X.shape[1]
        wanted = (np.random.default_rng(5).random(p) < 0.6).astype(np.uint8)
        counts = np.bincount(rows.indices, minlength=p) * wanted
        stops = np.cumsum(counts).astype(rows.indptr.dtype)
        starts = (stops - counts).astype(rows.indptr.dtype)
        ends, size = starts.copy(), counts.sum()
        index, value = np.empty(size, rows.indices.dtype), np.empty(size, rows.data.dtype)
        lines.pack_columns(rows.indptr, rows.indices, rows.data, wanted, ends, index, value)
        assert_array_equal(ends, stops)
        assert_allclose(reference.dense_of(starts, stops, index, value, X.shape[0]), X * wanted, rtol=1e-15)


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("part", [1, 300, 1 << 19])
def test_gram_matrices_from_rows_that_are_copied_in_parts(monkeypatch, part, jobs):
    monkeypatch.setattr(design_lines, "TRANSPOSED", part)
    X = sparse.random_array((900, 150), density=0.02, format="csc", rng=np.random.default_rng(6))
    X.data += 1.0
    weights, rows, asked = weights_of(900), np.random.default_rng(7).permutation(150)[:140], []
    lines_of = design_lines.Columns.lines_of
    monkeypatch.setattr(design_lines.Columns, "lines_of", lambda *a: asked.append(lines_of(*a)) or asked[-1])
    means = reference.moments(X.toarray(), weights, rows, True)[0]
    for form in (X, X.tocsr()):
        gram = np.full((150, 150), np.nan)
        for start, stop in ((0, 60), (60, 140)):
            as_design(form).gram_parts(gram, rows[:stop], stop - start, means[:stop], weights, 0.5, jobs)
        expected = 0.5 * reference.gram_columns(X.toarray(), weights, rows, rows, means, means)
        assert_allclose(gram[:140, :140], expected, rtol=1e-12, atol=1e-12)
        assert_array_equal(gram[:140, :140], gram[:140, :140].T)
    assert all(len(parts) > 5 if part == 1 else parts for parts in asked)


@pytest.mark.parametrize("level", ["baseline", "avx2", "avx512"])
def test_every_instruction_set_has_its_twins(level):
    here = Path(__file__)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(here), "-k", "test_twin_of"]
    environment = {**os.environ, "FASTREG_SIMD": level}
    run = subprocess.run(command, cwd=here.parents[1], env=environment, capture_output=True, text=True)
    if "this machine must have it" in run.stdout:
        pytest.skip(f"no {level} here")
    assert run.returncode == 0, run.stdout


# --- whole fits ------------------------------------------------------------------------------------------------------

MIXES = list(product([1.0, 0.7, 0.1], *[[False, True]] * 4))
WAYS = pytest.mark.parametrize("precompute", ["auto", False])


@WAYS
@pytest.mark.parametrize(("l1_ratio", "fit_intercept", "standardize", "positive", "weighted"), MIXES)
def test_every_form_and_every_mix(l1_ratio, fit_intercept, standardize, positive, weighted, precompute):
    arguments = {"l1_ratio": l1_ratio, "fit_intercept": fit_intercept, "standardize": standardize, "positive": positive}
    for n, p, tol in ((50, 12, FINE), (20, 60, TOL)):
        X, y = scattered(n, p)
        weights = weights_of(n) if weighted else None
        alphas = reference.alpha_max(X, y, weights=weights, **arguments) * np.array([1.1, 0.7, 0.2, 0.03])
        ours = {"sample_weight": weights, "alphas": alphas, "tol": tol, "max_iter": 1000, **arguments}
        dense = fit_path(X, y, **ours)
        forms = [sparse.csc_matrix(X), sparse.csr_matrix(X), sparse.coo_array(X), stored(X, "csr", np.int32)]
        forms += [stored(X, form, np.int64, real) for form, real in product(FORMATS, [np.float64, np.float32])]
        for A in forms:
            exact = dense_of(A) if A.dtype == np.float32 else X
            path = fit_path(A, y, precompute=precompute, **ours)
            coefs = proved(exact, y, path, max(tol, 2e-14), weights, **arguments)
            assert path.n_nonzero[0] == 0
            if n > p:
                scale = 1e-6 if A.dtype == np.float64 else 1e-5
                assert_allclose(coefs, dense.coefs.toarray(), atol=scale * np.abs(coefs).max())
                assert_allclose(path.intercepts, dense.intercepts, atol=3 * scale)


@pytest.mark.parametrize(("form", "n", "p", "density"), [("csc", 100, 3000, 0.1), ("csr", 60, 2000, 0.4)])
@pytest.mark.parametrize(
    ("l1_ratio", "alphas", "eps"), [(1.0, 5, 1e-3), (1.0, 40, 1e-2), (0.9, 5, 1e-3), (0.1, 20, 1e-3)]
)
def test_wide_paths(form, n, p, density, l1_ratio, alphas, eps):
    X, y = scattered(n, p, density=density)
    path = fit_path(sparse.csc_array(X).asformat(form), y, alphas=alphas, eps=eps, l1_ratio=l1_ratio)
    proved(X, y, path, l1_ratio=l1_ratio)


@pytest.mark.parametrize("precompute", ["auto", True, False])
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("mean", [100.0, 1000.0])
@pytest.mark.parametrize("p", [8, 150])
def test_full_columns_far_from_zero_in_single_precision(precompute, form, mean, p):
    rng = np.random.default_rng(6)
    X = (rng.normal(size=(60, p)) + mean).astype(np.float32)
    y = X[:, :3].astype(np.float64) @ [1.0, -1.0, 0.5] + rng.normal(size=60)
    dense = fit_path(X.astype(np.float64), y, alphas=8, eps=0.05)
    path = fit_path(sparse.csc_array(X).asformat(form), y, alphas=dense.alphas, precompute=precompute)
    expected = dense.coefs.toarray()
    assert_allclose(path.coefs.toarray(), expected, atol=1e-4 * np.abs(expected).max())
    assert_allclose(path.intercepts, dense.intercepts, rtol=1e-4, atol=1e-4 * mean)


@pytest.mark.parametrize("mean", [100.0, 1000.0])
def test_a_few_full_columns_in_a_wide_matrix(mean):
    X, y = scattered(200, 6000, density=0.05)
    shift = np.where(np.arange(6000) < 3, mean, 0.0)
    X[:, :3] = np.random.default_rng(7).normal(size=(200, 3)) + mean
    y += (X[:, :3] - mean) @ [1.0, -1.0, 0.5]
    path = fit_path(sparse.csc_array(X), y, alphas=15, eps=0.05)
    path.intercepts += shift @ path.coefs.toarray()
    proved(X - shift, y, path)


@WAYS
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("value", [0.1, 1e8 / 3])
@pytest.mark.parametrize("absent", [None, "no entry", "most", 0, 7])  # rows of weight zero, or one of them, differ
def test_constant_columns_stay_at_zero(precompute, form, standardize, value, absent):
    X, y = scattered(1000, 6)
    weights = None if absent is None else weights_of(1000)
    X[:, 2] = value
    if absent == "most":
        weights *= np.random.default_rng(4).random(1000) < 0.4
    if isinstance(absent, str):
        X[weights == 0, 2] = 0.0
    elif absent is not None:
        X[absent, 2] = 1e6 * max(1.0, value)
    arguments = {"sample_weight": weights, "standardize": standardize, "max_iter": 1000}
    path = fit_path(sparse.csc_array(X).asformat(form), y, alphas=8, precompute=precompute, **arguments)
    without = fit_path(np.delete(X, 2, axis=1), y, alphas=path.alphas, **arguments)
    assert not path.coefs.toarray()[2].any()
    assert_allclose(np.delete(path.coefs.toarray(), 2, axis=0), without.coefs.toarray(), atol=1e-4)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("precompute", ["auto", True, False])
@pytest.mark.parametrize("coef_init", [None, np.ones(4)])
def test_a_matrix_without_entries(form, precompute, coef_init):
    A, y = raw(form, (7, 4), np.empty(0), [], np.zeros(5 if form == "csc" else 8)), np.arange(7.0)
    for alphas in (3, [0.5, 0.1], [0.5, 0.0]):
        path = fit_path(A, y, alphas=alphas, precompute=precompute, coef_init=coef_init)
        assert not path.coefs.toarray().any()
        assert_allclose(path.intercepts, 3.0)


# --- threads, memory, size -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(("l1_ratio", "standardize"), [(1.0, False), (0.1, True)])
def test_the_same_bits_for_any_number_of_threads_and_X_is_left_alone(form, l1_ratio, standardize):
    X, y = scattered(300, 3000, density=0.1)
    A = stored(X, form)
    arrays = A.data, A.indices, A.indptr
    before = [array.copy() for array in arrays]
    Y = np.column_stack([y, y[::-1]])

    def bits(jobs):
        paths = fit_path(A, Y, alphas=12, eps=0.1, l1_ratio=l1_ratio, standardize=standardize, n_jobs=jobs)
        return [np.concatenate([path.coefs.data, path.intercepts, path.dual_gaps, path.n_iter]) for path in paths]

    first = bits(1)
    for array in arrays:
        array.setflags(write=False)
    for jobs in (1, 2, 2):
        for found, expected in zip(bits(jobs), first, strict=True):
            assert_array_equal(found, expected)
    for array, copy in zip(arrays, before, strict=True):
        assert_array_equal(array, copy)


def few_entries(n, p, seed=8):
    """A CSC matrix with one or two entries in each column, and a response that follows some of them."""
    rng = np.random.default_rng(seed)
    ends = np.concatenate([[0], np.cumsum(rng.integers(1, 3, p))])
    A = raw("csc", (n, p), rng.normal(size=ends[-1]), rng.integers(n, size=ends[-1]), ends)
    return A, A[:, :50] @ rng.normal(size=50) + 0.1 * rng.normal(size=n)


@pytest.mark.parametrize("form", FORMATS)
def test_nothing_is_made_dense(form):
    A, y = few_entries(2000, 200_000)
    A = A.asformat(form)
    tracemalloc.start()
    path = fit_path(A, y, alphas=[0.8 * top(A, y), 0.5 * top(A, y)], n_jobs=1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert path.relative_gaps.max() <= TOL
    assert peak < 8 * 2000 * 200_000 / 20


def top(A, y):
    return np.abs(A.T @ (y - y.mean())).max() / len(y)


def test_a_million_columns():
    A, y = few_entries(5000, 1_000_000)
    started = time.perf_counter()
    path = fit_path(A, y, alphas=8, eps=0.2)
    assert time.perf_counter() - started < 30
    assert path.relative_gaps.max() <= TOL
    assert path.n_nonzero[-1] > 20
    coef, alpha = path.coefs.toarray()[:, -1], path.alphas[-1]
    residual = y - path.intercepts[-1] - A @ coef
    gradient = A.T @ residual / 5000
    assert abs(residual.mean()) <= 1e-12
    kappa = min(1.0, alpha / np.abs(gradient).max())  # the gap of kappa times the residual
    gap = alpha * np.abs(coef).sum() - kappa * gradient @ coef + 0.5 * (1 - kappa) ** 2 * residual @ residual / 5000
    assert gap <= 1.01e-10 * path.null_objective


# --- alpha = 0 -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("alphas", [[0.0], [0.3, 0.0]])
@pytest.mark.parametrize(
    ("fit_intercept", "standardize", "weighted", "positive"), list(product([False, True], repeat=4))
)
def test_alpha_zero(form, alphas, fit_intercept, standardize, weighted, positive):
    arguments = {"fit_intercept": fit_intercept, "standardize": standardize, "positive": positive}
    for n, p in ((40, 8), (12, 30)):
        X, y = scattered(n, p)
        weights = weights_of(n) if weighted else None
        path = fit_path(stored(X, form), y, alphas=alphas, sample_weight=weights, **arguments)
        coef, intercept = path.coefs.toarray()[:, -1], path.intercepts[-1]
        if positive:
            assert coef.min() >= 0
            assert reference.kkt_residual(X, y, coef, intercept, 0.0, weights=weights, **arguments) <= 1e-9
        else:
            expected, level, _ = reference.fit(X, y, 0.0, weights=weights, **arguments)
            assert_allclose([*coef, intercept], [*expected, level], atol=1e-9)


# --- structure -------------------------------------------------------------------------------------------------------


FAULTS = [  # array, where, its new value there (None: missing; a place beyond the end is added)
    *[("indices", 3, value, "not a valid") for value in (20, 10**6, -1, np.iinfo(np.int32).min)],
    *[(name, -1, None, "shapes") for name in ("data", "indices", "indptr")],
    *[("indices", 10**6, 0, "shapes"), ("indptr", 10**6, 10**6, "shapes")],
    *[("indptr", k, value, "indptr must rise") for k, value in ((3, 0), (2, -5), (-1, 10**6), (0, -1))],
]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("integer", [np.int32, np.int64])
@pytest.mark.parametrize(("name", "k", "value", "words"), FAULTS)
def test_malformed_structure_is_refused(form, integer, name, k, value, words):
    X, y = scattered(20, 20)
    A, path = stored(X, form, integer), fit_path(X, y, alphas=3)
    array = getattr(A, name)
    if value is None:
        array = np.delete(array, k)
    elif k >= len(array):
        array = np.append(array, array.dtype.type(value))
    else:
        array[k] = value
    setattr(A, name, array)
    for refuse in (lambda: fit_path(A, y, alphas=3), lambda: path.predict(A)):
        with pytest.raises(ValueError, match=words):
            refuse()


@pytest.mark.parametrize("form", FORMATS)
def test_entries_beyond_the_last_line_do_not_count(form):
    X, y = scattered(30, 10)
    A = stored(X, form)
    plain = fit_path(A, y, alphas=[0.1, 0.01, 0.0])
    A.data, A.indices = np.append(A.data, [np.nan, 5.0]), np.append(A.indices, [0, 10**6]).astype(np.int32)
    longer = fit_path(A, y, alphas=[0.1, 0.01, 0.0])
    assert_array_equal(longer.coefs.toarray(), plain.coefs.toarray())
    assert_allclose(plain.predict(A, alpha=0.01), plain.predict(X, alpha=0.01), atol=1e-12)


# --- predictions -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("real", [np.float64, np.float32])
def test_predictions(real):
    X, y = scattered(40, 12)
    path = fit_path(X, y, alphas=[100.0, 0.2, 0.001])
    for A in (stored(X, "csc", np.int64, real), stored(X, "csr", np.int32, real), sparse.coo_matrix(X.astype(real))):
        expected = X @ path.coefs.toarray() + path.intercepts
        tolerance = 1e-12 if real is np.float64 else 1e-5
        everywhere = path.predict(A)
        assert type(everywhere) is np.ndarray
        assert_allclose(everywhere, expected, atol=tolerance)
        for k, alpha in enumerate(path.alphas):
            assert_allclose(path.predict(A, alpha=alpha), expected[:, k], atol=tolerance)
    with pytest.raises(ValueError, match="X has 11 features"):
        path.predict(sparse.csr_array(X[:, 1:]))
    with pytest.raises(ValueError, match="NaN or infinity, first at row 4, column 0"):
        path.predict(sparse.csr_array(np.where(np.arange(480).reshape(40, 12) == 48, np.nan, X)))


# --- symmetries ------------------------------------------------------------------------------------------------------

few = settings(max_examples=8, deadline=None, derandomize=True)
drawn = {"seed": st.integers(0, 10_000), "form": st.sampled_from(FORMATS), "precompute": st.sampled_from([True, False])}


def alike(A, y, B, z, factor=1.0, order=slice(None), **arguments):
    """A fit of (B, z) is that of (A, y), times a factor, its columns in another order."""
    alphas = top(A, y) * np.array([0.6, 0.1])
    weights = arguments.pop("sample_weight", None)
    first = fit_path(A, y, alphas=alphas, tol=FINE, sample_weight=weights, **arguments)
    second = fit_path(B, z, alphas=factor * alphas, tol=FINE, **arguments)
    assert_allclose(second.coefs.toarray() / factor, first.coefs.toarray()[order], atol=1e-6)
    assert_allclose(second.intercepts / factor, first.intercepts, atol=1e-6)


@few
@given(**drawn, standardize=st.booleans())
def test_doubled_weights_are_duplicated_rows(seed, form, precompute, standardize):
    X, y = scattered(30, 8, seed)
    twice = np.random.default_rng(seed).random(30) < 0.5
    rows = np.concatenate([np.arange(30), np.flatnonzero(twice)])
    arguments = {"precompute": precompute, "standardize": standardize}
    alike(
        stored(X, form, seed=seed), y, stored(X[rows], form, seed=seed), y[rows], sample_weight=1.0 + twice, **arguments
    )


@few
@given(**drawn, positive=st.booleans())
def test_permuting_columns_permutes_coefficients(seed, form, precompute, positive):
    X, y = scattered(30, 8, seed)
    order = np.random.default_rng(seed).permutation(8)
    arguments = {"order": order, "precompute": precompute, "positive": positive}
    alike(stored(X, form, seed=seed), y, stored(X[:, order], form, seed=seed), y, **arguments)


@few
@given(**drawn, exponent=st.integers(-15, 15))
def test_scaling_y_scales_the_fit(seed, form, precompute, exponent):
    X, y = scattered(30, 8, seed)
    A = stored(X, form, seed=seed)
    alike(A, y, A, 10.0**exponent * y, factor=10.0**exponent, precompute=precompute)


def test_threads_that_pack_columns_of_rows_wait_for_each_other():
    rng = np.random.default_rng(61)
    X = sparse.random_array((3_000, 400), density=0.1, format="csr", rng=rng)
    expected = X.tocsc()
    for _ in range(5):
        design = as_design(X)
        wishes = [rng.permutation(400)[:60] for _ in range(40)]
        wrong = []

        def ask(k, design=design, wishes=wishes, wrong=wrong):
            starts, stops, index, value = design.entries(wishes[k])
            for j in wishes[k]:
                part = slice(starts[j], stops[j])
                rows = expected.indices[expected.indptr[j] : expected.indptr[j + 1]]
                if not np.array_equal(index[part], rows) or not np.array_equal(value[part], expected[:, [j]].data):
                    wrong.append((k, j))

        parallel_for(ask, len(wishes), 8)
        assert wrong == []
