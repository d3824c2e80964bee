"""Whole fits agree to rounding at every instruction set of the machine; the kernels alone are in test_kernels.py."""

import os
import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose

SCRIPT = """
import sys
import numpy as np
from scipy import sparse
from fastreg import GramAccumulator, LassoCV, fit_path, ridge_path
from fastreg.kernels import panels

rng = np.random.default_rng(0)
X = rng.normal(size=(131, 203)) * (rng.random((131, 203)) < 0.7)
z = X[:, :5] @ [1.5, -1, 1, 0.5, -0.5]
y = z + rng.normal(size=131)
storages = {"C": X, "F": np.asfortranarray(X), "float32": X.astype("f4"), "csc": sparse.csc_array(X)}
storages |= {"strided": np.repeat(X, 2, axis=1)[:, ::2], "csr": sparse.csr_array(X)}
responses = {
    "squared": y, "logistic": y > 0, "multinomial": np.digitize(y, [-1, 1]), "poisson": rng.poisson(np.exp(z / 2)),
    "huber": y, "squared_hinge": y > 0,
}
found = {}
for storage, A in storages.items():
    for loss, response in responses.items():
        if storage in ("C", "csc") or loss in ("squared", "logistic"):
            path = fit_path(A, response, loss=loss, l1_ratio=0.8, alphas=5, eps=0.1, tol=1e-14)
            classes = path.coefs if loss == "multinomial" else [path.coefs]
            found[f"{loss} {storage}"] = np.concatenate([coefs.toarray() for coefs in classes])
    found[f"ridge {storage}"] = ridge_path(A, y, alphas=[10.0, 1.0, 0.1]).coefs.toarray()
total = GramAccumulator()
total.add(X[:, :40], y)
found["sums"] = total.fit_path(alphas=5, eps=0.1).coefs.toarray()
found["search"] = LassoCV(cv=3, alphas=5).fit(X, y).coef_
np.savez(sys.argv[1], **found)
print(panels.simd_level)
"""


def fits(level, folder):
    """{name: coefficients} at this instruction set, or None where the machine lacks it."""
    file = folder / f"{level}.npz"
    environment = {**os.environ, "FASTREG_SIMD": level, "PYTHONWARNINGS": "ignore"}
    run = subprocess.run([sys.executable, "-c", SCRIPT, file], capture_output=True, text=True, env=environment)
    if "this machine must have it" in run.stderr:
        return None
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == level
    with np.load(file) as data:
        return dict(data)


@pytest.fixture(scope="module")
def baseline(tmp_path_factory):
    return fits("baseline", tmp_path_factory.mktemp("baseline"))


@pytest.mark.parametrize("level", ["avx2", "avx512"])
def test_whole_fits_agree(level, baseline, tmp_path):
    found = fits(level, tmp_path)
    if found is None:
        pytest.skip(f"no {level} here")
    assert found.keys() == baseline.keys()
    for name, expected in baseline.items():
        assert np.abs(expected).max() > 0.01, name
        rounding = 1e-7 if name.startswith("multinomial") else 1e-9  # class by class: not solved beyond its tolerance
        assert_allclose(found[name], expected, rtol=0, atol=rounding * np.abs(expected).max(), err_msg=name)
