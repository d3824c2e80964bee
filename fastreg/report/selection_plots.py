"""Pictures of what cross-validation and stability selection found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fastreg.report.plots import count_on_top, label_ends, line_style, new_axes, require_matplotlib, used_rows

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from matplotlib.axes import Axes

    from fastreg.models import StabilitySelection

_RULES = ("smallest error", "one standard error rule")


def plot_cv(search: Any, ax: Axes | None = None) -> Axes:
    """Draw the error of held-out rows against alpha or C, from the strongest penalty on the left to the weakest.

    One curve for each l1_ratio; that of the smallest error has bars of one standard error to either side, and its
    features are counted on top. Vertical lines mark the choices of the smallest error and of the rule of one standard
    error. The axis is logarithmic; alpha = 0 and C = inf have no place on it and are left out.

    Parameters
    ----------
    search : object
        With `cv_results_` (arrays of (c, L), strongest penalty first), `best` (the row the choice is from), `strength`
        ("alpha" or "C"), `chosen` (those of the rules "min" and "1se") and `error_name`.
    ax : matplotlib.axes.Axes or None
        Where to draw; None makes a new figure through pyplot.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ImportError
        If Matplotlib is not installed.
    ValueError
        If no alpha is positive, or no C finite.
    """
    require_matplotlib()
    name = search.strength
    names = ("l1_ratio", name, "mean_error", "standard_error", "n_features")
    ratios, at, mean, error, counts = (search.cv_results_[column] for column in names)
    shown = (at[0] > 0) & np.isfinite(at[0])  # given values are those of every l1_ratio
    if not shown.any():
        which = "alpha > 0" if name == "alpha" else "finite C"
        raise ValueError(f"the model has no {which} to draw; fit it with at least one")
    best, ratios = search.best, ratios[:, 0]
    at, mean, error, counts = (values[:, shown] for values in (at, mean, error, counts))

    ax = new_axes() if ax is None else ax
    ax.set_xscale("log")
    low, high = at.min(), at.max()
    low, high = (low, high) if low < high else (low / 10, high * 10)
    ax.set_xlim((high, low) if name == "alpha" else (low, high))
    marker = "o" if shown.sum() == 1 else None
    for r in range(len(ratios)):
        style: dict[str, Any] = {"linewidth": 1.6, "zorder": 3} if r == best else {"linewidth": 1.0, "zorder": 2}
        label = f"l1_ratio {ratios[r]:g}" if len(ratios) > 1 else None
        ax.plot(at[r], mean[r], marker=marker, label=label, **style, **line_style(r))
    ax.errorbar(at[best], mean[best], error[best], fmt="none", ecolor="0.7", elinewidth=0.8, capsize=1.5, zorder=1.5)
    for value, dashes, what in zip(search.chosen, ("--", ":"), _RULES, strict=True):
        if 0 < value < np.inf:
            number = counts[best, np.flatnonzero(at[best] == value)[0]]
            label = f"{what}: {name} {value:.3g}, {number} feature{'' if number == 1 else 's'}"
            ax.axvline(value, color="0.2", linestyle=dashes, linewidth=1.2, label=label, zorder=2.5)
    ax.set_xlabel(name)
    ax.set_ylabel(f"{search.error_name} of held-out rows")
    ax.spines[["top", "right"]].set_visible(False)
    of = f" at l1_ratio {ratios[best]:g}" if len(ratios) > 1 else ""
    count_on_top(ax, at[best], counts[best], f"features{of}")
    ax.legend(fontsize=8, framealpha=0.9, edgecolor="none")
    return ax


def error_name(scoring: Any, known: Mapping[Any, str]) -> str:
    """What an error curve shows, in words; `known` has those of some values of `scoring`."""
    if not isinstance(scoring, str | None):
        return "score with a minus"
    if scoring in known:
        return known[scoring]
    return scoring.removeprefix("neg_").replace("_", " ") if scoring.startswith("neg_") else f"minus {scoring}"  # type: ignore[union-attr]  # `known` has None


def plot_stability(model: StabilitySelection, ax: Axes | None = None, n_labels: int = 8) -> Axes:
    """Draw the probability that a half-sample selects a feature against alpha, the largest alpha on the left.

    Features that are selected are named and coloured, up to `n_labels`, and dark grey beyond; the others are light
    grey. The axis on top counts the features that a half-sample selects, on average.

    Parameters
    ----------
    model : StabilitySelection
        Fitted.
    ax : matplotlib.axes.Axes or None
        Where to draw; None makes a new figure through pyplot.
    n_labels : int
        How many of the selected features, the most probable ones, are named at the end of their lines.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ImportError
        If Matplotlib is not installed.
    ValueError
        If `n_labels` is negative.
    """
    require_matplotlib()
    from matplotlib.collections import LineCollection

    if n_labels < 0:
        raise ValueError(f"n_labels must be at least 0, got {n_labels}")
    alphas, support = model.alphas_, model.get_support()
    used, paths = used_rows(model.probabilities_, np.arange(len(alphas)))
    # Of equally probable features, the one that is selected along more of the path comes first.
    order = np.lexsort([-paths.sum(axis=1), -paths.max(axis=1, initial=0)])
    chosen = order[support[used[order]]]
    named, unnamed, rest = chosen[:n_labels], chosen[n_labels:], order[len(chosen) :]
    known = getattr(model, "feature_names_in_", None)
    names = [f"x{j}" if known is None else str(known[j]) for j in used]

    ax = new_axes() if ax is None else ax
    single = len(alphas) == 1  # a point has no line
    ax.set_xscale("log")
    ax.set_xlim((alphas[0], alphas[-1]) if not single else (alphas[0] * 10, alphas[0] / 10))
    ax.set_ylim(0, 1.12)  # room for the legend
    for part, color, width, label in (
        (rest, "0.8", 0.8, None),
        (unnamed, "0.45", 1.0, f"selected, not named: {len(unnamed)}"),
    ):
        if len(part) and single:
            ax.plot(np.repeat(alphas, len(part)), paths[part, 0], "o", color=color, markersize=4, label=label)
        elif len(part):
            lines: list[Any] = [np.column_stack([alphas, paths[j]]) for j in part]
            ax.add_collection(LineCollection(lines, colors=color, linewidths=width, zorder=1.5, label=label))
    lines = [
        ax.plot(alphas, paths[j], marker="o" if single else None, linewidth=1.6, zorder=2, **line_style(k))[0]
        for k, j in enumerate(named)
    ]
    label = f"threshold {model.threshold:g}: {len(chosen)} of {len(support)} features selected"
    ax.axhline(model.threshold, color="0.2", linestyle="--", linewidth=1.2, label=label, zorder=2.5)
    ax.set_yticks(np.linspace(0, 1, 6))
    ax.set_xlabel("alpha")
    ax.set_ylabel("selection probability")
    ax.spines[["top", "right"]].set_visible(False)
    mean = np.asarray(model.probabilities_.sum(axis=0)).ravel()
    count_on_top(ax, alphas, mean.round().astype(int), "features selected by half of the rows, on average")
    ax.legend(fontsize=8, loc="upper left", ncols=2, frameon=False)
    label_ends(ax, [(paths[j, -1], names[j], line.get_color()) for j, line in zip(named, lines, strict=True)])
    return ax
