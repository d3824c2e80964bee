"""What a classifier makes of two features."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fastreg.report.plots import line_style, new_axes, require_matplotlib

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

    from fastreg._types import Floats, MatrixLike

_STEPS = 300  # of the grid, in each direction, and fewer of many features
_LEAST_STEPS = 50
_MOST_CELLS = 10**8  # of all rows of the grid
_CELLS = 10**6  # of those that are predicted at a time
_MARGIN = 0.05  # of the range, on each side


def plot_decision_boundary(
    model: Any, X: MatrixLike, y: ArrayLike, features: Sequence[int | str] = (0, 1), ax: Axes | None = None
) -> Axes:
    """Draw the regions of a classifier over two features, the boundaries between them, and the rows.

    Other features are held at their means over X; the regions are a section through these. A row is a dot in the
    colour of its class, or a cross where the model, which sees all its features, predicts another one.

    Parameters
    ----------
    model : estimator
        A fitted classifier, of fastreg or of scikit-learn.
    X : array-like, DataFrame or sparse matrix of shape (n, p)
        With the columns of the fit.
    y : array-like of shape (n,)
        Labels.
    features : pair of int or str, default=(0, 1)
        Columns, by number or by name, for the horizontal and the vertical axis.
    ax : matplotlib.axes.Axes, default=None
        None makes a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError, TypeError
        If `model` is no fitted classifier of single labels, X and y do not go together, or `features` are not two
        columns of X.

    Examples
    --------
    >>> import numpy as np
    >>> from fastreg import LogisticRegression, plot_decision_boundary
    >>> X = np.random.default_rng(0).standard_normal((50, 2))
    >>> model = LogisticRegression().fit(X, X[:, 0] > 0)
    >>> ax = plot_decision_boundary(model, X, X[:, 0] > 0)  # doctest: +SKIP
    """
    require_matplotlib()
    classes = getattr(model, "classes_", None)
    if not (isinstance(classes, np.ndarray) and classes.ndim == 1 and len(classes) > 1):
        raise TypeError(f"model must be a fitted classifier of single labels; it is {model!r}. Call its fit first.")
    names, columns = _columns(X)
    y = np.asarray(y)
    if y.shape != (columns.shape[0],):
        raise ValueError(f"y must hold a label for each of the {columns.shape[0]} rows of X; its shape is {y.shape}.")
    a, b = _pair(features, names, columns.shape[1])
    steps = int(np.clip(np.sqrt(_MOST_CELLS / columns.shape[1]), _LEAST_STEPS, _STEPS))
    across, up = (_range(columns[:, [j]], steps) for j in (a, b))
    centre = np.asarray(columns.mean(axis=0)).ravel()
    points = np.column_stack([values.ravel() for values in np.meshgrid(across, up)])
    margins: Any = []
    for part in np.array_split(points, -(-points.shape[0] * len(centre) // _CELLS)):
        grid = np.tile(centre, (len(part), 1))
        grid[:, [a, b]] = part
        margins.append(_margins(model, grid if names is None else type(X)(dict(zip(names, grid.T, strict=True)))))  # type: ignore[call-arg, call-overload]  # a frame
    margins = np.vstack(margins).reshape(steps, steps, len(classes))

    ax = new_axes() if ax is None else ax
    colors = [line_style(k)["color"] for k in range(len(classes))]
    for k, color in enumerate(colors):
        part = margins[:, :, k]
        if part.max() > 0:
            ax.contourf(across, up, part, levels=[0.0, np.inf], colors=[color], alpha=0.15)
        if part.min() < 0 < part.max():
            ax.contour(across, up, part, levels=[0.0], colors="0.2", linewidths=1.2)
    dense = columns[:, [a, b]]
    at = (dense.toarray() if hasattr(dense, "toarray") else dense).T
    right = np.asarray(model.predict(X)) == y
    for k, color in enumerate(colors):
        rows = (y == classes[k]) & right
        ax.scatter(at[0][rows], at[1][rows], s=14, color=color, linewidths=0, label=str(classes[k]))
        rows = (y == classes[k]) & ~right
        ax.scatter(at[0][rows], at[1][rows], s=24, color=color, marker="x", linewidths=1.2)
    if not right.all():
        ax.scatter([], [], s=24, color="0.3", marker="x", linewidths=1.2, label=f"predicted wrong: {(~right).sum()}")
    ax.set_xlim(across[0], across[-1])
    ax.set_ylim(up[0], up[-1])
    ax.set_xlabel(f"x{a}" if names is None else str(names[a]))
    ax.set_ylabel(f"x{b}" if names is None else str(names[b]))
    ax.legend(fontsize=8, framealpha=0.9, edgecolor="none")
    return ax


def _columns(X: Any) -> tuple[list[Any] | None, Any]:
    """Column names, or None, and X as an ndarray or a sparse matrix of columns."""
    if hasattr(X, "columns"):
        return list(X.columns), X.to_numpy()
    if hasattr(X, "tocsc"):
        return None, X.tocsc()
    X = np.asarray(X)
    if X.ndim != 2:
        raise ValueError(f"X must be 2-d; its shape is {X.shape}.")
    return None, X


def _pair(features: Any, names: list[Any] | None, p: int) -> list[int]:
    """The numbers of two columns."""
    given = [features] if isinstance(features, str) else list(features)
    numbers = []
    for feature in given:
        if isinstance(feature, str) and names is not None and feature in names:
            feature = names.index(feature)
        known = not isinstance(feature, str | bool) and isinstance(feature, int | np.integer) and 0 <= feature < p
        if not known:
            raise ValueError(f"features must be columns of X, numbers from 0 to {p - 1} or names; {feature!r} is none.")
        numbers.append(int(feature))
    if len(numbers) != 2 or numbers[0] == numbers[1]:
        raise ValueError(f"features must be two different columns; they are {features!r}.")
    return numbers


def _range(column: Floats, steps: int) -> Floats:
    low, high = float(column.min()), float(column.max())
    margin = _MARGIN * (high - low) or 1.0
    return np.linspace(low - margin, high + margin, steps)


def _margins(model: Any, X: Any) -> Floats:
    """(m, K) by how much each class is ahead of the best other one."""
    if hasattr(model, "decision_function"):
        decision = np.asarray(model.decision_function(X))
        if decision.ndim == 1:
            return np.column_stack([-decision, decision])
    elif hasattr(model, "predict_proba"):
        decision = np.asarray(model.predict_proba(X))
    else:
        decision = (np.asarray(model.predict(X))[:, None] == model.classes_).astype(float)
    ahead = np.empty_like(decision)
    for k in range(decision.shape[1]):
        ahead[:, k] = decision[:, k] - np.delete(decision, k, axis=1).max(axis=1)
    return ahead
