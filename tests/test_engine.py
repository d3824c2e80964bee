"""The engine on the inputs that break solvers: each pitfall of dense squared loss by its name."""

import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import reference
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from fastreg import ConvergenceWarning, Problem, fit_path, fit_paths
from fastreg.design import as_design
from fastreg.solve.regime import Plan
from fastreg.solve.run import Run
from fastreg.solve.sample import Sample, find_spreads

TOL = 1e-10  # the default
ROUNDING = 1e-13
WAYS = pytest.mark.parametrize("precompute", [True, False, "auto"])


def data(n, p, seed=0, support=5, noise=0.5, correlation=0.3):
    rng = np.random.default_rng(seed)
    X = np.sqrt(1 - correlation) * rng.normal(size=(n, p)) + np.sqrt(correlation) * rng.normal(size=(n, 1))
    coef = np.zeros(p)
    coef[: min(support, p)] = rng.choice([-2.0, -1.0, 1.0, 2.0], min(support, p))
    return X, X @ coef + noise * rng.normal(size=n) + 3.0


def reference_arguments(arguments):
    ours = ("l1_ratio", "fit_intercept", "standardize", "positive")
    chosen = {name: arguments[name] for name in ours if name in arguments}
    return chosen, arguments.get("sample_weight")


def proved(X, y, path, tol=TOL, shift=0.0, **arguments):
    """Every solution has a gap within `tol` by the reference's own certificate; returns the coefficients (p, L).

    `shift` (p,) is taken off X before the certificate, where the columns' means would swallow its digits.
    """
    chosen, weights = reference_arguments(arguments)
    Z = np.asarray(X, dtype=np.float64) - shift
    null = reference.null_objective(Z, y, fit_intercept=chosen.get("fit_intercept", True), weights=weights)
    coefs = path.coefs.toarray()
    assert np.all(np.isfinite(coefs))
    assert np.all(path.dual_gaps >= 0)
    assert np.all(path.dual_gaps <= (tol + ROUNDING) * null)
    for k, alpha in enumerate(path.alphas):
        intercept = path.intercepts[k] + coefs[:, k] @ np.broadcast_to(shift, len(coefs))
        if np.any(shift):  # the intercept itself has only so many digits
            best = np.average(y - Z @ coefs[:, k], weights=weights)
            assert abs(intercept - best) <= 1e-14 * np.abs(coefs[:, k] * shift).sum() + 1e-12 * np.abs(y).max()
            intercept = best
        gap = reference.gap(Z, y, coefs[:, k], intercept, alpha, weights=weights, **chosen)
        assert gap <= (tol + ROUNDING) * null, (alpha, gap / null)
    return coefs


def fit(X, y, tol=TOL, shift=0.0, **arguments):
    path = fit_path(X, y, tol=tol, **arguments)
    proved(X, y, path, tol, shift, **arguments)
    return path


def optimum(X, y, path, k, **arguments):
    """The objective at solution k of a path."""
    chosen, weights = reference_arguments(arguments)
    return reference.objective(X, y, *point(path, k), path.alphas[k], weights=weights, **chosen)


def point(path, k):
    return path.coefs.toarray()[:, k], path.intercepts[k]


# --- columns without variance ----------------------------------------------------------------------------------------


@WAYS
@pytest.mark.parametrize("value", [0.0, 0.1, 1e8, -1e8 / 3])
@pytest.mark.parametrize("standardize", [False, True])
def test_constant_columns_stay_at_zero(precompute, value, standardize):
    for n, p in ((40, 12), (20, 60)):
        X, y = data(n, p)
        X[:, [1, 7]] = value
        path = fit(X, y, alphas=15, precompute=precompute, standardize=standardize)
        assert not path.coefs.toarray()[[1, 7]].any()
        without = fit_path(np.delete(X, [1, 7], axis=1), y, alphas=path.alphas, standardize=standardize)
        assert_allclose(np.delete(path.coefs.toarray(), [1, 7], axis=0), without.coefs.toarray(), atol=1e-6)


@pytest.mark.parametrize("value", [0.1, 1e8])
@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("elsewhere", [5.0, 1e6])
@pytest.mark.parametrize("row", [0, 20])
def test_a_column_constant_but_for_rows_of_weight_zero_stays_at_zero(value, standardize, elsewhere, row):
    X, y = data(40, 6)
    weights = np.ones(40)
    weights[row] = 0.0
    X[:, 2] = value
    X[row, 2] = elsewhere
    path = fit_path(X, y, alphas=12, sample_weight=weights, standardize=standardize)
    assert not path.coefs.toarray()[2].any()
    keep = weights > 0
    without = fit_path(X[keep], y[keep], alphas=path.alphas, standardize=standardize)
    assert_allclose(path.coefs.toarray(), without.coefs.toarray(), atol=1e-6)


def nearly_constant(mean, spread):
    """Data with two columns of this mean and spread, and what to take off them to see their digits."""
    X, y = data(40, 8)
    X[:, 1] = mean + spread * X[:, 1]
    X[:, 5] = 2 * mean + spread * X[:, 5]
    shift = np.zeros(8)
    shift[[1, 5]] = mean, 2 * mean
    return X, y, shift


@WAYS
@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize(("mean", "spread"), [(1e8, 1e4), (-1e8, 1e3), (1e3, 1e-1), (1e12, 1e8)])
def test_nearly_constant_columns_are_fitted_exactly(precompute, standardize, mean, spread):
    X, y, shift = nearly_constant(mean, spread)
    fit(X, y, shift=shift, alphas=12, precompute=precompute, standardize=standardize)


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize(("mean", "spread"), [(1e8, 1.0), (-1e8, 1e-2), (1e6, 1e-4), (1e12, 1e2)])
def test_columns_with_a_mean_of_many_spreads_reach_the_default_tol(standardize, mean, spread):
    X, y, shift = nearly_constant(mean, spread)
    fit(X, y, shift=shift, alphas=12, standardize=standardize)


@WAYS
@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize(("mean", "spread"), [(1e8, 1.0), (-1e8, 1e-2), (1e6, 1e-4), (1e12, 1e2)])
def test_digits_that_a_mean_swallows_show_in_the_gap(precompute, standardize, mean, spread):
    X, y, shift = nearly_constant(mean, spread)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        path = fit_path(X, y, alphas=12, precompute=precompute, standardize=standardize)
    rounding = 1e-14 * abs(mean / spread)
    assert path.relative_gaps.max() <= TOL + rounding
    coefs = path.coefs.toarray()
    for k, alpha in enumerate(path.alphas):
        intercept = np.mean(y - (X - shift) @ coefs[:, k])
        gap = reference.gap(X - shift, y, coefs[:, k], intercept, alpha, standardize=standardize)
        assert gap <= path.dual_gaps[k] + rounding * path.null_objective


def test_a_column_of_one_outlier():
    X, y = data(40, 6)
    X[:, 3] = 0.0
    X[17, 3] = 1e6
    for standardize in (False, True):
        fit(X, y, alphas=15, standardize=standardize)


# --- singular Gram matrices ------------------------------------------------------------------------------------------


@WAYS
@pytest.mark.parametrize("l1_ratio", [1.0, 0.7])
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize(("n", "p"), [(50, 10), (20, 40)])
def test_duplicate_and_negated_columns(precompute, l1_ratio, positive, n, p):
    X, y = data(n, p)
    twice = np.hstack([X, -X[:, ::-1], X])
    arguments = {"l1_ratio": l1_ratio, "positive": positive, "precompute": precompute}
    path = fit(twice, y, alphas=20, **arguments)
    if l1_ratio == 1.0 and not positive:  # splitting a coefficient changes neither fit nor penalty
        once = fit_path(X, y, alphas=path.alphas)
        for k in range(20):
            assert_allclose(optimum(twice, y, path, k), optimum(X, y, once, k), rtol=1e-9)
            assert_allclose(twice @ point(path, k)[0], X @ point(once, k)[0], atol=1e-4)


@pytest.mark.parametrize("precompute", [True, False])
@pytest.mark.parametrize(("n", "p", "seed"), [(100, 80, 0), (100, 80, 1), (100, 80, 2), (80, 200, 2), (30, 60, 3)])
@pytest.mark.parametrize("arguments", [{"eps": 1e-7}, {"eps": 1e-4, "positive": True}, {"eps": 1e-7, "l1_ratio": 0.9}])
def test_columns_drawn_with_replacement_and_a_random_sign(precompute, n, p, seed, arguments):
    X, y = drawn(n, p, seed)
    fit(X, y, alphas=30, precompute=precompute, **arguments)


def drawn(n, p, seed):
    rng = np.random.default_rng(seed)
    Z = rng.normal(size=(n, p))
    X = Z[:, rng.integers(0, p, p)] * rng.choice([-1, 1], p)
    return X, X[:, :5] @ rng.normal(size=5) + rng.normal(size=n)


@WAYS
def test_many_copies_of_every_column(precompute):
    X, y = data(30, 4)
    fit(np.repeat(X, 30, axis=1), y, alphas=15, precompute=precompute)
    fit(np.repeat(X, 30, axis=1), y, alphas=15, precompute=precompute, l1_ratio=0.5)


@WAYS
@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
def test_exactly_collinear_columns(precompute, l1_ratio):
    rng = np.random.default_rng(1)
    basis = rng.normal(size=(60, 5))
    X = basis @ rng.integers(-2, 3, size=(5, 25))  # rank 5
    y = basis @ [1.0, -1.0, 2.0, 0.0, 1.0] + 0.1 * rng.normal(size=60)
    fit(X, y, alphas=30, eps=1e-5, precompute=precompute, l1_ratio=l1_ratio)


@WAYS
@pytest.mark.parametrize("distance", [1e-4, 1e-7, 1e-9])
def test_nearly_collinear_columns(precompute, distance):
    rng = np.random.default_rng(2)
    X, y = data(40, 10)
    X = np.hstack([X, X + distance * rng.normal(size=X.shape)])
    fit(X, y, alphas=20, precompute=precompute)


@WAYS
def test_smooth_curves_as_columns(precompute):
    t = np.linspace(0, 1, 200)
    rng = np.random.default_rng(3)
    centres, widths = rng.uniform(0, 1, (50, 6)), rng.uniform(0.05, 0.3, (50, 6))
    X = sum(np.exp(-(((t - centres[:, [k]]) / widths[:, [k]]) ** 2)) for k in range(6))
    y = X[:, 30] - X[:, 120] + 0.01 * rng.normal(size=50)
    fit(X, y, alphas=25, precompute=precompute)


# --- the far end of the path -----------------------------------------------------------------------------------------


@WAYS
@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
@pytest.mark.parametrize("positive", [False, True])
def test_wide_data_down_to_tiny_alphas(precompute, l1_ratio, positive):
    X, y = data(25, 150)
    arguments = {"l1_ratio": l1_ratio, "positive": positive, "precompute": precompute}
    path = fit(X, y, alphas=30, eps=1e-9, **arguments)
    if not positive:
        assert path.deviance_ratio[-1] > 1 - 1e-6
        if l1_ratio == 1.0:
            assert path.n_nonzero.max() <= 25
    assert np.all(np.diff(path.deviance_ratio) > -1e-9)


@pytest.mark.parametrize("precompute", [True, False])
def test_interpolation_keeps_the_optimality_conditions(precompute):
    X, y = data(20, 80, noise=1.0)
    path = fit(X, y, alphas=25, eps=1e-6, precompute=precompute)
    for k, alpha in enumerate(path.alphas):
        assert reference.kkt_residual(X, y, *point(path, k), alpha) <= 1e-6 * alpha


def test_noiseless_response_is_recovered():
    rng = np.random.default_rng(4)
    X = rng.normal(size=(60, 200))
    coef = np.zeros(200)
    coef[:6] = [3, -2, 1, 1, -1, 2]
    y = X @ coef
    path = fit(X, y, alphas=20, eps=1e-8)
    assert_allclose(path.coefs.toarray()[:, -1], coef, atol=1e-6)


def test_square_and_nearly_saturated_supports():
    for n, p in ((30, 30), (30, 31), (31, 30), (30, 29)):
        X, y = data(n, p, support=p, noise=2.0, correlation=0.0)
        for precompute in (True, False):
            fit(X, y, alphas=30, eps=1e-7, precompute=precompute)
            fit(X, y, alphas=10, eps=1e-7, precompute=precompute, fit_intercept=False)


def test_constant_y_under_weights():
    X, _ = data(30, 8)
    y, weights = np.full(30, 1e8 / 3), np.random.default_rng(0).uniform(0.1, 1, 30)
    for alphas in (5, [1.0, 1e-6], [0.0]):
        path = fit_path(X, y, alphas=alphas, sample_weight=weights)
        assert not path.coefs.toarray().any()
        assert_allclose(path.intercepts, 1e8 / 3)
        assert not path.dual_gaps.any()
        assert path.null_objective == 0


@pytest.mark.parametrize("row", [0, 7])
def test_y_constant_but_for_rows_of_weight_zero(row):
    X, _ = data(30, 8)
    y, weights = np.full(30, 0.1), np.ones(30)
    y[row], weights[row] = 1e6, 0.0
    path = fit_path(X, y, alphas=[1.0, 1e-3], sample_weight=weights)
    assert not path.coefs.toarray().any()
    assert_allclose(path.intercepts, 0.1, rtol=1e-9)
    assert path.null_objective <= 1e-20


def test_y_uncorrelated_with_every_column():
    X = np.repeat(np.eye(4)[:, :2], 2, axis=0)
    y = np.array([0, 0, 0, 0, 1.0, 1.0, -1.0, -1.0])
    for fit_intercept in (True, False):
        path = fit_path(X, y, alphas=[1.0, 0.1, 1e-8], fit_intercept=fit_intercept)
        assert not path.coefs.toarray().any()
        assert_array_equal(path.n_iter, 0)
        assert_allclose(path.dual_gaps, 0, atol=1e-15)
        assert path.alpha_max == 0.0
        grid = fit_path(X, y, alphas=4, fit_intercept=fit_intercept)
        assert not grid.coefs.toarray().any()
        assert np.all(np.diff(grid.alphas) < 0)


@pytest.mark.parametrize("alphas", [[0.0], [1.0, 0.0]])
def test_least_squares_where_alpha_max_is_zero(alphas):
    X = np.eye(4)[:, :2]
    cases = [(np.array([0, 0, 1.0, -1.0]), {}), (np.array([-1.0, -2.0, 0, 0]), {"positive": True})]
    for y, arguments in cases:
        path = fit_path(X, y, alphas=alphas, fit_intercept=False, **arguments)
        assert path.alpha_max == 0.0
        assert path.coefs.shape == (2, len(alphas))
        assert not path.coefs.toarray().any()
        assert not path.intercepts.any()


# --- grids -----------------------------------------------------------------------------------------------------------


def orthogonal(weights_of_columns):
    """A centred design with orthogonal columns of norm sqrt(n), and y with these correlations to it."""
    H = np.array([[1.0]])
    for _ in range(4):
        H = np.block([[H, H], [H, -H]])
    X = H[:, 1 : 1 + len(weights_of_columns)]
    return X, X @ np.asarray(weights_of_columns) + 0.5 * H[:, 15]


@WAYS
def test_alpha_max_with_ties(precompute):
    X, y = orthogonal([1.0, -1.0, 1.0, 0.5])
    for l1_ratio, positive in ((1.0, False), (0.25, False), (1.0, True)):
        arguments = {"l1_ratio": l1_ratio, "positive": positive, "precompute": precompute}
        top = 1.0 / l1_ratio
        path = fit(X, y, alphas=[2 * top, top, top * (1 - 2**-52), top * (1 - 1e-6), 0.6 * top], **arguments)
        assert path.alpha_max == top
        coefs = path.coefs.toarray()
        assert not coefs[:, :2].any()
        assert np.abs(coefs[:, 2]).max() < 1e-15
        step = 1e-6 / (1 + (1 - l1_ratio) * top * (1 - 1e-6))
        expected = step * np.array([1, 0 if positive else -1, 1, 0])
        assert_allclose(coefs[:, 3], expected, rtol=1e-9)
        assert_array_equal(np.sign(coefs[:, 4]), np.sign(expected))


@WAYS
def test_several_features_enter_at_one_alpha(precompute):
    values = np.array([1.0, 0.7, -0.7, 0.7, 0.4, -0.4, 0.1])
    X, y = orthogonal(values)
    alphas = [0.8, 0.7, 0.6, 0.4, 0.3, 0.1, 0.05]
    path = fit(X, y, alphas=alphas, precompute=precompute)
    for k, alpha in enumerate(alphas):
        expected = np.sign(values) * np.maximum(np.abs(values) - alpha, 0)
        assert_allclose(path.coefs.toarray()[:, k], expected, atol=1e-14)


def test_the_null_model_holds_down_to_alpha_max_and_no_further():
    X, y = data(40, 30)
    for arguments in ({}, {"l1_ratio": 0.3}, {"standardize": True}, {"positive": True}, {"fit_intercept": False}):
        chosen, _ = reference_arguments(arguments)
        top = fit_path(X, y, alphas=1, **arguments).alphas[0]
        assert_allclose(top, reference.alpha_max(X, y, **chosen), rtol=1e-12)
        path = fit(X, y, alphas=[1.5 * top, top, 0.999 * top], **arguments)
        assert path.n_nonzero.tolist()[:2] == [0, 0]
        assert path.n_nonzero[2] >= 1
        assert fit_path(X, y, alphas=5, **arguments).n_nonzero[0] == 0


@WAYS
@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
@pytest.mark.parametrize(("n", "p"), [(40, 20), (30, 120)])
def test_coarse_grids_with_huge_jumps(precompute, l1_ratio, n, p):
    X, y = data(n, p)
    top = fit_path(X, y, alphas=1, l1_ratio=l1_ratio).alphas[0]
    alphas = top * np.array([1e6, 0.9, 1e-3, 1e-8])
    fit(X, y, alphas=alphas, precompute=precompute, l1_ratio=l1_ratio)


@WAYS
@pytest.mark.parametrize("ratio", [2.0, 1.0, 0.5, 1e-2, 1e-5])
def test_a_single_alpha(precompute, ratio):
    X, y = data(30, 70)
    path = fit(X, y, alphas=[ratio * fit_path(X, y, alphas=1).alphas[0]], precompute=precompute)
    assert path.coefs.shape == (70, 1)


def test_unsorted_alphas_are_the_same_path():
    X, y = data(30, 40)
    alphas = np.array([0.1, 1.0, 0.03, 0.3, 1e-3])
    path, expected = fit(X, y, alphas=alphas), fit_path(X, y, alphas=np.sort(alphas)[::-1])
    assert_array_equal(path.alphas, np.sort(alphas)[::-1])
    assert_array_equal(path.coefs.toarray(), expected.coefs.toarray())


def test_a_very_fine_grid():
    X, y = data(25, 60)
    top = fit_path(X, y, alphas=1).alphas[0]
    path = fit(X, y, alphas=top * np.linspace(1.0, 0.95, 400))
    assert np.all(np.diff(path.deviance_ratio) >= -1e-13)
    close = fit(X, y, alphas=0.2 * top * (1 - np.arange(5) * 2.0**-52))
    assert_allclose(close.coefs.toarray(), close.coefs.toarray()[:, [0]].repeat(5, axis=1), atol=1e-9)


# --- scales ----------------------------------------------------------------------------------------------------------


@WAYS
@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
def test_column_scales_over_eight_decades(precompute, standardize, l1_ratio):
    for n, p in ((50, 17), (20, 50)):
        X, y = data(n, p)
        X = X * np.logspace(-4, 4, p)
        path = fit(X, y, alphas=20, precompute=precompute, standardize=standardize, l1_ratio=l1_ratio)
        if standardize:
            even = fit_path(X / X.std(axis=0), y, alphas=path.alphas, l1_ratio=l1_ratio)
            assert_allclose(path.coefs.toarray() * X.std(axis=0)[:, None], even.coefs.toarray(), atol=1e-6)


@WAYS
@pytest.mark.parametrize(("mean", "dtype"), [(1e4, "f8"), (-1e5, "f8"), (1e2, "f4"), (-1e4, "f4")])
def test_means_far_from_zero(precompute, mean, dtype):
    for n, p in ((40, 12), (20, 50)):
        X, y = data(n, p)
        X, shift = (X + mean * np.linspace(0.5, 1, p)).astype(dtype), mean * np.linspace(0.5, 1, p)
        fit(X, y + mean, shift=shift, alphas=12, precompute=precompute)


@WAYS
@pytest.mark.parametrize("mean", [10.0, 100.0])
@pytest.mark.parametrize(("n", "p"), [(100, 80), (40, 100)])
def test_means_far_from_zero_without_an_intercept(precompute, mean, n, p):
    rng = np.random.default_rng(0)
    X = mean + rng.normal(size=(n, p))
    y = (X - mean)[:, :5] @ rng.normal(size=5) + rng.normal(size=n)
    fit(X, y, alphas=30, eps=1e-4, fit_intercept=False, precompute=precompute)


@pytest.mark.parametrize("mean", [1e2, 1e3, 1e4])
def test_means_far_from_zero_in_a_batch_of_unlike_weights(mean):
    X, y = data(60, 12)
    X = X + mean
    rng = np.random.default_rng(9)
    options = [{}] + [{"sample_weight": rng.uniform(0.1, 2, 60)} for _ in range(3)]
    for path, some in zip(fit_paths(X, [Problem(y, alphas=15, **some) for some in options]), options, strict=True):
        proved(X, y, path, shift=np.full(12, mean), **some)
        alone = fit_path(X, y, alphas=15, **some)
        assert path.relative_gaps.max() <= 100 * alone.relative_gaps.max() + 1e-14


@pytest.mark.parametrize("scale", [1e-60, 1e-30, 1e30, 1e60])
def test_the_unit_of_X_does_not_matter(scale):
    X, y = data(30, 12)
    path, scaled = fit_path(X, y, alphas=12), fit_path(scale * X, y, alphas=12)
    assert_allclose(scaled.alphas, scale * path.alphas, rtol=1e-12)
    assert_allclose(scale * scaled.coefs.toarray(), path.coefs.toarray(), atol=1e-9)


# --- modifiers -------------------------------------------------------------------------------------------------------


@WAYS
@pytest.mark.parametrize("l1_ratio", [1e-3, 1e-2, 0.1, 0.5, 0.99, 1.0])
@pytest.mark.parametrize(("n", "p"), [(40, 15), (20, 70)])
def test_elastic_net_from_almost_ridge_to_lasso(precompute, l1_ratio, n, p):
    X, y = data(n, p)
    fit(X, y, alphas=15, l1_ratio=l1_ratio, precompute=precompute)


@WAYS
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize(("n", "p"), [(50, 12), (24, 80)])
def test_weights_some_of_them_zero(precompute, fit_intercept, standardize, n, p):
    X, y = data(n, p)
    X += 10.0
    weights = np.random.default_rng(5).uniform(0.1, 3, n)
    weights[::5] = 0.0
    X[::5] = 1e3  # what stands there must not matter
    y[::5] = -1e3
    arguments = {"fit_intercept": fit_intercept, "standardize": standardize, "precompute": precompute}
    path = fit(X, y, alphas=15, sample_weight=weights, **arguments)
    keep = weights > 0
    rest = fit(X[keep], y[keep], alphas=path.alphas, sample_weight=1e6 * weights[keep], **arguments)
    assert_allclose(path.coefs.toarray(), rest.coefs.toarray(), atol=1e-5)
    assert_allclose(path.intercepts, rest.intercepts, atol=1e-4)
    residual = weights @ (y[:, None] - X @ path.coefs.toarray() - path.intercepts)
    if fit_intercept:
        assert_allclose(residual / weights.sum(), 0, atol=1e-12)


def test_weights_over_twelve_decades():
    X, y = data(40, 8)
    fit(X, y, alphas=15, sample_weight=10.0 ** np.linspace(-6, 6, 40))


def test_one_row_of_weight_is_a_constant_response():
    X, y = data(10, 4)
    weights = np.zeros(10)
    weights[3] = 2.0
    path = fit_path(X, y, alphas=[1.0, 1e-3], sample_weight=weights)
    assert not path.coefs.toarray().any()
    assert_allclose(path.intercepts, y[3])


# --- one X, many ways ------------------------------------------------------------------------------------------------

SHAPES = [(200, 10), (60, 60), (40, 300), (100, 400)]


@pytest.mark.parametrize(("n", "p"), SHAPES)
@pytest.mark.parametrize("arguments", [{}, {"l1_ratio": 0.5}, {"standardize": True}, {"positive": True}])
@pytest.mark.parametrize("order", ["C", "F"])
def test_screened_rounds_agree_with_the_full_gram_matrix(n, p, arguments, order):
    X, y = data(n, p, noise=1.0)
    X = np.asarray(X, order=order)
    full = fit(X, y, alphas=30, precompute=True, **arguments)
    screened = fit(X, y, alphas=30, precompute=False, **arguments)
    size = np.abs(full.coefs.toarray()).max()
    assert_allclose(screened.coefs.toarray(), full.coefs.toarray(), atol=1e-9 * size)
    assert_allclose(screened.intercepts, full.intercepts, atol=1e-9 * max(size, np.abs(full.intercepts).max()))
    assert_allclose(screened.alphas, full.alphas, rtol=1e-14)


@WAYS
@pytest.mark.parametrize(("n", "p"), [(60, 12), (30, 120)])
def test_a_batch_is_each_of_its_problems(precompute, n, p):
    X, y = data(n, p)
    rng = np.random.default_rng(6)
    folds = [np.where(np.arange(n) % 4 == k, 0.0, 1.0) for k in range(4)]
    uneven = rng.uniform(0.1, 2, n)
    options = [{"alphas": 12, "l1_ratio": share} for share in (1.0, 0.9, 0.2)]
    options += [{"alphas": 9, "sample_weight": fold} for fold in folds]
    options += [
        {"alphas": 7, "sample_weight": uneven, "fit_intercept": False},
        {"alphas": [0.5, 0.02], "sample_weight": uneven, "positive": True, "l1_ratio": 0.7},
        {"alphas": 5, "standardize": True},
        {"alphas": [1e9]},
    ]
    targets = [y, y**2, rng.normal(size=n)]
    problems = [Problem(targets[k % 3], **some) for k, some in enumerate(options)]
    paths = fit_paths(X, problems, precompute=precompute)
    assert len(paths) == len(problems)
    for k, (path, some) in enumerate(zip(paths, options, strict=True)):
        target = targets[k % 3]
        coefs = proved(X, target, path, **some)
        alone = fit_path(X, target, precompute=precompute, **some)
        assert_allclose(path.alphas, alone.alphas, rtol=1e-12)
        assert_allclose(coefs, alone.coefs.toarray(), atol=1e-7 * max(1.0, np.abs(coefs).max()))
        assert_allclose(path.dual_gaps / max(path.null_objective, 1e-300), 0, atol=TOL)
        assert len({path.n_passes for path in paths}) == 1


def test_a_batch_of_more_problems_than_lanes():
    X, y = data(30, 80)
    rng = np.random.default_rng(7)
    Y = y[:, None] + rng.normal(size=(30, 150))
    paths = fit_path(X, Y, alphas=4)
    for k in range(0, 150, 7):
        proved(X, Y[:, k], paths[k])
        assert_allclose(paths[k].coefs.toarray(), fit_path(X, Y[:, k], alphas=4).coefs.toarray(), atol=1e-7)


def test_folds_of_wide_data_with_one_alpha_in_the_first_round():
    X, y = data(100, 4000)
    for k in (1, 2, 4):
        weights = np.where(np.arange(100) % 5 == k, 0.0, 1.0)
        fit(X, y, alphas=20, sample_weight=weights, max_iter=100)


def test_few_passes_over_wide_data():
    X, y = data(100, 4000)
    path = fit(X, y, alphas=100)
    assert path.n_passes <= 30  # one for each alpha, and more, is what solvers one alpha at a time need
    assert fit(X, y, alphas=[0.5 * path.alphas[0]]).n_passes <= 5
    folds = [Problem(y, sample_weight=np.where(np.arange(100) % 5 == k, 0.0, 1.0), alphas=20) for k in range(5)]
    assert fit_paths(X, folds)[0].n_passes <= 40


def test_more_samples_than_features_need_one_product_for_many_certificates():
    X, y = data(3000, 40)
    assert fit(X, y, alphas=100).n_passes <= 12


# --- certificates and budgets ----------------------------------------------------------------------------------------


@WAYS
@pytest.mark.parametrize("arguments", [{}, {"l1_ratio": 0.3}, {"standardize": True}, {"positive": True}])
@pytest.mark.parametrize("max_iter", [1, 2, 3, 5])
def test_the_gap_of_an_unfinished_fit_bounds_its_suboptimality(precompute, arguments, max_iter):
    X, y = data(30, 60, correlation=0.8)
    alphas = fit_path(X, y, alphas=8, **arguments).alphas
    best = fit(X, y, alphas=alphas, **arguments)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        path = fit_path(X, y, alphas=alphas, max_iter=max_iter, precompute=precompute, **arguments)
    assert np.all(path.n_iter <= max_iter)
    for k in range(len(alphas)):
        above = optimum(X, y, path, k, **arguments) - optimum(X, y, best, k, **arguments)
        assert path.dual_gaps[k] >= above - 1e-13 * path.null_objective
        # the reported gap belongs to the reported point
        reported = reference.gap(X, y, *point(path, k), alphas[k], **reference_arguments(arguments)[0])
        assert reported <= path.dual_gaps[k] + 1e-12 * path.null_objective


def test_an_exhausted_max_iter_warns_and_says_so():
    X, y = data(30, 60, correlation=0.9)
    with pytest.warns(ConvergenceWarning, match="max_iter=1") as caught:
        path = fit_path(X, y, alphas=[0.02], max_iter=1, precompute=False)
    assert len(caught) == 1
    assert path.dual_gaps[0] > TOL * path.null_objective
    assert path.n_iter[0] == 1


def test_a_loose_tol_is_never_exceeded():
    X, y = data(30, 90, correlation=0.7)
    for tol in (1e-1, 1e-3, 1e-6, 1e-14):
        fit(X, y, tol=tol, alphas=20, eps=1e-3)


@WAYS
@pytest.mark.parametrize(
    "arguments", [{}, {"l1_ratio": 0.4}, {"standardize": True}, {"positive": True}, {"fit_intercept": False}]
)
@pytest.mark.parametrize(("n", "p"), [(60, 15), (25, 90)])
def test_a_start_at_the_solution_takes_at_most_one_iteration(precompute, arguments, n, p):
    X, y = data(n, p)
    top = fit_path(X, y, alphas=1, **arguments).alphas[0]
    for ratio in (2.0, 0.9, 0.3, 0.05):
        cold = fit_path(X, y, alphas=[ratio * top], precompute=precompute, **arguments)
        start = cold.coefs.toarray()[:, 0]
        warm = fit(X, y, alphas=[ratio * top], coef_init=start, precompute=precompute, **arguments)
        assert warm.n_iter[0] <= 1
        assert_allclose(warm.coefs.toarray()[:, 0], start, atol=1e-9)


@WAYS
def test_a_start_far_away_does_no_harm(precompute):
    X, y = data(25, 60)
    rng = np.random.default_rng(8)
    expected = fit_path(X, y, alphas=[0.3, 0.01])
    for start in (1e8 * rng.normal(size=60), np.where(np.arange(60) == 7, 1e-12, 0.0), np.full(60, 1.0)):
        for l1_ratio in (1.0, 0.5):
            path = fit(X, y, alphas=[0.3, 0.01], coef_init=start, precompute=precompute, l1_ratio=l1_ratio)
            if l1_ratio == 1.0:
                assert_allclose(path.coefs.toarray(), expected.coefs.toarray(), atol=1e-6)


# --- memory ----------------------------------------------------------------------------------------------------------

MEMORY = """
import re, sys
import numpy as np
from fastreg import fit_path

def peak():
    with open("/proc/self/status") as status:
        return 1024 * int(re.search(r"VmHWM:\\s*(\\d+) kB", status.read()).group(1))

n, p, order, dtype = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
rng = np.random.default_rng(0)
fit_path(rng.normal(size=(300, 40)), rng.normal(size=300))
fit_path(rng.normal(size=(40, 300)), rng.normal(size=40))
X = np.empty((n, p), dtype=dtype, order=order)
rng.standard_normal(out=X if order == "C" else X.T, dtype=dtype)
y = X[:, :5].sum(axis=1, dtype=float) + rng.normal(size=n)
before = peak()
path = fit_path(X, y)
print((peak() - before) / X.nbytes, path.relative_gaps.max())
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(("n", "p", "dtype"), [(250, 100_000, "f8"), (200_000, 125, "f8")])
def test_no_copy_of_X_is_made(n, p, dtype, order):
    arguments = [sys.executable, "-c", MEMORY, str(n), str(p), order, dtype]
    run = subprocess.run(arguments, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    rise, gap = map(float, run.stdout.split())
    assert gap <= TOL
    # below a quarter for 1 GB; what does not grow with X, but with the number of threads, weighs more for these 200 MB
    assert rise < (0.27 if (os.cpu_count() or 1) <= 8 else 0.3)


@WAYS
def test_a_start_with_a_constant_column_in_use(precompute):
    X, y = data(30, 6)
    X[:, 2] = 7.0
    path = fit_path(X, y, alphas=[0.1, 0.05], coef_init=np.ones(6), precompute=precompute)
    assert path.relative_gaps.max() <= TOL
    assert not path.coefs.toarray()[2].any()


@pytest.mark.parametrize(("n", "p"), [(50, 400), (20, 500), (200, 300), (300, 200)])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
def test_a_start_that_is_nonsense_does_no_harm(n, p, l1_ratio):
    rng = np.random.default_rng(n)
    X = rng.normal(size=(n, p))
    y = X[:, :5].sum(axis=1) + rng.normal(size=n)
    for start in (np.ones(p), 10 * rng.normal(size=p), np.where(np.arange(p) < min(n, p) - 3, 9.0, 0.0)):
        for alphas in ([0.5], [0.01], [1.0, 0.1]):
            path = fit_path(X, y, alphas=alphas, coef_init=start, l1_ratio=l1_ratio)
            assert path.relative_gaps.max() <= 1e-10


def test_features_that_all_come_in_are_brought_in_at_once(monkeypatch):
    """On a tall X, as soon as the pace of the path says that it ends with all of them."""
    sizes = []
    look_at = Sample.look_at
    monkeypatch.setattr(Sample, "look_at", lambda sample, new: sizes.append(len(new)) or look_at(sample, new))
    monkeypatch.setattr(Plan, "full_gram", lambda plan: False)
    rng = np.random.default_rng(0)
    X = rng.standard_normal((900, 200))
    y = X[:, :20] @ rng.standard_normal(20) + 5.0 * rng.standard_normal(900)
    path = fit_path(X, y, alphas=100, eps=1e-3)
    assert path.relative_gaps.max() <= 1e-10
    assert sum(sizes) == 200 and sizes[-1] > 150


def test_a_solution_that_ran_away_is_not_reported(monkeypatch):
    accept = Run.accept
    monkeypatch.setattr(Run, "accept", lambda run, *solution: accept(run, *solution[:-3], 1e30, 1e30, solution[-1]))
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 8))
    with pytest.warns(ConvergenceWarning):
        path = fit_path(X, X[:, 0] + rng.normal(size=30), alphas=5)
    assert path.coefs.nnz == 0
    assert_array_equal(path.relative_gaps[1:], 1.0)  # zero is as good a dual point
    assert_allclose(path.deviance_ratio, 0.0, atol=1e-15)


@pytest.mark.parametrize("layout", [np.ascontiguousarray, np.asfortranarray, np.float32])
def test_standard_deviations_of_many_samples_are_those_of_each(layout):
    rng = np.random.default_rng(62)
    X = rng.normal(size=(60, 40))
    X[:, 3], X[:, 4], X[:, 5], X[:, 6] = 3.7, 0.0, X[:, 5] + 1e4, 1e-8 * X[:, 6]
    X[30:, 7] = 1.0  # constant where some weights are positive
    design = as_design(layout(X))
    weights = [None, np.repeat([0.0, 1.0], 30), *(rng.permutation(np.repeat([0.0, 1.0, 2.5], 20)) for _ in range(4))]
    together, alone = ([Sample(design, s, True, 1) for s in weights] for _ in range(2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        find_spreads({id(sample): sample for sample in together})
    for one, other in zip(together, alone, strict=True):
        assert other.spread is None
        found, expected = one.spread, other.standard_deviations()
        assert_array_equal(found == 0, expected == 0)
        assert (found[3:5] == 0).all()
        assert_allclose(found, expected, rtol=1e-12)
    assert together[1].spread[7] == 0 < together[0].spread[7]


@pytest.mark.parametrize("storage", [np.asfortranarray, np.ascontiguousarray, sparse.csc_matrix, sparse.csr_array])
@pytest.mark.parametrize("loss", ["squared", "logistic"])
@pytest.mark.parametrize("batch", [1, 6])
def test_a_column_without_a_standard_deviation_is_refused_by_name(storage, loss, batch):
    X, y = data(40, 6)
    X[:, 3] *= 1e160
    y = y > y.mean() if loss == "logistic" else y
    weights = [np.where(np.arange(40) % 7 == k, 0.0, 1.0) for k in range(batch)]
    problems = [Problem(y, loss=loss, alphas=5, standardize=True, sample_weight=weight) for weight in weights]
    with pytest.raises(ValueError, match="column 3 of X holds values so large that their squares overflow"):
        fit_paths(storage(X), problems)
    X[5, 4] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        fit_paths(storage(X), problems)
