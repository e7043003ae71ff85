"""What a pretrained encoder says of itself, and does."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator


class BaseEncoder(BaseEstimator):
    """Base of the pretrained encoders: windows of audio in, vectors out.

    Subclass it to use another model in :class:`~sklearn_music.AudioEncoder`. As with every
    scikit-learn object, ``__init__`` only keeps its parameters, so that encoders can be cloned,
    pickled and searched over. The network is loaded when it is needed first, and is no part of
    the object.

    A subclass has the attributes and methods below. `preprocess` is called in several threads.

    Attributes
    ----------
    sample_rate : int
        Rate of the audio that it takes, in Hz.
    window_length : int or None
        Number of samples of a window at this rate. None if it takes audio of any length: then
        each track is one window.
    n_features : int
        Length of the vector of a window.
    tags : list of str
        Names of those numbers of a vector that are probabilities of tags. Empty by default.

    See Also
    --------
    MusicNN, TransformersEncoder, OnnxEncoder : The encoders that are ready.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_music import AudioEncoder
    >>> from sklearn_music.features.encoders import BaseEncoder
    >>> class Loudness(BaseEncoder):
    ...     sample_rate, window_length, n_features = 16000, 8000, 2
    ...     def identity(self):
    ...         return "loudness, version 1"
    ...     def encode(self, batch, device):
    ...         return np.stack([batch.std(axis=1), np.abs(batch).max(axis=1)], axis=1)
    >>> tones = np.array([[0.5], [1.0]]) * np.sin(np.arange(32000) / 10)
    >>> AudioEncoder(Loudness(), sample_rate=16000).fit_transform(tones).round(2)
    array([[0.35, 0.5 ],
           [0.71, 1.  ]], dtype=float32)
    """

    sample_rate: int
    window_length: int | None
    n_features: int
    tags: Sequence[str] = ()

    def check_settings(self) -> None:
        """Raise what is wrong with the parameters, or missing on this machine, before the work.

        Raises
        ------
        ImportError
            If a package or the weights are not installed.
        ValueError
            If a parameter can't work.
        """

    def identity(self) -> Any:
        """Return what tells the encoder apart from all others in the cache, its weights included.

        Returns
        -------
        identity : object
            Plain values or arrays, which joblib can hash.
        """
        raise NotImplementedError

    def preprocess(self, window: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what the network takes of a window: its mel spectrogram, for example.

        Parameters
        ----------
        window : ndarray of shape (window_length,)
            Samples at `sample_rate`, within ±1.

        Returns
        -------
        features : ndarray
            Of the same shape for all windows. By default the window itself.
        """
        return window

    def encode(self, batch: NDArray[np.float32], device: Any) -> NDArray[np.floating]:
        """Run the network.

        Parameters
        ----------
        batch : ndarray of shape (n_windows, ...)
            What `preprocess` returned for some windows.
        device : torch.device
            Where to run it.

        Returns
        -------
        vectors : ndarray of shape (n_windows, n_features)
            A vector for each window.
        """
        raise NotImplementedError

    def get_feature_names(self) -> list[str]:
        """Return the names of the numbers of a vector.

        Returns
        -------
        names : list of str
            By default the lowercase name of the class and a number, as in ``musicnn0``.
        """
        name = type(self).__name__.lower()
        return [f"{name}{i}" for i in range(self.n_features)]
