"""Regularization paths: the functions that fit them and the object that holds one."""

import sys
import warnings
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

import numpy as np

from fastreg import validation
from fastreg.design import as_design
from fastreg.solve import Task, certify, n_threads, solve_tasks

# A gap of this many parts of the null objective is rounding; no number of iterations would lower it reliably.
_ROUNDING = 64 * np.finfo(np.float64).eps

# Relative distance within which an alpha counts as the end of the grid (alphas are often recomputed by the caller).
_GRID_SLACK = 1e-12


@dataclass(eq=False)
class Problem:
    """One problem over an X that `fit_paths` shares between problems; the arguments are those of `fit_path`.

    Parameters
    ----------
    y : array-like of shape (n,) or (n, k)
        Response. Each column of a 2-d y is a problem of its own, with all other arguments in common.
    l1_ratio, alphas, eps, fit_intercept, standardize, positive, sample_weight, offset, penalty_factor, lower_bounds, \
upper_bounds, dfmax, tol, max_iter, coef_init
        As in `fit_path`. Problems that share their weights share work when they hold the same `sample_weight` object.
    """

    y: Any
    _: KW_ONLY
    l1_ratio: float = 1.0
    alphas: Any = 100
    eps: float | None = None
    fit_intercept: bool = True
    standardize: bool = False
    positive: bool = False
    sample_weight: Any = None
    offset: Any = None
    penalty_factor: Any = None
    lower_bounds: Any = None
    upper_bounds: Any = None
    dfmax: int | None = None
    tol: float = 1e-10
    max_iter: int = 10_000
    coef_init: Any = None


def fit_path(
    X,
    y,
    *,
    loss="squared",
    l1_ratio=1.0,
    alphas=100,
    eps=None,
    fit_intercept=True,
    standardize=False,
    positive=False,
    sample_weight=None,
    offset=None,
    penalty_factor=None,
    lower_bounds=None,
    upper_bounds=None,
    dfmax=None,
    tol=1e-10,
    max_iter=10_000,
    coef_init=None,
    precompute="auto",
    n_jobs=None,
    verbose=0,
):
    """Fit the lasso or elastic net along a whole grid of penalties.

    With sample weights s_i, S = sum_i s_i, offsets o_i and penalty factors v_j, minimises over the intercept b and the
    coefficients w, for each alpha::

        1/(2 S) sum_i s_i (y_i - o_i - b - x_i' w)^2  +  alpha sum_j v_j ( l1_ratio |w_j| + (1 - l1_ratio)/2 w_j^2 )
        subject to  lower_bounds <= w <= upper_bounds

    Parameters
    ----------
    X : array-like, DataFrame or sparse matrix of shape (n, p)
        float32 and float64 arrays are used as they are, in any memory layout, never copied and never written; integers,
        booleans and float16 are converted to float64. A pandas or polars DataFrame must have numeric columns only.
        Sparse matrices and arrays in CSC or CSR format are used as they are too, other formats are converted to CSC;
        none is ever made dense.
    y : array-like of shape (n,) or (n, k)
        Response, converted to float64. For k > 1 the columns are k separate problems, solved together.
    loss : {"squared"}, default="squared"
    l1_ratio : float in [0, 1], default=1.0
        1 is the lasso. 0 is ridge regression, which needs the values of `alphas`.
    alphas : int or array-like of shape (L,), default=100
        The length of a geometric grid from alpha_max, the smallest alpha at which all coefficients are zero, down to
        ``eps * alpha_max``; or the values themselves, >= 0 and each only once, which are sorted in descending order.
        At alpha = 0 the result is the least-squares solution, of minimum norm if there are several.
    eps : float in (0, 1), default=None
        Ratio of the ends of a geometric grid; None is 1e-3 if n >= p and 1e-2 otherwise. Not used with given values.
    fit_intercept : bool, default=True
        The intercept is never penalised.
    standardize : bool, default=False
        Penalise w_j * sd_j in place of w_j, sd_j the weighted 1/S standard deviation of column j about its mean.
        Coefficients are reported for the original columns; those of constant columns are zero.
    positive : bool, default=False
        Constrain the coefficients to w_j >= 0.
    sample_weight : float or array-like of shape (n,), default=None
        Weights >= 0, on any scale. Rows of weight zero count as absent.
    offset : array-like of shape (n,), default=None
        Added to the linear predictor of each row, with a coefficient of one.
    penalty_factor : array-like of shape (p,), default=None
        Factors v_j >= 0 of the penalty; never rescaled. 0 leaves a feature unpenalised, inf excludes it. The adaptive
        lasso (Zou 2006) is ``penalty_factor=1 / abs(pilot)`` with the coefficients of a first fit.
    lower_bounds, upper_bounds : float or array-like of shape (p,), default=None
        Bounds of the coefficients on the scale of X, ``lower_bounds <= 0 <= upper_bounds``; -inf and inf for none.
    dfmax : int, default=None
        End the path before the first alpha at which more penalised coefficients than this are non-zero.
    tol : float, default=1e-10
        Each solution's duality gap is to be at most `tol` times the objective of the null model.
    max_iter : int, default=10_000
        Limit on coordinate-descent sweeps plus Newton steps for each alpha.
    coef_init : array-like of shape (p,) or (k, p), default=None
        Start for the largest alpha.
    precompute : {"auto", True, False} or array-like of shape (p, p), default="auto"
        Whether to work from the full Gram matrix of X; "auto" leaves the choice to the solver's cost model. Or that
        matrix itself, X'X or with weights X' diag(s) X, of the columns as they are or less their (weighted) means; it
        is checked on some columns, and gaps are computed from X all the same. One in float32 is built anew in float64.
    n_jobs : int, default=None
        Number of threads; None and -1 are all cores at hand. The result does not depend on it.
    verbose : int, default=0
        Above 0, report progress on stderr.

    Returns
    -------
    RegularizationPath, or a list of k of them if y has k > 1 columns

    Raises
    ------
    ValueError, TypeError
        If an argument is not as described above.

    Warns
    -----
    ConvergenceWarning
        Once, if some gap is above `tol` after `max_iter` iterations.

    Examples
    --------
    >>> import numpy as np
    >>> from fastreg import fit_path
    >>> X = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    >>> path = fit_path(X, X @ [3.0, 1.0], alphas=[1.0, 0.1])
    >>> path.coefs.toarray().round(6)
    array([[1. , 2.8],
           [0. , 0.8]])
    """
    validation.check_loss(loss)
    problem = Problem(
        y,
        l1_ratio=l1_ratio,
        alphas=alphas,
        eps=eps,
        fit_intercept=fit_intercept,
        standardize=standardize,
        positive=positive,
        sample_weight=sample_weight,
        offset=offset,
        penalty_factor=penalty_factor,
        lower_bounds=lower_bounds,
        upper_bounds=upper_bounds,
        dfmax=dfmax,
        tol=tol,
        max_iter=max_iter,
        coef_init=coef_init,
    )
    paths = fit_paths(X, [problem], precompute=precompute, n_jobs=n_jobs, verbose=verbose)
    return paths[0] if len(paths) == 1 else paths


def fit_paths(X, problems, *, precompute="auto", n_jobs=None, verbose=0):
    """Fit many problems over one X together, in few passes over X.

    Parameters
    ----------
    X : array-like or DataFrame of shape (n, p)
        As in `fit_path`.
    problems : iterable of Problem
    precompute, n_jobs, verbose
        As in `fit_path`.

    Returns
    -------
    list of RegularizationPath
        In the order of `problems`; a problem whose y has k columns has k paths in a row.

    Raises
    ------
    ValueError, TypeError
        If an argument is not as described, before anything is fitted.

    Warns
    -----
    ConvergenceWarning
        Once for the whole batch, as in `fit_path`.
    """
    precompute = validation.as_precompute(precompute)
    n_jobs = validation.as_n_jobs(n_jobs)
    verbose = validation.as_verbose(verbose)
    X, names = validation.as_matrix(X)
    if isinstance(problems, Problem):
        raise TypeError("problems must be a list of Problem; for a single one pass [problem].")
    weights = {}
    tasks = []
    for problem in problems:
        if not isinstance(problem, Problem):
            raise TypeError(f"problems must hold Problem objects; it holds a {type(problem).__name__}.")
        tasks += _tasks(X, problem, weights)
    if not tasks:
        raise ValueError("problems is empty; pass at least one Problem.")
    solutions = solve(X, names, tasks, precompute=precompute, n_jobs=n_jobs, verbose=verbose)
    return [
        RegularizationPath(
            alphas=solution.alphas,
            coefs=solution.coefs,
            intercepts=solution.intercepts,
            dual_gaps=solution.dual_gaps,
            null_objective=solution.null_objective,
            null_intercept=solution.null_intercept,
            null_coef=solution.null_coef,
            alpha_max=solution.alpha_max,
            deviance_ratio=solution.deviance_ratio,
            n_iter=solution.n_iter,
            n_passes=solution.n_passes,
            feature_names=names,
            _source=(X, task),
        )
        for task, solution in zip(tasks, solutions, strict=True)
    ]


def _tasks(X, problem, weights):
    """The engine's tasks for one problem; `weights` remembers the arrays made from earlier sample_weight objects."""
    n, p = X.shape
    rows, _ = validation.as_responses(problem.y, n)
    key = id(problem.sample_weight)
    if key not in weights:
        weights[key] = validation.as_weights(problem.sample_weight, n)
    offset = validation.as_offset(problem.offset, n)
    if offset is not None:
        rows = rows - offset
    positive = validation.as_bool(problem.positive, "positive")
    lower, upper = validation.as_bounds(problem.lower_bounds, problem.upper_bounds, positive, p)
    shared = {
        "weights": weights[key],
        "fit_intercept": validation.as_bool(problem.fit_intercept, "fit_intercept"),
        "standardize": validation.as_bool(problem.standardize, "standardize"),
        "l1_ratio": validation.as_l1_ratio(problem.l1_ratio),
        "alphas": validation.as_alphas(problem.alphas),
        "eps": validation.as_eps(problem.eps),
        "tol": validation.as_tol(problem.tol),
        "max_iter": validation.as_max_iter(problem.max_iter),
        "penalty_factor": validation.as_penalty_factor(problem.penalty_factor, p),
        "lower": lower,
        "upper": upper,
        "dfmax": validation.as_dfmax(problem.dfmax),
    }
    validation.check_grid(shared["alphas"], shared["l1_ratio"], shared["penalty_factor"])
    starts = validation.as_coef_init(problem.coef_init, len(rows), p, lower, upper)
    return [Task(y=row, coef_init=None if starts is None else starts[k], **shared) for k, row in enumerate(rows)]


def solve(X, names, tasks, *, precompute, n_jobs, verbose=0):
    """Solve validated tasks over a validated X, and warn once if some did not converge.

    Returns
    -------
    list of fastreg.solve.Solution, one for each task
    """
    validation.check_finite_if_small(X, names)
    try:
        solutions = solve_tasks(
            as_design(X), tasks, precompute=precompute, n_jobs=n_jobs, progress=_report_progress if verbose else None
        )
    except ValueError:
        validation.check_finite(X, names)  # if that is what the engine met, say where
        raise
    _warn_unless_converged(tasks, solutions)
    return solutions


def _report_progress(done, total):
    sys.stderr.write(f"\rfastreg: {int(100 * done / total)}% solved" + ("\n" if done == total else ""))
    sys.stderr.flush()


def _warn_unless_converged(tasks, solutions):
    worst, failed = None, 0
    for k, (task, solution) in enumerate(zip(tasks, solutions, strict=True)):
        allowed = max(task.tol, _ROUNDING) * solution.null_objective
        if solution.dual_gaps.max() <= allowed:
            continue
        failed += int(np.count_nonzero(solution.dual_gaps > allowed))
        i = int(solution.dual_gaps.argmax())
        relative = solution.dual_gaps[i] / solution.null_objective
        if worst is None or relative > worst[0]:
            worst = relative, k, i
    if worst is None:
        return
    relative, k, i = worst
    task, solution = tasks[k], solutions[k]
    where = f"alpha={solution.alphas[i]:.6g}" + (f" of problem {k}" if len(tasks) > 1 else "")
    total = sum(len(solution.alphas) for solution in solutions)
    others = f" ({failed} of {total} fits did not converge, this one least)" if failed > 1 else ""
    from sklearn.exceptions import ConvergenceWarning

    warnings.warn(
        f"No convergence at {where}{others}: after {int(solution.n_iter[i])} iterations the duality gap is "
        f"{solution.dual_gaps[i]:.3g}, {relative:.2g} of the null model's objective, above tol={task.tol:.2g}. The "
        f"objective there lies at most {solution.dual_gaps[i]:.3g} above its minimum. Raise max_iter={task.max_iter}, "
        "or tol if this is close enough.",
        ConvergenceWarning,
        stacklevel=_depth_of_caller(),
    )


def _depth_of_caller():
    """The stacklevel at which the warning of the function that asks points at the code that called fastreg."""
    frame, depth = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").split(".")[0] == "fastreg":
        frame, depth = frame.f_back, depth + 1
    return depth


def linear_predictor(X, coef, intercept):
    """``X @ coef + intercept`` without a converted copy of X.

    Parameters
    ----------
    X : ndarray of shape (n, p), float32 or float64
    coef : ndarray of shape (p,) or (p, k), float32 or float64
    intercept : float or array-like of shape (k,)

    Returns
    -------
    ndarray of shape (n,) or (n, k), of the wider of the two dtypes
    """
    if X.dtype.itemsize < coef.dtype.itemsize:  # the product would widen all of X: take the columns that count
        used = np.flatnonzero(coef if coef.ndim == 1 else coef.any(axis=1))
        X, coef = _take(X, used), coef[used]
    return X @ coef + intercept


def _take(X, used):
    return X if len(used) == X.shape[1] else X[:, used]


@dataclass(eq=False, repr=False)
class RegularizationPath:
    """Solutions along a grid of L alphas, each with its certificate.

    Attributes
    ----------
    alphas : ndarray of shape (L,)
        In descending order.
    coefs : scipy.sparse.csc_array of shape (p, L), float64
        One column for each alpha.
    intercepts : ndarray of shape (L,)
    dual_gaps : ndarray of shape (L,)
        In units of the objective: how far each solution's objective can lie above the minimum.
    null_objective : float
        Objective of the model without penalised features.
    null_intercept : float
        Intercept of that model.
    alpha_max : float
        The smallest alpha at which all penalised coefficients are zero; inf for ``l1_ratio=0``.
    deviance_ratio : ndarray of shape (L,)
        Weighted fraction of the variance of y that the solution explains.
    n_iter : ndarray of shape (L,)
        Coordinate-descent sweeps plus Newton steps.
    n_passes : int
        Full passes over X, of all problems that were solved together.
    feature_names : ndarray of shape (p,) of str, or None
        The column names of X if it was a data frame.
    null_coef : ndarray of shape (p,), or None
        Coefficients of the model without penalised features; None if all features are penalised.
    relative_gaps : ndarray of shape (L,)
        `dual_gaps` over `null_objective`; zero where that is zero (constant y).
    n_nonzero : ndarray of shape (L,)
        Number of non-zero coefficients.
    """

    alphas: np.ndarray
    coefs: Any
    intercepts: np.ndarray
    dual_gaps: np.ndarray
    null_objective: float
    null_intercept: float
    alpha_max: float
    deviance_ratio: np.ndarray
    n_iter: np.ndarray
    n_passes: int
    feature_names: np.ndarray | None = None
    null_coef: np.ndarray | None = None
    _source: Any = field(default=None)  # X as it was given and the task: what a certificate is computed from

    def __getstate__(self):
        return {**self.__dict__, "_source": None}  # a pickle of a path does not carry X

    @property
    def relative_gaps(self):
        if self.null_objective == 0:
            return np.zeros_like(self.dual_gaps)
        return self.dual_gaps / self.null_objective

    @property
    def n_nonzero(self):
        columns = np.repeat(np.arange(len(self.alphas)), np.diff(self.coefs.indptr))
        return np.bincount(columns[self.coefs.data != 0], minlength=len(self.alphas))

    def coef_at(self, alpha):
        """Coefficients and intercept at one alpha.

        Exact at the alphas of the grid and linear in alpha between them; above a grid that starts at the null model
        (as every automatic grid does) it is the null model.

        Parameters
        ----------
        alpha : float

        Returns
        -------
        coef : ndarray of shape (p,)
        intercept : float

        Raises
        ------
        ValueError
            If alpha lies below the grid, or above it and below alpha_max.
        """
        alpha = validation.as_alpha(alpha)
        coef = np.zeros(self.coefs.shape[0])
        if alpha >= self.alpha_max:
            return coef if self.null_coef is None else self.null_coef.copy(), self.null_intercept
        weights, intercept = self._interpolate(alpha), 0.0
        for i, weight in weights:
            start, stop = self.coefs.indptr[i], self.coefs.indptr[i + 1]
            coef[self.coefs.indices[start:stop]] += weight * self.coefs.data[start:stop]
            intercept += weight * float(self.intercepts[i])
        return coef, intercept

    def _interpolate(self, alpha):
        """[(index, weight)] of the solutions whose weighted sum is the solution at alpha."""
        top, bottom = self.alphas[0], self.alphas[-1]
        if alpha < bottom * (1 - _GRID_SLACK):
            raise ValueError(
                f"alpha={alpha:.6g} lies below the path, which ends at {bottom:.6g}; fit a path that reaches it "
                "(smaller eps, or your own alphas)."
            )
        if alpha > top * (1 + _GRID_SLACK):
            raise ValueError(
                f"alpha={alpha:.6g} lies above the path, which starts at {top:.6g}, and below alpha_max, "
                f"{self.alpha_max:.6g}; fit a path that reaches it."
            )
        if alpha >= top:
            return [(0, 1.0)]
        if alpha <= bottom:
            return [(len(self.alphas) - 1, 1.0)]
        i = int(np.searchsorted(-self.alphas, -alpha))  # the first alpha of the grid that is not above this one
        if self.alphas[i] == alpha:
            return [(i, 1.0)]
        share = float((alpha - self.alphas[i]) / (self.alphas[i - 1] - self.alphas[i]))
        return [(i - 1, share), (i, 1.0 - share)]

    def predict(self, X, alpha=None, offset=None):
        """Predictions for new rows.

        Parameters
        ----------
        X : array-like, DataFrame or sparse matrix of shape (m, p)
        alpha : float, default=None
            None predicts at every alpha of the path; other values are taken as in `coef_at`.
        offset : array-like of shape (m,), default=None
            Added to the prediction of each row.

        Returns
        -------
        ndarray of shape (m,), or (m, L) if alpha is None

        Raises
        ------
        ValueError
            If X has another number of columns or other column names than in the fit, or NaN or infinity in a column
            that the prediction uses.
        """
        X, names = validation.as_matrix(X)
        validation.check_columns(X, names, self.coefs.shape[0], self.feature_names)
        if alpha is not None:
            coef, intercept = self.coef_at(alpha)
            used = np.flatnonzero(coef)
            prediction = linear_predictor(_take(X, used), coef[used], intercept)
        else:
            used = np.unique(self.coefs.indices)
            prediction = linear_predictor(_take(X, used), self.coefs[used].toarray(), self.intercepts)
        if not np.isfinite(prediction).all():
            validation.check_finite(X, names)
        offset = validation.as_offset(offset, X.shape[0])
        if offset is not None:
            prediction = prediction + (offset if prediction.ndim == 1 else offset[:, None])
        return prediction

    def certificate(self, alpha, n_jobs=None):
        """Which features are proved to be zero, or not to be, in every optimal solution at one alpha.

        From the coefficients of `coef_at`, their duality gap and one product with X, which the path refers to: the
        gap-safe sphere (Ndiaye et al. 2017) proves zeros, strong convexity on the features that are left proves
        non-zeros. The smaller the gap, the fewer features stay undecided.

        Parameters
        ----------
        alpha : float > 0
            As in `coef_at`.
        n_jobs : int, default=None

        Returns
        -------
        SupportCertificate
            With `alpha`, `gap` and the feature numbers `zero`, `nonzero`, `undecided`.

        Raises
        ------
        ValueError
            If alpha is 0 or out of the range of `coef_at`, or if the path was pickled, which leaves X behind.
        """
        alpha = validation.as_alpha(alpha)
        if alpha == 0:
            raise ValueError("alpha must be positive: at alpha=0 no penalty makes a coefficient zero.")
        if self._source is None:
            raise ValueError("this path was pickled without its X; fit it again for a certificate.")
        coef, _ = self.coef_at(alpha)
        X, task = self._source
        return certify(as_design(X), task, alpha, coef, n_threads(validation.as_n_jobs(n_jobs)))

    def plot(self, ax=None, n_labels=8, *, scale=None):
        """Draw the coefficients against alpha; needs matplotlib.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            None makes a new figure.
        n_labels : int, default=8
            How many of the largest coefficients are labelled.
        scale : array-like of shape (p,), default=None
            Factors for the coefficients, such as the standard deviations of the columns.

        Returns
        -------
        matplotlib.axes.Axes
        """
        from fastreg.report.plots import plot_path

        return plot_path(self, ax=ax, n_labels=n_labels, scale=scale)

    def summary(self):
        """A text table with one line for each alpha: non-zero coefficients, deviance ratio, relative gap, iterations.

        Returns
        -------
        str
        """
        lines = [f"{'alpha':>12}{'non-zero':>10}{'dev. ratio':>12}{'rel. gap':>10}{'iterations':>12}"]
        columns = zip(self.alphas, self.n_nonzero, self.deviance_ratio, self.relative_gaps, self.n_iter, strict=True)
        for alpha, nonzero, ratio, gap, iterations in columns:
            lines.append(f"{alpha:>12.6g}{nonzero:>10d}{ratio:>12.6f}{gap:>10.1e}{iterations:>12d}")
        return "\n".join(lines)

    def to_frame(self):
        """The path as a pandas DataFrame: a row for each alpha, a column for the intercept and each entering feature.

        Features are called by their names if X had any and by their column numbers otherwise; those that are zero all
        along the path are left out.

        Returns
        -------
        pandas.DataFrame

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError(
                "to_frame needs pandas; install it, or use the arrays alphas, intercepts, coefs."
            ) from error
        entering = np.unique(self.coefs.indices[self.coefs.data != 0])
        names = entering if self.feature_names is None else self.feature_names[entering]
        values = np.column_stack([self.intercepts, self.coefs[entering].toarray().T])
        return pd.DataFrame(values, index=pd.Index(self.alphas, name="alpha"), columns=["(intercept)", *names])

    def __repr__(self):
        counts = self.n_nonzero
        return (
            f"RegularizationPath({len(self.alphas)} alphas from {self.alphas[0]:.4g} to {self.alphas[-1]:.4g}, "
            f"{self.coefs.shape[0]} features, {counts[0]} to {counts[-1]} non-zero, "
            f"largest relative gap {self.relative_gaps.max():.1e})"
        )


def lasso_path(
    X,
    y,
    *,
    eps=1e-3,
    alphas=100,
    precompute="auto",
    Xy=None,
    copy_X=True,
    coef_init=None,
    verbose=False,
    return_n_iter=False,
    positive=False,
    tol=1e-10,
    max_iter=10_000,
    selection="cyclic",
    random_state=None,
    n_jobs=None,
):
    """The lasso path, called as scikit-learn's function of that name: no intercept, nothing centred.

    `enet_path` with ``l1_ratio=1``; see there for arguments and results.
    """
    return enet_path(
        X,
        y,
        l1_ratio=1.0,
        eps=eps,
        alphas=alphas,
        precompute=precompute,
        Xy=Xy,
        copy_X=copy_X,
        coef_init=coef_init,
        verbose=verbose,
        return_n_iter=return_n_iter,
        positive=positive,
        tol=tol,
        max_iter=max_iter,
        selection=selection,
        random_state=random_state,
        n_jobs=n_jobs,
    )


def enet_path(
    X,
    y,
    *,
    l1_ratio=0.5,
    eps=1e-3,
    alphas=100,
    precompute="auto",
    Xy=None,
    copy_X=True,
    coef_init=None,
    verbose=False,
    return_n_iter=False,
    positive=False,
    check_input=True,
    tol=1e-10,
    max_iter=10_000,
    selection="cyclic",
    random_state=None,
    n_jobs=None,
):
    """The elastic-net path, called as scikit-learn's function of that name: no intercept, nothing centred.

    Minimises ``1/(2 n) ||y - X w||^2 + alpha (l1_ratio ||w||_1 + (1 - l1_ratio)/2 ||w||^2)`` for each alpha. `fit_path`
    does the same with an intercept, weights and a result that knows more.

    Parameters
    ----------
    X : array-like or DataFrame of shape (n, p)
    y : array-like of shape (n,)
    l1_ratio : float in (0, 1], default=0.5
    eps : float in (0, 1), default=1e-3
        Ratio of the ends of an automatic grid.
    alphas : int or array-like of shape (L,), default=100
        Length of an automatic grid, or its values.
    precompute : {"auto", True, False} or array-like of shape (p, p), default="auto"
        As in `fit_path`.
    Xy : array-like of shape (p,), default=None
        Without effect: X'y is computed from X and y.
    copy_X, check_input : bool
        Without effect: X is never written, and the checks cost nothing.
    coef_init : array-like of shape (p,), default=None
    verbose : bool or int, default=False
    return_n_iter : bool, default=False
        Return the number of iterations too.
    positive : bool, default=False
    tol, max_iter, n_jobs
        As in `fit_path`.
    selection : {"cyclic", "random"}, default="cyclic"
        Order of the coordinates.
    random_state : int, RandomState or Generator, default=None
        For ``selection="random"``.

    Returns
    -------
    alphas : ndarray of shape (L,)
        In descending order.
    coefs : ndarray of shape (p, L)
        float32 if X is, float64 otherwise.
    dual_gaps : ndarray of shape (L,)
    n_iters : list of L int
        Only if `return_n_iter`.

    Raises
    ------
    ValueError, TypeError
        If an argument is not as described above.

    Warns
    -----
    ConvergenceWarning
        Once, if some gap is above `tol` after `max_iter` iterations.
    """
    validation.as_bool(copy_X, "copy_X")
    validation.as_bool(check_input, "check_input")
    return_n_iter = validation.as_bool(return_n_iter, "return_n_iter")
    precompute = validation.as_precompute(precompute)
    n_jobs = validation.as_n_jobs(n_jobs)
    verbose = validation.as_verbose(verbose)
    seed = validation.as_seed(selection, random_state)
    if np.ndim(y) == 2:
        raise ValueError(
            "y must be 1-d here, where scikit-learn takes a 2-d y for the multi-task problem; `fit_path` fits each "
            "column of y by itself."
        )
    X, names = validation.as_matrix(X)
    problem = Problem(
        y,
        l1_ratio=l1_ratio,
        alphas=alphas,
        eps=eps,
        fit_intercept=False,
        positive=positive,
        tol=tol,
        max_iter=max_iter,
        coef_init=coef_init,
    )
    (task,) = _tasks(X, problem, {})
    task.random_state = seed
    (solution,) = solve(X, names, [task], precompute=precompute, n_jobs=n_jobs, verbose=verbose)
    coefs = solution.coefs.toarray().astype(X.dtype, copy=False)
    if return_n_iter:
        return solution.alphas, coefs, solution.dual_gaps, solution.n_iter.tolist()
    return solution.alphas, coefs, solution.dual_gaps
