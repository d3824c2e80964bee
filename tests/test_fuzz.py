"""Random input, plain and degenerate, in every storage: solutions with certificates that hold, or a clear refusal.

FASTREG_FUZZ_EXAMPLES is the number of examples for each test; a number always draws the same examples.  `.ci/sanitize`
runs many of them on kernels that are built with bounds checks and sanitizers.
"""

import os
import re
import warnings

import numpy as np
import pytest
import reference
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from scipy import sparse

from fastreg import ConvergenceWarning, GramAccumulator, Problem, fit_path, fit_paths, ridge_path

fuzz = settings(
    max_examples=int(os.environ.get("FASTREG_FUZZ_EXAMPLES", "15")),
    phases=[Phase.generate],  # to find a smaller example takes minutes; take Phase.shrink in when you look at one
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
TOL = 1e-10  # the default
ARGUMENTS = r"\b(X|y|alphas?|n_samples|sample_weight|offset|penalty_factor|\w+_bounds|labels|loss|l1_ratio|Cs?)\b"

# Around the widths of register tiles, strips and buffers; a single row, a single column.
SHORT = [1, 2, 3, 7, 8, 9, 16, 23, 24, 25, 33, 60]
LONG = [127, 128, 129, 257, 513]
SHAPES = st.one_of(
    st.tuples(st.sampled_from(SHORT), st.sampled_from(SHORT)),
    st.tuples(st.sampled_from(LONG), st.sampled_from(SHORT[:8])),
    st.tuples(st.sampled_from(SHORT[:8]), st.sampled_from(LONG)),
)
PLAIN = ["zero", "constant", "copy", "opposite", "sum", "small", "large", "indicator", "single"]
EXTREME = ["tiny", "huge", "shifted", "nearly constant", "denormal"]
LAYOUTS = ["C", "F", "strided", "strided-F", "negative", "negative-F", "read-only", "unaligned", "one row"]
LOSSES = ["squared", "logistic", "multinomial", "poisson", "squared_hinge", "huber"]
SEEDS = st.integers(0, 2**32 - 1)


def column(kind, X, j, rng):
    """Another column j of X, which may lean on those before it."""
    n, before, x = len(X), X[:, rng.integers(j) if j else 0], X[:, j]
    return {
        "zero": np.zeros(n),
        "constant": np.full(n, 3.0),
        "copy": before,
        "opposite": -before,
        "sum": X[:, :3].sum(axis=1),
        "small": 1e-6 * x,
        "large": 1e6 * x,
        "indicator": (x > 0).astype(float),
        "single": np.where(np.arange(n) == n // 2, x, 0.0),
        "tiny": 1e-25 * x,
        "huge": 1e25 * x,
        "shifted": 1e8 + x,
        "nearly constant": 1.0 + 1e-15 * x,
        "denormal": 1e-310 * x,
    }[kind]


@st.composite
def designs(draw, kinds=tuple(PLAIN), shapes=SHAPES):
    """(n, p) float64, a column in two of a kind drawn from `kinds`."""
    (n, p), rng = draw(shapes), np.random.default_rng(draw(SEEDS))
    mix = draw(st.lists(st.sampled_from(kinds), max_size=4))
    X = rng.normal(size=(n, p))
    if mix:
        for j in np.flatnonzero(rng.random(p) < 0.5):
            X[:, j] = column(mix[rng.integers(len(mix))], X, j, rng)
    return X


def lying(X, layout):
    """The same matrix, lying differently in memory; "one row" repeats the first one by a stride of zero."""
    n, p = X.shape
    order = "F" if layout.endswith("F") else "C"
    if layout.startswith("strided"):
        wide = np.full((2 * n, 3 * p), np.nan if X.dtype.kind == "f" else 0, dtype=X.dtype, order=order)
        wide[::2, ::3] = X
        return wide[::2, ::3]
    if layout.startswith("negative"):
        return X[::-1, ::-1].copy(order=order)[::-1, ::-1]
    if layout == "unaligned":
        packed = np.zeros((n, p), dtype=[("gap", "i1"), ("value", X.dtype)])
        packed["value"] = X
        return packed["value"]
    if layout == "one row":
        return np.broadcast_to(X[:1], X.shape)
    X = X.copy(order=order)
    X.setflags(write=layout != "read-only")
    return X


def loose(a):
    """The same array from an odd address."""
    room = np.zeros(a.nbytes + 1, dtype=np.uint8)[1:].view(a.dtype)
    room[:] = a
    return room


def scattered(X, form, index, rng):
    """A sparse matrix of about these entries, as careless code leaves it: entries in any order, some twice, some zero,
    room at the end."""
    X = np.where(rng.random(X.shape) < 0.4, X, 0.0).astype(X.dtype)
    A = sparse.coo_array(X)
    twice = rng.random(A.nnz) < 0.2
    rows, cols = (np.concatenate([a, a[twice], a[:1]]) for a in A.coords)
    values = np.concatenate([A.data, A.data[twice], np.zeros_like(A.data[:1])])
    lines, others = (rows, cols) if form == "csr" else (cols, rows)
    order = np.lexsort((rng.random(len(lines)), lines))
    kind = sparse.csr_array if form == "csr" else sparse.csc_array
    S = kind(X.shape, dtype=X.dtype)
    room = int(rng.integers(3))
    S.data = np.concatenate([values[order], np.full(room, np.nan if X.dtype.kind == "f" else 7).astype(X.dtype)])
    S.indices = np.concatenate([others[order], np.full(room, -5)]).astype(index)
    S.indptr = np.searchsorted(lines[order], np.arange(X.shape[form != "csr"] + 1)).astype(index)
    if rng.random() < 0.2:
        S.data, S.indices, S.indptr = loose(S.data), loose(S.indices), loose(S.indptr)
    return S


@st.composite
def storages(draw, X):
    """X as a caller may hold it."""
    rng = np.random.default_rng(draw(SEEDS))
    dtype = draw(st.sampled_from(["f8", "f8", "f4", "f4", "f2", ">f8", "i8", "i4", "u1", "?"]))
    if dtype[-1] in "8421?" and dtype[0] in "iu?":
        X = rng.integers(0, 2 if dtype == "?" else 4, X.shape)
    form = draw(st.sampled_from(["dense", "dense", "csc", "csr"]))
    if form != "dense" and dtype in ("f2", ">f8", "?"):  # which scipy does not store, or not add up
        dtype = "f4"
    if dtype in ("f2", "f4"):  # within its range
        X = np.clip(X, np.finfo(dtype).min, np.finfo(dtype).max)
    X = X.astype(dtype)
    if form == "dense":
        return lying(X, draw(st.sampled_from(LAYOUTS)))
    return scattered(X, form, draw(st.sampled_from([np.int32, np.int64])), rng)


def entries(X):
    """(n, p) float64 of any storage."""
    if not sparse.issparse(X):
        return np.array(X, dtype=np.float64)
    count = int(X.indptr[-1])
    lines = np.repeat(np.arange(len(X.indptr) - 1), np.diff(X.indptr))
    where = (lines, X.indices[:count]) if X.format == "csr" else (X.indices[:count], lines)
    found = np.zeros(X.shape)
    np.add.at(found, where, X.data[:count].astype(np.float64))
    return found


def response(loss, X, rng):
    """What the loss asks for; classes are all there."""
    n = len(X)
    z = np.tanh(X[:, :3]).sum(axis=1) + 0.3 * rng.normal(size=n)
    if loss == "poisson":
        y = rng.poisson(np.exp(z)).astype(np.float64)
        y[0] += 1.0
        return y
    if loss in ("squared", "huber"):
        return z + 5.0
    classes = 3 if loss == "multinomial" else 2
    y = np.digitize(z, np.quantile(z, np.arange(1, classes) / classes))
    y[: min(classes, n)] = np.arange(min(classes, n))
    return y


@st.composite
def modifiers(draw, X, loss, least=0.1):
    """Keyword arguments of `fit_path`; `least` is the smallest penalty factor.  Columns without a penalty may fit y, or
    separate the classes, on their own: then no solution exists, or nothing is left to compare gaps with."""
    n, p = X.shape
    rng, chosen = np.random.default_rng(draw(SEEDS)), draw(st.sets(st.integers(0, 6)))
    found = {
        "fit_intercept": 0 not in chosen,
        "standardize": 1 in chosen,
        "l1_ratio": draw(st.sampled_from([1.0, 1.0, 0.5, 0.01])),
    }
    if 2 in chosen:
        found["sample_weight"] = rng.choice([0.5, 1.0, 2.0, 1e-3], n)
    if 3 in chosen and loss != "multinomial":
        found["offset"] = 0.3 * rng.normal(size=n)
    if 4 in chosen:
        factors = rng.choice([least, 0.3, 1.0, 2.0, np.inf], p)
        factors[rng.integers(p)] = 1.0
        found["penalty_factor"] = factors
    if 5 in chosen:
        found["lower_bounds"] = -rng.choice([0.0, 0.1, np.inf], p)
        found["upper_bounds"] = rng.choice([0.05, 1.0, np.inf], p)
    if 6 in chosen and loss == "squared":
        found["positive"] = 5 not in chosen
    return found


def attempt(call, *arguments, **keywords):
    """(the result or None where it was refused, whether a warning told of no convergence); any other warning is an
    error, and so is a refusal that does not say what is wrong with which argument."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("error")
        warnings.simplefilter("always", ConvergenceWarning)
        try:
            return call(*arguments, **keywords), bool(told)
        except ValueError as error:
            assert re.search(ARGUMENTS, str(error)), error
            return None, False


def numbers(coefs):
    """(p, L), or (p, K, L) of classes."""
    if isinstance(coefs, list):
        return np.stack([c.toarray() for c in coefs], axis=1)
    return coefs.toarray() if sparse.issparse(coefs) else coefs


def check_path(path, warned):
    """Finite, and within `tol` unless it warned; then a gap may even be infinite, which claims nothing."""
    for values in (numbers(path.coefs), path.intercepts, path.alphas):
        assert np.all(np.isfinite(values))
    assert np.all(path.dual_gaps >= 0)
    assert warned or path.relative_gaps.max() <= TOL


# --- plain data: no refusal, and the reference agrees -----------------------------------------------------------------


@pytest.mark.parametrize("loss", LOSSES)
@given(data=st.data())
@fuzz
def test_paths_of_plain_data_are_optimal(loss, data):
    X = data.draw(designs().flatmap(storages), label="X")
    plain = entries(X)
    least = {"multinomial": 3, "logistic": 2, "squared_hinge": 2}.get(loss, 1)
    assume(len(plain) >= least)
    y = response(loss, plain, np.random.default_rng(data.draw(SEEDS)))
    arguments = data.draw(modifiers(plain, loss), label="arguments")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        path = fit_path(X, y, loss=loss, alphas=4, eps=0.05, **arguments)
    check_path(path, True)
    delta = 1e9 if loss == "squared" else 1.35  # where Huber's loss is the square
    problem = reference.glm(plain, y, "huber" if loss == "squared" else loss, delta=delta, **arguments)
    coefs = numbers(path.coefs)
    for k, alpha in enumerate(path.alphas):
        if path.relative_gaps[k] <= TOL:
            with np.errstate(all="ignore"):
                gap = problem.gap(coefs[..., k], path.intercepts[k], alpha)
                size = problem.objective(np.zeros_like(coefs[..., 0]), np.zeros_like(path.intercepts[0]), 0.0)
            assert gap <= 100 * TOL * path.null_objective + 1e-12 * size, (alpha, gap, path.null_objective)


# --- data at the edges: certificates or a refusal ---------------------------------------------------------------------


@pytest.mark.parametrize("loss", LOSSES)
@given(data=st.data())
@fuzz
def test_paths_of_extreme_data_are_finite_or_refused(loss, data):
    X = data.draw(designs(kinds=tuple(PLAIN + EXTREME)).flatmap(storages), label="X")
    plain = entries(X)
    y = response(loss, np.nan_to_num(plain), np.random.default_rng(data.draw(SEEDS)))
    if loss in ("squared", "huber", "poisson"):
        y = y * data.draw(st.sampled_from([1.0, 0.0, 1e-30, 1e30]), label="size of y")
    least = 0.0 if loss == "squared" else 0.1
    arguments = data.draw(modifiers(plain, loss, least), label="arguments")
    alphas = data.draw(st.sampled_from([1, 4, [1e-8], [0.1, 0.0]]), label="alphas")
    path, warned = attempt(fit_path, X, y, loss=loss, alphas=alphas, **arguments)
    if path is not None:
        check_path(path, warned)


@given(data=st.data())
@fuzz
def test_batches_over_one_matrix_are_finite_or_refused(data):
    X = data.draw(designs(kinds=tuple(PLAIN + EXTREME)).flatmap(storages), label="X")
    plain = np.nan_to_num(entries(X))
    rng = np.random.default_rng(data.draw(SEEDS))
    problems = []
    for loss in data.draw(st.lists(st.sampled_from(LOSSES), min_size=1, max_size=4), label="losses"):
        y = response(loss, plain, rng)
        problems.append(Problem(y, loss=loss, alphas=3, **data.draw(modifiers(plain, loss))))
    paths, warned = attempt(fit_paths, X, problems)
    for path in paths or ():
        check_path(path, warned)


@pytest.mark.parametrize(
    "name", ["Lasso", "Ridge", "RidgeCV", "LassoCV", "LogisticRegression", "PoissonRegressor", "HuberElasticNet"]
)
@given(data=st.data())
@fuzz
def test_estimators_are_finite_or_refuse(name, data):
    import fastreg

    X = data.draw(designs(kinds=tuple(PLAIN + EXTREME)).flatmap(storages), label="X")
    plain = np.nan_to_num(entries(X))
    losses = {"LogisticRegression": ["logistic", "multinomial"], "PoissonRegressor": ["poisson"]}
    y = response(data.draw(st.sampled_from(losses.get(name, ["squared"]))), plain, np.random.default_rng(0))
    arguments = {"LassoCV": {"cv": 3, "alphas": 4}, "LogisticRegression": {"l1_ratio": 1.0}}.get(name, {})
    model, _ = attempt(getattr(fastreg, name)(**arguments).fit, X, y)
    if model is None:
        return
    assert np.all(np.isfinite(model.coef_))
    assert np.all(np.isfinite(model.intercept_))
    gap = getattr(model, "dual_gap_", 0.0)
    assert np.all(np.isfinite(gap)) and np.all(gap >= 0)
    with np.errstate(over="ignore"):  # exp() of a huge predictor is infinite
        answers = model.predict(X)
    assert answers.shape == y.shape
    assert not np.any(np.isnan(answers))


@given(data=st.data())
@fuzz
def test_ridge_paths_and_sums_are_finite_or_refused(data):
    X = data.draw(designs(kinds=tuple(PLAIN + EXTREME)).flatmap(storages), label="X")
    y = response("squared", np.nan_to_num(entries(X)), np.random.default_rng(0))
    trace, _ = attempt(ridge_path, X, y, alphas=[10.0, 0.1, 1e-6])
    if trace is not None:
        assert np.all(np.isfinite(numbers(trace.coefs)))

    def from_sums():
        total, rows = GramAccumulator(), max(1, len(y) // 3)
        for start in range(0, len(y), rows):
            total.add(X[start : start + rows], y[start : start + rows])
        return total.fit_path(alphas=3)

    if not sparse.issparse(X):
        path, warned = attempt(from_sums)
        if path is not None:
            check_path(path, True)


# --- broken data: refused --------------------------------------------------------------------------------------------


@given(data=st.data())
@fuzz
def test_broken_sparse_matrices_are_refused_or_read_as_they_stand(data):
    X = data.draw(designs(), label="X")
    form, index = data.draw(st.sampled_from(["csc", "csr"])), data.draw(st.sampled_from([np.int32, np.int64]))
    A = scattered(X, form, index, np.random.default_rng(0))
    for name in data.draw(st.lists(st.sampled_from(["indices", "indptr", "data"]), min_size=1, max_size=2)):
        broken = np.array(getattr(A, name))
        if data.draw(st.booleans()) and name != "data" and len(broken):
            where = data.draw(st.integers(0, len(broken) - 1))
            edge = np.iinfo(index)
            broken[where] = data.draw(st.sampled_from([-1, 1, len(A.data), 513, 10**6, edge.max, edge.min]))
        else:
            broken = broken[: data.draw(st.integers(0, len(broken)))]
        setattr(A, name, broken)
    y = np.linspace(-1, 1, X.shape[0])
    path, warned = attempt(fit_path, A, y, alphas=[0.1, 0.01])
    if path is not None:
        check_path(path, warned)


@pytest.mark.parametrize("what", ["X", "y", "sample_weight", "offset"])
@given(data=st.data())
@fuzz
def test_what_is_not_finite_is_refused_by_name(what, data):
    large = st.just((150, 90))  # beyond what is searched entry by entry beforehand
    X = data.draw(designs(shapes=st.one_of(SHAPES, large)), label="X")
    X = X.astype(data.draw(st.sampled_from(["f8", "f4"])))
    n = len(X)
    arguments = {"X": X, "y": X.sum(axis=1) + 1.0, "sample_weight": np.ones(n), "offset": np.zeros(n)}
    bad = arguments[what]
    where = data.draw(st.integers(0, bad.size - 1))
    bad[np.unravel_index(where, bad.shape)] = data.draw(st.sampled_from([np.nan, np.inf, -np.inf]))
    if what == "X":
        arguments["y"] = np.linspace(-1, 1, n)
        form = data.draw(st.sampled_from([*LAYOUTS[:-1], "csc", "csr"]))
        stored = {"csc": sparse.csc_array, "csr": sparse.csr_array}.get(form)
        arguments["X"] = stored(X) if stored else lying(X, form)
    with pytest.raises(ValueError, match=rf"\b{what}\b.*(NaN|infinity|finite)"):
        fit_path(**arguments, alphas=3)


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0)])
@pytest.mark.parametrize("form", [np.ascontiguousarray, np.asfortranarray, sparse.csc_array, sparse.csr_array])
def test_nothing_is_refused(form, shape):
    with pytest.raises(ValueError, match="X is empty"):
        fit_path(form(np.zeros(shape)), np.zeros(shape[0]))
