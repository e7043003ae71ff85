"""The errors and warnings that are the library's own."""

import warnings

__all__ = [
    "AudioError",
    "AudioNotFoundError",
    "DivergenceError",
    "LabelLeakageWarning",
    "PosteriorCollapseWarning",
]


# The normalised mutual information above which we treat the labels as known to the model.
LEAKAGE_THRESHOLD = 0.5


class AudioError(OSError, ValueError):
    """A track cannot be used: the message names its row, its file and the reason.

    Both an :class:`OSError`, as whoever opens a file expects, and a
    :class:`ValueError`, as whoever calls a scikit-learn estimator expects.
    """


class AudioNotFoundError(AudioError, FileNotFoundError):
    """A track's file does not exist."""


class DivergenceError(ValueError):
    """The loss of an embedder became NaN or infinite in training."""


class PosteriorCollapseWarning(UserWarning):
    """Hardly any latent component of an embedder tells the rows apart."""


class LabelLeakageWarning(UserWarning):
    """A model was told the labels that its clusters are scored against."""


def warn_of_leakage(leakage):
    """Warn where a condition that the encoder is told all but tells the labels.

    Parameters
    ----------
    leakage : float or None
        Normalised mutual information of the condition with the labels.
    """
    if leakage is not None and leakage > LEAKAGE_THRESHOLD:
        warnings.warn(
            f"The encoder is told a condition that tells the labels y (normalised mutual "
            f"information {leakage:.2f}). Any score of its clusters against y measures this leak, "
            "not what the model found. Use encode_condition=False for a score that means "
            "something.",
            LabelLeakageWarning,
            stacklevel=4,
        )
