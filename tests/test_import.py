"""What `import fastreg` loads, and that the public names are all there."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import fastreg

HEAVY = ("sklearn", "matplotlib", "pandas", "polars", "joblib")


def loaded_after(code):
    """The heavy packages that a fresh interpreter has loaded after running this code."""
    report = f"; import sys; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code + report], capture_output=True, text=True, check=True)
    return run.stdout.split()


def test_import_is_light():
    assert loaded_after("import fastreg") == []
    assert loaded_after("import fastreg; dir(fastreg); fastreg.__version__") == []


def test_import_alone_does_not_load_numpy():
    code = "import sys; before = 'numpy' in sys.modules; import fastreg; assert before or 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_fit_path_needs_numpy_and_scipy_alone():
    code = (
        "import numpy as np, fastreg; X = np.eye(5); y = np.arange(5.0); p = fastreg.fit_path(X, y, alphas=3); "
        "p.summary(); p.predict(X); fastreg.lasso_path(X, y, alphas=3)"
    )
    assert loaded_after(code) == []


def test_models_load_scikit_learn():
    assert "sklearn" in loaded_after("from fastreg import Lasso")
    assert "matplotlib" not in loaded_after("from fastreg import Lasso")


def test_public_names():
    for name in fastreg.__all__:
        assert getattr(fastreg, name) is not None
        assert name in dir(fastreg)
    with pytest.raises(AttributeError, match="no attribute 'Lassso'"):
        _ = fastreg.Lassso
    with pytest.raises(ImportError):
        from fastreg import Lassso  # noqa: F401


def test_the_stub_names_what_the_module_has():
    tree = ast.parse(Path(fastreg.__file__).with_suffix(".pyi").read_text())
    imported = {
        alias.asname: f"{node.module}.{alias.name}"
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert imported == {name: f"{module}.{name}" for name, module in fastreg._HOME.items()}
    (listed,) = [node.value for node in tree.body if isinstance(node, ast.Assign)]
    assert ast.literal_eval(listed) == fastreg.__all__
