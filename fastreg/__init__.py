"""Exact and fast L1/L2-penalised linear models.

The public names are loaded when they are first used, so that `import fastreg` costs next to nothing: `fit_path` and its
family need numpy and scipy alone, the estimators load scikit-learn.
"""

from importlib import import_module

__version__ = "0.1.0"

_HOME = {
    "fit_path": "fastreg.path",
    "fit_paths": "fastreg.path",
    "Problem": "fastreg.path",
    "RegularizationPath": "fastreg.result",
    "lasso_path": "fastreg.path",
    "enet_path": "fastreg.path",
    "ridge_path": "fastreg.ridge_trace",
    "minimize": "fastreg.composite",
    "minimize_path": "fastreg.composite",
    "Lasso": "fastreg.models",
    "ElasticNet": "fastreg.models",
    "LassoCV": "fastreg.models",
    "ElasticNetCV": "fastreg.models",
    "Ridge": "fastreg.models",
    "RidgeCV": "fastreg.models",
    "RidgeClassifier": "fastreg.models",
    "RidgeClassifierCV": "fastreg.models",
    "LogisticRegression": "fastreg.models",
    "LogisticRegressionCV": "fastreg.models",
    "PoissonRegressor": "fastreg.models",
    "PoissonRegressorCV": "fastreg.models",
    "HuberElasticNet": "fastreg.models",
    "HuberElasticNetCV": "fastreg.models",
    "SquaredHingeClassifier": "fastreg.models",
    "StabilitySelection": "fastreg.models",
    "cross_validate_paths": "fastreg.selection.responses",
    "plot_decision_boundary": "fastreg.report.decision_plots",
    "GramAccumulator": "fastreg.accumulator",
    "cross_validate_blocks": "fastreg.accumulator",
    "ConvergenceWarning": "sklearn.exceptions",
}

__all__ = [*_HOME, "__version__"]


def __getattr__(name):
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted({*globals(), *__all__})
