"""What searches by cross-validation have in common: folds, metadata, and how they report."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
from sklearn import get_config
from sklearn.model_selection import check_cv
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.validation import check_is_fitted

from fastreg import validation

if TYPE_CHECKING:
    from typing import Any

    from matplotlib.axes import Axes
    from numpy.typing import NDArray
    from pandas import DataFrame

    from fastreg._types import Folds, Matrix, Scoring, Splits


class PathSearch:
    """A search over the strength of the penalty, and more, that has `cv_results_`; comes before a linear model."""

    cv: Folds
    scoring: Scoring
    cv_results_: dict[str, NDArray[Any]]
    relax_: float  # of searches over relax

    _strength = "alpha"  # or "C"
    _axes: tuple[str, ...] = ("l1_ratio",)  # what else is searched
    _error_names: dict[Any, str] = {}  # of values of `scoring`, in words

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the error of held-out rows against alpha or C, at the chosen relax; needs matplotlib.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            None makes a new figure.

        Returns
        -------
        matplotlib.axes.Axes
        """
        from fastreg.report.selection_plots import error_name, plot_cv

        found = self._table()
        at = np.ones(len(found["mean_error"]), dtype=bool)
        if "relax" in found:
            at = found["relax"][:, 0] == self.relax_
        shown = SimpleNamespace(
            cv_results_={name: values[at] for name, values in found.items()},
            best=np.flatnonzero(at).tolist().index(self._best_curve(found)),
            strength=self._strength,
            chosen=self._chosen(),
            error_name=error_name(self.scoring, self._error_names),
        )
        return plot_cv(shown, ax=ax)

    def summary(self) -> str:
        """A text table with one line for each candidate, that says which were chosen.

        Returns
        -------
        str
            Mean and standard error of the held-out errors (scores with a minus), features of the fit on all rows,
            largest relative duality gap of the fits without a fold.
        """
        found = self._table()
        several = [name for name in self._axes if np.ptp(found[name]) > 0]
        best = self._best_curve(found)
        strengths, mean, error, counts, gaps = (
            found[name] for name in (self._strength, "mean_error", "standard_error", "n_features", "relative_gaps")
        )
        head = "".join(f"{name:>10}" for name in several)
        lines = [f"{head}{self._strength:>12}{'mean error':>12}{'std. error':>12}{'features':>10}{'rel. gap':>10}"]
        for c, i in np.ndindex(mean.shape):
            chosen = zip(("min", "1se"), self._chosen(), strict=True) if c == best else ()
            marks = ", ".join(name for name, strength in chosen if strength == strengths[c, i])
            line = "".join(f"{found[name][c, i]:>10.4g}" for name in several)
            line += (
                f"{strengths[c, i]:>12.6g}{mean[c, i]:>12.6g}{error[c, i]:>12.3g}{counts[c, i]:>10d}{gaps[c, i]:>10.1e}"
            )
            lines.append(f"{line}  {marks}".rstrip())
        return "\n".join(lines)

    def to_frame(self) -> DataFrame:
        """The search as a pandas DataFrame: a row for each candidate.

        Returns
        -------
        pandas.DataFrame
            Columns mean_error, standard_error, n_features, relative_gap, as in `summary`; the index is alpha or C,
            after l1_ratio and relax where there are several of them.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError("to_frame needs pandas; install it, or use the arrays of cv_results_.") from error
        found = self._table()
        index = [*(name for name in self._axes if np.ptp(found[name]) > 0), self._strength]
        names = [*index, "mean_error", "standard_error", "n_features", "relative_gaps"]
        frame = pd.DataFrame({name: found[name].ravel() for name in names})
        return frame.rename(columns={"relative_gaps": "relative_gap"}).set_index(index)

    def get_metadata_routing(self) -> Any:
        """How metadata are passed on: `groups` and the like to the splitter.

        Returns
        -------
        MetadataRouter
        """
        return (
            MetadataRouter(owner=self)
            .add_self_request(self)
            .add(splitter=check_cv(self.cv), method_mapping=MethodMapping().add(caller="fit", callee="split"))
        )

    def _splits(self, X: Matrix, y: NDArray[Any], params: dict[str, Any], *, classifier: bool = False) -> Splits:
        """[(train, test)] row numbers."""
        split = params
        if get_config()["enable_metadata_routing"]:
            split = process_routing(self, "fit", **params).splitter.split
        splits = [
            (validation.as_rows(train, len(y), "train"), validation.as_rows(test, len(y), "test"))
            for train, test in check_cv(self.cv, y, classifier=classifier).split(X, y, **split)
        ]
        if len(splits) < 2:
            raise ValueError(f"cv gives {len(splits)} fold; at least 2 are needed.")
        return splits

    def _chosen(self) -> tuple[float, float]:
        """The strengths that the rules "min" and "1se" choose."""
        return getattr(self, f"{self._strength}_min_"), getattr(self, f"{self._strength}_1se_")

    def _table(self) -> dict[str, NDArray[Any]]:
        """`cv_results_` with curves as rows, each (c, L), of the gaps the largest of all folds."""
        check_is_fitted(self)
        found = {**self.cv_results_, "relative_gaps": self.cv_results_["relative_gaps"].max(axis=-1)}
        del found["errors"]
        return {name: values.reshape(-1, values.shape[-1]) for name, values in found.items()}

    def _best_curve(self, found: dict[str, NDArray[Any]]) -> int:
        """Which row of `_table` the rules choose from."""
        return int(found["mean_error"].min(axis=1).argmin())
