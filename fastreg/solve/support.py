"""Which features a solution proves to be zero, or not zero, in every optimum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import LinAlgError, cholesky, solve_triangular

from ..design.blocks import aligned
from ..kernels import certificate
from .run import Run
from .sample import Sample

if TYPE_CHECKING:
    from typing import Any

    from .._types import Floats, Ints
    from .problem import Task

ROUNDING = 1e-14  # relative slack that every comparison leaves for rounding
MOST_FEATURES = 5_000  # not proved zero, for which the inverse of their Gram matrix is still formed


@dataclass(slots=True)
class SupportCertificate:
    """What a duality gap proves of the support at one alpha.

    Attributes
    ----------
    alpha : float
    gap : float
        Duality gap of the coefficients, in units of the objective.
    zero : ndarray of int
        Features that are zero in every optimal solution.
    nonzero : ndarray of int
        Features that are not zero in the optimal solution, with the sign of their coefficient.
    undecided : ndarray of int
        All others.
    """

    alpha: float
    gap: float
    zero: Ints
    nonzero: Ints
    undecided: Ints


def certify(design: Any, task: Task, alpha: float, coef: Floats, jobs: int = 1) -> SupportCertificate:
    """Prove what can be proved of the support from approximate coefficients.

    A feature is zero where the gap-safe sphere keeps its gradient below its penalty: |x_j'theta| + |x_j| sqrt(2 gap /
    S) is (Ndiaye, Fercoq, Gramfort & Salmon 2017).  On the features A that are left the objective is strongly convex,
    so that |w_j - w*_j| <= sqrt(2 gap [(X_A'X_A / S + l2)^-1]_jj): a coefficient beyond that is not zero.

    Parameters
    ----------
    design : Dense, Columns or Rows
    task : Task
    alpha : float > 0
    coef : ndarray of shape (p,)
    jobs : int

    Returns
    -------
    SupportCertificate
    """
    p = design.p
    if task.fit_intercept:
        design.take_off_large_means(jobs)
    sample = Sample(design, task.weights, task.fit_intercept, jobs, keeps_gram=False)
    run = Run(task, sample, 0, task.y)
    run.know_free()
    l1, l2 = np.array([task.l1_ratio * alpha]), np.array([(1.0 - task.l1_ratio) * alpha])
    used = np.flatnonzero(coef)
    used = used[np.isfinite(run.factor1[used])] if run.factor1 is not None else used
    width = design.panel_width(1)
    R, C = aligned((1, design.n, width)), aligned((1, p, width))
    W, target = np.zeros((1, len(used), width)), np.full((1, width), -1, dtype=np.intp)
    W[0, :, 0], target[0, 0] = coef[used], 0
    squares = design.residuals(
        task.y[None, :], target, used, W, task.weights, sample.centred, sample.total, R, jobs
    )[0, 0] / sample.total  # fmt: skip
    design.correlate(R, C, jobs)
    c = C[0, :, 0] / sample.total

    norm = np.sqrt(design.moments(np.arange(p), task.weights, sample.total, sample.centred, jobs)[1] / sample.total)
    off, more, at = np.zeros(1), 0.0, c[used].copy()
    if len(run.free):
        sample.add(used)
        more, squared, projected = run.free_part(c[run.free], sample.place[used], coef[used], 0)
        off[0] = np.sqrt(squared)
        at[np.isin(used, projected)] = 0.0
    largest, conjugate, missed = np.zeros(1), np.zeros(1), np.zeros(p, np.uint8)
    first = np.zeros(1, np.intp)
    certificate.Scan(
        C, first, first, 0, p, None, 1.0 / sample.total, l1, l2, run.factor1, run.factor2, task.lower, task.upper,
        run.norm, off, np.zeros(p, np.int32), largest, conjugate, missed,
    ).do()  # fmt: skip
    kappa = certificate.scale(l1[0], largest[0])
    gap = certificate.gap(
        used, coef[used], at, l1[0], l2[0], run.factor1, run.factor2,
        certificate.squared_part(kappa, squares, off[0] ** 2), kappa, conjugate[0] + more, off[0] ** 2, run.norm,
    )  # fmt: skip
    sure = gap + ROUNDING * (0.5 * squares + np.abs(c[used]) @ np.abs(coef[used]))  # whatever rounding did to the gap
    radius = norm * (np.sqrt(2.0 * sure) + off[0]) + ROUNDING * (np.abs(c) + norm * np.sqrt(squares))
    f1 = np.ones(p) if run.factor1 is None else run.factor1
    f2 = np.ones(p) if run.factor2 is None else run.factor2
    up, down = (True, True) if task.lower is None else (task.upper > 0, task.lower < 0)
    penalty = np.where(np.isinf(f1), np.inf, l1[0] * np.where(np.isinf(f1), 0.0, f1))
    zero = ~((kappa * c + radius >= penalty) & up | (radius - kappa * c >= penalty) & down) & (f1 > 0)
    zero &= (norm > 0) | np.isinf(f1) | (coef == 0)
    left = np.flatnonzero(~zero | (coef != 0))  # where the optimum and these coefficients may be nonzero
    nonzero = np.zeros(p, bool)
    if 0 < len(left) <= min(MOST_FEATURES, design.n if l2[0] == 0.0 else MOST_FEATURES):
        exact = Sample(design, task.weights, task.fit_intercept, jobs)
        exact.add(left)
        H = exact.gram[: len(left), : len(left)] + np.diag(l2[0] * f2[left])
        size = np.sqrt(np.diag(H))
        try:  # scaled to a diagonal of one, its Cholesky factor tells how far rounding may reach
            L = cholesky(H / np.outer(size, size), lower=True)
        except (LinAlgError, ValueError):
            L = None
        if L is not None and np.diag(L).min() > 1e-6:
            inverse = (solve_triangular(L, np.eye(len(left)), lower=True) ** 2).sum(axis=0) / size**2
            nonzero[left] = np.abs(coef[left]) > 2.0 * np.sqrt(2.0 * sure * inverse)
    return SupportCertificate(
        float(alpha), float(gap), np.flatnonzero(zero), np.flatnonzero(nonzero), np.flatnonzero(~zero & ~nonzero)
    )
