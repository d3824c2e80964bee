"""Estimators with scikit-learn's names, parameters and attributes."""

from fastreg.models.lasso import ElasticNet, Lasso
from fastreg.models.lasso_cv import ElasticNetCV, LassoCV
from fastreg.models.ridge import Ridge
from fastreg.models.ridge_classifier import RidgeClassifier, RidgeClassifierCV
from fastreg.models.ridge_cv import RidgeCV
from fastreg.models.stability import StabilitySelection

__all__ = [
    "ElasticNet",
    "ElasticNetCV",
    "Lasso",
    "LassoCV",
    "Ridge",
    "RidgeCV",
    "RidgeClassifier",
    "RidgeClassifierCV",
    "StabilitySelection",
]
