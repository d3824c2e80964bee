"""Annotations: all public names have them, stubs agree with the compiled modules, and users' programs type-check."""

import ast
import importlib
import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest

import fastreg
from fastreg import _types, kernels

KERNELS = Path(kernels.__file__).parent
STUBS = sorted(KERNELS.glob("*.pyi"))


def public(holder):
    """Functions, classes and data of a module or class, by name, without what it imports."""
    return {
        name: value for name, value in vars(holder).items() if not name.startswith("_") and not inspect.ismodule(value)
    }


def callables():
    """(name, function) of all that users call: functions, constructors, methods and properties."""
    for name in fastreg.__all__:
        value = getattr(fastreg, name)
        if inspect.isfunction(value):
            yield name, value
        elif inspect.isclass(value) and value.__module__.startswith("fastreg"):
            yield f"{name}.__init__", value.__init__
            for part, member in inspect.getmembers(value):
                member = member.fget if isinstance(member, property) else member
                ours = inspect.isfunction(member) and str(member.__module__).startswith("fastreg")
                if ours and not part.startswith("_"):
                    yield f"{name}.{part}", member


def test_public_signatures_are_annotated():
    bare = []
    for name, function in callables():
        signature = inspect.signature(function)
        bare += [
            f"{name}: {p.name}" for p in signature.parameters.values() if p.name != "self" and p.annotation is p.empty
        ]
        if signature.return_annotation is signature.empty:
            bare.append(f"{name}: what it returns")
    assert bare == []


@pytest.mark.parametrize(
    ("function", "options"),
    [(fastreg.fit_path, _types.PathOptions), (fastreg.ridge_path, _types.RidgeOptions)],
    ids=["fit_path", "ridge_path"],
)
def test_options_of_overloads_are_those_of_the_function(function, options):
    keywords = {
        name: parameter.annotation
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }
    tree = ast.parse(Path(_types.__file__).read_text())
    (fields,) = [node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == options.__name__]
    written = {f.target.id: ast.unparse(f.annotation) for f in fields if isinstance(f, ast.AnnAssign)}
    assert list(written.items()) == [(name, ast.unparse(ast.parse(text))) for name, text in keywords.items()]


def test_every_compiled_module_has_a_stub():
    compiled = {path.name.partition(".")[0] for path in KERNELS.iterdir() if path.suffix in (".so", ".pyd")}
    assert compiled == {path.stem for path in STUBS}


@pytest.mark.parametrize("stub", STUBS, ids=lambda path: path.stem)
def test_stubs_have_the_names_and_parameters_of_compiled_modules(stub):
    module = importlib.import_module(f"fastreg.kernels.{stub.stem}")
    compare(ast.parse(stub.read_text()).body, module)


def compare(statements, holder):
    statements = [node for node in statements if not isinstance(node, ast.Import | ast.ImportFrom | ast.Expr)]
    named = {}
    for node in statements:
        name = node.target.id if isinstance(node, ast.AnnAssign) else node.name
        named[name] = node
    assert {name for name in named if name != "__init__"} == set(public(holder))
    for name, node in named.items():
        value = getattr(holder, name)
        if isinstance(node, ast.ClassDef):
            assert [ast.unparse(base) for base in node.bases] == [
                base.__name__ for base in value.__bases__ if base is not object
            ]
            compare(node.body, value)
        elif isinstance(node, ast.FunctionDef) and name != "__init__" and not node.decorator_list:
            assert [argument.arg for argument in node.args.args] == list(inspect.signature(value).parameters), name


PROGRAM = """
from typing import Any, assert_type

import numpy as np
from numpy.typing import NDArray

import fastreg
from fastreg import ElasticNetCV, GramAccumulator, Lasso, LassoCV, LogisticRegression, Problem, RegularizationPath
from fastreg import Ridge, RidgeCV, fit_path, fit_paths, minimize_path, ridge_path

Floats = NDArray[np.float64]
rng = np.random.default_rng(0)
X = rng.standard_normal((50, 4))
y = X @ [1.0, 2.0, 0.0, 0.0] + rng.standard_normal(50)
Y = np.zeros((50, 2))

path = fit_path(X, y, alphas=5, l1_ratio=0.5)
assert_type(path, RegularizationPath)
assert_type(path.alphas, Floats)
path.coefs.toarray(), path.coefs[:, [0]]
assert_type(path.predict(X), NDArray[Any])
assert_type(path.coef_at(0.1)[0], Floats)
assert_type(path.select("ebic"), float)
assert_type(path.relax(), RegularizationPath)
assert_type(fit_path([[1.0], [2.0]], [1.0, 2.0]), RegularizationPath)
assert_type(fit_path(X, Y), list[RegularizationPath])
assert_type(fit_paths(X, [Problem(y, l1_ratio=0.1), Problem(Y)]), list[RegularizationPath])
assert_type(ridge_path(X, y, [1.0, 0.1]).df, Floats)

model = Lasso(alpha=0.1).fit(X, y)
assert_type(model, Lasso)
assert_type(model.coef_, NDArray[np.floating[Any]])
assert_type(model.dual_gap_, float | Floats)
assert_type(model.alpha, float)
assert_type(LassoCV(cv=10, relax=[0, 0.5, 1]).fit(X, y).alpha_, float)
assert_type(ElasticNetCV().fit(X, y).path_, RegularizationPath)
assert_type(Ridge(alpha=[1.0]).fit(X, y).predict(X), NDArray[np.floating[Any]])
assert_type(RidgeCV(alphas=np.logspace(-3, 3, 50), cv="gcv").fit(X, y).n_features_in_, int)
assert_type(LogisticRegression(C=1.0).fit(X, y > 0).predict_proba(X), Floats)
assert_type(GramAccumulator().add(X, y).merge(GramAccumulator()), GramAccumulator)
trace = minimize_path(lambda w: (w @ w - w.sum(), 2 * w - 1), np.zeros(3), 2)
assert_type(trace.n_nonzero, NDArray[np.signedinteger[Any]])
assert_type(fastreg.__version__, str)

fit_path(X, y, loss="logstic")  # type: ignore[call-overload]
Lasso(alpha="1")  # type: ignore[arg-type]
Lasso(0.1, False)  # type: ignore[call-arg]
LassoCV(selection_rule="2se")  # type: ignore[arg-type]
fastreg.Lassso  # type: ignore[attr-defined]
"""


def test_a_strict_program_type_checks(tmp_path):
    pytest.importorskip("mypy")
    (tmp_path / "program.py").write_text(PROGRAM)
    home = str(Path(fastreg.__file__).parents[1])
    found = {} if "site-packages" in home else {"MYPYPATH": home}  # mypy does not see editable installations
    command = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "--config-file="]
    command += ["--disable-error-code=import-untyped"] if found else []  # scikit-learn's; silent in site-packages
    run = subprocess.run([*command, "program.py"], cwd=tmp_path, env=os.environ | found, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_program_runs():
    lines = PROGRAM.splitlines()
    kept = [line for line in lines if "type: ignore" not in line]
    exec(compile("\n".join(kept), "program", "exec"), {})
