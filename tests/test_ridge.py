"""The ridge core against the normal equations in extended precision, explicit refits and matrices written down."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.linalg import LinAlgError

from fastreg.solve import systems
from fastreg.solve.krylov import Krylov
from fastreg.solve.ridge import MOST_FACTORS, fit_ridge, generalized_cross_validation
from fastreg.solve.ridge_data import RidgeData, spreads
from fastreg.solve.sums import Sums
from fastreg.solve.systems import ByFeatures, ByRows, Decomposed, TooLarge, by_features, system_for

WIDE = np.longdouble


def eliminate(A, B):
    """A^-1 B in extended precision, by Gauss-Jordan elimination with row pivoting."""
    M = np.column_stack([A, B]).astype(WIDE)
    for j in range(len(A)):
        k = j + int(np.abs(M[j:, j]).argmax())
        M[[j, k]] = M[[k, j]]
        M[j] /= M[j, j]
        others = np.arange(len(A)) != j
        M[others] -= np.outer(M[others, j], M[j])
    return M[:, len(A) :]


def exact(data, alpha, rows=None):
    """Coefficients (p, k) and intercepts (k,): the normal equations of these rows, the intercept as a column."""
    X = data.X.toarray() if sparse.issparse(data.X) else np.asarray(data.X)
    rows = np.arange(len(X)) if rows is None else rows
    X, Y = X[rows].astype(WIDE), data.Y[rows].astype(WIDE)
    s = (np.ones(len(X)) if data.weights is None else data.weights[rows]).astype(WIDE)
    p = X.shape[1]
    P = np.ones(p) if data.factor is None else data.factor
    kept = np.arange(p) if P.ndim == 2 else np.flatnonzero(np.isfinite(P))
    P = P if P.ndim == 2 else np.diag(P[kept])
    origin = Y[0] if data.fit_intercept else 0.0
    Y = Y - origin
    A = np.column_stack([X[:, kept], np.ones(len(X))]) if data.fit_intercept else X[:, kept]
    penalty = np.zeros((A.shape[1], A.shape[1]), dtype=WIDE)
    penalty[: len(kept), : len(kept)] = WIDE(alpha) * P
    solution = eliminate(A.T @ (s[:, None] * A) + penalty, A.T @ (s[:, None] * Y))
    coefs = np.zeros((p, Y.shape[1]), dtype=WIDE)
    coefs[kept] = solution[: len(kept)]
    return coefs, solution[-1] + origin if data.fit_intercept else np.zeros(Y.shape[1], dtype=WIDE)


def objective(data, W, b, alpha):
    X = data.X.toarray() if sparse.issparse(data.X) else np.asarray(data.X)
    s, W = 1.0 if data.weights is None else data.weights[:, None], W.astype(WIDE)
    residuals = data.Y.astype(WIDE) - b - X.astype(WIDE) @ W
    return (s * residuals**2).sum(axis=0) + alpha * (W * data.penalised(W)).sum(axis=0)


FACTORS = {
    "ones": lambda p, rng: None,
    "scaled": lambda p, rng: rng.uniform(0.1, 5, p),
    "mixed": lambda p, rng: np.where(np.arange(p) == 1, 0.0, np.where(np.arange(p) == 4, np.inf, rng.uniform(1, 2, p))),
    "smooth": lambda p, rng: np.diff(np.eye(p), axis=0).T @ np.diff(np.eye(p), axis=0),
}

STORAGE = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "strided": lambda X: np.repeat(X, 2, axis=0)[::2],
    "csc": sparse.csc_array,
    "csr": sparse.csr_matrix,
}


def make(shape, fit_intercept=True, weighted=False, factor="ones", dtype=np.float64, storage="C", k=2, seed=0):
    rng = np.random.default_rng(seed)
    n, p = shape
    X = rng.standard_normal(shape) * rng.uniform(0.3, 3, p) + rng.uniform(-2, 2, p)
    if storage in ("csc", "csr"):
        X[rng.random(shape) < 0.5] = 0.0
    X = X.astype(dtype)
    Y = X[:, : min(p, 3)].sum(axis=1, dtype=np.float64)[:, None] * [1.0, -2.0][:k] + rng.standard_normal((n, k)) + 7
    weights = rng.uniform(0.5, 3, n) * (rng.random(n) > 0.2) if weighted else None
    return RidgeData(STORAGE[storage](X), Y, weights, fit_intercept, FACTORS[factor](p, rng))


SHAPES = [(60, 8), (12, 30)]


def close(W, expected, rtol=1e-9):
    size = np.abs(expected).max() or 1.0
    assert_allclose(W, np.asarray(expected, dtype=np.float64), rtol=rtol, atol=rtol * float(size))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("storage", STORAGE)
def test_solves_the_normal_equations(shape, fit_intercept, weighted, factor, storage):
    data = make(shape, fit_intercept, weighted, factor, storage=storage)
    alphas, responses = np.array([10.0, 0.3, 1e-2, 0.3]), np.array([0, 1, 1, 0])
    fit = fit_ridge(data, alphas, responses)
    assert fit.residuals.max() < 1e-13
    for m, (alpha, k) in enumerate(zip(alphas, responses, strict=True)):
        W, b = exact(data, alpha)
        close(fit.coefs[:, m], W[:, k])
        close(fit.intercepts[m], b[k])
        above = objective(data, fit.coefs[:, [m]], fit.intercepts[m], alpha)[k] - objective(data, W, b, alpha)[k]
        if factor in ("ones", "scaled"):
            assert above <= fit.dual_gaps[m] * (1 + 1e-6) + 1e-15
        else:
            assert np.isnan(fit.dual_gaps[m])
    if factor == "mixed":
        assert (fit.coefs[4] == 0).all()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("storage", ["C", "F", "csr"])
def test_float32_is_widened_first(shape, storage):
    data = make(shape, dtype=np.float32, storage=storage, weighted=True)
    W, b = exact(data, 0.1)
    fit = fit_ridge(data, np.full(2, 0.1))
    close(fit.coefs, W, 1e-11)
    close(fit.intercepts, b, 1e-11)


def left_out(data, alpha):
    """Errors (n, k) of the responses, each row predicted by a fit without it."""
    n = len(data.Y)
    X = data.X.toarray() if sparse.issparse(data.X) else np.asarray(data.X)
    errors = np.empty(data.Y.shape)
    for i in range(n):
        W, b = exact(data, alpha, np.delete(np.arange(n), i))
        errors[i] = data.Y[i] - b - X[i].astype(WIDE) @ W
    return errors


@pytest.mark.parametrize("shape", [(25, 4), (9, 14)])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("factor", ["ones", "mixed", "smooth"])
@pytest.mark.parametrize(("storage", "dtype"), [("C", np.float64), ("F", np.float32), ("csr", np.float64)])
def test_leave_one_out_is_that_of_refits(shape, fit_intercept, weighted, factor, storage, dtype):
    if factor == "smooth" and shape[0] < shape[1]:
        shape = (25, 6)
    if factor == "mixed":
        shape = (shape[0], max(5, shape[1]))
    data = make(shape, fit_intercept, weighted, factor, dtype, storage)
    alphas = np.array([0.1, 10.0, 0.1])
    systems_ = [system_for(data)] + ([Decomposed(data)] if factor != "smooth" else [])
    for alpha in np.unique(alphas):
        expected = left_out(data, alpha)
        for system in systems_:
            errors, leverages = system.leave_one_out(alphas)
            assert errors.shape == (3, *data.Y.shape)
            for j in np.flatnonzero(alphas == alpha):
                close(errors[j], expected, 1e-10)
            assert ((leverages >= -1e-12) & (leverages < 1)).all()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("factor", FACTORS)
def test_freedom_and_influence_are_those_of_the_hat_matrix(shape, fit_intercept, factor):
    if factor == "smooth":
        shape = (60, 8)
    data = make(shape, fit_intercept, weighted=True, factor=factor)
    n, alpha = shape[0], 0.7
    every = RidgeData(data.X, np.eye(n), data.weights, fit_intercept, data.factor)
    W, b = exact(every, alpha)
    trace = np.trace(data.X @ W + b)
    seen = data.weights > 0
    covariance = (W[:, seen] / data.weights[seen]) @ W[:, seen].T
    for system in [system_for(data)] + ([Decomposed(data)] if factor != "smooth" else []):
        assert_allclose(system.freedom(alpha), float(trace), rtol=1e-10)
        F = system.influence(alpha)
        close(F @ F.T, covariance)


@pytest.mark.parametrize("factor", ["ones", "mixed"])
def test_the_ways_agree(factor):
    data = make((20, 15), weighted=True, factor=factor)
    sums = Sums(15, 2)
    sums.add(data.X, data.Y, data.weights)
    W, _ = exact(data, 0.5)
    for system in (by_features(sums, data), ByRows(data), Decomposed(data)):
        for many in (True, False):
            close(system.coefs(0.5, many=many), W)
        close(fit_ridge(data, np.full(2, 0.5), system=system).coefs, W, 1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_zero_weight_means_absent_and_doubled_weight_a_second_row(shape):
    data = make(shape, weighted=True)
    seen = data.weights > 0
    alphas = np.array([1.0, 1e-3])
    fit = fit_ridge(data, alphas)
    part = fit_ridge(RidgeData(data.X[seen], data.Y[seen], data.weights[seen]), alphas)
    close(part.coefs, fit.coefs, 1e-12)
    double = fit_ridge(RidgeData(data.X, data.Y, 2 * data.weights), alphas)
    twice = np.repeat(np.arange(shape[0]), 2)
    again = fit_ridge(RidgeData(data.X[twice], data.Y[twice], data.weights[twice]), alphas)
    close(again.coefs, double.coefs, 1e-11)
    close(again.intercepts, double.intercepts, 1e-11)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_alpha_zero_is_least_squares_of_minimum_norm(shape, fit_intercept):
    data = make(shape, fit_intercept)
    data.X = np.column_stack([data.X, data.X[:, 0] + data.X[:, 1]])  # never of full rank
    fit = fit_ridge(data, np.array([0.0, 1e-9]), np.array([0, 0]))
    Z = data.X - data.X.mean(axis=0) * fit_intercept
    expected = np.linalg.pinv(Z, rcond=1e-12) @ data.Y[:, 0]
    close(fit.coefs[:, 0], expected, 1e-11)
    assert_allclose(fit.coefs[:, 1], expected, rtol=1e-5, atol=1e-7)
    assert fit.residuals[0] < 1e-13
    assert np.isnan(fit.dual_gaps[0])


def test_alpha_below_rounding_decomposes_X():
    data = make((40, 6))
    data.X = np.column_stack([data.X, data.X])
    fit = fit_ridge(data, np.array([1e-20, 1e-30, 0.0]), np.zeros(3, int))
    assert isinstance(fit.system, Decomposed)
    close(fit.coefs[:, 0], fit.coefs[:, 2])
    close(fit.coefs[:6, 1], fit.coefs[6:, 1])


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("factor", FACTORS)
def test_many_alphas_agree_with_few(shape, factor):
    data = make(shape, factor=factor)
    alphas = np.geomspace(1e4, 1e-4, MOST_FACTORS + 1)
    many = fit_ridge(data, alphas, np.zeros(len(alphas), int))
    few = fit_ridge(data, alphas[::10], np.zeros(len(alphas[::10]), int))
    for a, b in zip(many.coefs[:, ::10].T, few.coefs.T, strict=True):
        close(a, b)
    assert many.residuals.max() < 1e-12


@pytest.mark.parametrize("alphas", [[1.0, 0.5], np.geomspace(1e-2, 1, MOST_FACTORS + 1)], ids=["few", "many"])
@pytest.mark.parametrize("shape", SHAPES)
def test_unpenalised_features_that_repeat_each_other(alphas, shape):
    data = make(shape)
    data.X = np.column_stack([data.X, data.X[:, 0], np.ones(shape[0])])
    data.factor = np.ones(data.X.shape[1])
    data.factor[[0, -2, -1]] = 0.0
    fit = fit_ridge(data, np.asarray(alphas), np.zeros(len(alphas), int))
    plain = make(shape)
    plain.factor = np.where(np.arange(shape[1]) == 0, 0.0, 1.0)
    W, _ = exact(plain, alphas[0])
    close(fit.coefs[1 : shape[1], 0], W[1:, 0])
    close(fit.coefs[[0, -2], 0].sum(), W[0, 0])
    assert fit.residuals.max() < 1e-12
    errors, _ = Decomposed(data).leave_one_out(np.array([alphas[0]]))
    expected, _ = system_for(plain).leave_one_out(np.array([alphas[0]]))
    close(errors, expected)
    one = system_for(data).leave_one_out(np.array([alphas[0]]))
    assert one is None or np.abs(one[0] - expected).max() < 1e-9 * np.abs(expected).max()


def test_failing_cholesky_falls_back(monkeypatch):
    data = make((40, 6))
    expected = fit_ridge(data, np.array([1.0, 0.1]))

    def fail(*args, **kwargs):
        raise LinAlgError

    monkeypatch.setattr(systems, "Cholesky", fail)
    fit = fit_ridge(make((40, 6)), np.array([1.0, 0.1]))
    assert isinstance(fit.system, Decomposed)
    close(fit.coefs, expected.coefs, 1e-12)


def least_squares(A, b):
    """In extended precision, by Gram-Schmidt orthogonalization, each column twice: nothing is squared."""
    Q, R = np.zeros(A.shape, dtype=WIDE), np.zeros((A.shape[1],) * 2, dtype=WIDE)
    for j, column in enumerate(A.T.astype(WIDE)):
        for _ in range(2):
            share = Q[:, :j].T @ column
            column = column - Q[:, :j] @ share
            R[:j, j] += share
        R[j, j] = np.sqrt(column @ column)
        Q[:, j] = column / R[j, j]
    left = b.astype(WIDE)
    x = np.empty(len(R), dtype=WIDE)
    for j in range(len(R)):
        x[j] = Q[:, j] @ left
        left = left - Q[:, j] * x[j]
    for j in reversed(range(len(R))):
        x[j] = (x[j] - R[j, j + 1 :] @ x[j + 1 :]) / R[j, j]
    return x


@pytest.mark.parametrize("alpha", [0.0, 1e-18, 1e-12, 1e-6, 1.0])
@pytest.mark.parametrize("shape", [(80, 12), (12, 20)])
def test_ill_conditioned_designs(alpha, shape):
    """Never worse than a singular value decomposition of X, the most careful of the common ways."""
    Ridge = pytest.importorskip("sklearn.linear_model").Ridge
    if alpha == 0.0 and shape[0] < shape[1]:
        alpha = 1e-16
    penalty, errors = np.sqrt(WIDE(alpha)) * np.eye(shape[1]), []
    for seed in range(9):  # the median, since of two roundings of one size either may be the luckier
        rng = np.random.default_rng(seed)
        U, V = (np.linalg.qr(rng.standard_normal((size, 12)))[0] for size in shape)
        X = (U * np.geomspace(1.0, 1e-10, 12)) @ V.T
        y = X @ rng.standard_normal(shape[1]) + 1e-3 * rng.standard_normal(shape[0])
        mine = fit_ridge(RidgeData(X, y[:, None], None, False), np.array([alpha])).coefs[:, 0]
        theirs = Ridge(alpha, fit_intercept=False, solver="svd").fit(X, y).coef_
        expected = least_squares(np.vstack([X, penalty]), np.append(y, np.zeros(shape[1])))
        size = float(np.abs(expected).max())
        errors.append([float(np.abs(w - expected).max() / size) for w in (mine, theirs)])
    mine, theirs = np.median(errors, axis=0)
    assert mine <= max(2 * theirs, 1e-13)


@pytest.mark.parametrize("storage", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("shape", [(200, 6), (12, 30)])
@pytest.mark.parametrize("weighted", [True, False])
def test_means_far_from_zero(storage, dtype, shape, weighted):
    rng = np.random.default_rng(1)
    level = 1e6 if dtype == np.float64 else 1e3
    X = (rng.standard_normal(shape) + level).astype(dtype)
    y = X[:, :2].sum(axis=1, dtype=np.float64) + rng.standard_normal(shape[0])
    weights = rng.uniform(0, 2, shape[0]) if weighted else None
    data = RidgeData(STORAGE[storage](X), y[:, None], weights)
    for alpha in (0.0, 1e-3, 1.0):
        fit = fit_ridge(data, np.array([alpha]))
        shifted = RidgeData(X.astype(WIDE) - level, y[:, None], weights)
        if alpha > 0 or shape[0] > shape[1]:
            close(fit.coefs, exact(shifted, alpha)[0], 1e-9)
        assert fit.residuals.max() < 1e-8
    errors, _ = system_for(data).leave_one_out(np.array([1.0]))
    close(errors[0, :5], left_out(shifted, 1.0)[:5], 1e-8)


def sums_of_residuals(data, alpha):
    """(weighted residual sums of squares (k,), n less the trace of the hat matrix), in extended precision."""
    X = data.X.toarray() if sparse.issparse(data.X) else np.asarray(data.X)
    n, X = len(X), X.astype(WIDE)
    s = np.ones(n) if data.weights is None else data.weights
    W, b = exact(data, alpha)
    every, level = exact(RidgeData(data.X, np.eye(n), data.weights, data.fit_intercept, data.factor), alpha)
    squares = s @ (data.Y - b - X @ W) ** 2
    return squares, np.count_nonzero(s) - np.trace(X @ every + level)


@pytest.mark.parametrize("shape", [(25, 8), (12, 14)])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize(("storage", "dtype"), [("C", np.float64), ("F", np.float32), ("csr", np.float64)])
def test_residual_sums_are_those_of_the_hat_matrix(shape, fit_intercept, weighted, factor, storage, dtype):
    shape = (25, 8) if factor == "smooth" else shape
    data = make(shape, fit_intercept, weighted, factor, dtype, storage)
    alphas = np.array([0.3, 1e-2, 20.0, 0.3])
    expected = [sums_of_residuals(data, alpha) for alpha in alphas]
    for system in [system_for(data)] + ([Decomposed(data)] if factor != "smooth" else []):
        squares, freedom = system.residual_sums(alphas)
        assert squares.shape == (4, 2) and freedom.shape == (4,)
        for j, (left, room) in enumerate(expected):
            assert_allclose(squares[j], left.astype(float), rtol=1e-9)
            assert_allclose(freedom[j], float(room), rtol=1e-9)


@pytest.mark.parametrize("shape", [(20, 19), (12, 14), (40, 14)])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
def test_generalized_cross_validation_of_fits_that_saturate(shape, fit_intercept, weighted):
    """Neither residuals nor what df leaves of n come from differences of larger numbers."""
    data = make(shape, fit_intercept)
    if weighted:  # so many rows that the penalty alone keeps a fit from passing through them
        data.weights = np.where(np.arange(shape[0]) < 12, np.linspace(1, 2, shape[0]), 0.0)
    alphas = np.array([1e-7, 1e-5])
    criterion, freedom, _ = generalized_cross_validation(data, alphas, system_for(data))
    for j, alpha in enumerate(alphas):
        squares, room = sums_of_residuals(data, alpha)
        assert_allclose(freedom[j], float(room), rtol=1e-6)
        expected = squares / data.total / (room / data.counted) ** 2
        assert_allclose(criterion[j], expected.astype(float), rtol=1e-6)
    if data.counted <= shape[1]:  # it has a limit for alpha to 0
        limit, _, _ = generalized_cross_validation(data, np.array([1e-20]), system_for(data))
        assert_allclose(limit[0], criterion[0], rtol=1e-3)


@pytest.mark.parametrize(("level", "least"), [(0.0, 1e-6), (2.0**20, 1e-5)])
def test_residual_sums_of_responses_without_noise(level, least):
    data = make((60, 8))
    data.X = np.asfortranarray(np.round(1024 * data.X) / 1024)
    data.Y = 8 * data.X[:, :2] + 3.0
    alphas = np.array([least, 1e-2, 1.0])
    expected = [sums_of_residuals(data, alpha)[0].astype(float) for alpha in alphas]
    data.X += level
    squares, _ = system_for(data).residual_sums(alphas)
    assert_allclose(squares, expected, rtol=1e-5)
    if level == 0:  # sums would have no digit of it
        assert squares[0].max() < np.finfo(float).eps * (data.Y**2).sum(axis=0).min()


def test_generalized_cross_validation_without_freedom():
    data = make((20, 19))
    criterion, freedom, system = generalized_cross_validation(data, np.array([1.0, 0.0]), system_for(data))
    assert freedom[1] == 0 and np.isnan(criterion[1]).all() and np.isfinite(criterion[0]).all()
    assert isinstance(system, Decomposed)


def test_storage_is_never_written():
    data = make((30, 5), dtype=np.float32, weighted=True)
    data.X.flags.writeable = data.Y.flags.writeable = data.weights.flags.writeable = False
    before = data.X.copy()
    for alpha in (1.0, 0.0):
        fit_ridge(data, np.full(2, alpha))
    system_for(data).leave_one_out(np.ones(1))
    system_for(data).residual_sums(np.ones(1))
    assert_array_equal(data.X, before)


def test_constant_column_and_constant_response():
    data = make((30, 5), k=1)
    data.X[:, 2] = 0.1  # its mean is not exactly 0.1
    spread = spreads(data)
    assert spread[2] == 0
    data.factor = np.where(spread > 0, spread**2, np.inf)
    for alpha in (1.0, 0.0):
        assert fit_ridge(data, np.array([alpha])).coefs[2, 0] == 0
    data = make((30, 5), k=1)
    data.Y[:] = 4.0
    for alpha in (1.0, 0.0):
        flat = fit_ridge(data, np.array([alpha]))
        assert_allclose(flat.coefs, 0, atol=1e-14)
        assert_allclose(flat.intercepts, 4.0)
        assert np.isfinite(flat.residuals).all()


def long_problem(wide, seed, **more):
    """A problem that is long enough for a matrix in single precision."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(7_000, 200)) * rng.uniform(0.5, 2.0, 200) + rng.normal(size=200)
    X = np.asfortranarray(X.T if wide else X)
    weights = rng.uniform(0.5, 2.0, len(X)) if more.pop("weighted", False) else None
    if weights is not None and not wide:
        weights[::9] = 0.0
    y = X[:, :5] @ rng.normal(size=5) + 3.0 * rng.normal(size=len(X)) + 7.0
    return RidgeData(X, y[:, None], weights=weights, **more)


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize(("fit_intercept", "weighted"), [(True, False), (False, False), (True, True)])
@pytest.mark.parametrize("storage", ["F", "C", "float32"])
def test_a_matrix_in_single_precision_is_made_up_for(monkeypatch, wide, fit_intercept, weighted, storage):
    monkeypatch.setattr(systems.panels, "simd_level", "any that has as many floats as two doubles")
    data = long_problem(wide, 40, fit_intercept=fit_intercept, weighted=weighted)
    data.X = {"F": data.X, "C": np.ascontiguousarray(data.X), "float32": data.X.astype(np.float32)}[storage]
    for alpha in (np.array([1.0]), np.array([300.0])):
        assert systems.single_will_do(data, alpha)
        rough = system_for(data, single=True)
        solution, expected = fit_ridge(data, alpha, system=rough), fit_ridge(data, alpha, system=system_for(data))
        assert solution.system is rough
        assert solution.residuals[0] < 1e-13
        assert abs(rough.coefs(alpha[0]) - expected.coefs).max() > 1e-10 * abs(expected.coefs).max()
        assert_allclose(solution.coefs, expected.coefs, rtol=0, atol=1e-12 * abs(expected.coefs).max())
        assert_allclose(solution.intercepts, expected.intercepts, rtol=1e-11)
        Z, t = data.X - data.means()[0], data.Y - data.means()[1]
        gradient = Z.T @ (data.root[:, None] ** 2 * (t - Z @ solution.coefs)) - alpha * solution.coefs
        size = np.linalg.norm(Z.T @ (data.root[:, None] ** 2 * t))
        assert np.linalg.norm(gradient) < 3e-13 * size
        assert solution.dual_gaps[0] < 1e-25 * size**2 / alpha[0]


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_a_spectrum_too_is_refined_by_single_passes(fit_intercept):
    data = long_problem(True, 42, fit_intercept=fit_intercept)
    for alpha in (np.array([1.0]), np.array([1e-3])):
        system = system_for(data)
        system.diagonalize()
        solution, expected = fit_ridge(data, alpha, system=system), fit_ridge(data, alpha)
        assert not system.factors  # the spectrum was enough
        assert_array_equal(solution.coefs, system.refined(alpha[0], 0, True)[0])  # no other way has these bits
        assert solution.residuals[0] < 1e-13
        assert_allclose(solution.coefs, expected.coefs, rtol=0, atol=1e-12 * abs(expected.coefs).max())
    X = data.X
    X[1] = X[0]  # without a spectrum that tells its solutions: another way
    data.known_means = data.known_size = None
    system = system_for(data)
    system.diagonalize()
    assert system.refined(1e-9, 0, True) is None


@pytest.mark.parametrize("wide", [False, True])
def test_single_precision_is_not_for_ill_conditioned_designs(monkeypatch, wide):
    monkeypatch.setattr(systems.panels, "simd_level", "any that has as many floats as two doubles")
    data, alpha = long_problem(wide, 41), np.array([1e-3])
    X = data.X.T if wide else data.X
    X[:, 1] = X[:, 0] + 1e-4 * X[:, 1]  # everywhere: a sample tells
    assert not systems.single_will_do(data, alpha)
    data = long_problem(wide, 41)
    X = data.X.T if wide else data.X
    unseen = slice(systems.NEIGHBOURS, None, systems.NEIGHBOURS * (len(X) // (2 * X.shape[1])))  # by a sample
    X[unseen] += 1e6 * np.ones(200) if not wide else 1e5 * np.linspace(1, 2, 200)
    assert systems.single_will_do(data, alpha)
    solution = fit_ridge(data, alpha, system=system_for(data, single=True))
    assert not solution.system.single
    expected = fit_ridge(data, alpha)
    assert_array_equal(solution.coefs, expected.coefs)


def test_sparse_too_large_to_factorize(monkeypatch):
    monkeypatch.setattr(systems, "MOST", 5)
    data = make((30, 8), storage="csr")
    for alphas in ([0.0, 1.0], [1.0, 0.0]):
        with pytest.raises(TooLarge):
            fit_ridge(data, np.array(alphas))
    data.factor = np.array([0.0] + 7 * [1.0])
    with pytest.raises(TooLarge):
        fit_ridge(data, np.array([1.0, 1.0]))
    fit_ridge(make((30, 8)), np.array([1.0, 1.0]))


@pytest.mark.parametrize("storage", ["csr", "csc"])
@pytest.mark.parametrize("shape", [(60, 25), (25, 60)])
@pytest.mark.parametrize("intercept", [True, False])
def test_one_krylov_space_for_all_alphas(monkeypatch, storage, shape, intercept):
    alphas = np.tile(np.geomspace(1e-4, 1e4, 9), 2)
    responses = np.repeat(np.arange(2), 9)
    answers = []
    for most in (6_000, 5):
        monkeypatch.setattr(systems, "MOST", most)
        data = make(shape, k=2, storage=storage)
        data.Y[:, 1] = 0.0
        data.fit_intercept = intercept
        data.weights = np.random.default_rng(1).uniform(0, 2, shape[0]) * (np.arange(shape[0]) % 7 > 0)
        data.factor = np.exp(np.random.default_rng(2).normal(size=shape[1]))
        data.factor[3] = np.inf
        answers.append(fit_ridge(data, alphas, responses))
    direct, shared = answers
    assert isinstance(shared.system, Krylov)
    assert_allclose(shared.coefs, direct.coefs, atol=1e-11 * np.abs(direct.coefs).max())
    assert_allclose(shared.intercepts, direct.intercepts, atol=1e-11)
    assert shared.residuals.max() <= 1e-13


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("storage", ["C", "F", "csr"])
@pytest.mark.parametrize("level", [0.0, 1e6])
def test_sums_of_blocks(weighted, storage, level):
    data = make((90, 5), weighted=weighted, storage=storage)
    if level and storage == "csr":
        pytest.skip("sparse columns lie about zero")
    data.X = data.X + level if level else data.X
    s = np.ones(90) if data.weights is None else data.weights
    whole = Sums(5, 2)
    for part in (slice(0, 10), slice(10, 60), slice(60, 90)):
        whole.add(data.X[part], data.Y[part], None if data.weights is None else s[part])
    dense = (data.X.toarray() if sparse.issparse(data.X) else data.X).astype(WIDE)

    def check(sums, rows):
        w, X, Y = s[rows, None], dense[rows], data.Y[rows]
        mean, level_, gram, cross, squares = sums.centred()
        Z, T = X - (w * X).sum(0) / w.sum(), Y - (w * Y).sum(0) / w.sum()
        assert_allclose(mean, ((w * X).sum(0) / w.sum()).astype(float), rtol=1e-12, atol=1e-12)
        assert_allclose(level_, (w * Y).sum(0) / w.sum(), rtol=1e-12)
        close(gram, Z.T @ (w * Z), 1e-8 if level else 1e-12)
        close(cross, Z.T @ (w * T), 1e-8 if level else 1e-12)
        close(squares, (w * T * T).sum(0), 1e-12)
        assert sums.rows == len(X)

    check(whole, slice(0, 90))
    block = Sums(5, 2)
    block.add(data.X[60:], data.Y[60:], None if data.weights is None else s[60:])
    rest = whole.copy()
    rest.merge(block, sign=-1.0)
    check(rest, slice(0, 60))
    rest.merge(block)
    check(rest, slice(0, 90))
    check(whole, slice(0, 90))
    rest.add(data.X[:30], data.Y[:30], None if data.weights is None else s[:30], sign=-1.0)
    check(rest, slice(30, 90))


def test_sums_keep_what_rounding_takes_off():
    """A million small blocks lose no more than one."""
    sums, x = Sums(1, 1), np.array([[0.1], [-0.1]])
    sums.add(x * 1e8, x)
    parts = 2000
    for _ in range(parts):
        sums.add(x, x)
    extra = sums.xx[0, 0] - 2e14
    assert_allclose(float((sums.high["xx"] - 2e14 + sums.low["xx"])[0, 0]), 0.02 * parts, rtol=1e-12)
    assert abs(extra - 0.02 * parts) < 0.1  # as one float64 it can be no better
    assert isinstance(by_features(sums, RidgeData(x, x)), ByFeatures)
