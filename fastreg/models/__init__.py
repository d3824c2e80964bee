"""Estimators with scikit-learn's names, parameters and attributes."""

from fastreg.models.glm import HuberElasticNet, PoissonRegressor
from fastreg.models.glm_cv import HuberElasticNetCV, PoissonRegressorCV
from fastreg.models.lasso import ElasticNet, Lasso
from fastreg.models.lasso_cv import ElasticNetCV, LassoCV
from fastreg.models.logistic import LogisticRegression
from fastreg.models.logistic_cv import LogisticRegressionCV
from fastreg.models.ridge import Ridge
from fastreg.models.ridge_classifier import RidgeClassifier, RidgeClassifierCV
from fastreg.models.ridge_cv import RidgeCV
from fastreg.models.squared_hinge import SquaredHingeClassifier
from fastreg.models.stability import StabilitySelection

__all__ = [
    "ElasticNet",
    "ElasticNetCV",
    "HuberElasticNet",
    "HuberElasticNetCV",
    "Lasso",
    "LassoCV",
    "LogisticRegression",
    "LogisticRegressionCV",
    "PoissonRegressor",
    "PoissonRegressorCV",
    "Ridge",
    "RidgeCV",
    "RidgeClassifier",
    "RidgeClassifierCV",
    "SquaredHingeClassifier",
    "StabilitySelection",
]
