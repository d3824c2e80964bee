"""Every check of an argument and every message about one, for the functions and the estimators alike.

`as_*` functions return their argument in the form that the engine takes, `check_*` functions return nothing; both raise
a TypeError for the wrong kind of thing and a ValueError for the wrong value. What is in the engine's form already goes
through each function by a short lane: fits of small data must not pay for the checks.
"""

from math import isfinite
from numbers import Integral, Real

import numpy as np
from scipy import sparse

MAX_DIMENSION = 2**31 - 1
MAX_ITER = 2**31 - 1

# Up to this many entries X is searched for NaN and infinity at once; beyond, the engine's first pass notices them.
_SMALL = 10_000


# --- X ---------------------------------------------------------------------------------------------------------------


def as_matrix(X):
    """X as a 2-d float32 or float64 ndarray, and its column names.

    float32 and float64 arrays are taken as they are (any order and strides, read-only and memory-mapped too); integers,
    booleans and float16 become float64; data frames must have numeric columns.

    Sparse matrices and arrays in CSC or CSR format are taken as they are, too; other formats are converted to CSC.

    Parameters
    ----------
    X : array-like, DataFrame or sparse matrix of shape (n, p)

    Returns
    -------
    X : ndarray, or scipy.sparse matrix or array in CSC or CSR, of shape (n, p), float32 or float64
    names : ndarray of shape (p,) of str, or None
        None unless X is a data frame all of whose column names are strings.
    """
    names = None
    if sparse.issparse(X):
        return _check_shape(_as_lines(X)), None
    if type(X) is not np.ndarray:
        X, names = _frame_to_array(X) if _is_frame(X) else (_to_array(X, "X"), None)
    if X.dtype.char not in "df" or not (X.dtype.isnative and X.flags.aligned):
        X = _to_float(X, "X")
    if X.ndim != 2:
        raise ValueError(
            f"X must be 2-d, (rows, columns); its shape is {X.shape}. Reshape your data: X.reshape(-1, 1) for one "
            "column, X.reshape(1, -1) for one row."
        )
    return _check_shape(X), names


def _check_shape(X):
    n, p = X.shape
    if n == 0 or p == 0:
        what = "sample(s)" if n == 0 else "feature(s)"
        raise ValueError(f"X is empty: found array with 0 {what} (shape={X.shape}) while a minimum of 1 is required.")
    if n > MAX_DIMENSION or p > MAX_DIMENSION:
        raise ValueError(f"X has shape {X.shape}; at most {MAX_DIMENSION} rows and columns are supported.")
    return X


def _as_lines(X):
    """A sparse X in CSC or CSR whose arrays can be walked without a look at them, with float32 or float64 values."""
    if X.ndim != 2:
        raise ValueError(f"X must be 2-d, (rows, columns); its shape is {X.shape}.")
    if X.format not in ("csc", "csr"):
        X = X.tocsc()
    data, indices, indptr = (np.asarray(a) for a in (X.data, X.indices, X.indptr))
    if data.dtype.char not in "df" or not (data.dtype.isnative and data.flags.aligned):
        data = _to_float(data, "X")
    kind = indices.dtype if indices.dtype in (np.int32, np.int64) else np.int64
    data, indices, indptr = (np.ascontiguousarray(a, b) for a, b in ((data, None), (indices, kind), (indptr, kind)))
    lines, length = X.shape if X.format == "csr" else X.shape[::-1]
    remedy = f"X is not a valid {X.format} matrix; build it anew, for example from X.tocoo()"
    if data.ndim != 1 or indices.shape != data.shape or indptr.shape != (lines + 1,):
        raise ValueError(
            f"{remedy}: data, indices and indptr have shapes {data.shape}, {indices.shape}, {indptr.shape}, where the "
            f"first two must agree and the third must be ({lines + 1},)."
        )
    if indptr[0] != 0 or indptr[-1] > len(indices) or (indptr[1:] < indptr[:-1]).any():
        raise ValueError(f"{remedy}: indptr must rise from 0 to at most the number of entries, {len(indices)}.")
    used = indices[: indptr[-1]]
    if len(used) and (used.min() < 0 or used.max() >= length):
        what = "column" if X.format == "csr" else "row"
        raise ValueError(
            f"{remedy}: indices hold {what} numbers from {used.min()} to {used.max()}, not 0 to {length - 1}."
        )
    if data is X.data and indices is X.indices and indptr is X.indptr and len(used) == len(indices):
        return X
    plain = sparse.csr_array if X.format == "csr" else sparse.csc_array
    return plain((data[: len(used)], used, indptr), shape=X.shape, copy=False)


def check_finite(X, names=None):
    """Raise a ValueError that names the first row and column where X is NaN or infinite, if there is one."""
    if sparse.issparse(X):
        bad = ~np.isfinite(X.data)
        if bad.any():
            k = int(bad.argmax())
            line, other = int(np.searchsorted(X.indptr, k, side="right")) - 1, int(X.indices[k])
            i, j = (line, other) if X.format == "csr" else (other, line)
            raise ValueError(
                f"X contains NaN or infinity, first at row {i}, column {j}: {X.data[k]}. Drop or impute such entries "
                "before fitting."
            )
        return
    with np.errstate(over="ignore", invalid="ignore"):
        if isfinite(X.sum()):  # a sum that overflows is looked into below
            return
    rows = max(1, 2**20 // X.shape[1])
    for start in range(0, X.shape[0], rows):
        bad = ~np.isfinite(X[start : start + rows])
        if bad.any():
            i, j = np.argwhere(bad)[0]
            column = f" (column {names[j]!r})" if names is not None else ""
            raise ValueError(
                f"X contains NaN or infinity, first at row {start + i}, column {j}{column}: {X[start + i, j]}. "
                "Drop or impute such entries before fitting."
            )


def check_finite_if_small(X, names=None):
    """`check_finite` where it costs nothing to speak of."""
    if X.size <= _SMALL:
        check_finite(X, names)


def check_columns(X, names, n_features, feature_names):
    """X must have the columns of the fit: as many, and with the same names where both are known."""
    if X.shape[1] != n_features:
        raise ValueError(f"X has {X.shape[1]} features, but the path was fitted with {n_features}.")
    if names is not None and feature_names is not None and not np.array_equal(names, feature_names):
        j = int(np.flatnonzero(names != feature_names)[0])
        raise ValueError(
            f"X must have the columns of the fit in the same order: column {j} is {names[j]!r}, it was "
            f"{feature_names[j]!r}."
        )


def _is_frame(X):
    return hasattr(X, "columns") and hasattr(X, "dtypes") and hasattr(X, "to_numpy")


def _frame_to_array(X):
    """(n, p) floats and the column names of a pandas or polars DataFrame."""
    columns = list(X.columns)
    dtypes = list(X.dtypes)
    for column, dtype in zip(columns, dtypes, strict=True):
        if not _is_numeric(dtype):
            raise TypeError(
                f"column {column!r} of X has dtype {dtype}, which is not a plain numeric one. Encode it as numbers "
                "(for example with one-hot columns), or drop it."
            )
    single = columns and all(str(dtype).lower() == "float32" for dtype in dtypes)
    kind = np.float32 if single else np.float64
    try:
        values = (
            X.to_numpy(dtype=kind, na_value=np.nan) if _has_missing_scalar(dtypes) else np.asarray(X.to_numpy(), kind)
        )
    except (TypeError, ValueError) as error:
        raise TypeError(f"X could not be converted to {kind.__name__}: {error}") from error
    return values, _string_names(columns)


def _is_numeric(dtype):
    """Whether a column of this pandas or polars dtype is integer, float or boolean, and stored densely."""
    if isinstance(dtype, np.dtype):
        return dtype.kind in "biuf" and dtype.char != "g"
    if hasattr(dtype, "is_numeric"):  # polars
        return (dtype.is_numeric() and not dtype.is_decimal()) or str(dtype) == "Boolean"
    return getattr(dtype, "kind", "O") in "biuf" and not str(dtype).startswith("Sparse")


def _has_missing_scalar(dtypes):
    """pandas extension dtypes: their to_numpy gives objects unless told the dtype and what a missing value becomes."""
    return any(not isinstance(dtype, np.dtype) and not hasattr(dtype, "is_numeric") for dtype in dtypes)


def _string_names(columns):
    """The names as an object array if all are strings, None if none is: scikit-learn's rule for feature_names_in_."""
    strings = sum(isinstance(column, str) for column in columns)
    if strings == 0:
        return None
    if strings < len(columns):
        kinds = sorted({type(column).__name__ for column in columns})
        raise TypeError(
            "Feature names are only supported if all input features have string names, but the columns of X have names "
            f"of types {kinds}. Rename them, for example X.columns = X.columns.astype(str)."
        )
    return np.array(columns, dtype=object)


# --- arrays ----------------------------------------------------------------------------------------------------------


def _to_array(a, name):
    """Any array-like as a base-class ndarray, whatever its dtype."""
    if a is None:
        raise ValueError(f"{name} is None; pass an array.")
    if sparse.issparse(a):
        raise TypeError(
            f"{name} is a sparse {a.format} matrix of shape {a.shape}; sparse input is not accepted. If it fits in "
            f"memory as a dense array, pass {name}.toarray()."
        )
    if isinstance(a, np.ma.MaskedArray):
        raise TypeError(f"{name} is a masked array, and masks are not understood; pass {name}.filled(value).")
    dtype = getattr(a, "dtype", None)
    try:
        if getattr(dtype, "kind", "") in "biuf" and _has_missing_scalar([dtype]) and hasattr(a, "to_numpy"):
            return a.to_numpy(dtype=np.float64, na_value=np.nan)
        return np.asarray(a)
    except ValueError as error:
        raise ValueError(f"{name} could not be read as an array of numbers: {error}") from error


def _to_float(a, name):
    """An ndarray of another dtype or byte order as float64 (float32 stays float32), or an error that says why not."""
    kind = a.dtype.kind
    if kind == "c":
        raise ValueError(f"Complex data not supported: {name} has dtype {a.dtype}. Pass its real part, {name}.real.")
    if kind == "f" and a.dtype.itemsize > 8:
        raise TypeError(
            f"{name} has dtype {a.dtype}, which would lose precision here; convert it yourself: "
            f"{name}.astype(np.float64)."
        )
    if kind == "O":
        for index in np.ndindex(a.shape):
            if isinstance(a[index], str | bytes):
                raise TypeError(f"{name} holds text ({a[index]!r} at {_position(index)}); convert it to numbers first.")
        try:
            return a.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise TypeError(f"{name} has dtype object and holds something that is not a number: {error}.") from error
    if kind not in "biuf":
        raise TypeError(f"{name} has dtype {a.dtype}; it must be numeric (float, integer or boolean).")
    target = np.float32 if kind == "f" and a.dtype.itemsize == 4 else np.float64
    return np.array(a, dtype=target)  # also mends byte order and alignment


def _position(index):
    return f"position {index[0]}" if len(index) == 1 else f"row {index[0]}, column {index[1]}"


def _to_float64(a, name):
    a = a if type(a) is np.ndarray else _to_array(a, name)
    if a.dtype.char != "d" or not (a.dtype.isnative and a.flags.aligned):
        a = _to_float(a, name).astype(np.float64, copy=False)
    return a


def _first_nonfinite(a):
    index = tuple(int(i) for i in np.argwhere(~np.isfinite(a))[0])
    return f"first at {_position(index)}: {a[index]}"


# --- y and the sample weights ----------------------------------------------------------------------------------------


def as_responses(y, n, name="y"):
    """The responses, one per row.

    Parameters
    ----------
    y : array-like of shape (n,) or (n, k)
    n : int
        Number of rows of X.

    Returns
    -------
    rows : ndarray of shape (k, n), float64, C-contiguous
        k is 1 for a 1-d y.
    ndim : int
        1 or 2, the dimensions of y.
    """
    if y is None:
        raise ValueError(f"a fit requires y to be passed, but the target {name} is None.")
    y = _to_float64(y, name)
    if y.ndim not in (1, 2):
        raise ValueError(f"{name} must have shape (n,) or (n, k); its shape is {y.shape}.")
    if y.shape[0] != n:
        raise ValueError(f"X and {name} disagree on the number of rows: X has {n}, {name} has {y.shape[0]}.")
    if y.ndim == 2 and y.shape[1] == 0:
        raise ValueError(f"{name} has shape {y.shape}, without a single column.")
    rows = np.ascontiguousarray(y.T).reshape(-1, n)
    # One pass sees NaN, infinity and values whose squares overflow.
    with np.errstate(over="ignore", invalid="ignore"):
        for row in rows:
            if not isfinite(row.dot(row)):
                if not np.isfinite(y).all():
                    raise ValueError(
                        f"{name} contains NaN or infinity, {_first_nonfinite(y)}. Drop such rows of X and {name}."
                    )
                raise ValueError(
                    f"the values of {name} are so large that their squares overflow; divide {name} by a constant."
                )
    return rows, y.ndim


def as_weights(sample_weight, n):
    """The sample weights as (n,) float64, or None where they are all alike (None or a positive number)."""
    if sample_weight is None:
        return None
    if isinstance(sample_weight, Real) and not isinstance(sample_weight, bool | np.bool_):
        if not (isfinite(sample_weight) and sample_weight > 0):
            raise ValueError(f"sample_weight={sample_weight!r}: a single weight must be positive and finite.")
        return None
    w = np.ascontiguousarray(_to_float64(sample_weight, "sample_weight"))
    if w.shape != (n,):
        raise ValueError(f"sample_weight must have shape ({n},), one weight per row of X; its shape is {w.shape}.")
    smallest, largest = w.min(), w.max()
    if not (isfinite(smallest) and isfinite(largest)):
        raise ValueError(f"sample_weight contains NaN or infinity, {_first_nonfinite(w)}.")
    if smallest < 0:
        i = int(np.argmax(w < 0))
        raise ValueError(f"sample_weight must not be negative; it is {w[i]} at position {i}.")
    if largest == 0:
        raise ValueError("sample_weight: all weights are zero, so that no row is left to fit.")
    exponent = int(np.frexp(largest)[1])
    if abs(exponent) > 500:  # sums of products would overflow or vanish; a power of two changes no digit
        w = np.ldexp(w, -exponent)
    return w


# --- numbers and switches --------------------------------------------------------------------------------------------


def _number(value, name):
    if type(value) is float or (isinstance(value, Real) and not isinstance(value, bool | np.bool_)):
        return float(value)
    raise TypeError(f"{name} must be a number; it is {value!r} ({type(value).__name__}).")


def _integer(value, name):
    if type(value) is int or (isinstance(value, Integral) and not isinstance(value, bool | np.bool_)):
        return int(value)
    raise TypeError(f"{name} must be an integer; it is {value!r} ({type(value).__name__}).")


def as_bool(value, name):
    if value is True or value is False:
        return value
    if isinstance(value, np.bool_):
        return bool(value)
    raise TypeError(f"{name} must be True or False; it is {value!r} ({type(value).__name__}).")


def as_alpha(alpha):
    """One penalty strength: finite and >= 0."""
    alpha = _number(alpha, "alpha")
    if not 0 <= alpha < np.inf:
        raise ValueError(f"alpha must be finite and >= 0; it is {alpha}.")
    return alpha


def as_alphas(alphas):
    """The number of alphas of an automatic grid, or their values in descending order.

    Parameters
    ----------
    alphas : int >= 1 or array-like of shape (L,)

    Returns
    -------
    int, or ndarray of shape (L,), float64, strictly descending and >= 0
    """
    if isinstance(alphas, Integral) and not isinstance(alphas, bool | np.bool_):
        if alphas < 1:
            raise ValueError(f"alphas={alphas}: the number of alphas must be at least 1.")
        return int(alphas)
    if alphas is None or isinstance(alphas, str | bool | np.bool_ | Real):
        raise TypeError(
            f"alphas must be the number of alphas (an integer) or a list of values; it is {alphas!r}. For a single "
            "value pass [value]."
        )
    values = _to_float64(alphas, "alphas")
    if values.ndim != 1 or values.size == 0:
        raise ValueError(f"alphas must be 1-d and not empty; its shape is {values.shape}.")
    if not np.isfinite(values).all():
        raise ValueError(f"alphas contains NaN or infinity, {_first_nonfinite(values)}.")
    if values.min() < 0:
        raise ValueError(f"alphas must be >= 0; the smallest is {values.min()}.")
    values = np.sort(values)[::-1].copy()
    values[values == 0] = 0.0  # -0.0 is 0
    repeated = np.flatnonzero(values[1:] == values[:-1])
    if repeated.size:
        raise ValueError(f"alphas holds the value {values[repeated[0]]} more than once; pass each value once.")
    return values


def as_eps(eps):
    if eps is None:
        return None
    eps = _number(eps, "eps")
    if not 0 < eps < 1:
        raise ValueError(f"eps, the ratio of the smallest to the largest alpha, must lie between 0 and 1; it is {eps}.")
    return eps


def as_l1_ratio(l1_ratio):
    l1_ratio = _number(l1_ratio, "l1_ratio")
    if not 0 <= l1_ratio <= 1:
        raise ValueError(f"l1_ratio must lie in [0, 1]; it is {l1_ratio}.")
    return l1_ratio


def check_grid(alphas, l1_ratio, penalty_factor):
    """An automatic grid starts where penalised coefficients leave zero, which must happen somewhere."""
    if np.ndim(alphas):
        return
    if l1_ratio == 0:
        raise ValueError(
            "l1_ratio=0 is ridge regression, where no coefficient is ever zero and there is no largest alpha to start "
            "a grid from: pass the values of alphas, or a small l1_ratio such as 0.001."
        )
    if penalty_factor is not None and not ((penalty_factor > 0) & np.isfinite(penalty_factor)).any():
        raise ValueError(
            "penalty_factor penalises no feature, so that there is no largest alpha to start a grid from: pass the "
            "values of alphas, such as [0.0], or a positive factor."
        )


def as_tol(tol):
    tol = _number(tol, "tol")
    if not 0 <= tol < np.inf:
        raise ValueError(f"tol must be finite and >= 0; it is {tol}.")
    return tol


def as_max_iter(max_iter):
    max_iter = _integer(max_iter, "max_iter")
    if max_iter < 1:
        raise ValueError(f"max_iter must be at least 1; it is {max_iter}.")
    return min(max_iter, MAX_ITER)


def as_n_jobs(n_jobs):
    if n_jobs is None:
        return None
    n_jobs = _integer(n_jobs, "n_jobs")
    if n_jobs == 0:
        raise ValueError("n_jobs must not be 0: pass None or -1 for all cores, or the number of threads.")
    return n_jobs


def as_verbose(verbose):
    verbose = int(verbose) if isinstance(verbose, bool | np.bool_) else _integer(verbose, "verbose")
    if verbose < 0:
        raise ValueError(f"verbose must be >= 0; it is {verbose}.")
    return verbose


def as_precompute(precompute):
    """True, False, "auto", or a Gram matrix as a square array, float32 if it is, float64 otherwise."""
    if precompute is True or precompute is False:
        return precompute
    if isinstance(precompute, np.bool_):
        return bool(precompute)
    if isinstance(precompute, str) and precompute == "auto":
        return precompute
    if isinstance(precompute, str | Real) or precompute is None:
        raise ValueError(f"precompute must be True, False, 'auto' or a Gram matrix; it is {precompute!r}.")
    gram = precompute if type(precompute) is np.ndarray else _to_array(precompute, "precompute")
    if gram.dtype != np.float32:
        gram = _to_float64(gram, "precompute")
    if gram.ndim != 2 or gram.shape[0] != gram.shape[1]:
        raise ValueError(f"precompute must be True, False, 'auto' or a Gram matrix (p, p); its shape is {gram.shape}.")
    if not np.isfinite(gram).all():
        raise ValueError(f"precompute, the Gram matrix, contains NaN or infinity, {_first_nonfinite(gram)}.")
    return gram


def check_loss(loss):
    if loss != "squared":
        raise ValueError(f"loss must be 'squared'; it is {loss!r}.")


def as_coef_init(coef_init, k, p, lower=None, upper=None):
    """A start for each of k problems as (k, p) float64, or None.

    A start need not be any good: entries beyond the bounds start at the bound.
    """
    if coef_init is None:
        return None
    start = _to_float64(coef_init, "coef_init")
    if start.shape not in ((p,), (k, p)):
        wanted = f"({p},)" if k == 1 else f"({p},) or ({k}, {p})"
        raise ValueError(f"coef_init must have shape {wanted}; its shape is {start.shape}.")
    if not np.isfinite(start).all():
        raise ValueError(f"coef_init contains NaN or infinity, {_first_nonfinite(start)}.")
    if lower is not None:
        start = np.clip(start, lower, upper)
    return np.ascontiguousarray(np.broadcast_to(start, (k, p)))


def as_offset(offset, n):
    """What is added to the linear predictor of each row, as (n,) float64, or None."""
    if offset is None:
        return None
    offset = np.ascontiguousarray(_to_float64(offset, "offset"))
    if offset.shape != (n,):
        raise ValueError(f"offset must have shape ({n},), one value per row of X; its shape is {offset.shape}.")
    if not np.isfinite(offset).all():
        raise ValueError(f"offset contains NaN or infinity, {_first_nonfinite(offset)}.")
    return offset


def as_penalty_factor(penalty_factor, p):
    """The penalty factors as (p,) float64 >= 0, inf allowed, or None where all are one."""
    if penalty_factor is None:
        return None
    v = np.ascontiguousarray(_to_float64(penalty_factor, "penalty_factor"))
    if v.shape != (p,):
        raise ValueError(f"penalty_factor must have shape ({p},), one factor per column of X; its shape is {v.shape}.")
    if not (v >= 0).all():
        j = int(np.argmin(v >= 0))
        raise ValueError(
            f"penalty_factor must not be negative or NaN; it is {v[j]} at position {j}. 0 leaves a feature "
            "unpenalised, inf excludes it."
        )
    return None if (v == 1).all() else v


def as_bounds(lower, upper, positive, p):
    """Bounds of the coefficients as two (p,) float64, or (None, None) where there are none."""
    if lower is None and upper is None and not positive:
        return None, None
    low = np.broadcast_to(0.0 if positive else -np.inf, p) if lower is None else _bound(lower, "lower_bounds", p)
    high = np.broadcast_to(np.inf, p) if upper is None else _bound(upper, "upper_bounds", p)
    if positive and lower is not None and (low < 0).any():
        raise ValueError("positive=True sets lower_bounds to 0; pass one of the two.")
    crossed = low > high
    if crossed.any():
        j = int(crossed.argmax())
        raise ValueError(f"lower_bounds lies above upper_bounds at position {j}: {low[j]} > {high[j]}.")
    outside = (low > 0) | (high < 0)
    if outside.any():
        j = int(outside.argmax())
        raise ValueError(
            f"bounds must leave room for 0, where a penalised coefficient may have to be; at position {j} they are "
            f"{low[j]} and {high[j]}."
        )
    return np.ascontiguousarray(low), np.ascontiguousarray(high)


def _bound(bound, name, p):
    values = _to_float64(bound, name)
    if values.shape not in ((), (p,)):
        raise ValueError(f"{name} must be a number or have shape ({p},); its shape is {values.shape}.")
    if np.isnan(values).any():
        raise ValueError(f"{name} contains NaN; pass -inf or inf where a coefficient has no bound.")
    return np.broadcast_to(values, p)


def as_dfmax(dfmax):
    if dfmax is None:
        return None
    dfmax = _integer(dfmax, "dfmax")
    if dfmax < 1:
        raise ValueError(f"dfmax, the most nonzero coefficients, must be at least 1; it is {dfmax}.")
    return dfmax


def as_seed(selection, random_state):
    """None for the cyclic order of coordinates, the seed of a random one.

    Parameters
    ----------
    selection : {"cyclic", "random"}
    random_state : None, int, numpy.random.RandomState or numpy.random.Generator
        None draws the seed from numpy's global generator. It is checked for either selection, and only drawn from where
        the order is random.
    """
    if not isinstance(selection, str) or selection not in ("cyclic", "random"):
        raise ValueError(f"selection must be 'cyclic' or 'random'; it is {selection!r}.")
    generator = isinstance(random_state, np.random.RandomState | np.random.Generator)
    if random_state is not None and not generator:
        seed = _integer(random_state, "random_state")
        if not 0 <= seed < 2**32:
            raise ValueError(f"random_state must lie between 0 and 2**32 - 1; it is {seed}.")
    if selection == "cyclic":
        return None
    if random_state is None:
        return int(np.random.randint(2**31 - 1))
    if not generator:
        return seed
    draw = random_state.integers if isinstance(random_state, np.random.Generator) else random_state.randint
    return int(draw(2**31 - 1))
