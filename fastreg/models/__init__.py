"""Estimators with scikit-learn's names, parameters and attributes."""

from fastreg.models.lasso import ElasticNet, Lasso

__all__ = ["ElasticNet", "Lasso"]
