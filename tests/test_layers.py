"""Imports go one way: models, selection, report -> path -> result -> validation, solve -> design -> kernels."""

import ast
import re
from pathlib import Path

import pytest

import fastreg

ROOT = Path(fastreg.__file__).parent

KERNELS = {"kernels"}
DESIGN = KERNELS | {"design"}
SOLVE = DESIGN | {"solve"}
PATH = SOLVE | {"validation", "loss", "result", "path"}

# What each room may import, itself aside.
MAY_IMPORT = {
    "_types": set(),
    "kernels": set(),
    "design": KERNELS,
    "solve": DESIGN,
    "validation": set(),
    "loss": {"validation"},
    "result": SOLVE | {"validation", "loss"},
    "path": SOLVE | {"validation", "loss", "result"},
    "accumulator": PATH,
    "composite": SOLVE | {"validation"},
    "ridge_trace": SOLVE | {"validation", "result"},
    "dask": {"accumulator"},
    "models": PATH | {"selection", "accumulator"},
    "selection": PATH,
    "report": PATH | {"models", "selection", "accumulator"},
    "__main__": {"report"},
    "__init__": set(),
}

# On demand only, or for types only: the plot method of a result.
ON_DEMAND = {"result": {"report", "selection"}, "models": {"report"}, "selection": {"report"}}

SHARED_DECLARATIONS = re.compile(r"\s*(from\s+(\.(?!\.)|fastreg\.kernels)\S*\s+cimport|cimport\s+fastreg\.kernels)\b")

SOURCES = sorted(ROOT.rglob("*.py"))
CYTHON = sorted([*ROOT.rglob("*.pyx"), *ROOT.rglob("*.pxd")])


def room_of(file):
    parts = file.relative_to(ROOT).parts
    return parts[0] if len(parts) > 1 else file.stem


def package_of(file):
    return ".".join(["fastreg", *file.relative_to(ROOT).parent.parts])


def imported_rooms(statement, package):
    """Rooms of fastreg that an import statement in a module of this package names."""
    if isinstance(statement, ast.Import):
        modules = [alias.name for alias in statement.names]
    elif isinstance(statement, ast.ImportFrom):
        above = package.split(".")[: -statement.level + 1 or None] if statement.level else []
        origin = ".".join([*above, *filter(None, [statement.module])])
        if origin == "fastreg":
            modules = [f"fastreg.{alias.name}" for alias in statement.names if alias.name != "__version__"]
        else:
            modules = [origin]
    else:
        return set()
    return {module.split(".")[1] for module in modules if module.startswith("fastreg.")}


def for_types_alone(node):
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def deferred_in(tree):
    """The ids of all nodes that do not run when the module is loaded."""
    later = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
    return {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, later) or for_types_alone(node)
        for inner in ast.walk(node)
    }


def imports(tree, package):
    """(room, whether the import runs when the module is loaded) of each import in a module of this package."""
    deferred = deferred_in(tree)
    for node in ast.walk(tree):
        for room in imported_rooms(node, package):
            yield room, id(node) not in deferred


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: str(file.relative_to(ROOT)))
def test_imports_go_one_way(file):
    room = room_of(file)
    assert room in MAY_IMPORT, f"{room} has no place in the plan of the rooms"
    for other, at_load in imports(ast.parse(file.read_text()), package_of(file)):
        allowed = {room} | MAY_IMPORT[room] | (set() if at_load else {"_types"} | ON_DEMAND.get(room, set()))
        assert other in allowed, f"{room} imports {other}"


@pytest.mark.parametrize("file", CYTHON, ids=lambda file: str(file.relative_to(ROOT)))
def test_kernels_share_declarations_and_nothing_else(file):
    assert room_of(file) == "kernels"
    for line in file.read_text().splitlines():
        words = line.split()
        if words[:1] not in (["from"], ["import"], ["cimport"]) or len(words) < 2:
            continue
        ours = words[1].startswith((".", "fastreg"))
        assert not ours or SHARED_DECLARATIONS.match(line), line


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: str(file.relative_to(ROOT)))
def test_heavy_packages_are_loaded_where_they_belong(file):
    room = room_of(file)
    heavy = {"sklearn", "pandas", "polars", "matplotlib", "pyarrow"} - (
        {"sklearn"} if room in {"models", "selection"} else set()
    )
    tree = ast.parse(file.read_text())
    deferred = deferred_in(tree)
    for node in ast.walk(tree):
        if id(node) in deferred or not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
        assert not heavy & {name.split(".")[0] for name in names}, f"{room} loads {names} at import"


def test_the_check_sees_a_wrong_arrow():
    source = """
import fastreg.models
from ..design.dense import Dense
from .rounds import run
from .. import report
def f():
    from fastreg import path, __version__
if TYPE_CHECKING:
    from fastreg._types import Floats
"""
    found = sorted(imports(ast.parse(source), "fastreg.solve"))
    assert found == [
        ("_types", False),
        ("design", True),
        ("models", True),
        ("path", False),
        ("report", True),
        ("solve", True),
    ]
