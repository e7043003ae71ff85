"""The groups of tracks: clusters, and labels."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils import column_or_1d

_MISSING = "missing"


def number_groups(groups: Any) -> tuple[NDArray[np.intp], list[str], bool]:
    """Return the number of each track's group, the groups' names, and whether any is missing.

    Groups are sorted, numbers as numbers. Tracks without a group are the last group.
    """
    numbers, values = pd.factorize(column_or_1d(np.asarray(groups, dtype=object)), sort=True)
    names = [str(value) for value in values]
    any_missing = bool((numbers < 0).any())
    if any_missing:
        numbers = np.where(numbers < 0, len(names), numbers)
        # There may be a label of this name.
        names.append(f"({_MISSING})" if _MISSING in names else _MISSING)
    return numbers, names, any_missing
