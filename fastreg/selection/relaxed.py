"""The relaxed lasso: least squares on the features that each solution of a path has chosen."""

import numpy as np
from scipy import sparse

from fastreg.solve.ridge import fit_ridge
from fastreg.solve.ridge_data import RidgeData


def relaxed(path, X, task, gamma):
    """(coefs (p, L) csc, intercepts (L,), deviance ratios (L,)) of a path blended with least squares on its supports.

    Each solution is gamma times that of the path plus 1 - gamma times least squares, of minimum norm, on its features
    (N. Meinshausen, "Relaxed lasso", Computational Statistics & Data Analysis 52, 2007; the blend is that of T. Hastie,
    R. Tibshirani and R. Tibshirani, Statistical Science 35, 2020).
    """
    coefs = sparse.csc_array(path.coefs, copy=True)
    intercepts, ratios = path.intercepts.copy(), path.deviance_ratio.copy()
    share = np.full(len(task.y), 1.0 / len(task.y)) if task.weights is None else task.weights / task.weights.sum()
    level = (share * task.y).sum() if task.fit_intercept else 0.0
    total = (share * (task.y - level) ** 2).sum()
    known = {}
    for k in range(len(path.alphas)):
        part = slice(coefs.indptr[k], coefs.indptr[k + 1])
        used = coefs.indices[part]
        if len(used) == 0:
            continue
        key = used.tobytes()
        if key not in known:
            data = RidgeData(X[:, used], task.y[:, None], task.weights, task.fit_intercept)
            fit = fit_ridge(data, np.zeros(1))
            known = {key: (fit.coefs[:, 0], fit.intercepts[0])}  # supports come one after the other
        w, b = known[key]
        coefs.data[part] = gamma * coefs.data[part] + (1.0 - gamma) * w
        intercepts[k] = gamma * intercepts[k] + (1.0 - gamma) * b
        left = task.y - intercepts[k] - X[:, used] @ coefs.data[part]
        ratios[k] = 1.0 - (share * left**2).sum() / total if total > 0 else 0.0
    return coefs, intercepts, ratios
