"""ONNX files of audio encoders."""

import os
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions

from ._base import BaseEncoder
from ._mel import mel_power
from ._onnx_files import File, files_of, hash_of, open_session

_SECONDS = 3.0  # of a window, if nothing determines it
_DTYPES = {
    "tensor(float16)": np.float16,
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
}
_COMPRESSIONS: dict[str, Callable[[NDArray[np.float32]], NDArray[np.float32]]] = {
    "log10": lambda power: np.log10(10000 * power + 1),
    "ln": lambda power: np.log(np.maximum(power, 1e-10)),
    "db": lambda power: 10 * np.log10(np.maximum(power, 1e-10)),
}


class OnnxEncoder(BaseEncoder):
    """An ONNX file of an audio model.

    Install what runs it with ``pip install "sklearn-music[onnx]"``. The other defaults are those of
    Essentia's models, such as Discogs-EffNet and MusiCNN; for these, set ``input="log_mel"``.

    Parameters
    ----------
    path : str or path
        The file. Weights in files of their own are found beside it.
    input : {"waveform", "log_mel"}, default="waveform"
        What the model takes: samples, or a log-mel spectrogram. The order of its axes is read
        from the shape of the model's input. If that doesn't determine it, frames come before
        mel bands.
    output : str, default=None
        Name of the output to take. None is the only one.
    sample_rate : int, default=16000
        Rate of the audio that the model was trained on, in Hz.
    window : float, default=None
        Length of a window, in seconds. None is the length that the model's input has, or 3
        seconds if it takes any length.
    n_fft : int, default=512
        Length of the frames of a spectrogram, in samples. They have a periodic Hann window.
    hop_length : int, default=256
        Samples from one frame to the next.
    n_mels : int, default=96
        Number of mel bands.
    fmin : float, default=0.0
        Lower end of the mel bands, in Hz.
    fmax : float, default=None
        Upper end of the mel bands, in Hz. None is half the sample rate.
    mel_scale : {"slaney", "htk"}, default="slaney"
        ``"slaney"`` is the scale of librosa, with bands of equal area; ``"htk"`` that of
        torchaudio, with bands of equal height.
    compression : {"log10", "ln", "db"}, default="log10"
        Of the power p: log10(10000 p + 1); ln(max(p, 1e-10)); 10 log10(max(p, 1e-10)).

    See Also
    --------
    AudioEncoder : Runs it on tracks.
    TransformersEncoder : Models of Hugging Face.

    Notes
    -----
    Outputs over time, (n_windows, n_times, n_features), are averaged over time. A model whose
    batch size is fixed gets batches that are filled up with silence. On CUDA devices, the package
    ``onnxruntime-gpu`` is needed in place of ``onnxruntime``; without it the CPU is used.

    Essentia's ``TensorflowInputMusiCNN`` [1]_ computes the same spectrogram but for a symmetric
    Hann window. Frames at the ends of a window lie inside it, as do those of all of Essentia's
    patches but the first and the last of a track.

    References
    ----------
    .. [1] P. Alonso-Jiménez, D. Bogdanov, J. Pons and X. Serra, "TensorFlow audio models in
       Essentia", ICASSP 2020.

    Examples
    --------
    >>> from sklearn_music import AudioEncoder
    >>> from sklearn_music.features.encoders import OnnxEncoder
    >>> encoder = OnnxEncoder(
    ...     "discogs-effnet-bsdynamic-1.onnx", input="log_mel", output="embeddings"
    ... )
    >>> X = AudioEncoder(encoder).fit_transform(["a.mp3", "b.mp3"])  # doctest: +SKIP
    """

    _parameter_constraints: dict = {
        "path": [str, os.PathLike],
        "input": [StrOptions({"waveform", "log_mel"})],
        "output": [str, None],
        "sample_rate": [Interval(Integral, 1, None, closed="left")],
        "window": [Interval(Real, 0, None, closed="neither"), None],
        "n_fft": [Interval(Integral, 2, None, closed="left")],
        "hop_length": [Interval(Integral, 1, None, closed="left")],
        "n_mels": [Interval(Integral, 1, None, closed="left")],
        "fmin": [Interval(Real, 0, None, closed="left")],
        "fmax": [Interval(Real, 0, None, closed="neither"), None],
        "mel_scale": [StrOptions({"slaney", "htk"})],
        "compression": [StrOptions(set(_COMPRESSIONS))],
    }

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        input: Literal["waveform", "log_mel"] = "waveform",
        output: str | None = None,
        sample_rate: int = 16000,
        window: float | None = None,
        n_fft: int = 512,
        hop_length: int = 256,
        n_mels: int = 96,
        fmin: float = 0.0,
        fmax: float | None = None,
        mel_scale: Literal["slaney", "htk"] = "slaney",
        compression: Literal["log10", "ln", "db"] = "log10",
    ) -> None:
        self.path = path
        self.input = input
        self.output = output
        self.sample_rate = sample_rate
        self.window = window
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.n_mels = n_mels
        self.fmin = fmin
        self.fmax = fmax
        self.mel_scale = mel_scale
        self.compression = compression

    def check_settings(self) -> None:
        """Load the model, or raise what is wrong.

        Raises
        ------
        ImportError
            If onnxruntime is not installed.
        FileNotFoundError
            If there is no such file.
        ValueError
            If it is no ONNX file, or if a parameter doesn't fit the model.
        """
        _ = self.n_features

    @property
    def window_length(self) -> int:  # type: ignore[override]
        """Number of samples of a window."""
        return self._checked().window_length

    @property
    def n_features(self) -> int:  # type: ignore[override]
        """Length of the vector of a window."""
        checked = self._checked()
        axes = set(range(len(checked.output.shape))) - set(checked.time_axes)
        size = checked.output.shape[max(axes)]
        if isinstance(size, int):
            return size
        # The file doesn't say.
        return self.encode(np.zeros((1, *checked.shape), dtype=np.float32), "cpu").shape[1]

    def identity(self) -> tuple[Any, ...]:
        """Return the parameters and a hash of the files.

        Returns
        -------
        identity : tuple
            Name, hash, name of the output, and what determines the model's input.

        Raises
        ------
        ImportError
            If onnxruntime is not installed.
        FileNotFoundError
            If there is no such file.
        ValueError
            If it is no ONNX file, or if a parameter doesn't fit the model.
        """
        checked = self._checked()
        names = ["sample_rate"]
        if self.input == "log_mel":
            names += ["n_fft", "hop_length", "n_mels", "fmin", "fmax", "mel_scale", "compression"]
        settings = [getattr(self, name) for name in names]
        digest = hash_of(checked.files)
        output, place = checked.output.name, (checked.window_length, checked.shape)
        return "OnnxEncoder", digest, output, self.input, *place, *settings

    def preprocess(self, window: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what the model takes of a window.

        Parameters
        ----------
        window : ndarray of shape (window_length,)
            Samples at `sample_rate`, within ±1.

        Returns
        -------
        features : ndarray
            Samples or a log-mel spectrogram, in the model's shape.
        """
        checked = self._checked()
        if self.input == "waveform":
            return window.reshape(checked.shape)
        power = mel_power(
            window,
            int(self.sample_rate),
            n_fft=int(self.n_fft),
            hop_length=int(self.hop_length),
            n_mels=int(self.n_mels),
            fmin=float(self.fmin),
            fmax=None if self.fmax is None else float(self.fmax),
            htk=self.mel_scale == "htk",
        )
        log_mel = _COMPRESSIONS[self.compression](power)
        return (log_mel.T if checked.bands_first else log_mel).reshape(checked.shape)

    def encode(self, batch: NDArray[np.float32], device: Any) -> NDArray[np.float32]:
        """Run the model.

        Parameters
        ----------
        batch : ndarray of shape (n_windows, ...)
            What `preprocess` returned for some windows.
        device : torch.device
            Where to run it: with CUDA, if onnxruntime has it, else on the CPU.

        Returns
        -------
        vectors : ndarray of shape (n_windows, n_features)
            A vector for each window.
        """
        checked = self._checked()
        session = open_session(checked.files, str(device))
        size = checked.input.shape[0]
        size = size if isinstance(size, int) else len(batch)
        vectors = []
        for start in range(0, len(batch), size):
            part = batch[start : start + size].astype(_DTYPES[checked.input.type])
            silence = np.zeros((size - len(part), *checked.shape), dtype=part.dtype)
            inputs = {checked.input.name: np.concatenate([part, silence])}
            try:
                (outputs,) = session.run([checked.output.name], inputs)
            except Exception as error:
                raise ValueError(
                    f"Got path={self.path!r}, which fails on an input of shape {part.shape}: "
                    f"{error}\nCheck what the model takes: `input`, `window`, `n_mels`."
                ) from error
            vectors.append(outputs[: len(part)].astype(np.float32).mean(axis=checked.time_axes))
        return np.concatenate(vectors)

    def _checked(self) -> "_Checked":
        self._validate_params()
        nyquist = self.sample_rate / 2
        fmax = nyquist if self.fmax is None else self.fmax
        if not self.fmin < fmax <= nyquist:
            raise ValueError(
                f"Got fmin={self.fmin}, fmax={self.fmax} and sample_rate={self.sample_rate}: "
                f"expected fmin below fmax, and fmax at most {nyquist:g}, half the sample rate."
            )
        path = os.fspath(self.path)
        files = files_of(os.path.abspath(path))
        session = open_session(files, "cpu")
        output, time_axes = self._output(session.get_outputs())
        inputs = session.get_inputs()
        if len(inputs) > 1:
            raise ValueError(
                f"Got path={path!r}, which has {len(inputs)} inputs, {_list(inputs)}: expected "
                "a model of audio alone."
            )
        if inputs[0].type not in _DTYPES:
            raise ValueError(
                f"Got path={path!r}, whose input is a {inputs[0].type}: expected floats."
            )
        return _Checked(files, inputs[0], output, time_axes, *self._layout(inputs[0]))

    def _output(self, outputs: list[Any]) -> tuple[Any, tuple[int, ...]]:
        """Return the output to take, and which of its axes are times."""
        named = {output.name: output for output in outputs}
        name = outputs[0].name if self.output is None and len(outputs) == 1 else self.output
        if name not in named:
            raise ValueError(
                f"Got output={self.output!r} for {os.fspath(self.path)!r}: expected one of its "
                f"outputs, {_list(outputs)}."
            )
        shape = named[name].shape
        if len(shape) not in (2, 3):
            raise ValueError(
                f"Got output={name!r}, which has the shape {_text(shape)}: expected "
                "(n_windows, n_features) or (n_windows, n_times, n_features)."
            )
        if len(shape) == 2:
            return named[name], ()
        # The number of times varies, that of features doesn't.
        is_last = isinstance(shape[1], int) and not isinstance(shape[2], int)
        return named[name], (2,) if is_last else (1,)

    def _layout(self, model_input: Any) -> tuple[int, tuple[int, ...], bool]:
        """Return the length of a window, the shape of its input, and if mel bands come first."""
        has_bands = self.input == "log_mel"
        sizes = model_input.shape[1:]
        # Other axes, of channels, have the size 1, or any if the model takes any length too.
        axes = [i for i, size in enumerate(sizes) if size != 1]
        is_spectrogram = len(axes) > 1 and isinstance(sizes[-1], int)
        axes = axes[-2 if has_bands else -1 :]
        expected = "(batch, n_frames, n_mels)" if has_bands else "(batch, n_samples)"
        if len(axes) < 1 + has_bands or (is_spectrogram and not has_bands):
            raise ValueError(
                f"Got input={self.input!r}, but the input of {os.fspath(self.path)!r} has the "
                f"shape {_text(model_input.shape)}: expected one like {expected}."
            )
        bands_first = has_bands and sizes[axes[0]] == self.n_mels != sizes[axes[1]]
        if bands_first:
            axes.reverse()
        n_steps = sizes[axes[0]]
        hop, first = (self.hop_length, self.n_fft) if has_bands else (1, 1)
        if self.window is None and isinstance(n_steps, int):
            window_length = (n_steps - 1) * hop + first
        else:
            window_length = round((self.window or _SECONDS) * self.sample_rate)
        if window_length < first:
            raise ValueError(
                f"Got window={self.window}, which is {window_length} samples: expected {first} "
                "at least, one frame of n_fft."
            )
        shape = [1] * len(sizes)
        shape[axes[0]] = (window_length - first) // hop + 1
        if has_bands:
            shape[axes[1]] = int(self.n_mels)
        if any(isinstance(size, int) and size != shape[i] for i, size in enumerate(sizes)):
            raise ValueError(
                f"Got input={self.input!r} and window={self.window} for "
                f"{os.fspath(self.path)!r}, which makes inputs of shape {_text(['batch', *shape])},"
                f" but the model takes {_text(model_input.shape)}. "
                f"{'Set n_mels, and leave' if has_bands else 'Leave'} window=None."
            )
        return window_length, tuple(shape), bands_first


class _Checked(NamedTuple):
    """What the parameters mean for a model."""

    files: tuple[File, ...]
    input: Any
    output: Any
    time_axes: tuple[int, ...]
    window_length: int
    shape: tuple[int, ...]
    bands_first: bool


def _text(shape: Any) -> str:
    return f"({', '.join(map(str, shape))})"


def _list(tensors: list[Any]) -> str:
    return ", ".join(f"{tensor.name!r} of shape {_text(tensor.shape)}" for tensor in tensors)
