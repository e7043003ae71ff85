"""Descriptions that several docstrings share, written once in each package."""

import inspect
from collections.abc import Callable, Mapping
from typing import TypeVar

Documented = TypeVar("Documented")


def shared(texts: Mapping[str, str]) -> Callable[[Documented], Documented]:
    """Return a decorator that puts shared descriptions into the docstring of a function or class.

    Parameters
    ----------
    texts : dict of str to str
        The text that replaces each ``{name}`` on a line of its own.
    """

    def decorate(documented: Documented) -> Documented:
        doc = inspect.cleandoc(documented.__doc__ or "")
        for name, text in texts.items():
            doc = doc.replace("{" + name + "}", text.strip("\n"))
        documented.__doc__ = doc
        return documented

    return decorate
