"""Audio models of Hugging Face."""

import contextlib
import hashlib
import importlib.util
import json
import os
import textwrap
import threading
from collections.abc import Iterator
from functools import lru_cache
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Literal, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions

from ._base import BaseEncoder

_AST, _CLAP = "audio-spectrogram-transformer", "clap"
_ONE_VECTOR = (_AST, _CLAP)
_LOADING = threading.RLock()  # while transformers is silent, which is a setting of the process


class TransformersEncoder(BaseEncoder):
    """An audio model of Hugging Face's ``transformers``.

    It takes any model that ``AutoModel`` and ``AutoFeatureExtractor`` load and that has hidden
    states: CLAP, AST, Wav2Vec2, HuBERT, WavLM, Whisper's encoder, MERT and others. Install the
    package with ``pip install "sklearn-music[transformers]"``. The first use of a name downloads
    the model into the cache of Hugging Face.

    Parameters
    ----------
    model : str or path
        Name on https://huggingface.co/models, as in ``"laion/larger_clap_music"``, or a folder that
        ``save_pretrained`` wrote, feature extractor included.
    layer : int, default=-1
        Which hidden state to take. 0 is the input of the first layer, 1 the output of the first
        layer, and so on. -1 is the output of the whole model, -2 that of the last layer but one.
        Of two models, -1 is one vector a window: of CLAP, the embedding of the audio in the space
        that it shares with text; of AST, the mean of its two special tokens, as in AST itself.
    window : float, default=10.0
        Length of a window, in seconds; 0.1 at least. Some models have a length of their own: CLAP
        10 s, AST 10.24 s, Whisper 30 s. Their feature extractors fill up shorter windows, and
        longer ones are an error.
    pooling : {"mean", "stats"}, default="mean"
        How the hidden states at all times, and at all frequencies if the model has them apart,
        become one vector: their mean; or their mean and standard deviation.
    revision : str, default=None
        Branch, tag or commit of a model on Hugging Face. None is its newest.
    trust_remote_code : bool, default=False
        Whether to run code that comes with a model. MERT needs it.

    See Also
    --------
    AudioEncoder : Runs it on tracks.
    MusicNN : A model that needs no download.

    Notes
    -----
    The weights are used in single precision. The cache of
    :class:`~sklearn_music.AudioEncoder` identifies a model by its weights, not by its name.

    ``HF_HOME`` says where models are kept. With ``HF_HUB_OFFLINE=1``, only those that are there
    are used. The page of a model says under which licence its weights are.

    Examples
    --------
    >>> from sklearn_music import AudioEncoder
    >>> from sklearn_music.features.encoders import TransformersEncoder
    >>> encoder = TransformersEncoder("laion/larger_clap_music")
    >>> X = AudioEncoder(encoder).fit_transform(["a.mp3", "b.mp3"])  # doctest: +SKIP
    """

    _parameter_constraints: dict = {
        "model": [str, os.PathLike],
        "layer": [Integral],
        "window": [Interval(Real, 0.1, None, closed="left")],
        "pooling": [StrOptions({"mean", "stats"})],
        "revision": [str, None],
        "trust_remote_code": ["boolean"],
    }

    def __init__(
        self,
        model: str | os.PathLike[str],
        *,
        layer: int = -1,
        window: float = 10.0,
        pooling: Literal["mean", "stats"] = "mean",
        revision: str | None = None,
        trust_remote_code: bool = False,
    ) -> None:
        self.model = model
        self.layer = layer
        self.window = window
        self.pooling = pooling
        self.revision = revision
        self.trust_remote_code = trust_remote_code

    def check_settings(self) -> None:
        """Load the model, or raise what is wrong.

        Raises
        ------
        ImportError
            If transformers, or a package that the model needs, is not installed.
        OSError
            If there is no such model, or no network to download it.
        ValueError
            If it is no audio model or incomplete, or if a parameter doesn't fit it.
        """
        _load(self._checked().source)

    @property
    def sample_rate(self) -> int:  # type: ignore[override]
        """Rate of the audio that the model takes, in Hz."""
        return int(self._checked().extractor.sampling_rate)

    @property
    def window_length(self) -> int:  # type: ignore[override]
        """Number of samples of a window."""
        return round(self.window * self.sample_rate)

    @property
    def n_features(self) -> int:  # type: ignore[override]
        """Length of the vector of a window."""
        checked = self._checked()
        return _sizes(checked.config)[checked.layer] * (2 if self.pooling == "stats" else 1)

    def identity(self) -> tuple[Any, ...]:
        """Return the parameters and a hash of the model.

        Returns
        -------
        identity : tuple
            Name, window, pooling, layer, and the hash of weights and settings.

        Raises
        ------
        ImportError
            If transformers, or a package that the model needs, is not installed.
        OSError
            If there is no such model, or no network to download it.
        ValueError
            If it is no audio model or incomplete, or if a parameter doesn't fit it.
        """
        checked = self._checked()
        digest = _load(checked.source)[1]
        return "TransformersEncoder", self.window_length, self.pooling, checked.layer, digest

    def preprocess(self, window: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what the model's feature extractor makes of a window.

        Parameters
        ----------
        window : ndarray of shape (window_length,)
            Samples at `sample_rate`, within ±1.

        Returns
        -------
        features : ndarray
            A spectrogram or a waveform.
        """
        extractor = self._checked().extractor
        features = extractor(window, sampling_rate=extractor.sampling_rate, return_tensors="np")
        return np.asarray(features[extractor.model_input_names[0]][0], dtype=np.float32)

    def encode(self, batch: NDArray[np.float32], device: Any) -> NDArray[np.float32]:
        """Run the model.

        Parameters
        ----------
        batch : ndarray of shape (n_windows, ...)
            What `preprocess` returned for some windows.
        device : torch.device
            Where to run it. The model stays there.

        Returns
        -------
        vectors : ndarray of shape (n_windows, n_features)
            A vector for each window.
        """
        import torch

        checked = self._checked()
        module = _load(checked.source)[0].to(device)
        names = checked.extractor.model_input_names
        inputs = {names[0]: torch.from_numpy(batch).to(device)}
        if "is_longer" in names:
            # Of CLAP's variants with fusion. It is what their extractor says of a single window.
            inputs["is_longer"] = torch.ones(len(batch), 1, dtype=torch.bool, device=device)
        with torch.inference_mode():
            steps = _steps(module, inputs, checked.layer)
            vectors = steps.mean(dim=1)
            if self.pooling == "stats":
                vectors = torch.cat([vectors, steps.std(dim=1, correction=0)], dim=1)
        return vectors.numpy(force=True)

    def _checked(self) -> "_Checked":
        self._validate_params()
        files = sorted(Path(self.model).glob("*")) if Path(self.model).is_dir() else []
        # So that a folder that is written again is loaded again.
        stamps = tuple((file.name, file.stat().st_mtime_ns) for file in files)
        name = os.fspath(self.model)
        source = _Source(name, self.revision, bool(self.trust_remote_code), stamps)
        config, extractor = _describe(source)
        n_layers = len(_sizes(config)) - 2
        if not -n_layers - 1 <= self.layer <= n_layers:
            raise ValueError(
                f"Got layer={self.layer}, but {name!r} has {n_layers} layers: expected "
                f"{-n_layers - 1} to {n_layers}."
            )
        layer = int(self.layer) + (n_layers + 1 if self.layer < -1 else 0)
        longest = _longest_window(extractor)
        if self.window * extractor.sampling_rate > longest:
            raise ValueError(
                f"Got window={self.window}, but {name!r} takes windows of "
                f"{longest / extractor.sampling_rate:g} seconds at most: use a shorter one."
            )
        if self.pooling == "stats" and layer == -1 and config.model_type in _ONE_VECTOR:
            raise ValueError(
                f'Got pooling="stats", but {name!r} makes one vector of a window with layer=-1: '
                'use pooling="mean", or another layer.'
            )
        return _Checked(source, config, extractor, layer)


class _Checked(NamedTuple):
    """What the parameters mean."""

    source: "_Source"
    config: Any
    extractor: Any
    layer: int  # -1 or the index of a hidden state


class _Source(NamedTuple):
    """Where a model is."""

    name: str
    revision: str | None
    trust_remote_code: bool
    stamps: tuple[tuple[str, int], ...]

    @property
    def options(self) -> dict[str, Any]:
        # transformers asks on the terminal if it is None.
        return {"revision": self.revision or "main", "trust_remote_code": self.trust_remote_code}

    def fail(self, error: Exception, expected: str) -> NoReturn:
        kinds = (kind for kind in (ImportError, OSError) if isinstance(error, kind))
        raise next(kinds, ValueError)(
            f"Got model={self.name!r}, which transformers can't load. {expected}\n"
            f"{type(error).__name__}: {textwrap.shorten(str(error), 500)}"
        ) from error


@lru_cache(maxsize=8)
def _describe(source: _Source) -> tuple[Any, Any]:
    """Return the configuration and the feature extractor of a model."""
    if importlib.util.find_spec("transformers") is None:
        raise ImportError(
            "TransformersEncoder needs transformers. Install it with: "
            'pip install "sklearn-music[transformers]"'
        )
    from transformers import AutoConfig, AutoFeatureExtractor

    with _silence():
        try:
            config = AutoConfig.from_pretrained(source.name, **source.options)
        except Exception as error:
            source.fail(
                error,
                "Expected the name of an audio model on https://huggingface.co/models, or a folder "
                "that save_pretrained wrote. A model on Hugging Face needs a network once.",
            )
        expected = (
            "Expected an audio model with its preprocessor_config.json: CLAP, AST, Wav2Vec2, "
            f"HuBERT, WavLM or MERT, for example. This one is {config.model_type!r}."
        )
        try:
            extractor = AutoFeatureExtractor.from_pretrained(source.name, **source.options)
        except Exception as error:
            source.fail(error, expected)
    if not hasattr(extractor, "sampling_rate"):
        raise ValueError(f"Got model={source.name!r}, which takes no audio. {expected}")
    try:
        _sizes(config)
    except AttributeError as error:
        reason = "which is no single stack of layers"
        raise ValueError(f"Got model={source.name!r}, {reason}. {expected}") from error
    return config, extractor


@lru_cache(maxsize=2)
def _load(source: _Source) -> tuple[Any, str]:
    """Return a model, and a hash of all that determines its output."""
    import torch
    from transformers import AutoModel

    # What is missing in a checkpoint is drawn at random.
    with _silence(), torch.random.fork_rng(devices=[]):
        try:
            module, info = AutoModel.from_pretrained(
                source.name, output_loading_info=True, **source.options
            )
        except Exception as error:
            source.fail(error, "Download the model again, or save it again.")
    # The vector that masks inputs in training only, which many checkpoints lack.
    missing = {name for name in info["missing_keys"] if not name.endswith("masked_spec_embed")}
    if missing:
        raise ValueError(
            f"Got model={source.name!r}, in whose files {len(missing)} of the weights are "
            f"missing, {min(missing)!r} for example: expected a model that was saved whole."
        )
    module = module.float().eval().requires_grad_(False)
    if module.config.model_type == _CLAP:
        del module.text_model, module.text_projection
    digest = hashlib.sha256()
    for part in (module.config, _describe(source)[1]):
        settings = part.to_dict()
        for name in ("_name_or_path", "transformers_version"):
            settings.pop(name, None)
        digest.update(json.dumps(settings, sort_keys=True, default=str).encode())
    for name, tensor in sorted(module.state_dict().items()):
        if name not in info["missing_keys"]:
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(tensor.reshape(-1).view(torch.uint8).numpy())
    if module.config.is_encoder_decoder:
        module = module.get_encoder()
    return module, digest.hexdigest()


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keep logs and progress bars of transformers off."""
    from huggingface_hub.utils import logging as hub_logging
    from transformers.utils import logging

    with _LOADING:
        loggers = (logging, hub_logging)
        levels = [logger.get_verbosity() for logger in loggers]
        had_bars = logging.is_progress_bar_enabled()
        for logger in loggers:
            logger.set_verbosity(logger.CRITICAL)
        logging.disable_progress_bar()
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.set_verbosity(level)
            if had_bars:
                logging.enable_progress_bar()


def _sizes(config: Any) -> list[int]:
    """Return the lengths of the hidden states and, last, of the output of the whole model."""
    if config.model_type in (_CLAP, "clap_audio_model"):
        audio = getattr(config, "audio_config", config)
        # Each stage but the last halves both axes and doubles the channels.
        doublings = [*range(len(audio.depths)), len(audio.depths) - 1]
        sizes = [audio.patch_embeds_hidden_size * 2**i for i in doublings]
        return [*sizes, config.projection_dim if config.model_type == _CLAP else sizes[-1]]
    has_adapter = getattr(config, "add_adapter", False)
    output = config.output_hidden_size if has_adapter else config.hidden_size
    return [*[config.hidden_size] * (config.num_hidden_layers + 1), output]


def _longest_window(extractor: Any) -> float:
    """Return the number of samples beyond which an extractor leaves out audio, some at random."""
    for name in ("nb_max_samples", "n_samples"):  # CLAP's, Whisper's
        if hasattr(extractor, name):
            return getattr(extractor, name)
    if hasattr(extractor, "max_length"):  # AST's: in frames
        return extractor.max_length * getattr(extractor, "hop_length", 160)
    return float("inf")


def _steps(module: Any, inputs: dict[str, Any], layer: int) -> Any:
    """Return an output of a model at all times, (n_windows, n_times, n_features)."""
    kind = module.config.model_type
    if kind == _CLAP:
        if layer == -1:
            output = module.get_audio_features(**inputs)
            # A tensor before transformers 5.
            return getattr(output, "pooler_output", output)[:, None]
        module = module.audio_model
    output = module(**inputs, output_hidden_states=layer != -1)
    steps = output.last_hidden_state if layer == -1 else output.hidden_states[layer]
    if steps.ndim == 4:  # (n_windows, n_features, n_frequencies, n_times)
        steps = steps.flatten(2).transpose(1, 2)
    if kind == _AST:
        # The special tokens stand first.
        return steps[:, :2] if layer == -1 else steps[:, 2:]
    return steps
