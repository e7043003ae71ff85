"""Descriptions of parameters that several public objects share, written once."""

import inspect
import re
import textwrap
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T", bound=Callable)


def shared(texts: dict[str, str]) -> Callable[[T], T]:
    """Return a decorator that puts shared descriptions into the docstring of a function or class.

    Parameters
    ----------
    texts : dict of str to str
        What takes the place of each ``{name}`` that is a line of its own, at its indentation.
    """

    def decorate(item: T) -> T:
        doc = inspect.cleandoc(item.__doc__ or "")

        def replace(match: re.Match[str]) -> str:
            return textwrap.indent(texts[match[2]].strip("\n"), match[1])

        names = "|".join(map(re.escape, texts))
        item.__doc__ = re.sub(rf"^( *)\{{({names})\}}$", replace, doc, flags=re.MULTILINE)
        return item

    return decorate
