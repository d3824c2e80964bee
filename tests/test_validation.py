"""Every refusal names its argument, and nothing that can be taken is refused."""

from decimal import Decimal

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from fastreg import fit_path, validation

X = np.arange(12.0).reshape(6, 2) ** 1.5
y = np.arange(6.0)


def changed(array, index, value):
    array = np.array(array)
    array[index] = value
    return array


def malformed(kind, name, position, value):
    """X as a sparse matrix, one number of its structure changed behind scipy's back."""
    broken = sparse.csc_matrix(X) if kind == "csc" else sparse.csr_matrix(X)
    getattr(broken, name)[position] = value
    return broken


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"X": None}, ValueError, "X is None"),
        ({"X": y}, ValueError, r"X must be 2-d.*\(6,\).*Reshape your data"),
        ({"X": X[None]}, ValueError, r"X must be 2-d.*\(1, 6, 2\)"),
        ({"X": 3.0}, ValueError, "X must be 2-d"),
        ({"X": X[:0]}, ValueError, r"0 sample\(s\) \(shape=\(0, 2\)\)"),
        ({"X": X[:, :0]}, ValueError, r"0 feature\(s\) \(shape=\(6, 0\)\)"),
        ({"X": [[1.0, 2.0], [3.0]]}, ValueError, "X could not be read"),
        ({"X": changed(X, (4, 1), np.nan)}, ValueError, "X contains NaN or infinity, first at row 4, column 1: nan"),
        ({"X": changed(X, (0, 1), -np.inf)}, ValueError, "X contains NaN or infinity, first at row 0, column 1: -inf"),
        (
            {"X": sparse.csc_array(changed(X, (2, 1), np.inf))},
            ValueError,
            "NaN or infinity, first at row 2, column 1: inf",
        ),
        ({"X": sparse.csr_matrix(changed(X, (2, 1), np.nan))}, ValueError, "NaN or infinity, first at row 2, column 1"),
        ({"X": sparse.csr_array(X + 1j)}, ValueError, "Complex data not supported: X"),
        ({"X": sparse.csr_array((0, 2))}, ValueError, r"0 sample\(s\)"),
        (
            {"X": malformed("csc", "indices", 0, 6)},
            ValueError,
            "not a valid csc matrix.*row numbers from 0 to 6, not 0 to 5",
        ),
        ({"X": malformed("csr", "indices", 1, -1)}, ValueError, "not a valid csr matrix.*column numbers from -1"),
        ({"X": malformed("csc", "indptr", 1, 13)}, ValueError, "not a valid csc matrix.*indptr must rise"),
        ({"X": malformed("csr", "indptr", 0, 1)}, ValueError, "indptr must rise"),
        ({"X": X + 1j}, ValueError, "Complex data not supported: X"),
        ({"X": X.astype("U8")}, TypeError, "X has dtype <U8"),
        ({"X": X.astype("M8[s]")}, TypeError, "X has dtype datetime64"),
        ({"X": changed(X.astype(object), (2, 1), "7")}, TypeError, "X holds text.*row 2, column 1"),
        ({"X": changed(X.astype(object), (2, 1), {})}, TypeError, "not a number: .*dict"),
        ({"X": np.ma.masked_greater(X, 3)}, TypeError, "masked array"),
        ({"y": None}, ValueError, "requires y to be passed, but the target y is None"),
        ({"y": y[:5]}, ValueError, "X has 6, y has 5"),
        ({"y": 1.0}, ValueError, "y must have shape"),
        ({"y": y[:, None, None]}, ValueError, "y must have shape"),
        ({"y": np.empty((6, 0))}, ValueError, "without a single column"),
        ({"y": changed(y, 3, np.nan)}, ValueError, "y contains NaN or infinity, first at position 3: nan"),
        ({"y": changed(np.c_[y, y], (3, 1), np.inf)}, ValueError, "y contains NaN.*row 3, column 1: inf"),
        ({"y": y * 1e160}, ValueError, "y are so large"),
        ({"y": list("abcdef")}, TypeError, "y has dtype <U1"),
        ({"y": y + 1j}, ValueError, "Complex data not supported: y"),
        ({"y": sparse.csr_array(y[:, None])}, TypeError, "y is a sparse"),
        ({"sample_weight": np.ones(5)}, ValueError, r"sample_weight must have shape \(6,\).*\(5,\)"),
        ({"sample_weight": np.ones((6, 1))}, ValueError, "sample_weight must have shape"),
        ({"sample_weight": changed(np.ones(6), 2, -1)}, ValueError, "not be negative; it is -1.0 at position 2"),
        ({"sample_weight": changed(np.ones(6), 2, np.nan)}, ValueError, "sample_weight contains NaN.*position 2"),
        ({"sample_weight": changed(np.ones(6), 2, np.inf)}, ValueError, "sample_weight contains NaN.*position 2"),
        ({"sample_weight": np.zeros(6)}, ValueError, "all weights are zero"),
        ({"sample_weight": -1.0}, ValueError, "sample_weight=-1.0"),
        ({"sample_weight": ["a"] * 6}, TypeError, "sample_weight has dtype"),
        ({"alphas": 0}, ValueError, "at least 1"),
        ({"alphas": []}, ValueError, "alphas must be 1-d and not empty"),
        ({"alphas": [[1.0]]}, ValueError, "alphas must be 1-d"),
        ({"alphas": [1.0, -0.1]}, ValueError, "alphas must be >= 0"),
        ({"alphas": [1.0, np.nan]}, ValueError, "alphas contains NaN"),
        ({"alphas": [1.0, 0.5, 1.0]}, ValueError, "value 1.0 more than once"),
        ({"alphas": [0.0, -0.0]}, ValueError, "more than once"),
        ({"alphas": 0.5}, TypeError, r"\[value\]"),
        ({"alphas": True}, TypeError, "alphas"),
        ({"alphas": None}, TypeError, "alphas"),
        ({"alphas": "auto"}, TypeError, "alphas"),
        ({"eps": 0.0}, ValueError, "eps"),
        ({"eps": 1.0}, ValueError, "eps"),
        ({"eps": "small"}, TypeError, "eps"),
        ({"l1_ratio": 0, "alphas": 5}, ValueError, "l1_ratio=0 is ridge"),
        ({"l1_ratio": -0.1}, ValueError, "l1_ratio must lie in"),
        ({"offset": np.ones(5)}, ValueError, r"offset must have shape \(6,\)"),
        ({"offset": changed(y, 1, np.inf)}, ValueError, "offset contains NaN or infinity, first at position 1"),
        ({"penalty_factor": [1.0]}, ValueError, r"penalty_factor must have shape \(2,\)"),
        (
            {"penalty_factor": [1.0, -1.0]},
            ValueError,
            "penalty_factor must not be negative or NaN; it is -1.0 at position 1",
        ),
        ({"penalty_factor": [np.nan, 1.0]}, ValueError, "penalty_factor must not be negative or NaN; it is nan"),
        ({"penalty_factor": [0.0, np.inf], "alphas": 5}, ValueError, "penalises no feature"),
        ({"lower_bounds": [0.0, 1.0]}, ValueError, "room for 0"),
        ({"upper_bounds": [0.0, -1.0]}, ValueError, "room for 0"),
        (
            {"lower_bounds": [0.0, 1.0], "upper_bounds": 0.5},
            ValueError,
            "lower_bounds lies above upper_bounds at position 1",
        ),
        ({"lower_bounds": np.nan}, ValueError, "lower_bounds contains NaN"),
        ({"upper_bounds": np.ones(3)}, ValueError, r"upper_bounds must be a number or have shape \(2,\)"),
        ({"upper_bounds": "none"}, TypeError, "upper_bounds has dtype"),
        ({"lower_bounds": -1.0, "positive": True}, ValueError, "positive=True sets lower_bounds"),
        ({"dfmax": 0}, ValueError, "dfmax"),
        ({"dfmax": 1.5}, TypeError, "dfmax must be an integer"),
        ({"l1_ratio": 1.5}, ValueError, "l1_ratio must lie in"),
        ({"l1_ratio": np.nan}, ValueError, "l1_ratio must lie in"),
        ({"l1_ratio": [0.5]}, TypeError, "l1_ratio must be a number"),
        ({"fit_intercept": 1}, TypeError, "fit_intercept must be True or False"),
        ({"standardize": "yes"}, TypeError, "standardize must be True or False"),
        ({"positive": None}, TypeError, "positive must be True or False"),
        ({"tol": -1e-3}, ValueError, "tol"),
        ({"tol": np.inf}, ValueError, "tol"),
        ({"tol": None}, TypeError, "tol"),
        ({"max_iter": 0}, ValueError, "max_iter"),
        ({"max_iter": 1e3}, TypeError, "max_iter must be an integer"),
        ({"coef_init": np.ones(3)}, ValueError, r"coef_init must have shape \(2,\)"),
        ({"coef_init": [np.nan, 0]}, ValueError, "coef_init contains NaN"),
        ({"precompute": "yes"}, ValueError, "precompute must be True, False, 'auto' or a Gram"),
        ({"precompute": None}, ValueError, "precompute must be True, False, 'auto' or a Gram"),
        ({"precompute": np.eye(2)}, ValueError, "precompute is not the Gram matrix of this X"),
        ({"precompute": np.eye(3)}, ValueError, r"precompute, the Gram matrix, has shape \(3, 3\); X has 2 columns"),
        ({"precompute": np.ones(2)}, ValueError, r"Gram matrix \(p, p\); its shape is \(2,\)"),
        ({"precompute": [[np.nan, 0], [0, 1]]}, ValueError, "Gram matrix, contains NaN"),
        ({"n_jobs": 0}, ValueError, "n_jobs"),
        ({"n_jobs": 1.5}, TypeError, "n_jobs"),
        ({"verbose": -1}, ValueError, "verbose"),
        ({"verbose": "loud"}, TypeError, "verbose"),
        ({"loss": "logit"}, ValueError, "loss='logit' must be one of 'squared', 'logistic'"),
        ({"loss": "huber", "delta": 0.0}, ValueError, "delta=0.0 must be positive"),
    ],
)
def test_refusals(arguments, error, words):
    arguments = {"X": X, "y": y, "alphas": [0.5], **arguments}
    with pytest.raises(error, match=words):
        fit_path(arguments.pop("X"), arguments.pop("y"), **arguments)


@pytest.mark.skipif(np.dtype(np.longdouble).itemsize <= 8, reason="here long double is double")
@pytest.mark.parametrize("name", ["X", "y", "sample_weight"])
def test_long_double_would_lose_digits(name):
    arguments = {"X": X, "y": y, "sample_weight": np.ones(6)}
    arguments[name] = arguments[name].astype(np.longdouble)
    with pytest.raises(TypeError, match=rf"{name} has dtype .*{name}\.astype\(np\.float64\)"):
        fit_path(arguments["X"], arguments["y"], sample_weight=arguments["sample_weight"])


def test_float_arrays_pass_through_uncopied():
    for dtype in (np.float64, np.float32):
        for array in (X.astype(dtype), np.asfortranarray(X.astype(dtype)), X.astype(dtype)[::-2, ::-1]):
            taken, names = validation.as_matrix(array)
            assert taken is array
            assert names is None
    rows, ndim = validation.as_responses(y, 6)
    assert np.shares_memory(rows, y)
    assert ndim == 1
    weights = np.ones(6)
    assert np.shares_memory(validation.as_weights(weights, 6), weights)


def test_other_containers_and_numbers():
    for other in (
        X.tolist(),
        X.astype(object),
        [[Decimal(str(v)) for v in row] for row in X.round(3)],
        X.astype(">f8"),
        X.round().astype(int),
        X.astype(np.float16),
    ):
        taken, _ = validation.as_matrix(other)
        assert taken.dtype == np.float64
        assert taken.dtype.isnative
        assert_array_equal(taken, np.asarray(other, dtype=np.float64))
    assert validation.as_matrix(X.astype(">f4"))[0].dtype == np.float32
    assert validation.as_responses([True, False], 2)[0].dtype == np.float64


def test_columns_of_y_become_rows():
    rows, ndim = validation.as_responses(np.c_[y, -y], 6)
    assert ndim == 2
    assert rows.flags.c_contiguous
    assert_array_equal(rows, [y, -y])
    assert validation.as_responses(y[:, None], 6)[0].shape == (1, 6)


def test_weights_that_would_overflow_are_scaled_by_a_power_of_two():
    given = np.array([1e300, 3e300, 0.0])
    taken = validation.as_weights(given, 3)
    assert taken.max() <= 1
    assert taken[1] / taken[0] == given[1] / given[0]
    assert validation.as_weights([1e-310, 2e-310, 0.0], 3).max() > 0.1
    assert validation.as_weights(2.5, 3) is None
    assert validation.as_weights(None, 3) is None


def test_alphas():
    assert validation.as_alphas(np.int64(7)) == 7
    assert_array_equal(validation.as_alphas((0.0, 2, 1)), [2.0, 1.0, 0.0])
    assert validation.as_alphas([1, 2]).flags.c_contiguous


def test_a_start_for_each_problem():
    assert validation.as_coef_init(None, 2, 3) is None
    assert_array_equal(validation.as_coef_init([1, -2, 3], 2, 3), [[1, -2, 3]] * 2)
    start = validation.as_coef_init([[1, -2], [3, 4]], 2, 2, np.zeros(2), np.full(2, np.inf))
    assert_array_equal(start, [[1, 0], [3, 4]])


def test_seeds():
    assert validation.as_seed("cyclic", None) is None
    assert validation.as_seed("cyclic", 5) is None
    assert validation.as_seed("random", 5) == 5
    drawn = [validation.as_seed("random", np.random.RandomState(0)) for _ in range(2)]
    assert drawn[0] == drawn[1]
    assert validation.as_seed("random", np.random.default_rng(0)) >= 0
    assert validation.as_seed("random", None) >= 0
    with pytest.raises(TypeError, match="random_state"):
        validation.as_seed("cyclic", "zero")
    with pytest.raises(ValueError, match="random_state"):
        validation.as_seed("random", -1)


def test_finite_values_whose_sum_overflows_are_finite():
    validation.check_finite(np.full((4, 3), 1e308))
    validation.check_finite(np.full((4, 3), 3e38, dtype=np.float32))
    with pytest.raises(ValueError, match="row 1, column 2 .column 'c'."):
        validation.check_finite(
            changed(np.full((4, 3), 1e308), (1, 2), np.nan), np.array(["a", "b", "c"], dtype=object)
        )


class TestPandas:
    @pytest.fixture
    def pd(self):
        return pytest.importorskip("pandas")

    def test_names_and_dtypes(self, pd):
        frame = pd.DataFrame({"a": [1.0, 2.0], "b": [1, 2], "c": [True, False]})
        taken, names = validation.as_matrix(frame)
        assert taken.dtype == np.float64
        assert_array_equal(taken, [[1, 1, 1], [2, 2, 0]])
        assert list(names) == ["a", "b", "c"]
        assert validation.as_matrix(frame[["a"]].astype(np.float32))[0].dtype == np.float32
        assert validation.as_matrix(pd.DataFrame(X))[1] is None
        with pytest.raises(TypeError, match="string names"):
            validation.as_matrix(pd.DataFrame({"a": [1.0], 0: [2.0]}))

    def test_a_float_frame_is_not_copied(self, pd):
        frame = pd.DataFrame(X, columns=["a", "b"])
        assert np.shares_memory(validation.as_matrix(frame)[0], frame.to_numpy())

    def test_nullable_dtypes(self, pd):
        frame = pd.DataFrame({"a": pd.array([1, 2], dtype="Int64"), "b": pd.array([0.5, 1.5], dtype="Float64")})
        assert_array_equal(validation.as_matrix(frame)[0], [[1, 0.5], [2, 1.5]])
        assert validation.as_matrix(frame.astype("Float32"))[0].dtype == np.float32
        frame.loc[1, "a"] = pd.NA
        with pytest.raises(ValueError, match="row 1, column 0 .column 'a'.: nan"):
            fit_path(frame, [1.0, 2.0])
        assert_array_equal(validation.as_responses(pd.Series([1, 2], dtype="Int64"), 2)[0], [[1.0, 2.0]])
        with pytest.raises(ValueError, match="y contains NaN"):
            validation.as_responses(pd.Series([1, None], dtype="Int64"), 2)

    @pytest.mark.parametrize(
        "kind", ["object", "category", "datetime64[ns]", "string", "Sparse[float64]", "complex128"]
    )
    def test_other_columns_are_named(self, pd, kind):
        frame = pd.DataFrame({"fine": [1.0, 2.0], "odd": pd.Series([1, 2]).astype(kind)})
        with pytest.raises(TypeError, match="column 'odd' of X has dtype"):
            validation.as_matrix(frame)

    def test_responses_and_weights(self, pd):
        path = fit_path(pd.DataFrame(X), pd.Series(y), sample_weight=pd.Series(np.ones(6)), alphas=[0.1])
        plain = fit_path(X, y, sample_weight=np.ones(6), alphas=[0.1])
        assert_allclose(path.coefs.toarray(), plain.coefs.toarray(), atol=1e-9)
        assert len(fit_path(X, pd.DataFrame({"u": y, "v": -y}), alphas=[0.1])) == 2


class TestPolars:
    @pytest.fixture
    def pl(self):
        return pytest.importorskip("polars")

    def test_names_and_dtypes(self, pl):
        frame = pl.DataFrame({"a": [1.0, 2.0], "b": [1, 2], "c": [True, False]})
        taken, names = validation.as_matrix(frame)
        assert taken.dtype == np.float64
        assert_array_equal(taken, [[1, 1, 1], [2, 2, 0]])
        assert list(names) == ["a", "b", "c"]
        assert validation.as_matrix(frame.select(pl.col("a").cast(pl.Float32)))[0].dtype == np.float32

    def test_missing_values_are_located(self, pl):
        with pytest.raises(ValueError, match="row 1, column 0 .column 'a'.: nan"):
            fit_path(pl.DataFrame({"a": [1, None], "b": [1.0, 2.0]}), [1.0, 2.0])

    def test_other_columns_are_named(self, pl):
        with pytest.raises(TypeError, match="column 'odd' of X has dtype String"):
            validation.as_matrix(pl.DataFrame({"fine": [1.0], "odd": ["x"]}))
        with pytest.raises(TypeError, match="column 'odd' of X has dtype Decimal"):
            validation.as_matrix(pl.DataFrame({"odd": [Decimal("1.5")]}))

    def test_responses(self, pl):
        assert_array_equal(validation.as_responses(pl.Series([1, 2]), 2)[0], [[1.0, 2.0]])


@pytest.mark.parametrize("kind", [np.int32, np.int64])
def test_indices_that_lie_across_words_are_aligned(kind):
    X = sparse.random(20, 10, density=0.4, format="csc", random_state=0)
    for name in ("indices", "indptr"):
        array = getattr(X, name).astype(kind)
        across = np.empty(array.nbytes + 1, np.uint8)[1:].view(kind)
        across[:] = array
        assert not across.flags.aligned
        setattr(X, name, across)
    lines = validation._as_lines(X)
    assert lines.indices.flags.aligned and lines.indptr.flags.aligned
    assert_array_equal(lines.toarray(), X.toarray())
