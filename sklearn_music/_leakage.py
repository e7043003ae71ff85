"""Label leakage: its threshold and its warning, for embedders and for scores."""

import warnings

from .exceptions import LabelLeakageWarning

# With a normalised mutual information above this, labels count as known to the model.
LEAKAGE_THRESHOLD = 0.5


def warn_of_leakage(leakage: float | None) -> None:
    """Warn if the condition of an encoder predicts the labels, by its mutual information."""
    if leakage is not None and leakage > LEAKAGE_THRESHOLD:
        warnings.warn(
            f"Label leakage: the encoder's condition predicts the labels y (normalised mutual "
            f"information {leakage:.2f}). Any score of its clusters against y measures this, not "
            "what the model found. Use encode_condition=False for a score that means something.",
            LabelLeakageWarning,
            stacklevel=4,
        )
