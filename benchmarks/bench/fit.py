"""Whole fits: time, peak memory, duality gap reached and passes over X."""

import numpy as np

from . import problems


class Path:
    """The lasso path of 100 alphas at the default tolerance."""

    params = [list(problems.ALL), [True, False]]
    param_names = ["problem", "fit_intercept"]

    def setup(self, problem, fit_intercept):
        from fastreg import fit_path

        X, y = problems.ALL[problem]()
        self.fit = lambda: fit_path(X, y, loss="squared", alphas=100, fit_intercept=fit_intercept)

    def time_path(self, problem, fit_intercept):
        self.fit()

    def peakmem_path(self, problem, fit_intercept):
        self.fit()

    def track_gap(self, problem, fit_intercept):
        return float(np.max(self.fit().relative_gaps))

    track_gap.unit = "largest relative duality gap"

    def track_passes(self, problem, fit_intercept):
        return self.fit().n_passes

    track_passes.unit = "passes over X"


class SmallLasso:
    """One Lasso on 50 x 10: the cost of everything but the arithmetic."""

    def setup(self):
        from fastreg import Lasso

        rng = np.random.default_rng(4)
        self.X = rng.standard_normal((50, 10))
        self.y = self.X[:, :3].sum(axis=1) + rng.standard_normal(50)
        self.model = Lasso(alpha=0.1)

    def time_fit(self):
        self.model.fit(self.X, self.y)


def timeraw_import():
    return "import fastreg"


def timeraw_import_fit_path():
    return "from fastreg import fit_path"


def timeraw_import_lasso():
    return "from fastreg import Lasso"


for _import in (timeraw_import, timeraw_import_fit_path, timeraw_import_lasso):
    _import.number = 1  # a second import in the same process costs nothing


class Search:
    """Ten folds and 100 alphas, or leave-one-out over 20 alphas of ridge."""

    params = (["wide", "tall"], ["LassoCV", "RidgeCV"])
    param_names = ("problem", "estimator")

    def setup(self, problem, estimator):
        from fastreg import LassoCV, RidgeCV

        self.X, self.y = problems.ALL[problem]()
        self.model = LassoCV(cv=10) if estimator == "LassoCV" else RidgeCV(np.geomspace(1e-2, 1e4, 20))

    def time_fit(self, problem, estimator):
        self.model.fit(self.X, self.y)

    def peakmem_fit(self, problem, estimator):
        self.model.fit(self.X, self.y)

    def track_gap(self, problem, estimator):
        self.model.fit(self.X, self.y)
        if estimator == "LassoCV":
            return float(self.model.cv_results_["relative_gaps"].max())
        return float(self.model.residual_)

    track_gap.unit = "largest relative gap, or residual of the normal equations"


class RidgeShapes:
    """One alpha, by features and by rows; and the sums of rows that ridge can be fitted from."""

    params = (["wide", "tall"],)
    param_names = ("problem",)

    def setup(self, problem):
        from fastreg import GramAccumulator, Ridge

        self.X, self.y = problems.ALL[problem]()
        self.model, self.accumulator, self.few = Ridge(alpha=1.0), GramAccumulator, self.X[:, :200]

    def time_fit(self, problem):
        self.model.fit(self.X, self.y)

    def time_accumulate(self, problem):
        self.accumulator().add(self.few, self.y)


class Classes:
    """Logistic paths of 50 alphas, two classes and four."""

    params = (["wide", "tall"], ["logistic", "multinomial"])
    param_names = ("problem", "loss")

    def setup(self, problem, loss):
        from fastreg import fit_path

        X, y = problems.ALL[problem]()
        labels = np.searchsorted(np.quantile(y, [0.5] if loss == "logistic" else [0.25, 0.5, 0.75]), y)
        self.fit = lambda: fit_path(X, labels, loss=loss, alphas=50, eps=0.03 if loss == "logistic" else 0.2)

    def time_path(self, problem, loss):
        self.fit()

    def peakmem_path(self, problem, loss):
        self.fit()

    def track_gap(self, problem, loss):
        return float(np.max(self.fit().relative_gaps))

    track_gap.unit = "largest relative duality gap"
