"""Agreement with R's glmnet, its conventions translated; `glmnet.R` made the file of its fits."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse

from fastreg import fit_path

THEIRS = json.loads(Path(__file__).with_name("glmnet.json").read_text())
X, y, weights, alphas, factors, lower, upper, binary, classes, counts, offset, small = (
    np.array(THEIRS[name])
    for name in (
        "X", "y", "weights", "lambda", "factors", "lower", "upper", "binary", "classes", "counts", "offset", "small",
    )
)  # fmt: skip
RESCALED = factors * len(factors) / factors.sum()  # glmnet makes the factors add up to their number


def enet(alpha, scale):
    """The same penalty as (lambda, alpha) of glmnet: its L2 part is divided by `scale`, one alpha at a time."""
    l1, l2 = alphas * alpha, alphas * (1 - alpha) / scale
    return [{"alphas": [a + b], "l1_ratio": a / (a + b)} for a, b in zip(l1, l2, strict=True)]


CASES = {
    "plain": [{}],
    "standardize": [{"standardize": True}],
    "weights": [{"sample_weight": weights}],
    "weights_standardize": [{"sample_weight": weights, "standardize": True}],
    "factors": [{"penalty_factor": RESCALED}],
    "factors_standardize": [{"penalty_factor": RESCALED, "standardize": True}],
    "bounds": [{"lower_bounds": lower, "upper_bounds": upper}],
    "bounds_standardize": [{"lower_bounds": lower, "upper_bounds": upper, "standardize": True}],
    "enet": enet(0.4, y.std()),
    "enet_standardize": [{**one, "standardize": True} for one in enet(0.4, y.std())],
    "enet_family": enet(0.4, 1.0),
    "no_intercept": [{"fit_intercept": False}],
    "no_intercept_standardize": [{"fit_intercept": False, "standardize": True}],
}


@pytest.mark.parametrize("storage", [np.asfortranarray, sparse.csr_matrix])
@pytest.mark.parametrize("name", CASES)
def test_fitted_values_are_those_of_glmnet(name, storage):
    ours = [
        fit_path(storage(X), y, **{"alphas": alphas, **one}).predict(X, alpha).ravel()
        for one in CASES[name]
        for alpha in one.get("alphas", alphas)
    ]
    theirs = np.array(THEIRS["fits"][name]).T
    assert len(ours) == len(theirs)
    assert_allclose(ours, theirs, rtol=0, atol=1e-7 * np.abs(theirs).max())


FAMILIES = {"binomial": ("logistic", binary), "multinomial": ("multinomial", classes), "poisson": ("poisson", counts)}
KINDS = {
    "plain": {},
    "weights": {"sample_weight": weights},
    "factors": {"penalty_factor": RESCALED},
    "bounds": {"lower_bounds": lower, "upper_bounds": upper},
    "enet": {"l1_ratio": 0.4},
    "ridge": {"l1_ratio": 0.0},
    "no_intercept": {"fit_intercept": False},
    "offset": {"offset": offset},
}
FAMILY_CASES = {
    f"{family}_{kind}{'_standardize' * standardize}": (loss, response, {**modifiers, "standardize": standardize})
    for family, (loss, response) in FAMILIES.items()
    for kind, modifiers in KINDS.items()
    for standardize in (False, True)
    if (family, kind) != ("multinomial", "offset")
}


@pytest.mark.parametrize("storage", [np.asfortranarray, sparse.csr_matrix])
@pytest.mark.parametrize("name", FAMILY_CASES)
def test_linear_predictors_are_those_of_glmnet(name, storage):
    loss, response, modifiers = FAMILY_CASES[name]
    path = fit_path(storage(X), response, loss=loss, alphas=small, tol=1e-13, **modifiers)
    theirs = np.array(THEIRS["fits"][name])
    shift = offset[: len(theirs)] if "offset" in modifiers else None
    ours = path.decision_function(X[: len(theirs)], offset=shift)
    if loss == "multinomial":  # what all classes have in common is not determined
        ours = (ours - ours.mean(axis=-1, keepdims=True)).reshape(theirs.shape)
    assert_allclose(ours, theirs, rtol=0, atol=1e-6 * np.abs(theirs).max())


def test_every_fit_of_glmnet_is_compared():
    assert {*CASES, *FAMILY_CASES} == set(THEIRS["fits"])
