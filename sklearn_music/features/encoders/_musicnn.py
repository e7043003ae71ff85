"""MusiCNN, a tagger of music, with the weights of the package musicnn."""

import hashlib
import importlib.util
from collections.abc import Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import StrOptions

from ._base import BaseEncoder
from ._mel import mel_power

_N_FRAMES, _N_FFT, _HOP_LENGTH, _N_MELS = 187, 512, 256, 96
_N_FEATURES = {"embedding": 200, "tags": 50, "pooled": 1506}
_Output: TypeAlias = Literal["embedding", "tags", "pooled"]
_COMMAND = "pip install --no-deps musicnn==0.1.0"


class MusicNN(BaseEncoder):
    """MusiCNN: a convolutional network that was trained to tag music.

    It takes windows of 3 seconds at 16 kHz. Its weights come with the Python package ``musicnn``
    (29 MB, ISC licence), which is not a dependency: install it with
    ``pip install --no-deps musicnn==0.1.0``. Nothing of it is run but its list of tags, so
    TensorFlow, which it asks for, is not needed.

    Parameters
    ----------
    model : {"MSD", "MTT"}, default="MSD"
        What the network was trained on: the Million Song Dataset, whose 50 tags are genres,
        decades, voices and moods; or MagnaTagATune, whose tags are rather instruments.
    output : {"embedding", "tags", "pooled"} or sequence of them, default="embedding"
        What the vector of a window is: the 200 activations of the last hidden layer; the
        probabilities of the 50 tags; or the maximum and the mean over time of the 753 feature
        maps, 1,506 numbers. Several of them stand one after the other.

    See Also
    --------
    AudioEncoder : Runs it on tracks.
    TransformersEncoder : Models of Hugging Face.

    Notes
    -----
    The network is written here in PyTorch after its papers [1]_, [2]_. From the same log-mel
    spectrograms it computes what the original does under TensorFlow: embeddings differ by 1e-5 at
    the most, probabilities of tags by 2e-6. The original rounds mel spectrograms to half
    precision; here they stay in single precision.

    References
    ----------
    .. [1] J. Pons, O. Nieto, M. Prockup, E. Schmidt, A. Ehmann and X. Serra, "End-to-end learning
       for music audio tagging at scale", ISMIR 2018.
    .. [2] J. Pons and X. Serra, "musicnn: Pre-trained convolutional neural networks for music
       audio tagging", Late-breaking/demo session of ISMIR 2019.

    Examples
    --------
    >>> from sklearn_music.features.encoders import MusicNN
    >>> encoder = MusicNN(output="tags")
    >>> encoder.sample_rate, encoder.window_length, encoder.n_features
    (16000, 48128, 50)
    """

    _parameter_constraints: dict = {
        "model": [StrOptions({"MSD", "MTT"})],
        "output": "no_validation",  # in _outputs
    }

    sample_rate = 16000
    # The first frame needs a whole window of the Fourier transform.
    window_length = (_N_FRAMES - 1) * _HOP_LENGTH + _N_FFT

    def __init__(
        self,
        model: Literal["MSD", "MTT"] = "MSD",
        *,
        output: _Output | Sequence[_Output] = "embedding",
    ) -> None:
        self.model = model
        self.output = output

    def check_settings(self) -> None:
        """Raise what is wrong with the parameters, or missing.

        Raises
        ------
        ImportError
            If the package musicnn is not installed.
        ValueError
            If a parameter is none of those listed.
        """
        self._validate_params()
        self._outputs()
        _folder()

    @property
    def n_features(self) -> int:  # type: ignore[override]
        """Length of the vector of a window."""
        return sum(_N_FEATURES[output] for output in self._outputs())

    @property
    def tags(self) -> list[str]:  # type: ignore[override]
        """Names of the tags, if they are among the outputs."""
        if "tags" not in self._outputs():
            return []
        _folder()
        from musicnn import configuration

        return list(getattr(configuration, f"{self.model}_LABELS"))

    def identity(self) -> tuple[str, ...]:
        """Return the output and a hash of the weights.

        Returns
        -------
        identity : tuple of str
            Name, outputs, hash.

        Raises
        ------
        ImportError
            If the package musicnn is not installed.
        """
        return "MusicNN", *self._outputs(), _hash_of(_checkpoint(self.model))

    def get_feature_names(self) -> list[str]:
        """Return the names of the numbers of a vector.

        Returns
        -------
        names : list of str
            The tags for ``"tags"``, else ``embedding0``, ``pooled0`` and so on.
        """
        named = {name: [f"{name}{i}" for i in range(n)] for name, n in _N_FEATURES.items()}
        named["tags"] = self.tags
        return [name for output in self._outputs() for name in named[output]]

    def preprocess(self, window: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the log-mel spectrogram of a window.

        Parameters
        ----------
        window : ndarray of shape (window_length,)
            Samples at `sample_rate`, within ±1.

        Returns
        -------
        log_mel : ndarray of shape (187, 96)
            Frames of 96 mel bands: log10(10000 * power + 1).
        """
        power = mel_power(
            window, self.sample_rate, n_fft=_N_FFT, hop_length=_HOP_LENGTH, n_mels=_N_MELS
        )
        return np.log10(10000 * power + 1)

    def encode(self, batch: NDArray[np.float32], device: Any) -> NDArray[np.float32]:
        """Run the network.

        Parameters
        ----------
        batch : ndarray of shape (n_windows, 187, 96)
            Log-mel spectrograms.
        device : torch.device
            Where to run it.

        Returns
        -------
        vectors : ndarray of shape (n_windows, n_features)
            A vector for each window.
        """
        import torch

        module = _load(_checkpoint(self.model), str(device))
        with torch.inference_mode():
            outputs = module(torch.from_numpy(batch).to(device))
        vectors = [getattr(outputs, output).numpy(force=True) for output in self._outputs()]
        return np.concatenate(vectors, axis=1)

    def _outputs(self) -> tuple[str, ...]:
        outputs = (self.output,) if isinstance(self.output, str) else self.output
        if (
            not isinstance(outputs, (list, tuple))
            or not outputs
            or not all(isinstance(output, str) for output in outputs)
            or len(set(outputs)) < len(outputs)
            or not set(outputs) <= set(_N_FEATURES)
        ):
            raise ValueError(
                f"Got output={self.output!r}, expected one of {list(_N_FEATURES)}, or several of "
                "them, none twice."
            )
        return tuple(outputs)


def _folder() -> Path:
    """Return the folder of the package musicnn, without running it."""
    spec = importlib.util.find_spec("musicnn")
    if spec is None or spec.origin is None:
        raise ImportError(
            f"The weights of MusicNN are not installed. They come with the package musicnn: run\n"
            f"    {_COMMAND}\n"
            "Its own requirements, an old TensorFlow among them, are not needed."
        )
    return Path(spec.origin).parent


def _checkpoint(model: str) -> str:
    # The names of its files begin with the dot: .index, .data-00000-of-00001.
    return f"{_folder() / f'{model}_musicnn'}/"


@cache
def _hash_of(checkpoint: str) -> str:
    data = Path(f"{checkpoint}.data-00000-of-00001").read_bytes()
    return hashlib.sha256(data).hexdigest()


@lru_cache(maxsize=2)
def _load(checkpoint: str, device: str) -> Any:
    from ._checkpoint import read_checkpoint
    from ._musicnn_network import MusicNNModule, load_weights

    module = MusicNNModule()
    load_weights(module, read_checkpoint(checkpoint))
    return module.eval().requires_grad_(False).to(device)
