"""Estimators: searches, ridge, stability selection, small fits; and `minimize`."""

import numpy as np

from . import problems
from .measured import Fit, Timed

RIDGES = np.geomspace(1e-2, 1e4, 20)

# Problem, class, parameters, and where its certificate stands.
CASES = {
    "LassoCV, wide": ("wide", "LassoCV", {"cv": 10}, "cv_results_"),
    "LassoCV, tall": ("tall", "LassoCV", {"cv": 10}, "cv_results_"),
    "LassoCV, text": ("text", "LassoCV", {"cv": 5, "alphas": 20, "eps": 0.1}, "cv_results_"),
    "ElasticNetCV, wide": ("wide", "ElasticNetCV", {"l1_ratio": [0.5, 1.0], "alphas": 50}, "cv_results_"),
    "LogisticRegressionCV, wide": (
        "wide",
        "LogisticRegressionCV",
        {"Cs": np.geomspace(0.05, 1, 10), "l1_ratios": [1.0], "scoring": "deviance", "use_legacy_attributes": False},
        "cv_results_",
    ),
    "LogisticRegressionCV, wide, L2": (
        "wide",
        "LogisticRegressionCV",
        {"scoring": "deviance", "use_legacy_attributes": False},
        "cv_results_",
    ),
    "Ridge, wide": ("wide", "Ridge", {}, "residual_"),
    "Ridge, tall": ("tall", "Ridge", {}, "residual_"),
    "Ridge, text": ("few texts", "Ridge", {}, "residual_"),
    "RidgeCV, wide, leave one out": ("wide", "RidgeCV", {"alphas": RIDGES}, "residual_"),
    "RidgeCV, tall, leave one out": ("tall", "RidgeCV", {"alphas": RIDGES}, "residual_"),
    "RidgeCV, tall, ten folds": ("tall", "RidgeCV", {"alphas": RIDGES, "cv": 10}, "residual_"),
    "StabilitySelection, wide": ("wide", "StabilitySelection", {"n_pairs": 25, "alphas": 20, "random_state": 0}, None),
}


class Model(Timed):
    """One fit; the gap is the worst over folds, or for ridge the residual of the normal equations."""

    number = 1
    params = [list(CASES)]
    param_names = ["case"]

    def setup(self, case):
        import fastreg

        problem, name, parameters, self.certificate = CASES[case]
        self.X, self.y = problems.make(problem)
        if name.startswith("Logistic"):
            self.y = problems.labels(self.y)
        self.model = getattr(fastreg, name)(**parameters)

    def time_fit(self, case):
        self.model.fit(self.X, self.y)

    def peakmem_fit(self, case):
        self.model.fit(self.X, self.y)

    def track_gap(self, case):
        if self.certificate is None:
            return np.nan
        found = getattr(self.model.fit(self.X, self.y), self.certificate)
        return float(np.max(found["relative_gaps"] if isinstance(found, dict) else found))

    track_gap.unit = "largest relative gap, or residual of the normal equations"


class Small(Timed):
    """A fit to 50 x 10: the cost of everything but the arithmetic."""

    params = [
        ["Lasso", "ElasticNet", "Ridge", "LassoCV", "RidgeCV", "LogisticRegression", "PoissonRegressor", "fit_path"]
    ]
    param_names = ["name"]
    repeat = (20, 50, 1.0)

    def setup(self, name):
        import fastreg

        X, y = problems.gaussian(50, 10, 3)
        y = problems.labels(y) if name.startswith("Logistic") else problems.counts(y) if name.startswith("P") else y
        make = getattr(fastreg, name)
        model = None if name == "fit_path" else make(l1_ratio=1.0) if name.startswith("Logistic") else make()
        self.fit = (lambda: make(X, y)) if model is None else lambda: model.fit(X, y)

    def time_fit(self, name):
        self.fit()


class RidgePath(Fit):
    """`ridge_path`, one factorization for all alphas."""

    params = [["wide", "tall"]]
    param_names = ["problem"]
    track_passes = track_iterations = None  # a factorization has none

    def setup(self, problem):
        from fastreg import ridge_path

        X, y = problems.make(problem)
        self.fit = lambda: ridge_path(X, y, alphas=RIDGES)


class Sums(Timed):
    """Blocks of rows added up, and a path from their sums alone."""

    def setup(self):
        from fastreg import GramAccumulator

        self.X, self.y = problems.make("tall")
        self.empty, self.full = GramAccumulator, GramAccumulator()
        self.full.add(self.X, self.y)

    def time_add(self):
        self.empty().add(self.X, self.y)

    def time_path(self):
        self.full.fit_path()


class Minimize(Timed):
    """A robust regression (Student's t) with an L1 penalty, by `minimize` and along a path of it."""

    number = 1
    params = [["minimize", "minimize_path"]]
    param_names = ["function"]

    def setup(self, function):
        import fastreg

        X, y = problems.gaussian(500, 200, 10)

        def student(w):
            r = X @ w - y + 1.0
            return np.mean(np.log1p(r**2)), X.T @ (2 * r / (1 + r**2)) / len(y)

        start = np.zeros(X.shape[1])
        self.find = {
            "minimize": lambda: fastreg.minimize(student, start, l1=0.02),
            "minimize_path": lambda: fastreg.minimize_path(student, start, 20, eps=0.01),
        }[function]

    def time_minimize(self, function):
        self.find()

    def track_stationarity(self, function):
        return float(np.max(self.find().stationarity))

    def track_evaluations(self, function):
        return int(np.sum(self.find().nfev))

    track_stationarity.unit = "units of the function over units of x"
    track_evaluations.unit = "evaluations of the function"
