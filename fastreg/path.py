"""The functions that fit regularization paths."""

from __future__ import annotations

import sys
import warnings
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from fastreg import validation
from fastreg.design import as_design
from fastreg.loss import LOSSES, encode
from fastreg.result import RegularizationPath
from fastreg.solve import Task, solve_tasks

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Unpack

    from numpy.typing import ArrayLike

    from fastreg._types import (
        Floats,
        Loss,
        ManyResponses,
        Matrix,
        MatrixLike,
        Names,
        OneResponse,
        PathOptions,
        Precompute,
        Random,
        Selection,
    )

# A gap of this many parts of the null objective is rounding; no number of iterations would lower it reliably.
_ROUNDING = 64 * np.finfo(np.float64).eps
_SEPARATED = 1e-9  # of the null deviance: less is left where classes are separable


@dataclass(eq=False)
class Problem:
    """One problem over an X that `fit_paths` shares between problems; the arguments are those of `fit_path`.

    Parameters
    ----------
    y : array-like of shape (n,) or (n, k)
        Response. Each column of a 2-d y is a problem of its own, with all other arguments in common.
    loss, delta, l1_ratio, alphas, eps, fit_intercept, standardize, positive, sample_weight, offset, penalty_factor, \
lower_bounds, upper_bounds, dfmax, tol, max_iter, coef_init
        As in `fit_path`. Problems that share their weights share work when they hold the same `sample_weight` object.
    """

    y: ArrayLike
    _: KW_ONLY
    loss: Loss = "squared"
    delta: float = 1.35
    l1_ratio: float = 1.0
    alphas: int | ArrayLike = 100
    eps: float | None = None
    fit_intercept: bool = True
    standardize: bool = False
    positive: bool = False
    sample_weight: ArrayLike | None = None
    offset: ArrayLike | None = None
    penalty_factor: ArrayLike | None = None
    lower_bounds: ArrayLike | None = None
    upper_bounds: ArrayLike | None = None
    dfmax: int | None = None
    tol: float = 1e-10
    max_iter: int = 10_000
    coef_init: ArrayLike | None = None


@overload
def fit_path(X: MatrixLike, y: OneResponse, **options: Unpack[PathOptions]) -> RegularizationPath: ...
@overload
def fit_path(X: MatrixLike, y: ManyResponses, **options: Unpack[PathOptions]) -> list[RegularizationPath]: ...
@overload
def fit_path(X: MatrixLike, y: ArrayLike, **options: Unpack[PathOptions]) -> Any: ...
def fit_path(
    X: MatrixLike,
    y: ArrayLike,
    *,
    loss: Loss = "squared",
    delta: float = 1.35,
    l1_ratio: float = 1.0,
    alphas: int | ArrayLike = 100,
    eps: float | None = None,
    fit_intercept: bool = True,
    standardize: bool = False,
    positive: bool = False,
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    penalty_factor: ArrayLike | None = None,
    lower_bounds: ArrayLike | None = None,
    upper_bounds: ArrayLike | None = None,
    dfmax: int | None = None,
    tol: float = 1e-10,
    max_iter: int = 10_000,
    coef_init: ArrayLike | None = None,
    precompute: Precompute = "auto",
    n_jobs: int | None = None,
    verbose: int = 0,
) -> RegularizationPath | list[RegularizationPath]:
    """Fit a model with the penalty of the lasso or elastic net along a whole grid of penalties.

    With sample weights s_i, S = sum_i s_i, offsets o_i and penalty factors v_j, minimises over the intercept b and the
    coefficients w, for each alpha::

        1/S sum_i s_i f(y_i, o_i + b + x_i' w)  +  alpha sum_j v_j ( l1_ratio |w_j| + (1 - l1_ratio)/2 w_j^2 )
        subject to  lower_bounds <= w <= upper_bounds

    Parameters
    ----------
    X : array-like, DataFrame or sparse matrix of shape (n, p)
        float32 and float64 arrays are used as they are, in any memory layout, never copied and never written; integers,
        booleans and float16 are converted to float64. A pandas or polars DataFrame must have numeric columns only.
        Sparse matrices and arrays in CSC or CSR format are used as they are too, other formats are converted to CSC;
        none is ever made dense. For a loss other than "squared" the columns that come into question are copied out of
        dense arrays that are float32 or in row order.
    y : array-like of shape (n,) or (n, k)
        Response, converted to float64. For k > 1 the columns are k separate problems, solved together. For losses of
        two classes, labels of any kind of shape (n,).
    loss : {"squared", "logistic", "multinomial", "poisson", "squared_hinge", "huber"}, default="squared"
        f(y, z). "squared": (y - z)^2 / 2. "logistic": log(1 + exp(z)) - z for the second of two labels, in ascending
        order, log(1 + exp(z)) for the first. "multinomial": log(sum_k exp(z_k)) - z_y for K labels, each with
        coefficients and an intercept of its own, all of them penalised alike. "poisson": exp(z) - y z for counts or
        rates y >= 0, less its minimum, which is half the deviance. "squared_hinge": max(0, 1 - t z)^2 / 2, with t = 1
        for the second label and -1 for the first. "huber": (y - z)^2 / 2, continued by straight lines where
        ``|y - z| > delta``.
    delta : float, default=1.35
        Of "huber", in units of y.
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
        Once, if some gap is above `tol` after `max_iter` iterations, or if classes are separable where nothing is
        penalised: at alpha 0, or by features whose penalty factor is 0.

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
    problem = Problem(
        y,
        loss=loss,
        delta=delta,
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


def fit_paths(
    X: MatrixLike,
    problems: Iterable[Problem],
    *,
    precompute: Precompute = "auto",
    n_jobs: int | None = None,
    verbose: int = 0,
) -> list[RegularizationPath]:
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
    weights: dict[int, Floats | None] = {}
    tasks = []
    for problem in problems:
        if not isinstance(problem, Problem):
            raise TypeError(f"problems must hold Problem objects; it holds a {type(problem).__name__}.")
        tasks += tasks_of(X, problem, weights)
    if not tasks:
        raise ValueError("problems is empty; pass at least one Problem.")
    solutions = solve(X, names, tasks, precompute=precompute, n_jobs=n_jobs, verbose=verbose)
    return [as_path(X, task, solution, names) for task, solution in zip(tasks, solutions, strict=True)]


def as_path(X: Matrix, task: Task, solution: Any, names: Names) -> RegularizationPath:
    """The engine's solution of a task over X as a `RegularizationPath`."""
    return RegularizationPath(
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
        loss=task.loss,
        classes=task.classes,
        _source=(X, task),
    )


def tasks_of(X: Matrix, problem: Problem, weights: dict[int, Floats | None]) -> list[Task]:
    """The engine's tasks for one problem; `weights` remembers the arrays made from earlier sample_weight objects."""
    n, p = X.shape
    loss = validation.one_of(problem.loss, "loss", LOSSES)
    parameter = validation.as_delta(problem.delta) if loss == "huber" else 0.0
    key = id(problem.sample_weight)
    if key not in weights:
        weights[key] = validation.as_weights(problem.sample_weight, n)
    fit_intercept = validation.as_bool(problem.fit_intercept, "fit_intercept")
    rows, classes = encode(loss, problem.y, n, weights[key], fit_intercept)
    offset = validation.as_offset(problem.offset, n)
    if offset is not None and loss == "multinomial":
        raise ValueError("offset has no meaning for loss='multinomial': leave it at None.")
    if problem.coef_init is not None and loss == "multinomial":
        raise ValueError("coef_init is not offered for loss='multinomial': leave it at None.")
    if offset is not None and loss == "squared":
        rows, offset = rows - offset, None
    positive = validation.as_bool(problem.positive, "positive")
    lower, upper = validation.as_bounds(problem.lower_bounds, problem.upper_bounds, positive, p)
    shared = {
        "loss": loss,
        "parameter": parameter,
        "offset": offset,
        "classes": classes,
        "weights": weights[key],
        "fit_intercept": fit_intercept,
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


def solve(
    X: Matrix, names: Names, tasks: list[Task], *, precompute: Precompute, n_jobs: int | None, verbose: int = 0
) -> list[Any]:
    """Solve validated tasks over a validated X, and warn once if some did not converge.

    Returns
    -------
    list of fastreg.solve.Solution, one for each task
    """
    validation.check_finite_if_small(X, names)
    losses = {task.loss for task in tasks}
    if losses != {"squared"}:
        if not isinstance(precompute, str):
            raise ValueError("precompute is of use for loss='squared' alone; leave it at 'auto' for other losses.")
        if len(losses) > 1 and losses & {"squared", "multinomial"}:
            raise ValueError("problems with loss='squared' or 'multinomial' and with others need a batch of their own.")
    try:
        solutions = solve_tasks(
            as_design(X), tasks, precompute=precompute, n_jobs=n_jobs, progress=_report_progress if verbose else None
        )
    except ValueError:
        validation.check_finite(X, names)  # if that is what the engine met, say where
        raise
    _warn_unless_converged(tasks, solutions)
    _warn_if_separable(tasks, solutions)
    return solutions


def _report_progress(done: float, total: float) -> None:
    sys.stderr.write(f"\rfastreg: {int(100 * done / total)}% solved" + ("\n" if done == total else ""))
    sys.stderr.flush()


def _warn_unless_converged(tasks: list[Task], solutions: list[Any]) -> None:
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


def _warn_if_separable(tasks: list[Task], solutions: list[Any]) -> None:
    for task, solution in zip(tasks, solutions, strict=True):
        likelihood = task.loss in ("logistic", "multinomial")  # the squared hinge is zero at finite coefficients
        free = task.penalty_factor is not None and bool((task.penalty_factor == 0).any())
        everywhere = free and solution.null_objective == 0
        at_zero = solution.alphas[-1] == 0 and solution.deviance_ratio[-1] >= 1.0 - _SEPARATED
        if not likelihood or not (everywhere or at_zero):
            continue
        where, remedy = "at alpha=0", "Use a positive alpha (a finite C)"
        if everywhere:
            where, remedy = "by unpenalised features: at any alpha", "Give those a positive penalty_factor"
        from sklearn.exceptions import ConvergenceWarning

        warnings.warn(
            f"the classes are separable{' ' if everywhere else ': '}{where} the loss has no minimum, the coefficients "
            f"grow without limit, and those returned are where the loss fell below its tolerance. {remedy}.",
            ConvergenceWarning,
            stacklevel=_depth_of_caller(),
        )
        return


def _depth_of_caller() -> int:
    """The stacklevel at which the warning of the function that asks points at the code that called fastreg."""
    frame, depth = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").split(".")[0] == "fastreg":
        frame, depth = frame.f_back, depth + 1
    return depth


def lasso_path(
    X: MatrixLike,
    y: ArrayLike,
    *,
    eps: float = 1e-3,
    alphas: int | ArrayLike = 100,
    precompute: Precompute = "auto",
    Xy: Any = None,
    copy_X: bool = True,
    coef_init: ArrayLike | None = None,
    verbose: int = False,
    return_n_iter: bool = False,
    positive: bool = False,
    tol: float = 1e-10,
    max_iter: int = 10_000,
    selection: Selection = "cyclic",
    random_state: Random = None,
    n_jobs: int | None = None,
) -> Any:
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
    X: MatrixLike,
    y: ArrayLike,
    *,
    l1_ratio: float = 0.5,
    eps: float = 1e-3,
    alphas: int | ArrayLike = 100,
    precompute: Precompute = "auto",
    Xy: Any = None,
    copy_X: bool = True,
    coef_init: ArrayLike | None = None,
    verbose: int = False,
    return_n_iter: bool = False,
    positive: bool = False,
    check_input: bool = True,
    tol: float = 1e-10,
    max_iter: int = 10_000,
    selection: Selection = "cyclic",
    random_state: Random = None,
    n_jobs: int | None = None,
) -> Any:
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
    (task,) = tasks_of(X, problem, {})
    task.random_state = seed
    (solution,) = solve(X, names, [task], precompute=precompute, n_jobs=n_jobs, verbose=verbose)
    coefs = solution.coefs.toarray().astype(X.dtype, copy=False)
    if return_n_iter:
        return solution.alphas, coefs, solution.dual_gaps, solution.n_iter.tolist()
    return solution.alphas, coefs, solution.dual_gaps
