"""Every check of an argument and every message about one, for the functions and the estimators alike.

`as_*` functions return their argument in the form that the engine takes, `check_*` functions return nothing; both raise
a TypeError for the wrong kind of thing and a ValueError for the wrong value. What is in the engine's form already goes
through each function by a short lane: fits of small data must not pay for the checks.
"""

from __future__ import annotations

from math import isfinite
from numbers import Integral, Real
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from numpy.typing import NDArray

    from fastreg._types import Floats, Ints, Matrix, Names

MAX_DIMENSION = 2**31 - 1
MAX_ITER = 2**31 - 1

# Up to this many entries X is searched for NaN and infinity at once; beyond, the engine's first pass notices them.
_SMALL = 10_000


# --- X ---------------------------------------------------------------------------------------------------------------


def as_matrix(X: Any) -> tuple[Matrix, Names]:
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


def _check_shape(X: Any) -> Matrix:
    n, p = X.shape
    if n == 0 or p == 0:
        what = "sample(s)" if n == 0 else "feature(s)"
        raise ValueError(f"X is empty: found array with 0 {what} (shape={X.shape}) while a minimum of 1 is required.")
    if n > MAX_DIMENSION or p > MAX_DIMENSION:
        raise ValueError(f"X has shape {X.shape}; at most {MAX_DIMENSION} rows and columns are supported.")
    return X


def _as_lines(X: Any) -> Any:
    """A sparse X in CSC or CSR whose arrays can be walked without a look at them, with float32 or float64 values."""
    if X.ndim != 2:
        raise ValueError(f"X must be 2-d, (rows, columns); its shape is {X.shape}.")
    if X.format not in ("csc", "csr"):
        X = X.tocsc()
    data, indices, indptr = (np.asarray(a) for a in (X.data, X.indices, X.indptr))
    if data.dtype.char not in "df" or not (data.dtype.isnative and data.flags.aligned):
        data = _to_float(data, "X")
    kind = indices.dtype if indices.dtype in (np.int32, np.int64) else np.int64
    aligned = ((data, None), (indices, kind), (indptr, kind))
    data, indices, indptr = (np.require(np.asarray(a, dtype=b), requirements=["C", "A"]) for a, b in aligned)
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


def check_finite(X: Any, names: Names = None) -> None:
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


def check_finite_if_small(X: Matrix, names: Names = None) -> None:
    """`check_finite` where it costs nothing to speak of."""
    if X.size <= _SMALL:
        check_finite(X, names)


def check_columns(X: Matrix, names: Names, n_features: int, feature_names: Names) -> None:
    """X must have the columns of the fit: as many, and with the same names where both are known."""
    if X.shape[1] != n_features:
        raise ValueError(f"X has {X.shape[1]} features, but the path was fitted with {n_features}.")
    if names is not None and feature_names is not None and not np.array_equal(names, feature_names):
        j = int(np.flatnonzero(names != feature_names)[0])
        raise ValueError(
            f"X must have the columns of the fit in the same order: column {j} is {names[j]!r}, it was "
            f"{feature_names[j]!r}."
        )


def _is_frame(X: Any) -> bool:
    return hasattr(X, "columns") and hasattr(X, "dtypes") and hasattr(X, "to_numpy")


def _frame_to_array(X: Any) -> tuple[NDArray[Any], Names]:
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


def _is_numeric(dtype: Any) -> bool:
    """Whether a column of this pandas or polars dtype is integer, float or boolean, and stored densely."""
    if isinstance(dtype, np.dtype):
        return dtype.kind in "biuf" and dtype.char != "g"
    if hasattr(dtype, "is_numeric"):  # polars
        return (dtype.is_numeric() and not dtype.is_decimal()) or str(dtype) == "Boolean"
    return getattr(dtype, "kind", "O") in "biuf" and not str(dtype).startswith("Sparse")


def _has_missing_scalar(dtypes: Iterable[Any]) -> bool:
    """pandas extension dtypes: their to_numpy gives objects unless told the dtype and what a missing value becomes."""
    return any(not isinstance(dtype, np.dtype) and not hasattr(dtype, "is_numeric") for dtype in dtypes)


def _string_names(columns: Sequence[Any]) -> Names:
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


def _to_array(a: Any, name: str) -> NDArray[Any]:
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


def _to_float(a: NDArray[Any], name: str) -> NDArray[Any]:
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


def _position(index: tuple[int, ...]) -> str:
    return f"position {index[0]}" if len(index) == 1 else f"row {index[0]}, column {index[1]}"


def _to_float64(a: Any, name: str) -> Floats:
    a = a if type(a) is np.ndarray else _to_array(a, name)
    if a.dtype.char != "d" or not (a.dtype.isnative and a.flags.aligned):
        a = _to_float(a, name).astype(np.float64, copy=False)
    return a


def _first_nonfinite(a: Any) -> str:
    index = tuple(int(i) for i in np.argwhere(~np.isfinite(a))[0])
    return f"first at {_position(index)}: {a[index]}"


# --- y and the sample weights ----------------------------------------------------------------------------------------


def as_responses(y: Any, n: int, name: str = "y") -> tuple[Floats, int]:
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
    # One pass sees NaN, infinity and values whose squares overflow; without a BLAS, whose threads would go on spinning.
    with np.errstate(over="ignore", invalid="ignore"):
        for row in rows:
            if not isfinite(np.einsum("i,i->", row, row)):
                if not np.isfinite(y).all():
                    raise ValueError(
                        f"{name} contains NaN or infinity, {_first_nonfinite(y)}. Drop such rows of X and {name}."
                    )
                raise ValueError(
                    f"the values of {name} are so large that their squares overflow; divide {name} by a constant."
                )
    return rows, y.ndim


def check_counts(y: Floats) -> None:
    """Counts or rates (n,) are not negative."""
    if (y < 0).any():
        i = int(np.argmax(y < 0))
        raise ValueError(f"y must hold counts or rates >= 0; it is {y[i]} at position {i}.")


def as_weights(sample_weight: Any, n: int) -> Floats | None:
    """The sample weights as (n,) float64, or None where they are all alike (None or a positive number)."""
    if sample_weight is None:
        return None
    if isinstance(sample_weight, Real) and not isinstance(sample_weight, bool | np.bool_):
        if not (isfinite(sample_weight) and sample_weight > 0):  # type: ignore[operator]  # Real has no order there
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


def as_counts(sample_weight: Any, n: int) -> Floats | None:
    """The sample weights on their own scale, which ridge regression weighs against alpha: (n,), or None for ones."""
    if isinstance(sample_weight, Real) and not isinstance(sample_weight, bool | np.bool_):
        as_weights(sample_weight, n)
        return None if sample_weight == 1 else np.full(n, float(sample_weight))
    if sample_weight is None:
        return None
    w = np.ascontiguousarray(_to_float64(sample_weight, "sample_weight"))
    if w.ndim > 1:
        raise ValueError(f"Sample weights must be 1D array or scalar; the shape of sample_weight is {w.shape}.")
    as_weights(w, n)
    return None if (w == 1).all() else w


# --- numbers and switches --------------------------------------------------------------------------------------------


def _number(value: Any, name: str) -> float:
    if type(value) is float or (isinstance(value, Real) and not isinstance(value, bool | np.bool_)):
        return float(value)
    raise TypeError(f"{name} must be a number; it is {value!r} ({type(value).__name__}).")


def _integer(value: Any, name: str) -> int:
    if type(value) is int or (isinstance(value, Integral) and not isinstance(value, bool | np.bool_)):
        return int(value)
    raise TypeError(f"{name} must be an integer; it is {value!r} ({type(value).__name__}).")


def as_bool(value: Any, name: str) -> bool:
    if value is True or value is False:
        return value
    if isinstance(value, np.bool_):
        return bool(value)
    raise TypeError(f"{name} must be True or False; it is {value!r} ({type(value).__name__}).")


def as_alpha(alpha: Any) -> float:
    """One penalty strength: finite and >= 0."""
    alpha = _number(alpha, "alpha")
    if not 0 <= alpha < np.inf:
        raise ValueError(f"alpha must be finite and >= 0; it is {alpha}.")
    return alpha


def as_alphas(alphas: Any) -> int | Floats:
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


def as_target_alphas(alpha: Any) -> Floats:
    """The penalty strength of a ridge regression, or one for each response, as (1,) or (k,) float64."""
    if isinstance(alpha, Real) or alpha is None or isinstance(alpha, str):
        return np.array([as_alpha(alpha)])
    values = _to_float64(alpha, "alpha")
    if values.ndim > 1 or values.size == 0:
        raise ValueError(f"alpha must be a number or have shape (k,), one for each column of y; it has {values.shape}.")
    if not ((values >= 0) & (values < np.inf)).all():
        bad = values.ravel()[~((values >= 0) & (values < np.inf)).ravel()][0]
        raise ValueError(f"alpha must be finite and >= 0; it holds {bad}.")
    return values.ravel()


def match_alphas(alpha: Floats, k: int) -> Floats:
    """One alpha for each of k responses."""
    if len(alpha) not in (1, k):
        raise ValueError(
            f"Number of targets and number of penalties do not correspond: {len(alpha)} != {k}. Pass one alpha, or one "
            "for each column of y."
        )
    return np.broadcast_to(alpha, k).copy() if len(alpha) == 1 else alpha


def as_candidates(alphas: Any, with_zero: bool) -> Floats:
    """The alphas that cross-validation chooses from, as (L,) float64 in their order; a single number is a list of one.

    Without `with_zero` they must be > 0: a row left out of a fit that it alone determines cannot be predicted.
    """
    if isinstance(alphas, str) or alphas is None:
        raise TypeError(f"alphas must be a list of numbers; it is {alphas!r}.")
    items = [alphas] if np.ndim(alphas) == 0 else list(alphas)
    if not items:
        raise ValueError("alphas is empty; pass at least one value.")
    values = np.empty(len(items))
    for i, item in enumerate(items):
        name = "alphas" if len(items) == 1 else f"alphas[{i}]"
        item = item.item() if isinstance(item, np.ndarray) and item.ndim == 0 else item
        if not isinstance(item, Real) or isinstance(item, bool | np.bool_):
            raise TypeError(
                f"{name} must be an instance of float, not {type(item).__name__}: alphas is a list of numbers."
            )
        if item < 0 or (item == 0 and not with_zero):
            remedy = "" if with_zero else " Least squares (0) can be a candidate with cv=5, say."
            raise ValueError(f"{name} == {item}, must be {'>=' if with_zero else '>'} 0.0.{remedy}")
        if not isfinite(item):
            raise ValueError(f"{name} == {item}, must be finite.")
        values[i] = item
    return values


def as_eps(eps: Any) -> float | None:
    if eps is None:
        return None
    eps = _number(eps, "eps")
    if not 0 < eps < 1:
        raise ValueError(f"eps, the ratio of the smallest to the largest alpha, must lie between 0 and 1; it is {eps}.")
    return eps


def as_l1_ratio(l1_ratio: Any) -> float:
    l1_ratio = _number(l1_ratio, "l1_ratio")
    if not 0 <= l1_ratio <= 1:
        raise ValueError(f"l1_ratio must lie in [0, 1]; it is {l1_ratio}.")
    return l1_ratio


def check_grid(alphas: int | Floats, l1_ratio: float, penalty_factor: Floats | None) -> None:
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


def as_tol(tol: Any) -> float:
    tol = _number(tol, "tol")
    if not 0 <= tol < np.inf:
        raise ValueError(f"tol must be finite and >= 0; it is {tol}.")
    return tol


def as_max_iter(max_iter: Any) -> int:
    max_iter = _integer(max_iter, "max_iter")
    if max_iter < 1:
        raise ValueError(f"max_iter must be at least 1; it is {max_iter}.")
    return min(max_iter, MAX_ITER)


def as_ridge_solver(solver: Any, positive: bool) -> str:
    """scikit-learn's names, each of which has "svd" or the fastest way at hand behind it."""
    names = ("auto", "svd", "cholesky", "lsqr", "sparse_cg", "sag", "saga", "lbfgs")
    if not isinstance(solver, str) or solver not in names:
        raise ValueError(f"solver must be one of {', '.join(map(repr, names))}; it is {solver!r}.")
    if positive and solver not in ("auto", "lbfgs"):
        raise ValueError(
            f"solver={solver!r} does not support positive fitting. Please set the solver to 'auto' or 'lbfgs', or set "
            "`positive=False`."
        )
    if solver == "lbfgs" and not positive:
        raise ValueError(
            "'lbfgs' solver can be used only when positive=True. Please use another solver, such as 'auto'."
        )
    return solver


def as_gcv_mode(gcv_mode: Any) -> str:
    if gcv_mode is None or (isinstance(gcv_mode, str) and gcv_mode in ("auto", "svd", "eigen")):
        return gcv_mode or "auto"
    raise ValueError(f"gcv_mode must be None, 'auto', 'svd' or 'eigen'; it is {gcv_mode!r}.")


def as_cv_method(cv: Any) -> str:
    """How alphas are compared: "loo" (None), "gcv" or "folds", for which the rows tell whether `cv` is a splitter."""
    if cv is None:
        return "loo"
    if not isinstance(cv, str):
        return "folds"
    if cv != "gcv":
        raise ValueError(
            f"cv must be None, 'gcv', a number of folds, a splitter or an iterable of (train, test); it is {cv!r}."
        )
    return cv


def check_labels(y: Any) -> None:
    """Labels may be anything but missing."""
    if y is None:
        raise ValueError("a fit requires y to be passed, but the target y is None.")
    values = np.asarray(y) if not sparse.issparse(y) else y.data
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise ValueError(f"y contains NaN or infinity, {_first_nonfinite(values)}. Drop such rows of X and y.")


def as_class_weight(class_weight: Any) -> Any:
    """None, "balanced", or a dict of weights >= 0 by class."""
    if class_weight is None or (isinstance(class_weight, str) and class_weight == "balanced"):
        return class_weight
    if not isinstance(class_weight, dict):
        raise ValueError(f"class_weight must be None, 'balanced' or a dict; it is {class_weight!r}.")
    for label, weight in class_weight.items():
        if not 0 <= _number(weight, f"class_weight[{label!r}]") < np.inf:
            raise ValueError(f"class_weight[{label!r}] must be finite and >= 0; it is {weight}.")
    return class_weight


def as_class_factors(class_weight: Any, classes: NDArray[Any]) -> Floats:
    """The weight of each class (k,) from a dict; classes that it does not name weigh one."""
    labels = classes.tolist()
    missing = [label for label in labels if label not in class_weight]
    unknown = [label for label in class_weight if label not in labels]
    if missing and unknown:
        raise ValueError(
            f"The classes, {missing}, are not in class_weight, which names {unknown} that y does not have; its keys "
            "must be labels of y."
        )
    return np.array([float(class_weight.get(label, 1.0)) for label in labels])


def check_classes(classes: NDArray[Any], weights: NDArray[Any]) -> None:
    """A classifier needs two classes or more, each with rows of positive weight."""
    if len(classes) < 2:
        raise ValueError(
            f"y has one class only, {classes[0]!r}: a classifier needs samples of at least 2 classes in the data."
        )
    if not (weights > 0).all():
        raise ValueError(
            f"all rows of class {classes[weights.argmin()]!r} have a weight of zero: leave them out of X and y, or "
            "give the class a positive weight in sample_weight and class_weight."
        )


def as_codes(y: Any, classes: NDArray[Any]) -> Ints:
    """Which of the classes each label in y is, (n,) int."""
    y = np.asarray(y)
    known = np.isin(y, classes)
    if not known.all():
        raise ValueError(f"y has the label {y[int(np.argmin(known))]!r}, which is none of classes_ of the fit.")
    return np.searchsorted(classes, y)


def check_fold_classes(fold: int, classes: NDArray[Any], weights: NDArray[Any]) -> None:
    """The training rows of a fold must hold every class."""
    if not (weights > 0).all():
        raise ValueError(
            f"cv leaves fold {fold} no row of class {classes[weights.argmin()]!r} to fit, or none of positive weight: "
            "pass stratified folds, or fewer of them."
        )


def as_C(C: Any, name: str = "C") -> float:
    """The weight of the loss against the penalty: positive, inf for no penalty."""
    C = _number(C, name)
    if not C > 0:
        raise ValueError(f"{name}={C!r} must be positive; inf is no penalty.")
    return C


def as_Cs(Cs: Any) -> Floats:
    """Candidates for C in their order: (L,) float64, each > 0 and only once."""
    if isinstance(Cs, Integral) and not isinstance(Cs, bool | np.bool_):
        if Cs < 1:
            raise ValueError(f"Cs={Cs}: the number of candidates must be at least 1.")
        return np.logspace(-4, 4, int(Cs))
    if Cs is None or isinstance(Cs, str | bool | np.bool_ | Real):
        raise TypeError(f"Cs must be the number of candidates (an integer) or a list of values; it is {Cs!r}.")
    values = _to_float64(Cs, "Cs")
    if values.ndim != 1 or values.size == 0:
        raise ValueError(f"Cs must be 1-d and not empty; its shape is {values.shape}.")
    for i, value in enumerate(values.tolist()):
        as_C(value, f"Cs[{i}]")
    if len(np.unique(values)) < len(values):
        raise ValueError("Cs holds a value more than once; pass each value once.")
    return values


def alpha_of(C: Any, total: float, name: str = "C") -> Any:
    """The strength of the penalty, for a mean of losses, that C stands for: (L,) values or a number."""
    with np.errstate(over="ignore", divide="ignore"):
        alpha = 1.0 / (np.asarray(C) * total)
    if not np.isfinite(alpha).all():
        raise ValueError(f"{name} is too small: 1 over {name} and the sum of the weights, {total:.3g}, overflows.")
    return alpha


def as_logistic_solver(solver: Any) -> str:
    """scikit-learn's names, all of which stand for the one solver."""
    return one_of(solver, "solver", ("lbfgs", "liblinear", "newton-cg", "newton-cholesky", "sag", "saga"))


def as_penalty_ratio(penalty: Any, l1_ratio: Any) -> float:
    """The share of the L1 penalty: what scikit-learn's `penalty` stands for, or else `l1_ratio`."""
    if penalty is not None:
        one_of(penalty, "penalty", ("deprecated", "l1", "l2", "elasticnet"))
    if l1_ratio is None and penalty == "elasticnet":
        raise ValueError("l1_ratio must be specified when penalty is 'elasticnet'; it is None.")
    ratio = 0.0 if l1_ratio is None else as_l1_ratio(l1_ratio)
    return {"l1": 1.0, "l2": 0.0}.get(penalty, ratio)


def as_searched_ratios(penalty: Any, l1_ratios: Any) -> list[float]:
    """The shares of the L1 penalty (R,) that a search tries; None leaves them to scikit-learn's `penalty`."""
    one_of(penalty, "penalty", ("deprecated", "l1", "l2", "elasticnet"))
    if l1_ratios is None:
        if penalty == "elasticnet":
            raise ValueError("l1_ratios must be specified when penalty is 'elasticnet'; it is None.")
        return [1.0 if penalty == "l1" else 0.0]
    if isinstance(l1_ratios, str | Real) or np.ndim(l1_ratios) != 1 or len(l1_ratios) == 0:
        raise ValueError(f"l1_ratios must be a sequence of numbers in [0, 1], or None; it is {l1_ratios!r}.")
    ratios = [as_l1_ratio(ratio) for ratio in np.asarray(l1_ratios).tolist()]
    return [{"l1": 1.0, "l2": 0.0}[penalty]] if penalty in ("l1", "l2") else ratios


def as_n_jobs(n_jobs: Any) -> int | None:
    if n_jobs is None:
        return None
    n_jobs = _integer(n_jobs, "n_jobs")
    if n_jobs == 0:
        raise ValueError("n_jobs must not be 0: pass None or -1 for all cores, or the number of threads.")
    return n_jobs


def as_verbose(verbose: Any) -> int:
    verbose = int(verbose) if isinstance(verbose, bool | np.bool_) else _integer(verbose, "verbose")
    if verbose < 0:
        raise ValueError(f"verbose must be >= 0; it is {verbose}.")
    return verbose


def as_precompute(precompute: Any) -> bool | str | NDArray[Any]:
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


def as_delta(delta: Any) -> float:
    """The delta of the Huber loss, in units of y."""
    delta = _number(delta, "delta")
    if not (isfinite(delta) and delta > 0):
        raise ValueError(f"delta={delta!r} must be positive and finite: beyond it, in units of y, the loss is linear.")
    return delta


def as_labels(y: Any, n: int) -> tuple[NDArray[Any], Ints]:
    """Class labels of any kind.

    Returns
    -------
    classes : ndarray of shape (c,)
        In ascending order.
    codes : ndarray of shape (n,), int
        Which of them each row has.
    """
    if y is None:
        raise ValueError("a fit requires y to be passed, but the target y is None.")
    y = np.asarray(y)
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1:
        raise ValueError(f"labels y must have shape (n,); their shape is {y.shape}.")
    if len(y) != n:
        raise ValueError(f"X and y disagree on the number of rows: X has {n}, y has {len(y)}.")
    if y.dtype.kind == "f" and not np.isfinite(y).all():
        raise ValueError(f"y contains NaN or infinity, {_first_nonfinite(y)}. Drop such rows of X and y.")
    try:
        classes, codes = np.unique(y, return_inverse=True)
    except TypeError:
        raise TypeError("labels y must be of one kind, numbers or strings, to be put in order.") from None
    return classes, codes


def as_coef_init(
    coef_init: Any, k: int, p: int, lower: Floats | None = None, upper: Floats | None = None
) -> Floats | None:
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


def as_offset(offset: Any, n: int) -> Floats | None:
    """What is added to the linear predictor of each row, as (n,) float64, or None."""
    if offset is None:
        return None
    offset = np.ascontiguousarray(_to_float64(offset, "offset"))
    if offset.shape != (n,):
        raise ValueError(f"offset must have shape ({n},), one value per row of X; its shape is {offset.shape}.")
    if not np.isfinite(offset).all():
        raise ValueError(f"offset contains NaN or infinity, {_first_nonfinite(offset)}.")
    return offset


def as_penalty_factor(penalty_factor: Any, p: int) -> Floats | None:
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


def as_penalty_matrix(penalty_matrix: Any, p: int) -> Floats | None:
    """A symmetric positive semidefinite (p, p) float64, or None."""
    if penalty_matrix is None:
        return None
    if sparse.issparse(penalty_matrix):
        penalty_matrix = penalty_matrix.toarray()
    P = _to_float64(penalty_matrix, "penalty_matrix")
    if P.shape != (p, p):
        raise ValueError(f"penalty_matrix must have shape ({p}, {p}) for this X; its shape is {P.shape}.")
    if not np.isfinite(P).all():
        raise ValueError(f"penalty_matrix contains NaN or infinity, {_first_nonfinite(P)}.")
    size = np.abs(P).max()
    if np.abs(P - P.T).max() > 1e-10 * size:
        raise ValueError("penalty_matrix must be symmetric; pass (P + P.T) / 2.")
    P = 0.5 * (P + P.T)
    least = np.linalg.eigvalsh(P)[0]
    if least < -1e-10 * size:
        raise ValueError(
            f"penalty_matrix must be positive semidefinite; its least eigenvalue is {least:.3g}. L'L is, for any L."
        )
    return P


def check_one_penalty(penalty_factor: Any, penalty_matrix: Any, standardize: bool, bounded: bool) -> None:
    """A penalty matrix says all that the other arguments could say about the penalty."""
    if penalty_matrix is None:
        return
    others = {
        "penalty_factor": penalty_factor is not None,
        "standardize=True": standardize,
        "positive=True and bounds": bounded,
    }
    for name, given in others.items():
        if given:
            raise ValueError(f"penalty_matrix cannot be combined with {name}; pass one of the two.")


def as_bounds(lower: Any, upper: Any, positive: bool, p: int) -> tuple[Floats, Floats] | tuple[None, None]:
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


def _bound(bound: Any, name: str, p: int) -> Floats:
    values = _to_float64(bound, name)
    if values.shape not in ((), (p,)):
        raise ValueError(f"{name} must be a number or have shape ({p},); its shape is {values.shape}.")
    if np.isnan(values).any():
        raise ValueError(f"{name} contains NaN; pass -inf or inf where a coefficient has no bound.")
    return np.broadcast_to(values, p)


def as_dfmax(dfmax: Any) -> int | None:
    if dfmax is None:
        return None
    dfmax = _integer(dfmax, "dfmax")
    if dfmax < 1:
        raise ValueError(f"dfmax, the most nonzero coefficients, must be at least 1; it is {dfmax}.")
    return dfmax


def as_seed(selection: Any, random_state: Any) -> int | None:
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


# --- blocks of rows --------------------------------------------------------------------------------------------------


def check_block(X: Matrix, names: Names, k: int, n_features: int, feature_names: Names, n_targets: int) -> None:
    """A block must have the columns and the targets of the blocks before it."""
    if X.shape[1] != n_features:
        raise ValueError(f"X has {X.shape[1]} features, but the blocks before it had {n_features}.")
    if names is not None and feature_names is not None and not np.array_equal(names, feature_names):
        j = int(np.flatnonzero(names != feature_names)[0])
        raise ValueError(
            f"X must have the columns of the first block in the same order: column {j} is {names[j]!r}, it was "
            f"{feature_names[j]!r}. Select them by name: X[accumulator.feature_names_in_]."
        )
    if k != n_targets:
        raise ValueError(f"y has {k} target(s), but the blocks before it had {n_targets}.")


def as_block_weights(sample_weight: Any, m: int) -> Floats | None:
    """The weights of a block's rows as (m,) float64 >= 0 on the scale of the other blocks, or None where all are one.

    All may be zero: a block without rows that count.
    """
    if sample_weight is None:
        return None
    if isinstance(sample_weight, Real) and not isinstance(sample_weight, bool | np.bool_):
        w = np.full(m, float(sample_weight))
    else:
        w = np.ascontiguousarray(_to_float64(sample_weight, "sample_weight"))
    if w.shape != (m,):
        raise ValueError(f"sample_weight must have shape ({m},), one weight per row of X; its shape is {w.shape}.")
    if not np.isfinite(w).all():
        raise ValueError(f"sample_weight contains NaN or infinity, {_first_nonfinite(w)}.")
    if (w < 0).any():
        i = int(np.argmax(w < 0))
        raise ValueError(f"sample_weight must not be negative; it is {w[i]} at position {i}. `remove` takes rows away.")
    beyond = (w > 1e100) | ((w < 1e-100) & (w > 0))
    if beyond.any():
        i = int(np.argmax(beyond))
        raise ValueError(
            f"sample_weight is {w[i]} at position {i}: sums would overflow or vanish. Multiply the weights of all "
            "blocks by a constant; their scale does not matter."
        )
    return w


def as_penalties(alphas: Any) -> Floats:
    """The values of alphas in descending order; a number of alphas is refused."""
    values = as_alphas(alphas)
    if isinstance(values, int):
        raise TypeError(f"alphas must be a list of values here; it is {alphas!r}. For a single value pass [value].")
    return values


def check_has_rows(n_rows: int) -> None:
    if n_rows == 0:
        raise ValueError("no rows were added yet, or none of them has a positive weight: call add(X, y) first.")


def check_accumulators(ours: Any, theirs: Any, us: str = "this one", them: str = "other") -> None:
    """Two accumulators must have the same columns and as many targets."""
    shape, expected = (theirs.n_features_in_, theirs.n_targets_), (ours.n_features_in_, ours.n_targets_)
    if shape != expected:
        raise ValueError(
            f"accumulators must agree on their columns: {them} has {shape[0]} features and {shape[1]} target(s), {us} "
            f"has {expected[0]} and {expected[1]}."
        )
    names, others = ours.feature_names_in_, theirs.feature_names_in_
    if names is not None and others is not None and not np.array_equal(names, others):
        j = int(np.flatnonzero(names != others)[0])
        raise ValueError(
            f"accumulators must have the same columns in the same order: column {j} is {others[j]!r} in {them} and "
            f"{names[j]!r} in {us}."
        )


def as_blocks(blocks: Any, kind: Any) -> list[Any]:
    """Two or more accumulators (`kind`) of the same columns and targets, each with rows."""
    if isinstance(blocks, kind):
        raise TypeError(f"blocks must be a list of {kind.__name__}, one for each fold; it is a single one.")
    blocks = list(blocks)
    for i, block in enumerate(blocks):
        if not isinstance(block, kind):
            raise TypeError(f"blocks must hold {kind.__name__} objects; blocks[{i}] is a {type(block).__name__}.")
        if block.n_rows_ == 0:
            raise ValueError(f"blocks[{i}] has no rows of positive weight; leave it out.")
        check_accumulators(blocks[0], block, "blocks[0]", f"blocks[{i}]")
    if len(blocks) < 2:
        raise ValueError(f"blocks holds {len(blocks)} accumulator(s); cross-validation needs at least two, one a fold.")
    return blocks


def one_of(value: Any, name: str, choices: Sequence[str]) -> Any:
    """One of a few strings."""
    if not (isinstance(value, str) and value in choices):
        raise ValueError(f"{name}={value!r} must be one of {', '.join(map(repr, choices))}.")
    return value


def as_rows(rows: Any, n: int, name: str) -> Ints:
    """Row numbers that a splitter gave, or a mask of them, as an array of integers."""
    rows = np.asarray(rows)
    if rows.dtype == bool and rows.shape == (n,):
        return np.flatnonzero(rows)
    if rows.ndim != 1 or not np.issubdtype(rows.dtype, np.integer) or len(rows) == 0:
        raise ValueError(f"cv must give the {name} rows as a non-empty 1-d array of row numbers.")
    if rows.min() < 0 or rows.max() >= n:
        raise ValueError(f"cv gives {name} rows from {rows.min()} to {rows.max()}; X has the rows 0 to {n - 1}.")
    return rows.astype(np.intp, copy=False)


def check_folds(weights: Iterable[Floats], held_out: Floats) -> None:
    """Weights (n,) of each fold's training rows, and the sums of those of its held-out rows."""
    for k, w in enumerate(weights):
        if not w.any():
            raise ValueError(f"sample_weight leaves fold {k} of cv no row to fit: its training rows all weigh zero.")
    if not held_out.any():
        raise ValueError("sample_weight leaves no fold of cv a row to be judged by: held-out rows all weigh zero.")


def check_fold_counts(weights: Iterable[Floats], y: Floats) -> None:
    """Some count of every fold's training rows, which have the weights (K, n), must be positive."""
    for k, w in enumerate(weights):
        if not (w * y).any():
            raise ValueError(
                f"fold {k} of cv leaves no y > 0 to fit, and the best intercept is -inf: shuffle the rows, or choose "
                "other folds."
            )


def check_scores(scores: Floats, held_out: Floats) -> None:
    """Errors (R, L, K) of the folds, NaN where nothing is held out and nowhere else."""
    for k in np.flatnonzero(held_out > 0):
        if np.isnan(scores[:, :, k]).any():
            raise ValueError(f"scoring gives NaN for fold {k} of cv: choose another scoring, or folds of more rows.")


def as_positive(value: Any, name: str) -> float | None:
    """A positive number, or None."""
    if value is None:
        return None
    value = _number(value, name)
    if not (isfinite(value) and value > 0):
        raise ValueError(f"{name}={value!r} must be positive and finite, or None.")
    return float(value)


def as_share(value: Any, name: str) -> float:
    """A number from 0 to 1."""
    value = _number(value, name)
    if not 0 <= value <= 1:
        raise ValueError(f"{name}={value!r} must lie in [0, 1].")
    return float(value)


def as_relax(relax: Any, bounded: bool) -> list[float]:
    """The shares of the path in its blends with least squares on its supports, as a list of float."""
    gammas: Any = np.atleast_1d(relax)
    if gammas.ndim != 1 or len(gammas) == 0:
        raise ValueError(f"relax must be a number or a sequence of numbers; it is {relax!r}.")
    gammas = [as_share(gamma, "relax") for gamma in gammas.tolist()]
    if bounded and min(gammas) < 1.0:
        raise ValueError(
            f"relax={min(gammas)!r} needs coefficients without bounds: least squares on the supports may leave them. "
            "Pass relax=1.0, or drop positive, lower_bounds and upper_bounds."
        )
    return gammas


# --- stability selection ---------------------------------------------------------------------------------------------


def at_least_one(value: Any, name: str) -> int:
    """An integer of at least 1."""
    value = _integer(value, name)
    if value < 1:
        raise ValueError(f"{name} must be at least 1; it is {value}.")
    return value


def as_majority(value: Any, name: str) -> float:
    """A share of more than one half, up to 1."""
    value = _number(value, name)
    if not 0.5 < value <= 1:
        raise ValueError(f"{name} must lie above 0.5, where the error bound begins, and be at most 1; it is {value}.")
    return value


def check_selects(alphas: Any, l1_ratio: float) -> None:
    """A path that is to select features needs a penalty that leaves some out, at every alpha."""
    if l1_ratio == 0:
        raise ValueError("l1_ratio=0 is ridge regression, which selects every feature: pass a value in (0, 1].")
    if np.ndim(alphas) and alphas[-1] == 0:
        raise ValueError("alphas must be > 0 here: at alpha=0 no penalty leaves a feature out.")


def check_halves(n_rows: int) -> None:
    if n_rows < 2:
        raise ValueError(f"X has {n_rows} sample(s) of positive weight; at least 2 are needed to halve them.")
