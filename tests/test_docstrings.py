"""Every public docstring, by numpydoc's rules."""

import inspect
import pkgutil
import re
from importlib import import_module

import pytest
from numpydoc.validate import validate

import sklearn_music

# What numpydoc asks for and we do not. scikit-learn leaves out the same.
IGNORED = {
    "GL01": "the summary stands right after the opening quotes, as ruff wants it",
    "GL02": "a docstring of one line has its quotes on that line",
    "RT02": "a returned value has a name too, so that its description can refer to it",
}
# What a member of a class does without.
OF_MEMBERS = {
    "ES01": "the class says the rest",
    "EX01": "the example of the class shows its methods",
    "SA01": "the other methods are on the same page",
}
# What a function does without.
OF_FUNCTIONS = {
    "ES01": "its parameters say the rest",
    "SA01": "few functions have relatives",
}
# What an exception does without: it is raised by others, which document that.
OF_EXCEPTIONS = {"ES01", "EX01", "SA01", "PR01"}
# What a class does without that is there to be inherited from.
OF_BASES = {"EX01", "SA01"}
BASES = {"BaseEmbedder"}
PACKAGES = ["", "features.encoders"]  # beside the modules of the package
# Documented by the comment above it, which Sphinx shows.
CONSTANTS = {"CLUSTERING_SCORERS"}


def public_objects():
    """Yield the name of each public class, function, method and property, and it."""
    modules = [module.name for module in pkgutil.iter_modules(sklearn_music.__path__)]
    seen = set()
    for module in [*PACKAGES, *modules]:
        if module.startswith("_"):
            continue
        module = f"sklearn_music.{module}".rstrip(".")
        for name in import_module(module).__all__:
            found = getattr(import_module(module), name)
            if name in CONSTANTS or found in seen:
                continue
            seen.add(found)
            yield f"{module}.{name}", found
            if inspect.isclass(found):
                for member, function in own_members(found):
                    if function not in seen:  # inherited ones are checked once
                        seen.add(function)
                        yield f"{module}.{name}.{member}", function


def own_members(cls):
    """Yield the public methods and properties that a class does not have from elsewhere."""
    for name, member in inspect.getmembers(cls):
        function = getattr(member, "fget", getattr(member, "__func__", member))
        if name.startswith("_") or not callable(function):
            continue
        if (getattr(function, "__module__", None) or "").startswith("sklearn_music."):
            yield name, function


def ignored_codes(name, found):
    if inspect.isclass(found):
        if issubclass(found, Exception):
            return OF_EXCEPTIONS
        return OF_BASES if found.__name__ in BASES else set()
    is_member = name.split(".")[-2][0].isupper()
    return OF_MEMBERS.keys() if is_member else OF_FUNCTIONS.keys()


OBJECTS = dict(public_objects())


@pytest.mark.parametrize("name", OBJECTS)
def test_docstring(name):
    ignored = IGNORED.keys() | ignored_codes(name, OBJECTS[name])
    wrong = [f"{code}: {text}" for code, text in validate(name)["errors"] if code not in ignored]
    assert not wrong, f"{name}: " + "; ".join(wrong)
    left = re.findall(r"^\s*\{\w+\}$", OBJECTS[name].__doc__, flags=re.MULTILINE)
    assert not left, f"{name}: no shared text is put in the place of {left}"
