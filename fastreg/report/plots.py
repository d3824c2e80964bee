"""Coefficient paths."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fastreg._types import Floats, Ints
    from fastreg.report.compare import Comparison

_LABEL_SIZE = 8  # points
_LINE_HEIGHT = 1.25 * _LABEL_SIZE
_COLORS = ("C0", "C1", "C2", "C3", "C4", "C5", "C6", "C8", "C9")  # the default cycle without its grey
_STYLES = ("-", "--", ":")  # once the colours are used up


def require_matplotlib() -> None:
    """Raise an ImportError that says what to install if Matplotlib is missing."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ImportError('plots need Matplotlib: pip install "fastreg-solvers[plot]"') from error


def plot_path(path: Any, ax: Any = None, n_labels: int = 8, *, scale: Any = None) -> Any:
    """Draw every coefficient against alpha, from the largest alpha on the left to the smallest on the right.

    The axis of alpha is logarithmic; a solution at alpha = 0 has no place on it and is left out. The axis on top counts
    the features in use. A multinomial path has a panel for each class, all on one scale, each with its own count.

    Parameters
    ----------
    path : RegularizationPath
        Or anything with `alphas` (L,), `coefs` (p, L) dense or sparse, `n_nonzero` (L,) and `feature_names`; where
        `coefs` is a list of K such, with `classes` (K,).
    ax : matplotlib.axes.Axes, or sequence of K of them for a multinomial path, or None
        Where to draw; None makes a new figure through pyplot.
    n_labels : int
        How many coefficients, the largest at the smallest alpha, are named at the end of their lines and coloured;
        the others are grey.
    scale : array_like of shape (p,) or None
        Multiplies the coefficients. The standard deviations of the columns make features in different units comparable.

    Returns
    -------
    matplotlib.axes.Axes, or ndarray of shape (K,) of them

    Raises
    ------
    ImportError
        If Matplotlib is not installed.
    ValueError
        If `n_labels` is negative, `scale` has another length than the coefficients, no alpha is positive, or `ax` holds
        another number of axes than there are classes.
    """
    require_matplotlib()
    several = isinstance(path.coefs, list)
    parts = path.coefs if several else [path.coefs]
    positive = np.flatnonzero(path.alphas > 0)
    if positive.size == 0:
        raise ValueError("path has no alpha > 0 to draw; fit it with at least one")
    if n_labels < 0:
        raise ValueError(f"n_labels must be at least 0, got {n_labels}")
    p = parts[0].shape[0]
    scale = np.ones(p) if scale is None else np.asarray(scale, dtype=np.float64)
    if scale.shape != (p,):
        raise ValueError(f"scale must have one entry for each of the {p} coefficients, got shape {scale.shape}")

    if ax is None:
        axes = np.atleast_1d(new_axes(len(parts)))
    elif np.size(ax) == len(parts):
        axes = np.ravel(ax)
    elif several:
        raise ValueError(f"ax must be a sequence of {len(parts)} axes, one for each class, or None; it holds "
                         f"{np.size(ax)}")  # fmt: skip
    else:
        raise ValueError(f"ax must be axes, or None; it holds {np.size(ax)}")
    drawn = [used_rows(part, positive) for part in parts]
    for used, coefs in drawn:
        coefs *= scale[used, None]
    low = min(0, *(coefs.min(initial=0) for _, coefs in drawn))
    high = max(0, *(coefs.max(initial=0) for _, coefs in drawn))
    unit = "coefficient" if np.all(scale == 1) else "coefficient x scale"
    # A feature has its colour in all panels.
    last = np.zeros((len(parts), p))
    for k, (used, coefs) in enumerate(drawn):
        last[k, used] = np.abs(coefs[:, -1])
    rank = np.argsort(np.argsort(-last.max(axis=0), kind="stable"))
    for k, (used, coefs) in enumerate(drawn):
        names = [f"x{j}" for j in used] if path.feature_names is None else [str(path.feature_names[j]) for j in used]
        counts = np.count_nonzero(coefs, axis=0) if several else np.asarray(path.n_nonzero)[positive]
        _draw_path(axes[k], path.alphas[positive], coefs, names, rank[used], counts, n_labels, (low, high))
        axes[k].set_ylabel(unit)
        if several:
            axes[k].set_title(f"class {path.classes[k]}")
    return axes if several else axes[0]


def _draw_path(
    ax: Axes,
    alphas: Floats,
    coefs: Floats,
    names: Sequence[str],
    styles: Sequence[int] | Ints,
    counts: Ints,
    n_labels: int,
    limits: tuple[float, float],
) -> None:
    """Lines of coefficients (m, L) with names and numbers of styles (m,), and counts (L,) on top."""
    from matplotlib.collections import LineCollection

    # A point has no line: a path of one alpha is drawn as markers.
    marker = "o" if alphas.size == 1 else None
    named = np.argsort(-np.abs(coefs[:, -1]), kind="stable")[:n_labels]
    named = named[coefs[named, -1] != 0]
    rest = np.setdiff1d(np.arange(len(coefs)), named)

    ax.set_xscale("log")
    ax.axhline(0, color="0.3", linewidth=0.8, zorder=1)
    if marker:
        ax.plot(np.repeat(alphas, rest.size), coefs[rest, -1], marker, color="0.75", markersize=4)
    else:
        ax.add_collection(LineCollection(
            [np.column_stack([alphas, coefs[j]]) for j in rest], colors="0.75", linewidths=0.8, zorder=1.5
        ))  # fmt: skip
    lines = [
        ax.plot(alphas, coefs[j], marker=marker, linewidth=1.6, label=names[j], zorder=2, **line_style(styles[j]))[0]
        for j in named
    ]
    _set_limits(ax, alphas, *limits)
    ax.set_xlabel("alpha")
    ax.spines[["top", "right"]].set_visible(False)
    count_on_top(ax, alphas, counts, "features in use")
    label_ends(ax, [(coefs[j, -1], names[j], line.get_color()) for j, line in zip(named, lines, strict=True)])


def new_axes(panels: int = 1) -> Any:
    """Axes of a new figure, through pyplot, or an array of them."""
    from matplotlib import pyplot

    return panel_axes(pyplot.figure(layout="constrained"), panels)


def panel_axes(figure: Figure, panels: int = 1) -> Any:
    """Axes of a figure, or an array of them in rows of three at most."""
    if panels == 1:
        figure.set_size_inches(8, 5)
        return figure.subplots()
    columns = min(panels, 3)
    rows = -(-panels // columns)
    figure.set_size_inches(5.5 * columns, 4.5 * rows)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax in axes[panels:]:
        ax.remove()
    return axes[:panels]


def line_style(k: int) -> dict[str, Any]:
    """Colour and dashes of the line number k."""
    return {"color": _COLORS[k % len(_COLORS)], "linestyle": _STYLES[k // len(_COLORS) % len(_STYLES)]}


def count_on_top(ax: Axes, alphas: Floats, counts: Ints, label: str) -> None:
    """Write counts (L,) above a few of the alphas (L,) of a logarithmic axis."""
    from matplotlib.ticker import FixedLocator, NullLocator

    ticks = np.unique(np.linspace(0, alphas.size - 1, min(6, alphas.size)).round().astype(int))
    top = ax.secondary_xaxis("top")
    top.xaxis.set_major_locator(FixedLocator(alphas[ticks]))
    top.xaxis.set_minor_locator(NullLocator())
    top.xaxis.set_major_formatter(lambda alpha, _: str(counts[ticks][np.abs(np.log(alphas[ticks] / alpha)).argmin()]))
    top.set_xlabel(label)
    top.spines["top"].set_visible(False)


def used_rows(coefs: Any, columns: Any) -> tuple[Ints, Floats]:
    """Indices of the rows that are not zero throughout, and those rows as a dense copy, for some columns."""
    if hasattr(coefs, "tocsr"):
        rows = coefs.tocsc()[:, columns].tocsr()
        rows.eliminate_zeros()
        used = np.flatnonzero(np.diff(rows.indptr))
        return used, rows[used].toarray()
    dense = coefs[:, columns]
    used = np.flatnonzero(dense.any(axis=1))
    return used, dense[used].copy()


def _set_limits(ax: Axes, alphas: Floats, low: float, high: float) -> None:
    """Largest alpha at the left, lines up to the right edge: the names follow outside."""
    if alphas.size > 1:
        ax.set_xlim(alphas[0], alphas[-1])
    else:
        ax.set_xlim(alphas[0] * 10, alphas[0] / 10)
    margin = 0.05 * (high - low) or 1.0
    ax.set_ylim(low - margin, high + margin)


def label_ends(ax: Axes, ends: list[Any]) -> None:
    """Write names to the right of the axes at the heights where lines end, moved apart where they would overlap."""
    if not ends:
        return
    height = ax.get_window_extent().height * 72 / ax.figure.dpi
    low, high = ax.get_ylim()
    ends = sorted(ends)
    wanted = np.array([(value - low) / (high - low) * height for value, _, _ in ends])
    for (value, name, color), at in zip(ends, spread(wanted, _LINE_HEIGHT, height), strict=True):
        ax.annotate(
            name if len(name) <= 24 else name[:23] + "\N{HORIZONTAL ELLIPSIS}",
            xy=(1, (value - low) / (high - low)), xycoords="axes fraction",
            xytext=(14, at - height * (value - low) / (high - low)), textcoords="offset points",
            color=color, fontsize=_LABEL_SIZE, va="center", ha="left", annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": color, "linewidth": 0.6, "shrinkA": 0, "shrinkB": 0,
                        "relpos": (0, 0.5)},
        )  # fmt: skip


def spread(wanted: Floats, gap: float, length: float) -> Floats:
    """Move ascending positions little, so that neighbours are `gap` apart and, if they fit, within [0, length].

    Least squares by pooling: a block of touching positions sits at the mean of what its members want.

    Parameters
    ----------
    wanted : ndarray of shape (k,), ascending
    gap, length : float

    Returns
    -------
    ndarray of shape (k,)
    """
    steps = gap * np.arange(len(wanted))
    blocks = []  # [mean of wanted minus steps, size]; their means must ascend
    for value in wanted - steps:
        blocks.append([value, 1])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            value_b, size_b = blocks.pop()
            value_a, size_a = blocks[-1]
            blocks[-1] = [(value_a * size_a + value_b * size_b) / (size_a + size_b), size_a + size_b]
    pooled = np.repeat([value for value, _ in blocks], [size for _, size in blocks])
    return np.clip(pooled, 0, max(length - steps[-1], 0)) + steps


def save_comparison(comparison: Comparison, file: Any) -> None:
    """Draw the paths of the penalties of a `Comparison` side by side, effects per standard deviation, and save them.

    Each path ends at half the chosen alpha: what grows beyond would set the scale and take the names.

    Parameters
    ----------
    comparison : Comparison
    file : str or os.PathLike
        Its ending says the format.
    """
    require_matplotlib()
    from matplotlib.figure import Figure

    entries, data = comparison.entries[1:], comparison.data
    several = data.loss == "multinomial"
    rows = len(data.classes) if several else 1
    figure = Figure(figsize=(6 * len(entries), 5 if rows == 1 else 4 * rows), layout="constrained")
    figure.suptitle(f"{data.title}: '{data.target}'")
    axes = figure.subplots(rows, len(entries), squeeze=False)
    for column, entry in zip(axes.T, entries, strict=True):
        path = entry.path
        shown = np.flatnonzero(path.alphas >= entry.alpha / 2)
        plot_path(
            SimpleNamespace(
                alphas=path.alphas[shown],
                coefs=[part[:, shown] for part in path.coefs] if several else path.coefs[:, shown],
                n_nonzero=np.asarray(path.n_nonzero)[shown],
                feature_names=data.feature_names,
                classes=data.classes,
            ),
            column if several else column[0],
            scale=comparison.scale,
        )
        for k, ax in enumerate(column):
            ax.set_ylabel("coefficient per standard deviation" if entry is entries[0] else "")
            ax.axvline(entry.alpha, color="0.3", linestyle="--", linewidth=0.8)
            what = f"{entry.penalty}; dashed: chosen alpha {entry.alpha:.3g}"
            ax.set_title(f"{what}, class {data.classes[k]}" if several else what, fontsize=10)
    figure.savefig(file, dpi=150)
