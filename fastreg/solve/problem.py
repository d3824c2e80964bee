"""What goes into the engine and what comes out: one task, one solution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scipy.sparse import csc_array

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from .._types import Floats, Ints, Loss


@dataclass(slots=True)
class Task:
    """One problem over the X of the batch, checked and in float64; tasks with the same weights share the array."""

    y: Floats  # (n,)
    weights: Floats | None  # (n,) or None: ones
    fit_intercept: bool
    standardize: bool
    l1_ratio: float  # 0 (alphas then are values) to 1
    alphas: Floats | Any  # (L,) strictly descending, or how many on a geometric grid down to eps * alpha_max
    eps: float | None
    tol: float  # bound of the duality gap, relative to the objective of the null model
    max_iter: int  # coordinate-descent sweeps plus Newton steps for one alpha
    coef_init: Floats | None  # (p,) start for the first alpha
    random_state: int | None = None  # not None: random order of coordinates
    penalty_factor: Floats | None = None  # (p,) >= 0, or None: ones; 0 unpenalised, inf excluded
    lower: Floats | Any = None  # (p,) <= 0, or None: no bounds
    upper: Floats | Any = None  # (p,) >= 0
    dfmax: int | None = None  # end the path before it has more nonzero coefficients
    loss: Loss = "squared"  # or a name that `fastreg.kernels.losses` knows
    parameter: float = 0.0  # of the loss: the delta of "huber"
    offset: Floats | None = None  # (n,) part of the linear predictor; for "squared" it is in y
    classes: NDArray[Any] | Any = None  # (K,) labels that 0, 1, ... in y stand for


@dataclass(slots=True)
class Solution:
    """The path of one task, on the scale of X."""

    alphas: Floats  # (L,)
    indptr: Ints  # (L + 1,) \
    indices: Ints  # (nnz,)    the coefficients (p, L) by columns, as in `coefs`
    values: Floats  # (nnz,)   /
    n_features: int
    intercepts: Floats  # (L,)
    dual_gaps: Floats  # (L,) in units of the objective; at alpha = 0 the squared residual of the normal equations
    alpha_max: float  # smallest alpha at which all coefficients are zero
    null_objective: float
    null_intercept: float
    null_coef: Floats | None  # (p,) of the model without penalised features; None: zeros
    deviance_ratio: Floats  # (L,)
    n_iter: Ints  # (L,) sweeps plus Newton steps
    n_passes: int  # full products with X that the batch made

    @property
    def coefs(self) -> csc_array:
        """Coefficients as a csc_array of shape (p, L)."""
        return csc_array((self.values, self.indices, self.indptr), shape=(self.n_features, len(self.alphas)))


@dataclass(slots=True)
class MultinomialSolution:
    """The path of one task with K classes."""

    alphas: Floats  # (L,)
    coefs: list[csc_array]  # K csc_arrays of shape (p, L)
    intercepts: Floats  # (L, K)
    dual_gaps: Floats  # (L,)
    alpha_max: float
    null_objective: float
    null_intercept: Floats  # (K,)
    null_coef: Floats | None  # (p, K)
    deviance_ratio: Floats  # (L,)
    n_iter: Ints  # (L,) Newton steps, of all classes together
    n_passes: int
