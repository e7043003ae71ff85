"""The errors and warnings that are the library's own."""

__all__ = ["AudioError", "AudioNotFoundError", "DivergenceError", "PosteriorCollapseWarning"]


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
