"""What goes into the engine and what comes out: one task, one solution."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csc_array


@dataclass(slots=True)
class Task:
    """One problem over the X of the batch, checked and in float64; tasks with the same weights share the array."""

    y: np.ndarray  # (n,)
    weights: np.ndarray | None  # (n,) or None: ones
    fit_intercept: bool
    standardize: bool
    l1_ratio: float  # 0 (alphas then are values) to 1
    alphas: np.ndarray | int  # (L,) strictly descending, or how many on a geometric grid down to eps * alpha_max
    eps: float | None
    tol: float  # bound of the duality gap, relative to the objective of the null model
    max_iter: int  # coordinate-descent sweeps plus Newton steps for one alpha
    coef_init: np.ndarray | None  # (p,) start for the first alpha
    random_state: int | None = None  # not None: random order of coordinates
    penalty_factor: np.ndarray | None = None  # (p,) >= 0, or None: ones; 0 unpenalised, inf excluded
    lower: np.ndarray | None = None  # (p,) <= 0, or None: no bounds
    upper: np.ndarray | None = None  # (p,) >= 0
    dfmax: int | None = None  # end the path before it has more nonzero coefficients
    loss: str = "squared"  # or a name that `fastreg.kernels.losses` knows
    parameter: float = 0.0  # of the loss: the delta of "huber"
    offset: np.ndarray | None = None  # (n,) part of the linear predictor; for "squared" it is in y
    classes: np.ndarray | None = None  # (K,) labels that 0, 1, ... in y stand for


@dataclass(slots=True)
class Solution:
    """The path of one task, on the scale of X."""

    alphas: np.ndarray  # (L,)
    indptr: np.ndarray  # (L + 1,) \
    indices: np.ndarray  # (nnz,)    the coefficients (p, L) by columns, as in `coefs`
    values: np.ndarray  # (nnz,)   /
    n_features: int
    intercepts: np.ndarray  # (L,)
    dual_gaps: np.ndarray  # (L,) in units of the objective; at alpha = 0 the squared residual of the normal equations
    alpha_max: float  # smallest alpha at which all coefficients are zero
    null_objective: float
    null_intercept: float
    null_coef: np.ndarray | None  # (p,) of the model without penalised features; None: zeros
    deviance_ratio: np.ndarray  # (L,)
    n_iter: np.ndarray  # (L,) sweeps plus Newton steps
    n_passes: int  # full products with X that the batch made

    @property
    def coefs(self):
        """Coefficients as a csc_array of shape (p, L)."""
        return csc_array((self.values, self.indices, self.indptr), shape=(self.n_features, len(self.alphas)))


@dataclass(slots=True)
class MultinomialSolution:
    """The path of one task with K classes."""

    alphas: np.ndarray  # (L,)
    coefs: list  # K csc_arrays of shape (p, L)
    intercepts: np.ndarray  # (L, K)
    dual_gaps: np.ndarray  # (L,)
    alpha_max: float
    null_objective: float
    null_intercept: np.ndarray  # (K,)
    null_coef: np.ndarray | None  # (p, K)
    deviance_ratio: np.ndarray  # (L,)
    n_iter: np.ndarray  # (L,) Newton steps, of all classes together
    n_passes: int
