"""Descriptions of parameters that several public objects share, written once."""

import inspect
import re
import textwrap
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T", bound=Callable)

PIPELINE = {
    "n_clusters": """
n_clusters : int, default=8
    Number of clusters.
""",
    "course_project": """
course_project : bool, default=False
    Whether to take the course project's settings: spectrograms of 128 bands x 640 frames
    (14.8 s at 22,050 Hz, windows of 2,048 samples, 512 apart) and 128 components, in place
    of 64 bands x 323 frames (30 s, 2,048 apart) and 16 components.
""",
    "extraction": """
duration : float, default=None
    How much of each track is used, in seconds from its start. Longer tracks are cropped,
    shorter ones are padded with silence, which a TrackVAE leaves out and the other embedders
    see. None is 30 s, or the course project's 14.8 s.
fmax : float, "common" or None, default="common"
    The highest frequency that is used, in Hz. ``"common"`` is the highest one that all files
    hold, so that a file of a low sample rate or bitrate is compared by what it has in
    common with the others; None is half of the sample rate.
on_error : {"nan", "raise"}, default="nan"
    What happens to a file that can't be read. ``"nan"``: its track is missing, `failures_` of
    the fitted pipeline says why, and the others get their clusters. ``"raise"``: an error.
memory : str, path or joblib.Memory, default=None
    Where the spectrograms are kept, so that a second run does not decode the files again.
n_jobs : int, default=None
    Number of files that are decoded at a time.
verbose : int, default=0
    Shows the progress of the extraction and of the training where not 0.
""",
    "random_state": """
random_state : int, RandomState instance or None, default=None
    Determines every random step.
""",
    "pipeline": """
pipeline : TrackPipeline
    Not fitted. `fit_predict` of a table of tracks gives the label of each, -1 for a track of
    which nothing is known.
""",
}


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
