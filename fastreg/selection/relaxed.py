"""The relaxed lasso: a path blended with least squares on the features that each of its solutions has chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scipy import sparse

from fastreg.design import as_design
from fastreg.selection.refit import refit

if TYPE_CHECKING:
    from typing import Any

    from fastreg._types import Floats, Matrix
    from fastreg.result import RegularizationPath
    from fastreg.solve import Task


def relaxed(path: RegularizationPath, X: Matrix, task: Task, gamma: float, jobs: int = 1) -> tuple[Any, Floats, Floats]:
    """(coefs (p, L) csc, intercepts (L,), deviance ratios (L,)) of a path blended with least squares on its supports.

    Each solution is gamma times that of the path plus 1 - gamma times least squares, of minimum norm, on its features
    (N. Meinshausen, "Relaxed lasso", Computational Statistics & Data Analysis 52, 2007; the blend is that of T. Hastie,
    R. Tibshirani and R. Tibshirani, Statistical Science 35, 2020).
    """
    coefs = sparse.csc_array(path.coefs, copy=True)
    values, intercepts, ratios = refit(as_design(X), task, coefs.indptr, coefs.indices, jobs)
    coefs.data = gamma * coefs.data + (1.0 - gamma) * values
    intercepts = gamma * path.intercepts + (1.0 - gamma) * intercepts
    # the residuals of least squares are orthogonal to its difference from the path
    ratios = gamma**2 * path.deviance_ratio + (1.0 - gamma**2) * ratios
    return coefs, intercepts, ratios
