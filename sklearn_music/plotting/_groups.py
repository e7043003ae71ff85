"""The groups that tracks are in: clusters, and labels."""

import numpy as np
import pandas as pd
from sklearn.utils import column_or_1d

MISSING = "missing"


def number_groups(groups):
    """Return the number of each track's group, the groups' names, and whether any is missing.

    Groups are sorted, numbers as numbers; tracks without a group are the last one.
    """
    groups = column_or_1d(np.asarray(groups, dtype=object))
    numbers, names = pd.factorize(groups, sort=True)
    names = [str(name) for name in names]
    any_missing = bool((numbers < 0).any())
    if any_missing:
        numbers = np.where(numbers < 0, len(names), numbers)
        # There may be a label of this name.
        names.append(f"({MISSING})" if MISSING in names else MISSING)
    return numbers, names, any_missing
