"""Cross-validation of paths of any loss but the squared one, all folds in one batch."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fastreg.loss import unit_deviances
from fastreg.path import Problem, as_path, fit_path, tasks_of
from fastreg.report.data import DataError
from fastreg.report.losses import CLASS_LOSSES, codes_of
from fastreg.selection.cross_validation import CrossValidation, cross_validate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    from fastreg._types import Floats, Ints, Splits
    from fastreg.report.data import Dataset

_RIDGE_GRID = (1e3, 1e-5)  # ends of a grid without an L1 penalty, in units of the lasso's first alpha


@dataclass(frozen=True, slots=True)
class LossSearch:
    """What was found.

    Attributes
    ----------
    found : CrossValidation
    paths : list of R RegularizationPath
        On all rows, with the labels as classes.
    accuracies : ndarray of shape (R, L) or None
        Shares of held-out rows whose label is predicted, the folds weighted by their rows; None for losses of numbers.
    """

    found: CrossValidation
    paths: list[Any]
    accuracies: Floats | None


def search_paths(
    data: Dataset,
    l1_ratios: Sequence[float],
    alphas: Any,
    splits: Splits,
    *,
    scoring: str = "deviance",
    standardize: bool = True,
    verbose: int = 0,
) -> LossSearch:
    """Fit the paths of some l1_ratios on all rows and without each fold.

    Parameters
    ----------
    data : Dataset
    l1_ratios : sequence of R float in [0, 1]
    alphas : int or ndarray of shape (L,)
        Length of a grid for each l1_ratio, or its values.
    splits : list of K pairs of row indices (train, test)
    scoring : str
        "deviance" (twice the mean loss), or the name of a scorer of scikit-learn, which sees the numbers of classes.
    standardize : bool
    verbose : int

    Returns
    -------
    LossSearch

    Raises
    ------
    DataError
        If the scoring cannot judge such predictions.
    """
    X, loss = data.X, data.loss
    n, p = X.shape
    shared: dict[str, Any] = {"loss": loss, "delta": data.delta, "standardize": standardize}
    first = fit_path(X, data.response, alphas=1, **shared).alpha_max if isinstance(alphas, int) else None
    whole = []
    for ratio in l1_ratios:
        grid = alphas
        if first is not None:
            top = first if first > 0 else 1.0
            low = 1e-3 if n >= p else 1e-2
            ends = _RIDGE_GRID if ratio == 0 else (1 / ratio, low / ratio)
            grid = top * np.geomspace(*ends, alphas) if alphas > 1 else np.array([top * ends[0]])
        whole += tasks_of(X, Problem(data.response, l1_ratio=ratio, alphas=grid, **shared), {})
    judge, hits = _judge(loss, data.delta, scoring), []

    def error(y: Floats, z: Floats, weights: Floats | None, rows: Ints) -> Floats:
        if loss in CLASS_LOSSES:
            hits.append((codes_of(loss, z) == y[:, None]).sum(axis=0))
        return judge(y, z)

    with scored_by(None if scoring == "deviance" else scoring, loss):
        found = cross_validate(X, None, whole, splits, error, verbose=verbose)
    accuracies = None
    if hits:
        accuracies = np.array(hits).reshape(len(splits), len(whole), -1).sum(axis=0) / found.fold_weights.sum()
    return LossSearch(found, [as_path(X, *pair, None) for pair in zip(whole, found.paths, strict=True)], accuracies)


def _judge(loss: str, delta: float, scoring: str) -> Callable[[Any, Any], Any]:
    """The error (L,) of linear predictors z (m, L) or (m, L, K)."""
    if scoring == "deviance":
        return lambda y, z: unit_deviances(loss, y, z, delta).mean(axis=0)
    from sklearn.metrics import get_scorer

    from fastreg.models.base import Given, GivenDecisions
    from fastreg.models.logistic_cv import GivenLogistic

    with scored_by(scoring, loss):
        scorer = get_scorer(scoring)

    def judge(y: Floats, z: Floats) -> Floats:
        if loss in CLASS_LOSSES:
            classes = np.arange(z.shape[-1] if loss == "multinomial" else 2)
            stand_in = (GivenDecisions if loss == "squared_hinge" else GivenLogistic)(classes)
        else:
            stand_in, z = Given(), np.exp(z) if loss == "poisson" else z
        return np.array([-scorer(stand_in, one, y) for one in np.moveaxis(z, 1, 0)])

    return judge


@contextmanager
def scored_by(scoring: str | None, loss: str) -> Iterator[None]:
    """Turns what a scorer that was asked for finds wrong into a `DataError`."""
    try:
        yield
    except (ValueError, TypeError, AttributeError) as error:
        if scoring is None:
            raise
        raise DataError(f"--scoring {scoring} cannot judge the predictions of --loss {loss}: {error}") from None
