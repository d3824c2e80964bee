"""The ridge trace: ridge regression at every alpha of a grid, as a path."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from scipy import sparse

from fastreg import validation
from fastreg.result import RegularizationPath
from fastreg.solve import n_threads
from fastreg.solve.ridge import fit_ridge, generalized_cross_validation
from fastreg.solve.ridge_data import RidgeData, residual_squares, spreads

if TYPE_CHECKING:
    from typing import Unpack

    from numpy.typing import ArrayLike

    from fastreg._types import Floats, ManyResponses, MatrixLike, Names, OneResponse, RidgeOptions
    from fastreg.solve.systems import System


class _HatMatrices:
    """What a factorization tells of the fits at all alphas: it takes an eigendecomposition, hence not before asked."""

    def __init__(self, data: RidgeData, alphas: Floats, system: System) -> None:
        self.data, self.alphas, self.system = data, alphas, system

    @cached_property
    def told(self) -> tuple[Floats, Floats]:
        """(criteria of generalized cross-validation (L, k), residual degrees of freedom (L,))."""
        criterion, freedom, _ = generalized_cross_validation(self.data, self.alphas, self.system)
        return criterion, freedom


@dataclass(eq=False, repr=False)
class RidgeTrace(RegularizationPath):
    """A path of ridge regressions, whose fits are linear in y.

    A `RegularizationPath`, and what follows from the matrices that map y to its fits. These need the factorization of
    the fit and refer to X, which pickles and copies do not carry.

    Attributes
    ----------
    df : ndarray of shape (L,)
        Effective degrees of freedom, the trace of such a matrix; the intercept counts.
    gcv : ndarray of shape (L,)
        The criterion of generalized cross-validation, as in `RidgeCV`; the least is best. NaN where the fit leaves no
        degrees of freedom.
    """

    # What is known of all responses, and the number of this one.
    _hat: tuple[_HatMatrices, int] | None = field(default=None)

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_hat": None}

    @property
    def df(self) -> Floats:
        hat, _ = self._hat_matrices("df")
        return hat.data.counted - hat.told[1]

    @property
    def gcv(self) -> Floats:
        hat, response = self._hat_matrices("gcv")
        return hat.told[0][:, response].copy()

    def _hat_matrices(self, name: str) -> tuple[_HatMatrices, int]:
        if self._hat is None:
            raise AttributeError(
                f"{name} needs the factorization of the fit, which pickles and copies do not carry: fit again."
            )
        return self._hat


@overload
def ridge_path(X: MatrixLike, y: OneResponse, alphas: ArrayLike, **options: Unpack[RidgeOptions]) -> RidgeTrace: ...
@overload
def ridge_path(
    X: MatrixLike, y: ManyResponses, alphas: ArrayLike, **options: Unpack[RidgeOptions]
) -> list[RidgeTrace]: ...
@overload
def ridge_path(X: MatrixLike, y: ArrayLike, alphas: ArrayLike, **options: Unpack[RidgeOptions]) -> Any: ...
def ridge_path(
    X: MatrixLike,
    y: ArrayLike,
    alphas: ArrayLike,
    *,
    fit_intercept: bool = True,
    standardize: bool = False,
    sample_weight: ArrayLike | None = None,
    penalty_factor: ArrayLike | None = None,
    n_jobs: int | None = None,
) -> RidgeTrace | list[RidgeTrace]:
    """Ridge regression along a grid of alphas, from one factorization.

    With sample weights s_i and penalty factors v_j, minimises over the intercept b and the coefficients w, for each
    alpha, with the scaling of `Ridge`::

        sum_i s_i (y_i - b - x_i' w)^2  +  alpha sum_j v_j w_j^2

    (`fit_path` with ``l1_ratio=0`` has the mean of the squares, halved, there: its alpha is this one over sum_i s_i.)

    Parameters
    ----------
    X : array-like, DataFrame or sparse matrix of shape (n, p)
        Not copied as a whole, unless a factorization has to be of X itself (alpha = 0, or an X so close to singular
        that its Gram matrix would lose its digits).
    y : array-like of shape (n,) or (n, k)
    alphas : array-like of shape (L,)
        Non-negative; sorted into descending order, duplicates are refused. At 0: least squares of minimum norm.
    fit_intercept : bool, default=True
    standardize : bool, default=False
        Penalise w_j sd_j in place of w_j, sd_j the weighted 1/S standard deviation of column j.
    sample_weight : array-like of shape (n,), default=None
        Not rescaled: doubling the weights is doubling the rows.
    penalty_factor : array-like of shape (p,), default=None
        Factors v_j >= 0; 0 leaves a feature unpenalised, inf excludes it.
    n_jobs : int, default=None
        Number of threads; None and -1 are all cores at hand.

    Returns
    -------
    RidgeTrace, or a list of k of them for a 2-d y
        A `RegularizationPath` that also has `df` and `gcv`, the effective degrees of freedom and the criterion of
        generalized cross-validation for each alpha, computed when first asked for.
        `dual_gaps` in units of the objective above; where alpha is 0 or a feature is unpenalised there is none, and
        the squared relative residual of the normal equations takes its place, times the null objective.

    Raises
    ------
    ValueError, TypeError
        If an argument is not as described; if X is sparse with so many rows and columns that no factorization fits, and
        an alpha is 0 or a feature unpenalised (`fit_path` with ``l1_ratio=0`` solves it without one).

    References
    ----------
    A. E. Hoerl and R. W. Kennard, "Ridge regression: biased estimation for nonorthogonal problems", Technometrics 12
    (1970).

    G. H. Golub, M. Heath and G. Wahba, "Generalized cross-validation as a method for choosing a good ridge parameter",
    Technometrics 21 (1979).

    Examples
    --------
    >>> import numpy as np
    >>> from fastreg import ridge_path
    >>> path = ridge_path([[0.0], [1.0], [2.0]], [0.0, 2.0, 4.0], alphas=[0.0, 2.0])
    >>> path.coefs.toarray().round(6).tolist()
    [[1.0, 2.0]]
    >>> path.df.round(6).tolist()
    [1.5, 2.0]
    """
    fit_intercept = validation.as_bool(fit_intercept, "fit_intercept")
    standardize = validation.as_bool(standardize, "standardize")
    n_jobs = validation.as_n_jobs(n_jobs)
    alphas = validation.as_alphas(alphas)
    if not isinstance(alphas, np.ndarray):
        raise ValueError("alphas must be the values themselves: no coefficient of ridge regression is ever zero, so "
                         "there is no largest alpha for a grid to start at.")  # fmt: skip
    X, names = validation.as_matrix(X)
    n, p = X.shape
    rows, y_ndim = validation.as_responses(y, n)
    weights = validation.as_counts(sample_weight, n)
    factor = validation.as_penalty_factor(penalty_factor, p)
    validation.check_finite(X, names)
    data = RidgeData(X, np.ascontiguousarray(np.asarray(rows).T), weights, fit_intercept, factor, n_threads(n_jobs))
    if standardize:
        spread = spreads(data)
        v = np.ones(p) if factor is None else factor
        data.factor = np.full(p, np.inf)
        data.factor[spread > 0] = v[spread > 0] * spread[spread > 0] ** 2
    count, k = len(alphas), len(rows)
    solution = fit_ridge(data, np.tile(alphas, k), np.repeat(np.arange(k), count))
    left = residual_squares(data, solution.coefs, np.repeat(np.arange(k), count))
    centred = (data.Y - data.means()[1]) ** 2
    null = centred.sum(axis=0) if weights is None else weights @ centred
    hat = _HatMatrices(data, alphas, solution.system)
    paths = [
        _path(data, solution, slice(j * count, (j + 1) * count), alphas, left, float(null[j]), (hat, j), names)
        for j in range(k)
    ]
    return paths[0] if y_ndim == 1 else paths


def _path(
    data: RidgeData,
    solution: Any,
    part: slice,
    alphas: Floats,
    left: Floats,
    null: float,
    hat: tuple[_HatMatrices, int],
    names: Names,
) -> RidgeTrace:
    gaps = solution.dual_gaps[part]
    missing = np.isnan(gaps)
    gaps[missing] = solution.residuals[part][missing] ** 2 * null
    return RidgeTrace(
        alphas=alphas,
        coefs=sparse.csc_array(solution.coefs[:, part]),
        intercepts=solution.intercepts[part],
        dual_gaps=gaps,
        null_objective=null,
        null_intercept=float(data.means()[1][hat[1]]),
        alpha_max=np.inf,
        deviance_ratio=1.0 - left[part] / (null or 1.0),
        n_iter=np.zeros(len(alphas), dtype=np.int64),
        n_passes=0,
        feature_names=names,
        _hat=hat,
    )
