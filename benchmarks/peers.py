"""How each tool is asked for what a case wants: `solve_TOOL(case, tol)` returns (coefs, which).

coefs (p, k) belong to the alphas of the numbers `which`: all of them for a path, or the one that a search has chosen.
Each is called as its documentation says.  NotImplementedError: the tool does not offer this.
"""

import shutil
import subprocess
import tempfile
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from scipy import sparse

LOOSE, TIGHT = [10.0**-k for k in range(3, 9)], [10.0**-k for k in range(6, 14)]

# Module, distribution, tolerances from loose to tight.
TOOLS = {
    "fastreg": ("fastreg", "fastreg-solvers", [1e-10]),
    "numpy": ("numpy", "numpy", [0.0]),
    "glmstar": ("glmnet", "glmstar", TIGHT),  # the same C++ in Python
    "adelie": ("adelie", "adelie", TIGHT),
    "scikit-learn": ("sklearn", "scikit-learn", LOOSE),
    "celer": ("celer", "celer", LOOSE),
    "skglm": ("skglm", "skglm", LOOSE),
    "glmnet": (None, None, TIGHT),  # in R
    "glum": ("glum", "glum", LOOSE),
}
FOLDS = 10


def installed(tool):
    """The tool's version, or None."""
    module, distribution, _ = TOOLS[tool]
    if tool == "glmnet":
        asked = ["Rscript", "-e", "cat(as.character(packageVersion('glmnet')))"]
        done = shutil.which("Rscript") and subprocess.run(asked, capture_output=True, text=True, check=False)
        return done.stdout if done and done.returncode == 0 else None
    if find_spec(module) is None:
        return None
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:  # on the path, not installed
        return None if tool == "glmstar" else getattr(__import__(module), "__version__", "")


def chosen(case, alpha):
    return [int(np.argmin(np.abs(case.alphas - alpha)))]


def every(case):
    return range(len(case.alphas))


def solve_fastreg(case, tol):
    import fastreg

    X, y, alphas = case.X, case.y, case.alphas
    if case.task == "path":
        path = fastreg.fit_path(X, y, loss=case.loss, alphas=alphas, fit_intercept=case.intercept, tol=tol)
        return path.coefs, every(case)
    if case.task == "ridge":
        return fastreg.Ridge(alpha=alphas[0]).fit(X, y).coef_[:, None], [0]
    search = fastreg.LassoCV(alphas=alphas, cv=FOLDS, tol=tol) if case.task == "cv" else fastreg.RidgeCV(alphas)
    search.fit(X, y)
    return search.coef_[:, None], chosen(case, search.alpha_)


def solve_numpy(case, tol):
    """Ridge as it is written by hand: the normal equations or, for wide X, their dual."""
    if case.task != "ridge":
        raise NotImplementedError
    X, y, alpha = case.X - case.X.mean(axis=0), case.y - case.y.mean(), case.alphas[0]
    n, p = X.shape
    if n >= p:
        return np.linalg.solve(X.T @ X + alpha * np.eye(p), X.T @ y)[:, None], [0]
    return (X.T @ np.linalg.solve(X @ X.T + alpha * np.eye(n), y))[:, None], [0]


def warm_starts(model, case):
    """One fit for each alpha, each from the one before."""
    fits = []
    for alpha in case.alphas.tolist():
        model.alpha = alpha
        fits.append(model.fit(case.X, case.y).coef_.copy())
    return np.array(fits).T, every(case)


def solve_scikit_learn(case, tol):
    from sklearn import linear_model

    X, y, alphas = case.X, case.y, case.alphas
    if case.task == "ridge":
        return linear_model.Ridge(alpha=alphas[0], tol=tol).fit(X, y).coef_[:, None], [0]
    if case.task == "loo":
        search = linear_model.RidgeCV(alphas).fit(X, y)
        return search.coef_[:, None], chosen(case, search.alpha_)
    if case.task == "cv":
        search = linear_model.LassoCV(alphas=alphas, cv=FOLDS, tol=tol, max_iter=100_000, n_jobs=-1).fit(X, y)
        return search.coef_[:, None], chosen(case, search.alpha_)
    if case.loss == "logistic" and not case.intercept:  # liblinear penalises an intercept
        fits = [
            linear_model.LogisticRegression(
                l1_ratio=1.0, C=1 / (len(y) * alpha), solver="liblinear", fit_intercept=False, tol=tol, max_iter=10_000
            ).fit(X, y)
            for alpha in alphas
        ]
        return np.array([fit.coef_[0] for fit in fits]).T, every(case)
    if case.loss != "squared":
        raise NotImplementedError
    if case.intercept:
        return warm_starts(linear_model.Lasso(tol=tol, max_iter=100_000, warm_start=True), case)
    return linear_model.lasso_path(X, y.astype(X.dtype), alphas=alphas, tol=tol, max_iter=100_000)[1], every(case)


def solve_celer(case, tol):
    import celer

    y, alphas = case.y.astype(case.X.dtype), case.alphas.astype(case.X.dtype)
    if case.task != "path" or case.loss == "poisson" or (case.intercept and case.loss != "squared"):
        raise NotImplementedError
    if case.intercept:
        return warm_starts(celer.Lasso(tol=tol, max_iter=200, warm_start=True), case)
    if case.loss == "logistic":
        y, alphas, model = 2 * y - 1, alphas * len(y), "logreg"
    else:
        model = "lasso"
    return celer.celer_path(case.X, y, pb=model, alphas=alphas, tol=tol, max_iter=200)[1], every(case)


def solve_skglm(case, tol):
    from skglm import datafits, penalties, solvers
    from skglm.utils.jit_compilation import compiled_clone

    if case.task != "path" or case.intercept:
        raise NotImplementedError
    X = case.X if sparse.issparse(case.X) else np.asfortranarray(case.X)
    y, penalty = case.y.astype(X.dtype), compiled_clone(penalties.L1(1.0))
    options = {"tol": tol, "max_iter": 200, "fit_intercept": False, "warm_start": True}
    if case.loss == "squared":
        solver = solvers.AndersonCD(**options)
        return solver.path(X, y, compiled_clone(datafits.Quadratic()), penalty, alphas=case.alphas)[1], every(case)
    solver, datafit = solvers.ProxNewton(**options), datafits.Logistic()
    datafit, w, fits = compiled_clone(datafit), None, []
    for penalty.alpha in case.alphas:
        w = solver.solve(X, 2 * y - 1, datafit, penalty, w_init=w, Xw_init=None if w is None else X @ w)[0]
        fits.append(w.copy())
    return np.array(fits).T, every(case)


def solve_glum(case, tol):
    from glum import GeneralizedLinearRegressor

    if case.task != "path" or case.X.shape[1] > 5_000:  # its Hessian is dense
        raise NotImplementedError
    family = {"squared": "normal", "logistic": "binomial", "poisson": "poisson"}[case.loss]
    model = GeneralizedLinearRegressor(
        family=family,
        l1_ratio=1,
        alpha=list(case.alphas),
        alpha_search=True,
        gradient_tol=tol,
        max_iter=1_000,
        fit_intercept=case.intercept,
    )
    return np.asarray(model.fit(case.X, case.y).coef_path_).T, every(case)


def solve_adelie(case, tol):
    import os

    import adelie

    if case.task != "path":
        raise NotImplementedError
    cores = os.cpu_count()
    matrix = adelie.matrix.sparse if sparse.issparse(case.X) else adelie.matrix.dense
    family = {"squared": "gaussian", "logistic": "binomial", "poisson": "poisson"}[case.loss]
    state = adelie.grpnet(
        X=matrix(case.X, method="naive", n_threads=cores),
        glm=getattr(adelie.glm, family)(case.y.astype(case.X.dtype), dtype=case.X.dtype.type),
        lmda_path=case.alphas,
        tol=tol,
        intercept=case.intercept,
        early_exit=False,
        progress_bar=False,
        n_threads=cores,
    )
    if state.betas.shape[0] != len(case.alphas):
        raise RuntimeError("stopped early")
    return state.betas.T, every(case)


def solve_glmstar(case, tol):
    import glmnet
    from glmnet.paths.fastnet import FastNetControl

    if case.task != "path":
        raise NotImplementedError
    name = {"squared": "GaussNet", "logistic": "LogNet", "poisson": "FishNet"}[case.loss]
    model = getattr(glmnet, name)(
        lambda_values=case.alphas,
        standardize=False,
        fit_intercept=case.intercept,
        control=FastNetControl(thresh=tol, maxit=10**8, fdev=0.0, devmax=1.0),
    )
    return model.fit(case.X, case.y).coefs_.T, every(case)


def solve_glmnet(case, tol):
    """R's glmnet; the third value returned is R's own time, around the call alone."""
    if case.task not in ("path", "cv"):
        raise NotImplementedError
    X, (n, p) = case.X, case.X.shape
    with tempfile.TemporaryDirectory() as folder:
        parts = {"y": case.y, "alphas": case.alphas}
        if sparse.issparse(X):
            parts |= {"i": X.indices.astype(np.int32), "p": X.indptr.astype(np.int32), "x": X.data}
        else:
            parts["X"] = X.T.astype(np.float64)
        for name, part in parts.items():
            np.ascontiguousarray(part).tofile(f"{folder}/{name}")
        words = [folder, tol, n, p, len(case.alphas), getattr(X, "nnz", 0), case.task, case.loss, int(case.intercept)]
        script = str(Path(__file__).with_name("glmnet.R"))
        done = subprocess.run(["Rscript", script, *map(str, words)], capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr.strip().replace("\n", " ")[-100:])
        seconds, alpha = map(float, done.stdout.split())
        coefs = np.fromfile(f"{folder}/coefs").reshape(-1, p).T
    if case.task == "path" and coefs.shape[1] != len(case.alphas):
        raise RuntimeError("stopped early")
    return coefs, every(case) if case.task == "path" else chosen(case, alpha), seconds


def solve(tool, case, tol):
    return globals()[f"solve_{tool.replace('-', '_')}"](case, tol)
