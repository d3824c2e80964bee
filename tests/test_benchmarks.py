"""Every benchmark runs, on problems of a handful of rows; the comparison with peers measures what it says."""

import importlib
import inspect
import itertools
import sys
from pathlib import Path

import numpy as np
import pytest
import reference
from numpy.testing import assert_allclose
from scipy import sparse

from fastreg import fit_path

FOLDER = Path(__file__).parents[1] / "benchmarks"
TINY = {"text": (60, 80, 5), "few texts": (40, 60, 5), "tall": (90, 12, 3), "curves": (20, 30, 2)}

pytestmark = pytest.mark.skipif(not FOLDER.exists(), reason="the benchmarks stay in the source tree")


@pytest.fixture
def bench(monkeypatch):
    """A module of the benchmarks by its name, all problems tiny."""
    monkeypatch.syspath_prepend(FOLDER)
    problems = importlib.import_module("bench.problems")
    monkeypatch.setattr(problems, "SIZES", {name: TINY.get(name, (24, 30, 3)) for name in problems.SIZES})
    problems.make.cache_clear()
    yield importlib.import_module
    problems.make.cache_clear()
    for name in [name for name in sys.modules if name.split(".")[0] in ("bench", "compare", "peers")]:
        monkeypatch.delitem(sys.modules, name)


@pytest.mark.parametrize("suite", ["kernels", "models", "paths"])
def test_every_benchmark_runs(suite, bench, monkeypatch):
    module = bench(f"bench.{suite}")
    if suite == "kernels":
        monkeypatch.setattr(module, "SHAPES", dict.fromkeys(module.SHAPES, (30, 20)))
        monkeypatch.setattr(module, "FEATURES", dict.fromkeys(module.FEATURES, 9))
        monkeypatch.setattr(module, "ROWS", 50)
    ran = 0
    for name, suite_class in inspect.getmembers(module, inspect.isclass):
        methods = [method for method in dir(suite_class) if method.startswith(("time_", "peakmem_", "track_"))]
        if inspect.isabstract(suite_class) or not methods:
            continue
        params = getattr(suite_class, "params", [])
        assert len(params) == len(getattr(suite_class, "param_names", []))
        for i, parameters in enumerate(itertools.product(*params)):
            instance = suite_class()
            instance.setup(*parameters)
            few = methods if i == 0 else [method for method in methods if method == "track_gap"] or methods[-1:]
            for method in filter(None, (getattr(instance, method) for method in few)):
                result = method(*parameters)
                if method.__name__ == "track_gap" and not parameters[0].startswith("Stability"):
                    assert -1e-16 <= result < 1e-9, (name, parameters)
                elif method.__name__.startswith("track_"):
                    assert method.unit and isinstance(result, int | float)
                ran += 1
    assert ran > 10


def test_imports_are_statements(bench):
    startup = bench("bench.startup")
    for _, function in inspect.getmembers(startup, inspect.isfunction):
        exec(function(), {})  # noqa: S102


@pytest.fixture
def compare(bench):
    return bench("compare")


def spoilt(path, k):
    """Coefficients that are not optimal, and how far they are from those that are."""
    coef = path.coefs[:, [k]].toarray()
    coef[np.argmax(np.abs(coef))] *= 0.8
    return coef


@pytest.mark.parametrize("intercept", [False, True])
def test_measured_gaps_of_least_squares(intercept, compare):
    X, y = compare.problems.gaussian(40, 60, 4)
    case = compare.Case(X, y, np.array([0.3, 0.1]), intercept=intercept)
    path = fit_path(X, y, alphas=case.alphas, fit_intercept=intercept)
    primal, dual, null = compare.values(case, path.coefs, [0, 1])
    assert_allclose(null, path.null_objective)
    assert np.all(np.abs(primal - dual) < 1e-13 * null)
    bad = spoilt(path, 1)
    (worse,), (bound,), _ = compare.values(case, bad, [1])
    best = y.mean() - X.mean(axis=0) @ bad[:, 0] if intercept else 0.0
    assert_allclose(worse - bound, reference.gap(X, y, bad[:, 0], best, 0.1, fit_intercept=intercept))
    assert worse - bound > worse - primal[1] > 1e-3 * null


@pytest.mark.parametrize("loss", ["logistic", "poisson"])
@pytest.mark.parametrize("intercept", [False, True])
def test_measured_gaps_of_other_losses(loss, intercept, compare):
    case = compare.path_case(compare.problems.gaussian(50, 30, 4), 5, 0.1, loss, intercept=intercept)
    options = {"loss": loss, "alphas": case.alphas, "fit_intercept": intercept}
    path = fit_path(case.X, case.y, **options)
    primal, dual, null = compare.values(case, path.coefs, range(5))
    assert_allclose(null, path.null_objective)
    assert_allclose(primal - dual, path.dual_gaps, rtol=1e-6, atol=1e-12 * null)
    rough = fit_path(case.X, case.y, **options, tol=1e-3)
    primal, dual, null = compare.values(case, rough.coefs, range(5))
    assert_allclose(primal - dual, rough.dual_gaps, rtol=1e-6, atol=1e-12 * null)
    (worse,), (bound,), _ = compare.values(case, spoilt(path, 4), [4])
    assert worse - bound > 1e-4 * null


def test_measured_gaps_of_ridge(compare):
    X, y = compare.problems.gaussian(30, 50, 4)
    case = compare.ridge_case((X, y), [2.0])
    coefs, which = compare.peers.solve("numpy", case, 0.0)
    (primal,), (dual,), null = compare.values(case, coefs, which)
    assert abs(primal - dual) < 1e-14 * null
    (primal,), (dual,), _ = compare.values(case, 0.9 * coefs, which)
    assert primal - dual > 1e-5 * null


def test_the_comparison_writes_its_table(compare, bench, monkeypatch, tmp_path, capsys):
    case = compare.path_case(bench("bench.problems").words(40, 50, 5), 5, 0.1)
    assert sparse.issparse(case.X)
    monkeypatch.setattr(compare, "CASES", {"tiny": lambda: case})
    page = tmp_path / "page.md"
    page.write_text(f"before\n{compare.BEGIN}\nold\n{compare.END}\nafter\n")
    compare.main(["tiny", "--tools", "scikit-learn", "--rounds", "1", "--write", str(page)])
    before, table, after = page.read_text().replace(compare.END, compare.BEGIN).split(compare.BEGIN)
    assert (before, after) == ("before\n", "\nafter\n")
    assert table.strip() == capsys.readouterr().out.strip()
    head, _, row, *_ = table.strip().splitlines()
    cells = dict(zip(head.split(" | "), row.split(" | "), strict=True))
    assert row.startswith("| tiny | 40 x 50 |")
    assert cells["fastest peer"] == "scikit-learn"
    assert float(cells["its gap"]) < 1e-10
    assert "scikit-learn 1." in table and "Medians of 1 rounds" in table


def test_a_page_without_marks_is_left_alone(compare, tmp_path):
    for text in ("", compare.BEGIN, f"{compare.END}\n{compare.BEGIN}", f"{compare.BEGIN}{compare.BEGIN}{compare.END}"):
        page = tmp_path / "page.md"
        page.write_text(text)
        with pytest.raises(SystemExit, match="once each"):
            compare.main(["wide", "--write", str(page)])
        assert page.read_text() == text


def test_a_peer_that_is_not_exact_enough_is_left_out(compare):
    case = compare.path_case(compare.problems.gaussian(20, 30, 3), 4, 0.1)
    path = fit_path(case.X, case.y, alphas=case.alphas, fit_intercept=False)

    class Liar:
        limit = 1.0

        def solve(self, tol):
            return 0.01, spoilt(path, 3) if tol > 1e-4 else path.coefs[:, [3]], [3]

    bound = np.full(4, -np.inf)
    bound[:] = compare.values(case, path.coefs, range(4))[1]
    assert compare.climb(case, Liar(), [1e-3], bound, 1.0).startswith("error")
    row = compare.climb(case, Liar(), [1e-3, 1e-5], bound, 1.0)
    assert row.tol == 1e-5 and row.error < 1e-12
