"""What each file imports: public names of other packages only, in one direction, and no more
than is needed.
"""

import ast
import graphlib
import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
from sklearn.base import BaseEstimator

import sklearn_music

ROOT = Path(sklearn_music.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
# A package may import from those of a lower number. The way of the data: see CONTRIBUTING.md.
LEVELS = {
    "": 0,  # the modules beside the packages
    "features": 1,
    "embedding": 2,
    "metrics": 3,
    "datasets": 4,
    "exploration": 4,
    "model_selection": 4,
    "pipelines": 4,
    "plotting": 5,
    "report": 6,
    "_cli": 7,
    "__main__": 8,
}
# Every package may import these.
SHARED = ("_device", "_docstrings", "_files", "_inspection", "_tables", "_typing", "exceptions")
# scikit-learn's way of checking the parameters of any estimator.
OF_SKLEARN = {"_parameter_constraints", *dir(BaseEstimator)}


class Import(NamedTuple):
    """One imported name: `from module import name as bound`, or `import module`."""

    module: str
    name: str | None
    bound: str
    line: int
    at_start: bool  # runs when the file is imported
    only_types: bool


def is_private(name):
    return name.startswith("_") and not name.endswith("__")


def module_of(path):
    """Return the dotted name of a file, with "." for the root of the library."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def package_of(module):
    """Return the package that a module is in: "" for the modules beside the packages."""
    first = module.partition(".")[0]
    return first if first in LEVELS or (ROOT / first).is_dir() else ""


MODULES = {module_of(path): path for path in FILES}


def is_type_checking(node):
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


@cache
def tree_of(path):
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def imports_of(path):
    """Return what a file imports from the library."""
    found = []
    folder = path.parent.relative_to(ROOT).parts

    def add(node, at_start, only_types):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.partition(".")[0] == "sklearn_music":
                    module = alias.name.partition(".")[2]
                    bound = alias.asname or alias.name
                    found.append(Import(module, None, bound, node.lineno, at_start, only_types))
            return
        if node.level:
            above = folder[: len(folder) - node.level + 1]
            module = ".".join([*above, *([node.module] if node.module else [])])
        elif (node.module or "").partition(".")[0] == "sklearn_music":
            module = node.module.partition(".")[2]
        else:
            return
        for alias in node.names:
            name, bound = alias.name, alias.asname or alias.name
            if (submodule := f"{module}.{name}".strip(".")) in MODULES:
                found.append(Import(submodule, None, bound, node.lineno, at_start, only_types))
            else:
                found.append(Import(module, name, bound, node.lineno, at_start, only_types))

    def visit(node, at_start, only_types):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            add(node, at_start, only_types)
        elif is_type_checking(node):
            for child in node.body:
                visit(child, False, True)
            for child in node.orelse:
                visit(child, at_start, only_types)
        else:
            is_function = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
            for child in ast.iter_child_nodes(node):
                visit(child, at_start and not is_function, only_types)

    visit(tree_of(path), True, False)
    return found


@cache
def private_names(package):
    """Return the names with an underscore that a package gives to functions and attributes."""
    names = set()
    for module, path in MODULES.items():
        if package_of(module) != package:
            continue
        for node in ast.walk(tree_of(path)):
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                names.add(node.name)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                names.add(node.id)
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                names.add(node.attr)
    return {name for name in names if is_private(name)}


def attributes_of(tree):
    """Yield each attribute with an underscore that is read: owner, name, line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr):
            yield ast.unparse(node.value), node.attr, node.lineno
        elif (
            isinstance(node, ast.Call)
            and ast.unparse(node.func) in ("getattr", "hasattr", "setattr")
            and isinstance(node.args[1], ast.Constant)
            and is_private(node.args[1].value)
        ):
            yield ast.unparse(node.args[0]), node.args[1].value, node.lineno


def ids(path):
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", FILES, ids=ids)
def test_other_packages_are_used_by_their_public_names(path):
    package = package_of(module_of(path))
    wrong = []
    foreign = {}
    for found in imports_of(path):
        if package_of(found.module) == package:
            continue
        foreign[found.bound] = found.module
        # __main__ is the command by another name.
        if found.module in SHARED or module_of(path) in ("", "__main__"):
            continue
        parts = [*found.module.split("."), *([found.name] if found.name else [])]
        if any(map(is_private, parts)):
            wrong.append(f"line {found.line}: imports {'.'.join(parts)}")
    own = private_names(package) | OF_SKLEARN
    others = {name for other in LEVELS if other != package for name in private_names(other)}
    for owner, name, line in attributes_of(tree_of(path)):
        if owner in foreign or (name in others and name not in own):
            wrong.append(f"line {line}: uses {owner}.{name}")
    assert not wrong, f"{ids(path)} uses private names of another package: {wrong}"


@pytest.mark.parametrize("path", FILES, ids=ids)
def test_imports_go_one_way(path):
    module = module_of(path)
    package = package_of(module)
    wrong = [
        f"line {found.line}: {package or module} imports {found.module}"
        for found in imports_of(path)
        if not found.only_types and module != ""
        if package_of(found.module) != package
        if LEVELS[package_of(found.module)] >= LEVELS[package]
    ]
    assert not wrong, f"{ids(path)} imports against the way of the data: {wrong}"


def test_no_import_circles():
    graph = {}
    for module, path in MODULES.items():
        # Python runs the packages above a module before the module.
        above = {"", *(module[:i] for i, letter in enumerate(module) if letter == ".")}
        needed = set()
        for found in imports_of(path):
            if found.at_start:
                parts = found.module.split(".")
                needed.update(".".join(parts[: i + 1]) for i in range(len(parts)))
        graph[module] = needed - above - {module}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        circle = " -> ".join(reversed(error.args[1]))
        pytest.fail(f"These modules import each other: {circle}")


def test_every_package_has_its_level():
    packages = {path.name for path in ROOT.iterdir() if (path / "__init__.py").exists()}
    assert packages <= LEVELS.keys()


HEAVY = ("bokeh", "librosa", "matplotlib", "numba", "skorch", "torch")
# With all of their modules but those that define a network.
LIGHT = (
    "exceptions",
    "features",
    "datasets",
    "metrics",
    "exploration",
    "pipelines",
    "plotting",
)


@pytest.fixture(scope="module")
def loaded():
    """What each of these steps loads that the steps before it did not, in one process."""
    modules = {
        name: [
            module
            for module in MODULES
            if module == name or module.startswith(f"{name}.")
            if not module.endswith("_network")
        ]
        for name in LIGHT
    }
    steps = {
        "sklearn_music": "import sklearn_music",
        **{
            name: "; ".join(f"import sklearn_music.{module}" for module in modules[name])
            for name in LIGHT
        },
        "SpectrogramExtractor": "sklearn_music.SpectrogramExtractor",
        "VAE": "sklearn_music.VAE",
    }
    program = (
        "import json, sys\n"
        "loaded, before = {}, set()\n"
        f"for name, step in {steps}.items():\n"
        "    exec(step)\n"
        f"    loaded[name] = sorted(sys.modules.keys() & set({HEAVY}) - before)\n"
        "    before |= set(loaded[name])\n"
        "print(json.dumps(loaded))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", ["sklearn_music", *LIGHT, "SpectrogramExtractor"])
def test_nothing_heavy_is_loaded(loaded, name):
    assert loaded[name] == []


def test_an_embedder_loads_torch(loaded):
    assert loaded["VAE"] == ["skorch", "torch"]


def test_names_of_the_library():
    assert set(sklearn_music.__all__) <= set(dir(sklearn_music))
    assert sklearn_music.VAE is sklearn_music.embedding.VAE
    assert sklearn_music.GenreEncoder is sklearn_music.features.GenreEncoder
    with pytest.raises(AttributeError, match="has no attribute 'PCA'"):
        _ = sklearn_music.PCA
