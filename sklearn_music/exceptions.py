"""The errors and warnings of the library."""

__all__ = [
    "AudioError",
    "AudioNotFoundError",
    "DivergenceError",
    "LabelLeakageWarning",
    "PosteriorCollapseWarning",
]


class AudioError(OSError, ValueError):
    """A track cannot be used: the message names its row, its file and the reason.

    It is an :class:`OSError`, as for any file that can't be opened, and a :class:`ValueError`,
    as for any wrong input of a scikit-learn estimator.
    """


class AudioNotFoundError(AudioError, FileNotFoundError):
    """A track's file does not exist."""


class DivergenceError(ValueError):
    """The loss of an embedder became NaN or infinite in training."""


class PosteriorCollapseWarning(UserWarning):
    """Hardly any latent component of an embedder differs between samples."""


class LabelLeakageWarning(UserWarning):
    """A model was given the labels that its clusters are scored against."""
