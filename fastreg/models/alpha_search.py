"""Regressors with alpha, and more, chosen by cross-validation: what ElasticNetCV and those of other losses share."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from sklearn.metrics import get_scorer

from fastreg import validation
from fastreg.models.base import Given, LinearRegressor, one_response
from fastreg.models.search import PathSearch
from fastreg.path import Problem, as_path, tasks_of
from fastreg.selection.cross_validation import cross_validate, error_of, of_responses

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, Self

    from numpy.typing import ArrayLike, NDArray

    from fastreg._types import Floats, Ints, Loss, MatrixLike, Precompute, Rule
    from fastreg.result import RegularizationPath
    from fastreg.selection.cross_validation import CrossValidation
    from fastreg.solve import Task


class AlphaSearch(PathSearch, LinearRegressor):
    """A search over alpha, l1_ratio and, for the squared loss, relaxation, by the held-out errors of folds."""

    l1_ratio: float | Sequence[float]
    alphas: int | ArrayLike
    eps: float | None
    fit_intercept: bool
    standardize: bool
    penalty_factor: ArrayLike | None
    lower_bounds: ArrayLike | None
    upper_bounds: ArrayLike | None
    tol: float
    max_iter: int
    verbose: int
    n_jobs: int | None
    selection_rule: Rule
    intercept_: float
    alpha_: float
    alpha_min_: float
    alpha_1se_: float
    l1_ratio_: float
    dual_gap_: float
    n_iter_: int
    alphas_: Floats
    path_: RegularizationPath
    mse_path_: Floats

    _error_names = {None: "mean deviance", "deviance": "mean deviance", "mse": "mean squared error",
                    "mae": "mean absolute error"}  # fmt: skip

    def _response(self, y: ArrayLike, n: int) -> Floats:
        """y as (n,)."""
        return one_response(y, n, depth=4)

    def _search(
        self,
        loss: Loss,
        X: MatrixLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None,
        offset: ArrayLike | None,
        params: dict[str, Any],
        *,
        relax: float | Sequence[float] = 1.0,
        seed: int | None = None,
        precompute: Precompute = "auto",
        **more: Any,
    ) -> Self:
        """Check, solve and store; `more` are further arguments of a `Problem`."""
        verbose, n_jobs = validation.as_verbose(self.verbose), validation.as_n_jobs(self.n_jobs)
        rule = validation.one_of(self.selection_rule, "selection_rule", ("min", "1se"))
        ratios: Any = np.atleast_1d(self.l1_ratio)
        if ratios.ndim != 1 or len(ratios) == 0:
            raise ValueError(f"l1_ratio must be a number or a sequence of numbers; it is {self.l1_ratio!r}.")
        ratios = [validation.as_l1_ratio(ratio) for ratio in ratios.tolist()]
        X, names = validation.as_matrix(X)
        n, p = X.shape
        response = self._response(y, n)
        problem = Problem(
            response,
            loss=loss,
            alphas=self.alphas,
            eps=self.eps,
            fit_intercept=self.fit_intercept,
            standardize=self.standardize,
            sample_weight=sample_weight,
            offset=offset,
            penalty_factor=self.penalty_factor,
            lower_bounds=self.lower_bounds,
            upper_bounds=self.upper_bounds,
            tol=self.tol,
            max_iter=self.max_iter,
            **more,
        )
        (task,) = tasks_of(X, problem, {})
        gammas = validation.as_relax(relax, task.lower is not None)
        for ratio in ratios:
            validation.check_grid(task.alphas, ratio, task.penalty_factor)
        error = self._error(task)
        validation.check_finite(X, names)
        splits = self._splits(X, response, params)
        whole = [replace(task, l1_ratio=ratio, random_state=seed) for ratio in ratios]
        found = cross_validate(
            X, names, whole, splits, error, gammas=gammas, offset=validation.as_offset(offset, n),
            precompute=precompute, n_jobs=n_jobs, verbose=verbose,
        )  # fmt: skip

        best, one_se = found.best(), found.within_one_se()
        curve, i = best if rule == "min" else one_se
        r, g = divmod(curve, len(gammas))
        path = as_path(X, whole[r], found.paths[r], names)
        path = path if gammas[g] == 1.0 else path.relax(gammas[g])
        coef = np.zeros(p)
        part = slice(path.coefs.indptr[i], path.coefs.indptr[i + 1])
        coef[path.coefs.indices[part]] = path.coefs.data[part]
        self._store_columns(p, names)
        self.coef_ = coef.astype(X.dtype, copy=False)
        self.intercept_ = float(path.intercepts[i])
        self.alpha_ = float(found.alphas[r, i])
        self.alpha_min_, self.alpha_1se_ = float(found.alphas[r, best[1]]), float(found.alphas[r, one_se[1]])
        self.dual_gap_, self.n_iter_ = float(path.dual_gaps[i]), int(path.n_iter[i])
        self.alphas_ = found.alphas if len(ratios) > 1 and not isinstance(task.alphas, np.ndarray) else found.alphas[0]
        self.path_ = path
        chosen = {"l1_ratio": ratios[r], "relax": gammas[g]}
        for name in self._axes:
            setattr(self, f"{name}_", chosen[name])
        self.cv_results_ = self._results(found, ratios, gammas)
        self.mse_path_ = self.cv_results_["errors"]
        return self

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = False
        return tags

    def _error(self, task: Task) -> Callable[..., Floats]:
        """The error to minimise, as `cross_validate` calls it."""
        if self.scoring is None or self.scoring in ("mse", "mae", "deviance"):
            return error_of(task, self.scoring)
        scorer = get_scorer(self.scoring) if isinstance(self.scoring, str) else self.scoring
        if not callable(scorer):
            raise ValueError(f"scoring={self.scoring!r} must be None, 'mse', 'mae', 'deviance', or a scorer.")

        def error(y: Floats, prediction: Floats, weights: Floats | None, rows: Ints) -> Floats:
            more = {} if weights is None else {"sample_weight": weights}
            return np.array([-scorer(Given(), column, y, **more) for column in prediction.T])

        return of_responses(error, task.loss)

    def _results(self, found: CrossValidation, ratios: list[float], gammas: list[float]) -> dict[str, NDArray[Any]]:
        """`cv_results_`, with an axis for l1_ratio and for relax where there are several of them."""
        R, G, L = len(ratios), len(gammas), found.alphas.shape[1]
        results = {
            "l1_ratio": np.repeat(np.array(ratios), G * L).reshape(-1, L),
            "relax": np.tile(np.repeat(np.array(gammas), L), R).reshape(-1, L),
            "alpha": np.repeat(found.alphas, G, axis=0),
            "mean_error": found.mean,
            "standard_error": found.standard_error,
            "n_features": np.repeat([np.diff(path.indptr) for path in found.paths], G, axis=0),
            "errors": found.scores,
            "relative_gaps": np.repeat(found.relative_gaps, G, axis=0),
        }
        if "relax" not in self._axes:
            del results["relax"]
        axes = [count for count in (R, G) if count > 1]
        return {name: values.reshape(*axes, *values.shape[1:]) for name, values in results.items()}
