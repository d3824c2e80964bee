"""The code in the README, in docs/, in examples/ and in docstrings runs, and the site has a place for all of it."""

import doctest
import inspect
import re
import runpy
import shlex
from pathlib import Path

import pytest

import fastreg

ROOT = Path(__file__).parents[1]
PAGES = [page for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))) if page.exists()]
EXAMPLES = sorted((ROOT / "examples").glob("plot_*.py"))
WITHOUT_CODE = {"index.md", "development.md"}  # the second shows CONTRIBUTING.md
FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", flags=re.M | re.S)
PUBLIC = sorted(set(fastreg.__all__) - {"__version__", "ConvergenceWarning"})

in_the_tree = pytest.mark.skipif(not PAGES, reason="the pages stay in the source tree")


def blocks_of(page):
    """[(language, code)] of the fenced blocks of a page, directives aside."""
    blocks = FENCE.findall(page.read_text(encoding="utf-8"))
    return [(language, code) for language, code in blocks if not language.startswith("{")]


@in_the_tree
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_code_of_a_page_runs(page, tmp_path, monkeypatch, capsys):
    """Python is executed, and so are commands of fastreg, save those of the README, whose files do not exist."""
    pytest.importorskip("matplotlib").use("Agg")
    from fastreg.report.cli import main

    monkeypatch.chdir(tmp_path)
    blocks = blocks_of(page)
    assert bool(blocks) == (page.name not in WITHOUT_CODE)
    names, images = {}, []
    for language, code in blocks:
        if language == "python":
            exec(compile(code, f"{page.name}:{code.splitlines()[0]}", "exec"), names)  # noqa: S102
            images += re.findall(r'savefig\("(\w+\.png)"', code)
        elif page.name != "README.md":
            assert language == "sh"
            for line in code.splitlines():
                if line.startswith("fastreg "):
                    assert main(shlex.split(line, comments=True)[1:]) == 0, capsys.readouterr().err
                    images += re.findall(r"--plot (\w+\.png)", line)
                else:  # a command that .ci/run runs
                    assert line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    for image in images:
        assert (tmp_path / image).stat().st_size > 10_000


def the_textbook_is_repeated(names):
    fits = names["textbook"].values()
    assert [f"{fit['test error']:.6f}" for fit in fits] == ["0.040118", "0.105428", "0.093863"]
    assert all(path.success.all() for path in names["paths"].values())


def the_corner_is_met(names):
    """At one loss, L1 has a zero and the others have none; each solution has the least penalty on its contour."""
    solutions, loss = names["solutions"], names["loss"]
    assert [(w != 0).sum() for w in solutions.values()] == [1, 2, 2]
    grid, surface = names["grid"], names["surface"]
    inside = surface <= loss(names["best"]) + names["GIVEN_UP"]
    for (name, w), l1_ratio in zip(solutions.items(), names["PENALTIES"].values(), strict=True):
        assert names["penalty"](grid[:, inside], l1_ratio).min() > 0.999 * names["penalty"](w, l1_ratio), name


def most_is_decided(names):
    undecided = {kind: [len(one.undecided) for one in found] for kind, found in names["found"].items()}
    assert sum(undecided["exact"]) <= 3 < max(undecided["coarse"])


def shuffled_features_do_not_come_back(names):
    assert set(names["X"].columns[names["stable"].get_support()]) == {"bmi", "bp", "s3", "s5"}


CLAIMS = {
    "plot_network_weights": the_textbook_is_repeated,
    "plot_constraint_regions": the_corner_is_met,
    "plot_certificates": most_is_decided,
    "plot_stability": shuffled_features_do_not_come_back,
}


@in_the_tree
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.stem)
def test_an_example_runs_and_shows_what_it_says(example, monkeypatch, capsys):
    plt = pytest.importorskip("matplotlib.pyplot")
    plt.switch_backend("Agg")
    monkeypatch.setattr(plt, "show", lambda: None)
    names = runpy.run_path(str(example))
    drawn = plt.get_fignums()
    plt.close("all")
    assert drawn
    CLAIMS.get(example.stem, lambda names: None)(names)


@in_the_tree
def test_examples_take_their_data_from_scikit_learn():
    assert {*CLAIMS} <= {example.stem for example in EXAMPLES}
    for example in EXAMPLES:
        code = example.read_text(encoding="utf-8")
        assert not re.search(r"fetch_|read_csv|urlopen|open\(|loadtxt", code), example.name


@pytest.mark.parametrize("name", PUBLIC)
def test_the_examples_of_a_docstring_run(name):
    target = getattr(fastreg, name)
    found = doctest.DocTestFinder(recurse=False).find(target, name)
    methods = inspect.getmembers(target, inspect.isfunction) if inspect.isclass(target) else []
    for method, function in methods:
        if function.__module__.startswith("fastreg"):
            found += doctest.DocTestFinder(recurse=False).find(function, f"{name}.{method}", module=False)
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    results = [runner.run(one) for one in found if one.examples]
    assert sum(result.failed for result in results) == 0
    assert results or not inspect.isclass(target) or name in {"Problem", "RegularizationPath"}


@in_the_tree
def test_every_public_name_has_a_place_in_the_reference():
    lists = "".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs" / "api").glob("*.rst"))
    listed = re.findall(r"^   ([\w.]+)$", lists, flags=re.M)
    assert {*fastreg.__all__} - {"__version__"} <= {*listed}
    assert len(listed) == len({*listed})


@in_the_tree
def test_every_page_is_reached_from_the_first():
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    entries = {line for tree in re.findall(r"```\{toctree\}\n(.*?)```", index, flags=re.S) for line in tree.split()}
    assert {page.stem for page in PAGES} - {"README", "index"} <= entries
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES[1:])
    links = re.findall(r"\]\(([\w./-]+\.(?:md|rst|py))", text)
    for link in links:
        source = ROOT / "examples" / Path(link).with_suffix(".py").name  # a page of the gallery is made from it
        assert (ROOT / "docs" / link).exists() or source.exists() or link == "gallery/index.rst", link
