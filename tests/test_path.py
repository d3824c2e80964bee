"""Paths: against the slow reference, by certificates, by symmetries of the problem, and at the edges of the input."""

import pickle
import warnings
from itertools import product

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import nnls

import fastreg.path
from fastreg import Problem, RegularizationPath, enet_path, fit_path, fit_paths, lasso_path

TOL = 1e-12  # with gaps this small, coefficients agree to about its square root
ATOL = 1e-5


def make_data(n=40, p=12, seed=0, correlation=0.5):
    rng = np.random.default_rng(seed)
    common = rng.normal(size=(n, 1))
    X = np.sqrt(1 - correlation) * rng.normal(size=(n, p)) + np.sqrt(correlation) * common
    coef = np.zeros(p)
    coef[: min(p, 4)] = [2.0, -1.5, 1.0, -0.5][: min(p, 4)]
    y = X @ coef + 0.5 * rng.normal(size=n) + 3.0
    return X, y


def make_weights(n, seed=1):
    weights = np.random.default_rng(seed).uniform(0.2, 3.0, size=n)
    weights[::7] = 0.0
    return weights


def problem_arguments(weights=None, **arguments):
    """fit_path's keywords and the reference's, which differ in one name."""
    return {**arguments, "sample_weight": weights}, {**arguments, "weights": weights}


def check_certificates(X, y, path, tol, **arguments):
    """Each solution is within `tol` of its minimum, by the reference's certificate and by the reported one."""
    null = reference.null_objective(X, y, fit_intercept=arguments["fit_intercept"], weights=arguments["weights"])
    assert_allclose(path.null_objective, null, rtol=1e-9)
    assert np.all(path.dual_gaps >= 0)
    for i, alpha in enumerate(path.alphas):
        coef, intercept = path.coef_at(alpha)
        assert reference.gap(X, y, coef, intercept, alpha, **arguments) <= (tol + 1e-13) * null
        if arguments["positive"]:
            assert coef.min() >= 0
        assert path.dual_gaps[i] <= tol * null
        assert path.n_nonzero[i] == np.count_nonzero(coef)


MIXES = list(product([1.0, 0.5], [True, False], [False, True], [False, True], [False, True]))


@pytest.mark.parametrize(("l1_ratio", "fit_intercept", "standardize", "positive", "weighted"), MIXES)
@pytest.mark.parametrize(("n", "p"), [(40, 12), (15, 25)])
def test_every_mix_of_modifiers_has_its_certificate(n, p, l1_ratio, fit_intercept, standardize, positive, weighted):
    X, y = make_data(n, p)
    X *= np.linspace(0.5, 2.0, p)
    ours, theirs = problem_arguments(
        make_weights(n) if weighted else None,
        l1_ratio=l1_ratio,
        fit_intercept=fit_intercept,
        standardize=standardize,
        positive=positive,
    )
    top = reference.alpha_max(X, y, **theirs)
    alphas = top * np.array([1.1, 0.7, 0.2, 0.02])
    path = fit_path(X, y, alphas=alphas, tol=TOL, **ours)
    check_certificates(X, y, path, TOL, **theirs)
    assert path.n_nonzero[0] == 0
    assert path.n_nonzero[1] > 0
    if n > p:
        for alpha in alphas[1:]:
            coef, intercept = path.coef_at(alpha)
            expected_coef, expected_intercept, _ = reference.fit(X, y, alpha, **theirs)
            assert_allclose(coef, expected_coef, atol=ATOL)
            assert_allclose(intercept, expected_intercept, atol=ATOL)
            assert reference.kkt_residual(X, y, coef, intercept, alpha, **theirs) <= ATOL


@pytest.mark.parametrize("precompute", [True, False, "auto"])
def test_precompute_changes_the_way_not_the_answer(precompute):
    X, y = make_data(60, 10)
    arguments = {"l1_ratio": 1.0, "fit_intercept": True, "standardize": False, "positive": False}
    path = fit_path(X, y, alphas=30, precompute=precompute, **arguments)
    check_certificates(X, y, path, 1e-10, weights=None, **arguments)


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize(("n", "p", "ratio"), [(40, 12, 1e-3), (12, 40, 1e-2)])
def test_the_automatic_grid(n, p, ratio, positive):
    X, y = make_data(n, p)
    path = fit_path(X, y, alphas=20, l1_ratio=0.5, positive=positive)
    top = reference.alpha_max(X, y, l1_ratio=0.5, positive=positive)
    assert_allclose(path.alphas, np.geomspace(top, ratio * top, 20), rtol=1e-10)
    assert path.n_nonzero[0] == 0
    assert path.n_nonzero[1] > 0
    assert_allclose(path.intercepts[0], y.mean())
    assert_allclose(path.deviance_ratio[0], 0, atol=1e-12)
    short = fit_path(X, y, alphas=5, l1_ratio=0.5, positive=positive, eps=0.1)
    assert_allclose(short.alphas, np.geomspace(top, 0.1 * top, 5), rtol=1e-10)
    assert_allclose(fit_path(X, y, alphas=1, l1_ratio=0.5, positive=positive).alphas, [top], rtol=1e-10)


def test_what_a_path_reports():
    X, y = make_data()
    path = fit_path(X, y, alphas=10)
    assert path.coefs.shape == (12, 10)
    assert path.coefs.format == "csc"
    assert path.coefs.dtype == np.float64
    for name in ("alphas", "intercepts", "dual_gaps", "relative_gaps", "deviance_ratio", "n_iter", "n_nonzero"):
        assert getattr(path, name).shape == (10,)
    residual = y[:, None] - path.predict(X)
    assert_allclose(path.deviance_ratio, 1 - (residual**2).sum(0) / ((y - y.mean()) ** 2).sum(), atol=1e-9)
    assert_allclose(path.relative_gaps * path.null_objective, path.dual_gaps)
    assert path.n_passes >= 1
    assert path.feature_names is None
    assert len(path.summary().splitlines()) == 11
    assert "10 alphas" in repr(path)
    again = pickle.loads(pickle.dumps(path))
    assert_array_equal(again.coefs.toarray(), path.coefs.toarray())


def test_given_alphas_are_sorted_and_the_callers_array_is_left_alone():
    X, y = make_data()
    alphas = np.array([0.1, 1.0, 0.5])
    path = fit_path(X, y, alphas=alphas)
    assert_array_equal(path.alphas, [1.0, 0.5, 0.1])
    assert_array_equal(alphas, [0.1, 1.0, 0.5])
    assert_array_equal(fit_path(X, y, alphas=[1, 2]).alphas, [2.0, 1.0])


def test_coef_at_and_predict():
    X, y = make_data()
    path = fit_path(X, y, alphas=[1.0, 0.5, 0.1])
    dense = path.coefs.toarray()
    for i, alpha in enumerate(path.alphas):
        coef, intercept = path.coef_at(alpha)
        assert_array_equal(coef, dense[:, i])
        assert intercept == path.intercepts[i]
        assert_allclose(path.predict(X, alpha), X @ coef + intercept)
    coef, intercept = path.coef_at(0.2)
    assert_allclose(coef, 0.25 * dense[:, 1] + 0.75 * dense[:, 2])
    assert_allclose(intercept, 0.25 * path.intercepts[1] + 0.75 * path.intercepts[2])
    assert_allclose(path.predict(X), X @ dense + path.intercepts)
    assert_array_equal(path.coef_at(0.1 * (1 - 1e-15))[0], dense[:, 2])
    with pytest.raises(ValueError, match="below the path"):
        path.coef_at(0.09)
    assert path.alpha_max > 1.0
    with pytest.raises(ValueError, match="above the path"):
        path.coef_at(0.5 * (1.0 + path.alpha_max))
    with pytest.raises(ValueError, match="alpha"):
        path.coef_at(-1.0)
    for some in (path, fit_path(X, y, alphas=5)):
        coef, intercept = some.coef_at(some.alpha_max)
        assert not coef.any()
        assert_allclose(intercept, y.mean())


def test_predict_checks_its_input():
    pd = pytest.importorskip("pandas")
    X, y = make_data(p=3)
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    path = fit_path(frame, y, alphas=5)
    assert_allclose(path.predict(frame, path.alphas[2]), path.predict(X, path.alphas[2]))
    with pytest.raises(ValueError, match="3"):
        path.predict(X[:, :2])
    with pytest.raises(ValueError, match="column 0 is 'b'"):
        path.predict(frame[["b", "a", "c"]])
    X[4, 0] = np.nan
    with pytest.raises(ValueError, match="row 4, column 0"):
        path.predict(X)
    single = X[:4].astype(np.float32)
    assert_allclose(path.predict(single), path.predict(X[:4]), rtol=1e-5)


def test_to_frame_and_plot():
    pd = pytest.importorskip("pandas")
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    X, y = make_data(p=3)
    X = np.column_stack([X, np.zeros(len(y))])
    path = fit_path(pd.DataFrame(X, columns=["a", "b", "c", "never"]), y, alphas=6)
    frame = path.to_frame()
    assert list(frame.columns) == ["(intercept)", "a", "b", "c"]
    assert_array_equal(frame.index, path.alphas)
    assert_array_equal(frame["a"], path.coefs.toarray()[0])
    assert list(fit_path(X, y, alphas=6).to_frame().columns) == ["(intercept)", 0, 1, 2]
    assert path.plot() is not None


# --- one X, many problems --------------------------------------------------------------------------------------------


def test_columns_of_y_are_problems_of_their_own():
    X, y = make_data()
    Y = np.column_stack([y, y**2, -y])
    paths = fit_path(X, Y, alphas=8, standardize=True)
    assert len(paths) == 3
    for k, path in enumerate(paths):
        alone = fit_path(X, Y[:, k], alphas=8, standardize=True)
        assert_allclose(path.alphas, alone.alphas)
        assert_allclose(path.coefs.toarray(), alone.coefs.toarray(), atol=ATOL * np.abs(Y[:, k]).max())
    assert isinstance(fit_path(X, Y[:, :1], alphas=3), RegularizationPath)


def test_a_batch_of_unlike_problems():
    X, y = make_data()
    weights = make_weights(len(y))
    problems = [
        Problem(y, alphas=5),
        Problem(y, alphas=[0.3, 0.1], sample_weight=weights, l1_ratio=0.5),
        Problem(np.column_stack([y, -y]), alphas=[0.2], positive=True, sample_weight=weights, fit_intercept=False),
        Problem(y, alphas=[0.2], standardize=True),
    ]
    paths = fit_paths(X, problems)
    alone = [
        fit_path(X, y, alphas=5),
        fit_path(X, y, alphas=[0.3, 0.1], sample_weight=weights, l1_ratio=0.5),
        fit_path(X, y, alphas=[0.2], positive=True, sample_weight=weights, fit_intercept=False),
        fit_path(X, -y, alphas=[0.2], positive=True, sample_weight=weights, fit_intercept=False),
        fit_path(X, y, alphas=[0.2], standardize=True),
    ]
    assert len(paths) == len(alone)
    for path, expected in zip(paths, alone, strict=True):
        assert_allclose(path.alphas, expected.alphas)
        assert_allclose(path.coefs.toarray(), expected.coefs.toarray(), atol=ATOL)
        assert_allclose(path.intercepts, expected.intercepts, atol=ATOL)


def test_fit_paths_refuses_what_is_no_list_of_problems():
    X, y = make_data()
    with pytest.raises(ValueError, match="problems is empty"):
        fit_paths(X, [])
    with pytest.raises(TypeError, match="list of Problem"):
        fit_paths(X, Problem(y))
    with pytest.raises(TypeError, match="ndarray"):
        fit_paths(X, [y])


def test_the_same_bits_for_any_number_of_threads():
    X, y = make_data(80, 60)
    Y = np.column_stack([y, y**2, -y, np.abs(y)])
    one, two = fit_path(X, Y, alphas=15, n_jobs=1), fit_path(X, Y, alphas=15, n_jobs=2)
    for a, b in zip(one, two, strict=True):
        assert_array_equal(a.coefs.toarray(), b.coefs.toarray())
        assert_array_equal(a.intercepts, b.intercepts)
        assert_array_equal(a.dual_gaps, b.dual_gaps)


# --- symmetries ------------------------------------------------------------------------------------------------------

few = settings(max_examples=15, deadline=None, derandomize=True)
seeds = st.integers(0, 10_000)
flags = st.booleans()


def grid(X, y, **arguments):
    return reference.alpha_max(X, y, **arguments) * np.array([0.6, 0.1])


def fits_alike(a, b, scale=1.0, atol=ATOL):
    assert_allclose(a.coefs.toarray(), b.coefs.toarray(), atol=atol * scale)
    assert_allclose(a.intercepts, b.intercepts, atol=atol * scale)


@few
@given(seed=seeds, exponent=st.integers(-20, 20), intercept=flags)
def test_scaling_y_scales_the_fit(seed, exponent, intercept):
    X, y = make_data(20, 6, seed)
    factor = 10.0**exponent
    alphas = grid(X, y, fit_intercept=intercept)
    plain = fit_path(X, y, alphas=alphas, tol=TOL, fit_intercept=intercept)
    scaled = fit_path(X, factor * y, alphas=factor * alphas, tol=TOL, fit_intercept=intercept)
    assert_allclose(scaled.coefs.toarray() / factor, plain.coefs.toarray(), atol=ATOL)
    assert_allclose(scaled.intercepts / factor, plain.intercepts, atol=ATOL)


@few
@given(seed=seeds, standardize=flags, positive=flags)
def test_permuting_columns_permutes_coefficients(seed, standardize, positive):
    X, y = make_data(20, 8, seed)
    order = np.random.default_rng(seed).permutation(8)
    arguments = {"standardize": standardize, "positive": positive}
    alphas = grid(X, y, **arguments)
    plain = fit_path(X, y, alphas=alphas, tol=TOL, **arguments)
    shuffled = fit_path(X[:, order], y, alphas=alphas, tol=TOL, **arguments)
    assert_allclose(shuffled.coefs.toarray(), plain.coefs.toarray()[order], atol=ATOL)


@few
@given(seed=seeds, standardize=flags, intercept=flags)
def test_whole_weights_are_repeated_rows(seed, standardize, intercept):
    X, y = make_data(20, 6, seed)
    counts = np.random.default_rng(seed).integers(0, 4, size=20)
    counts[:8] += 1
    repeated = np.repeat(np.arange(20), counts)
    arguments = {"standardize": standardize, "fit_intercept": intercept}
    alphas = grid(X[repeated], y[repeated], **arguments)
    weighted = fit_path(X, y, sample_weight=counts, alphas=alphas, tol=TOL, **arguments)
    fits_alike(weighted, fit_path(X[repeated], y[repeated], alphas=alphas, tol=TOL, **arguments))
    fits_alike(weighted, fit_path(X, y, sample_weight=1e200 * counts, alphas=alphas, tol=TOL, **arguments))


@few
@given(seed=seeds, standardize=flags, intercept=flags)
def test_rows_of_weight_zero_are_absent(seed, standardize, intercept):
    X, y = make_data(20, 6, seed)
    weights = make_weights(20, seed)
    kept = weights > 0
    X[~kept] *= 1e6
    y[~kept] -= 1e6
    arguments = {"standardize": standardize, "fit_intercept": intercept, "tol": TOL, "alphas": 5, "eps": 0.01}
    weighted = fit_path(X, y, sample_weight=weights, **arguments)
    absent = fit_path(X[kept], y[kept], sample_weight=weights[kept], **arguments)
    assert_allclose(weighted.alphas, absent.alphas, rtol=1e-9)
    fits_alike(weighted, absent)


@few
@given(seed=seeds, shift=st.sampled_from([0.0, 1e2, 1e3]), standardize=flags)
def test_the_intercept_takes_up_shifts_of_the_columns(seed, shift, standardize):
    X, y = make_data(20, 6, seed)
    alphas = grid(X, y, standardize=standardize)
    plain = fit_path(X, y, alphas=alphas, standardize=standardize)
    moved = fit_path(X + shift, y, alphas=alphas, standardize=standardize)
    assert_allclose(moved.coefs.toarray(), plain.coefs.toarray(), atol=ATOL)


# --- storage ---------------------------------------------------------------------------------------------------------


def layouts(X, tmp_path):
    wide = np.zeros((2 * X.shape[0], 3 * X.shape[1]), dtype=X.dtype)
    wide[::2, ::3] = X
    read_only = X.copy()
    read_only.setflags(write=False)
    np.save(tmp_path / "X.npy", X)
    backwards = X[::-1, ::-1].copy()
    packed = np.zeros(X.shape, dtype=[("flag", "i1"), ("x", X.dtype)])
    packed["x"] = X
    return {
        "C": np.ascontiguousarray(X),
        "F": np.asfortranarray(X),
        "strided": wide[::2, ::3],
        "reversed": backwards[::-1, ::-1],
        "read-only": read_only,
        "memory-mapped": np.load(tmp_path / "X.npy", mmap_mode="r"),
        "unaligned": packed["x"],
        "big-endian": X.astype(X.dtype.newbyteorder(">")),
        "list": X.tolist(),
    }


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("p", [12, 30])
def test_the_layout_of_X_does_not_matter(dtype, p, tmp_path):
    X, y = make_data(20, p)
    X = X.astype(dtype)
    exact = X.astype(np.float64)
    alphas = grid(exact, y)
    expected = fit_path(exact, y, alphas=alphas, tol=TOL)
    for layout, stored in layouts(X, tmp_path).items():
        before = np.array(stored)
        path = fit_path(stored, y, alphas=alphas, tol=TOL)
        assert_array_equal(np.array(stored), before, err_msg=layout)
        assert_allclose(path.coefs.toarray(), expected.coefs.toarray(), atol=ATOL, err_msg=layout)
        assert path.coefs.dtype == np.float64


@pytest.mark.parametrize("mean", [0.0, 1e2, 1e3])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_large_means_cost_no_accuracy(mean, weighted, dtype):
    X, y = make_data(40, 8)
    X = (X + mean).astype(dtype)
    weights = make_weights(40) if weighted else None
    ours, theirs = problem_arguments(weights, l1_ratio=1.0, fit_intercept=True, standardize=False, positive=False)
    path = fit_path(X, y, alphas=[0.3, 0.03], **ours)
    check_certificates(X, y, path, 1e-10, **theirs)
    double = fit_path(X.astype(np.float64), y, alphas=[0.3, 0.03], **ours)
    assert_allclose(path.coefs.toarray(), double.coefs.toarray(), atol=ATOL)


@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.uint16, bool, np.float16])
def test_other_numbers_become_float64(dtype):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 2 if dtype is bool else 9, size=(30, 5)).astype(dtype)
    y = rng.integers(0, 9, size=30)
    expected = fit_path(X.astype(np.float64), y.astype(np.float64), alphas=4)
    assert_array_equal(fit_path(X, y, alphas=4).coefs.toarray(), expected.coefs.toarray())


# --- edges -----------------------------------------------------------------------------------------------------------


def test_constant_y_gives_the_null_model():
    X, _ = make_data()
    for alphas in (5, [1.0, 0.1]):
        path = fit_path(X, np.full(len(X), 7.3), alphas=alphas)
        assert path.coefs.nnz == 0 or not path.coefs.data.any()
        assert_allclose(path.intercepts, 7.3)
        assert_array_equal(path.relative_gaps, np.zeros(len(path.alphas)))
    zero = fit_path(X, np.zeros(len(X)), alphas=[1.0], fit_intercept=False)
    assert not zero.coefs.toarray().any()


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_constant_columns(standardize, fit_intercept):
    X, y = make_data(30, 5)
    X[:, 1] = 0.0
    X[:, 3] = 0.1
    ours, theirs = problem_arguments(
        None, l1_ratio=1.0, fit_intercept=fit_intercept, standardize=standardize, positive=False
    )
    path = fit_path(X, y, alphas=grid(X, y, fit_intercept=fit_intercept, standardize=standardize), **ours)
    check_certificates(X, y, path, 1e-10, **theirs)
    assert not path.coefs.toarray()[1].any()
    if standardize or fit_intercept:
        assert not path.coefs.toarray()[3].any()


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_duplicate_and_collinear_columns(l1_ratio, dtype):
    X, y = make_data(30, 6)
    X = np.column_stack([X, X[:, 0], -X[:, 1], X[:, 2] + X[:, 3]]).astype(dtype)
    ours, theirs = problem_arguments(None, l1_ratio=l1_ratio, fit_intercept=True, standardize=False, positive=False)
    path = fit_path(X, y, alphas=20, **ours)
    check_certificates(X, y, path, 1e-10, **theirs)
    if l1_ratio < 1:
        coefs = path.coefs.toarray()
        assert_allclose(coefs[0], coefs[6], atol=ATOL)


@pytest.mark.parametrize(("n", "p"), [(1, 1), (1, 5), (2, 1), (2, 50), (50, 1), (3, 3)])
def test_tiny_shapes(n, p):
    X, y = make_data(n, p)
    ours, theirs = problem_arguments(None, l1_ratio=1.0, fit_intercept=True, standardize=False, positive=False)
    path = fit_path(X, y, alphas=[0.5, 0.05], **ours)
    if n == 1:
        assert not path.coefs.toarray().any()
        assert_allclose(path.intercepts, y[0])
    else:
        check_certificates(X, y, path, 1e-10, **theirs)


def test_alpha_zero_is_least_squares():
    X, y = make_data(40, 6)
    path = fit_path(X, y, alphas=[1.0, 0.0])
    expected = np.linalg.lstsq(X - X.mean(0), y - y.mean(), rcond=None)[0]
    assert_allclose(path.coef_at(0.0)[0], expected, rtol=1e-7)
    assert_allclose(path.coef_at(0.0)[1], y.mean() - X.mean(0) @ expected, rtol=1e-7)
    weights = make_weights(40)
    root = np.sqrt(weights)
    expected = np.linalg.lstsq(root[:, None] * X, root * y, rcond=None)[0]
    path = fit_path(X, y, alphas=[0.0], fit_intercept=False, sample_weight=weights, l1_ratio=0.5)
    assert_allclose(path.coef_at(0.0)[0], expected, rtol=1e-7)


def test_alpha_zero_of_wide_data_is_the_minimum_norm_solution():
    X, y = make_data(10, 30)
    path = fit_path(X, y, alphas=[0.0])
    expected = np.linalg.pinv(X - X.mean(0)) @ (y - y.mean())
    assert_allclose(path.coefs.toarray()[:, 0], expected, atol=1e-7)


def test_alpha_zero_under_positivity_is_nonnegative_least_squares():
    X, y = make_data(40, 6)
    path = fit_path(X, y, alphas=[0.0], positive=True, fit_intercept=False, tol=TOL)
    assert_allclose(path.coefs.toarray()[:, 0], nnls(X, y)[0], atol=ATOL)


def test_saturated_path_of_wide_data():
    X, y = make_data(15, 60)
    ours, theirs = problem_arguments(None, l1_ratio=1.0, fit_intercept=True, standardize=False, positive=False)
    path = fit_path(X, y, alphas=40, eps=1e-6, **ours)
    check_certificates(X, y, path, 1e-10, **theirs)
    assert path.deviance_ratio[-1] > 0.999


def test_NaN_in_a_large_X_is_located():
    X, y = make_data(200, 100)
    for value in (np.nan, np.inf, -np.inf):
        X[150, 77] = value
        for dtype, order in product((np.float64, np.float32), "CF"):
            with pytest.raises(ValueError, match="X contains NaN or infinity, first at row 150, column 77"):
                fit_path(np.asarray(X, dtype=dtype, order=order), y, alphas=3)


def test_NaN_in_an_absent_row_is_still_refused():
    X, y = make_data()
    weights = np.ones(len(y))
    weights[3] = 0.0
    X[3, 2] = np.nan
    with pytest.raises(ValueError, match="row 3, column 2"):
        fit_path(X, y, sample_weight=weights)


# --- iterations and convergence --------------------------------------------------------------------------------------


def test_a_start_at_the_solution_needs_no_iterations_to_speak_of():
    X, y = make_data(50, 20)
    cold = fit_path(X, y, alphas=[0.05])
    warm = fit_path(X, y, alphas=[0.05], coef_init=cold.coef_at(0.05)[0])
    assert warm.n_iter[0] <= 1
    assert_allclose(warm.coefs.toarray(), cold.coefs.toarray(), atol=ATOL)


def test_any_start_leads_to_the_solution():
    X, y = make_data(50, 10)
    expected = fit_path(X, y, alphas=[0.2, 0.05], tol=TOL)
    rng = np.random.default_rng(0)
    for positive in (False, True):
        for scale in (1.0, 1e3):
            start = scale * rng.normal(size=10)
            path = fit_path(X, y, alphas=[0.2, 0.05], tol=TOL, coef_init=start, positive=positive)
            if not positive:
                fits_alike(path, expected)
            else:
                assert reference.kkt_residual(X, y, *path.coef_at(0.05), 0.05, positive=True) < ATOL
    Y = np.column_stack([y, -y])
    fits_alike(fit_path(X, Y, alphas=[0.2, 0.05], tol=TOL, coef_init=rng.normal(size=(2, 10)))[0], expected)


def test_one_warning_names_the_worst_alpha_and_what_its_gap_bounds():
    from sklearn.exceptions import ConvergenceWarning

    X, y = make_data(40, 12, correlation=0.9)
    alphas = [0.03, 0.01, 0.003]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        path = fit_path(X, y, alphas=alphas, max_iter=1)
    assert len(caught) == 1
    assert caught[0].category is ConvergenceWarning
    assert caught[0].filename == __file__
    worst = int(path.dual_gaps.argmax())
    message = str(caught[0].message)
    assert f"alpha={path.alphas[worst]:.6g}" in message
    assert f"at most {path.dual_gaps[worst]:.3g} above its minimum" in message
    assert "max_iter=1" in message
    assert path.n_iter.max() <= 1
    for i, alpha in enumerate(path.alphas):
        coef, intercept = path.coef_at(alpha)
        best_coef, best_intercept, _ = reference.fit(X, y, alpha, tol=1e-9)
        excess = reference.objective(X, y, coef, intercept, alpha) - reference.objective(
            X, y, best_coef, best_intercept, alpha
        )
        assert excess <= path.dual_gaps[i] * (1 + 1e-9) + 1e-9 * path.null_objective


def test_a_batch_warns_once_and_names_the_problem(monkeypatch):
    X, y = make_data()
    engine = fastreg.path.solve_tasks

    def unconverged(design, tasks, **options):
        solutions = engine(design, tasks, **options)
        for k, solution in enumerate(solutions):
            solution.dual_gaps[:] = solution.null_objective * np.array([1e-3, 1e-4]) * (k + 1)
        return solutions

    monkeypatch.setattr(fastreg.path, "solve_tasks", unconverged)
    with pytest.warns(UserWarning, match=r"alpha=0\.2 of problem 2 \(6 of 6 fits") as caught:
        fit_path(X, np.column_stack([y, y, y]), alphas=[0.2, 0.1])
    assert len(caught) == 1


def test_a_gap_at_rounding_level_is_no_failure_even_for_tol_zero():
    X, y = make_data(40, 6)
    path = fit_path(X, y, alphas=[1e3, 0.5, 0.1], tol=0.0)  # a warning would be an error here
    assert path.relative_gaps.max() < 1e-13


def test_progress_goes_to_stderr(capsys):
    X, y = make_data()
    fit_path(X, y, alphas=5, verbose=1)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "100% solved" in captured.err
    fit_path(X, y, alphas=5)
    assert capsys.readouterr().err == ""


# --- lasso_path and enet_path ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("alphas", [12, [0.5, 0.1, 0.01]])
def test_enet_path_agrees_with_scikit_learn(alphas, positive):
    linear_model = pytest.importorskip("sklearn.linear_model")
    X, y = make_data()
    theirs = {"tol": 1e-14, "max_iter": 100_000, "positive": positive}
    ours = enet_path(X, y, l1_ratio=0.7, alphas=alphas, positive=positive, tol=TOL)
    expected = linear_model.enet_path(X, y, l1_ratio=0.7, alphas=alphas, **theirs)
    assert len(ours) == 3
    assert_allclose(ours[0], expected[0])
    assert_allclose(ours[1], expected[1], atol=ATOL)
    assert ours[2].shape == ours[0].shape


def test_lasso_path_is_the_lasso():
    X, y = make_data()
    alphas, coefs, gaps, n_iters = lasso_path(X.astype(np.float32), y, alphas=6, eps=0.01, return_n_iter=True)
    assert coefs.dtype == np.float32
    assert coefs.shape == (12, 6)
    assert alphas.shape == gaps.shape == (6,)
    assert len(n_iters) == 6
    assert all(isinstance(n, int) for n in n_iters)
    path = fit_path(X.astype(np.float32), y, alphas=6, eps=0.01, fit_intercept=False)
    assert_allclose(alphas, path.alphas)
    assert_allclose(coefs, path.coefs.toarray(), atol=ATOL)


@pytest.mark.parametrize("function", [lasso_path, enet_path])
def test_path_functions_check_their_arguments(function):
    X, y = make_data()
    with pytest.raises(ValueError, match="multi-task"):
        function(X, y[:, None])
    with pytest.raises(ValueError, match="not the Gram matrix of this X"):
        function(X, y, precompute=2 * X.T @ X)
    assert_allclose(function(X, y, precompute=X.T @ X, Xy=X.T @ y)[1], function(X, y)[1], atol=1e-8)
    with pytest.raises(TypeError, match="copy_X"):
        function(X, y, copy_X="no")
    with pytest.raises(ValueError, match="selection"):
        function(X, y, selection="greedy")
    with pytest.raises(TypeError):
        function(X, y, n_alphas=5)


def test_a_random_order_of_coordinates_has_the_same_answer():
    X, y = make_data()
    _, expected, _ = lasso_path(X, y, alphas=5, tol=TOL)
    for random_state in (0, np.random.RandomState(0), np.random.default_rng(0), None):
        _, coefs, _ = lasso_path(X, y, alphas=5, tol=TOL, selection="random", random_state=random_state)
        assert_allclose(coefs, expected, atol=ATOL)


@pytest.mark.parametrize("precompute", [True, False])
def test_many_responses_are_each_solved_as_if_alone(precompute):
    """More problems than lanes: each has one solution checked in a round."""
    rng = np.random.default_rng(3)
    X = rng.standard_normal((40, 120))
    Y = X[:, :30] + 0.5 * rng.standard_normal((40, 30))
    paths = fit_path(X, Y, alphas=8, eps=0.05, precompute=precompute)
    for k in (0, 13, 29):
        assert paths[k].relative_gaps.max() <= 1e-10
        alone = fit_path(X, Y[:, k], alphas=8, eps=0.05)
        assert_allclose(paths[k].coefs.toarray(), alone.coefs.toarray(), atol=1e-9)
