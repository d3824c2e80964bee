"""Whole paths, one case for each regime and loss."""

import numpy as np

from . import problems
from .measured import Fit

# Problem, what becomes of y, options of fit_path.
CASES = {
    "wide": ("wide", None, {}),
    "wide, correlated": ("wide correlated", None, {}),
    "wide, elastic net": ("wide", None, {"l1_ratio": 0.5}),
    "wide, 40 responses": ("wide", "responses", {"alphas": 30, "eps": 0.1}),
    "square": ("square", None, {}),
    "tall": ("tall", None, {}),
    "curves": ("curves", None, {"alphas": 50}),
    "text": ("text", None, {"alphas": 50, "eps": 0.03}),
    "text, no intercept": ("text", None, {"alphas": 50, "eps": 0.03, "fit_intercept": False}),
    "logistic, wide": ("wide", "labels", {"loss": "logistic", "alphas": 50, "eps": 0.03}),
    "logistic, tall": ("tall", "labels", {"loss": "logistic", "alphas": 50}),
    "logistic, text": ("text", "labels", {"loss": "logistic", "alphas": 30, "eps": 0.1}),
    "logistic, text, large support": ("text", "labels", {"loss": "logistic", "alphas": 30, "eps": 0.02}),
    "multinomial, wide": ("wide", "classes", {"loss": "multinomial", "alphas": 30, "eps": 0.2}),
    "poisson, wide": ("wide", "counts", {"loss": "poisson", "alphas": 50, "eps": 0.1}),
    "poisson, tall": ("tall", "counts", {"loss": "poisson", "alphas": 50, "eps": 0.01}),
}


def target(kind, X, y):
    if kind == "responses":
        return problems.responses(X, 40)
    made = {None: lambda: y, "counts": lambda: problems.counts(y)}
    return made.get(kind, lambda: problems.labels(y, 4 if kind == "classes" else 2))()


class Path(Fit):
    """`fit_path` at its default tolerance."""

    params = [list(CASES)]
    param_names = ["case"]

    def setup(self, case):
        from fastreg import fit_path

        problem, kind, options = CASES[case]
        X, y = problems.make(problem)
        y = target(kind, X, y)
        self.fit = lambda: fit_path(X, y, **options)


class Storage(Fit):
    """The same path from X in other layouts and precisions."""

    params = [["wide", "tall"], ["C", "F"], ["float64", "float32"]]
    param_names = ["problem", "order", "dtype"]
    track_iterations = None

    def setup(self, problem, order, dtype):
        from fastreg import fit_path

        X, y = problems.make(problem)
        X = np.asarray(X, dtype=dtype, order=order)
        self.fit = lambda: fit_path(X, y)
