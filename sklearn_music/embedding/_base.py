"""The scikit-learn contract of the embedders."""

import math
import os
import warnings
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import validate_data

from .._device import resolve_device
from .._typing import fit_context
from ..exceptions import PosteriorCollapseWarning
from ._fitted import FittedEmbedder
from ._fitting import check_same_network, check_settings, train_network
from ._layout import Layout, check_widths, resolve_image_shape, warn_of_one_band
from .nn import ConvModule, DenseModule, VAEModule
from .training import (
    OutOfCore,
    Trainer,
    chunks,
    find_trained,
    get_state,
    is_out_of_core,
    set_state,
    take,
    torch_state,
)


class BaseEmbedder(FittedEmbedder):
    """Variational autoencoder as a transformer.

    A subclass lists its parameters in ``__init__``. Which module is trained, `_module` says:
    dense or convolutional, with or without a condition, unless a subclass overrides it.
    """

    _parameter_constraints: dict = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "beta": [Interval(Real, 0, None, closed="left")],
        "kl_warmup": [Interval(Integral, 0, None, closed="left")],
        "free_bits": [Interval(Real, 0, None, closed="left")],
        "decoder_variance": [StrOptions({"unit", "learned", "optimal"})],
        "total_correlation": [Interval(Real, 0, None, closed="left")],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "callbacks": [list, tuple, None],
        "checkpoint_dir": [str, os.PathLike, None],
        "device": [str],
        "amp": ["boolean"],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    # A parameter that only some subclasses have.
    image_shape: Any = None

    _trained_with: dict  # the settings that net_ was built from

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> Self:
        """Train the network.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The samples, each column on a scale of about 1 (see StandardScaler) unless the
            embedder scales them itself. Missing samples, which are NaN, are left out.
        y : None
            Ignored: no label enters the training.

        Returns
        -------
        self : object
            The fitted embedder.

        Raises
        ------
        ValueError
            If all samples are missing, one is NaN in part, or the parameters can't work.
        DivergenceError
            If the loss becomes NaN or infinite.
        MemoryError
            If the network or a batch does not fit into the device's memory.
        KeyboardInterrupt
            On a Ctrl-C. The embedder is then what it was before the call: not
            fitted, or fitted by an earlier one.
        """
        self._fit(X, previous=getattr(self, "net_", None) if self.warm_start else None)
        for message, category in self._find_flaws():
            warnings.warn(message, category, stacklevel=3)
        return self

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Train the network for one epoch over `X`, on top of what it has learnt.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Some samples. Missing ones, which are NaN, are left out.
        y : None
            Ignored.

        Returns
        -------
        self : object
            The embedder.
        """
        return self._fit(X, previous=getattr(self, "net_", None), partial=True)

    def _fit(self, X: Any, *, previous: Trainer | None, partial: bool = False) -> Self:
        before = self.__dict__.copy()
        try:
            self.check_settings(partial=partial)
            with torch_state(resolve_device(self.device)):
                self._train(X, previous=previous, partial=partial)
            return self
        except BaseException:
            # Half a fit is none: not even the number of columns may stay behind.
            self.__dict__.clear()
            self.__dict__.update(before)
            raise

    def check_settings(self, *, partial: bool = False) -> None:
        """Raise what is wrong with the parameters, before there are any samples.

        Parameters
        ----------
        partial : bool, default=False
            Whether it is for a `partial_fit`, which holds nothing out and keeps no checkpoint.

        Raises
        ------
        ValueError
            If a parameter, or a combination of them, can't work.
        """
        self._validate_params()
        check_settings(self, partial=partial)

    def _train(self, X: Any, *, previous: Trainer | None, partial: bool) -> None:
        if previous is not None:
            check_same_network(self._trained_with, self._settings(1, self.n_features_in_))
        X = self._training_samples(X, reset=previous is None)
        settings = self._settings(*X.shape)
        if previous is None and not partial and (found := find_trained(self, X)) is not None:
            net, summary, self._seed = found
        else:
            net, summary = train_network(self, X, settings, previous=previous, partial=partial)
        self.net_ = net
        self.kl_per_component_ = summary.kl
        self.active_units_ = summary.active_units
        self.noise_variance_ = summary.noise_variance
        self.beta_norm_ = self.beta * self.n_components / net.module_.n_inputs
        self.device_ = str(torch.device(net.device))
        self.history_ = [
            {
                name: value
                for name, value in epoch.items()
                if not name.endswith(("_batch_count", "_best"))
            }
            for epoch in net.epochs
        ]
        self._trained_with = settings
        self._n_features_out = settings["network"]["n_components"]

    def _find_flaws(self) -> list[tuple[str, type[Warning]]]:
        """Return what to warn of after a fit, and the class of each warning."""
        advice = self.collapse_advice()
        return [(advice, PosteriorCollapseWarning)] if advice else []

    def _draw_seed(self) -> int:
        return int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))

    # What a net is built from

    def _module(self, n_features: int) -> tuple[type[VAEModule], dict]:
        """Return the module, and the arguments that its weights depend on."""
        n_condition = len(self._layout.condition)
        settings = {
            "n_condition": n_condition,
            "encode_condition": bool(getattr(self, "encode_condition", False)),
        }
        if self.image_shape is None:
            widths = check_widths(self.hidden_layer_sizes, "hidden_layer_sizes")
            return DenseModule, settings | {"hidden_layer_sizes": widths}
        return ConvModule, settings | {
            # Of the parameter, so that a warm start with another one is an error.
            "image_shape": list(resolve_image_shape(self.image_shape, n_features - n_condition)),
            "channels": check_widths(self.channels, "channels", n_min=1),
        }

    def _loss_settings(self) -> dict:
        """Return the arguments of the module with which a training may go on changed."""
        settings = {
            "beta": float(self.beta),
            "free_bits": float(self.free_bits),
            "total_correlation": float(self.total_correlation),
        }
        if self.image_shape is not None and hasattr(self, "auxiliary_weight"):
            settings["auxiliary_weight"] = float(self.auxiliary_weight)
        return settings

    def _settings(self, n_samples: int, n_features: int) -> dict[str, Any]:
        """Return what a net is built from, in plain values that can be pickled."""
        module, network = self._module(n_features)
        return {
            "module": module,
            "network": {
                "n_features": n_features,
                "n_components": int(self.n_components),
                "decoder_variance": self.decoder_variance,
                **network,
            },
            "loss": self._loss_settings(),
            "training": {
                "kl_warmup": int(self.kl_warmup),
                "batch_size": self._batch_size(n_samples),
                "lr": float(self.lr),
                "max_epochs": int(self.max_epochs),
            },
        }

    def _batch_size(self, n_samples: int) -> int:
        return int(self.batch_size)

    def _callbacks(self) -> list:
        """Return the callbacks that the module needs."""
        return []

    def _initialized_net(self, settings: dict, device: torch.device, **kwargs: Any) -> Trainer:
        arguments = settings["network"] | settings["loss"]
        callbacks = [*self._callbacks(), *kwargs.pop("callbacks", ())]
        with torch_state(device, seed=(self._seed,)):
            return Trainer(
                settings["module"],
                **{f"module__{name}": value for name, value in arguments.items()},
                **settings["training"],
                device=device,
                callbacks=callbacks,
                **kwargs,
            ).initialize()

    def _positives(self, X: Any) -> NDArray[np.int64] | None:
        """Return the candidates for each sample's positive, (n_samples, n_positives), or None."""
        return None

    # Samples

    def _check_samples(self, X: Any, *, reset: bool = False, trains: bool = False) -> Any:
        """Return the samples as the network takes them: an array, or out-of-core data."""
        table = X
        if is_out_of_core(X):
            validate_data(self, X, reset=reset, skip_check_array=True)
        else:
            X = validate_data(self, X, reset=reset, dtype=np.float32, ensure_all_finite="allow-nan")
        # A DataFrame of pandas or polars knows the names of its columns.
        table = table if hasattr(type(table), "columns") else X
        if reset:
            self._layout = self._find_layout(table)
        elif trains:
            self._check_columns(table)
        return OutOfCore(X, self._layout.arrange) if is_out_of_core(X) else self._layout.arrange(X)

    def _find_layout(self, X: Any) -> Layout:
        """Return which columns of a table are what."""
        n_features = X.shape[1]
        if self.image_shape is None:
            return Layout(n_features)
        warn_of_one_band(self.image_shape, n_features)
        self.image_shape_ = resolve_image_shape(self.image_shape, n_features)
        return Layout(n_features, math.prod(self.image_shape_), what="pixels")

    def _check_columns(self, X: Any) -> None:
        """Raise where training can't go on, since the columns are no longer what they were."""

    def _training_samples(self, X: Any, *, reset: bool) -> Any:
        """Return the samples to train on, without missing ones.

        All are looked at, so that what is wrong anywhere is an error now and not in the middle of
        an epoch.
        """
        samples = self._check_samples(X, reset=reset, trains=True)
        present = self._without_missing(samples)
        if not len(present):
            raise ValueError(
                f"All {len(samples)} samples of X are missing, that is NaN: there is nothing to "
                "train on. Look at why the steps before could not make anything of them."
            )
        if reset:
            self._learn_scale(present)
        return present

    def _learn_scale(self, X: Any) -> None:
        """Learn from all samples what the module scales them by."""

    def _without_missing(self, X: Any) -> Any:
        is_missing = np.concatenate([self._layout.is_missing(some) for _, some in chunks(X)])
        return take(X, np.flatnonzero(~is_missing)) if is_missing.any() else X

    # Pickles and tags

    def __getstate__(self) -> dict:
        state = dict(super().__getstate__())
        if "net_" in state:
            state["net_"] = get_state(self.net_)
        return state

    def __setstate__(self, state: dict) -> None:
        super().__setstate__(state)
        if "net_" in state:
            try:
                device = resolve_device(self.device_)
            except ValueError:
                device = resolve_device("cpu")
            self.device_ = str(device)
            self.net_ = self._initialized_net(self._trained_with, device, verbose=self.verbose)
            with torch_state(device):
                set_state(self.net_, state["net_"])

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        # Any of the columns behind an image may be NaN. Elsewhere, as scikit-learn means it, none
        # may be: only all columns of a sample.
        sizes = np.asarray(self.image_shape)
        tags.input_tags.allow_nan = sizes.ndim == 1 and -1 not in sizes.tolist()
        return tags
