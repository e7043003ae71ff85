"""The scikit-learn face of the embedders."""

import copy
import os
import warnings
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    _fit_context,
)
from sklearn.model_selection import train_test_split
from sklearn.utils import check_array, check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, check_scalar, validate_data
from skorch.callbacks import Callback, EarlyStopping

from ..exceptions import PosteriorCollapseWarning
from ._checkpoint import Checkpoint
from ._mapped_rows import MappedRows, chunks, is_mapped, part
from ._networks import ConvNetwork, DenseNetwork, Network
from ._objective import cubature_nodes, elbo
from ._stacked import take
from ._track_network import TrackNetwork
from ._training import (
    EmbeddingNet,
    get_state,
    memory_errors,
    plain_torch,
    resolve_device,
    row_batches,
    seeded,
    set_state,
    summarize,
    train,
)

_HISTORY = (
    *("epoch", "train_loss", "valid_loss", "reconstruction", "kl"),
    *("total_correlation", "contrastive", "cross_modal", "active_units", "dur"),
)


# Why a checkpoint of a fit serves another one of the same rows that differs in these parameters.
NOT_IN_CHECKPOINT_KEY = {
    "callbacks": "a fit that keeps checkpoints has none",
    "checkpoint_dir": "where the checkpoint is",
    "condition_features": "their columns are the last ones of the rows, which are in the key",
    "device": "the weights are the same up to rounding, and a fit may go on elsewhere",
    "early_stopping": "a fit that keeps checkpoints holds nothing out",
    "n_iter_no_change": "of early_stopping",
    "random_state": "the seed that was drawn from it is in the key",
    "validation_fraction": "of early_stopping",
    "verbose": "what is printed",
    "warm_start": "a fit that goes on from an earlier one keeps no checkpoint",
}


class BaseEmbedder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """A variational autoencoder as a transformer: all but its network.

    A child lists its parameters in ``__init__``, and tells its network in
    ``_network_settings(n_features)``: the arguments beside the numbers of features and
    components. Rows reach the network as `_lay_out` returns them; where one is missing,
    `_is_missing` tells so of it then.
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

    _net_settings: dict  # what net_ was built from
    _seed: int

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Train the network.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The samples, each column on a scale of about 1 (see StandardScaler); spectrograms
            of a TrackVAE as they are. Missing samples, which are NaN, are left out.
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
            If the network or a batch of rows does not fit into the device's memory.
        KeyboardInterrupt
            On a Ctrl-C. The embedder is then what it was before the call: not
            fitted, or fitted by an earlier one.
        """
        self._fit(X, previous=getattr(self, "net_", None) if self.warm_start else None)
        if has_collapsed(self):
            warnings.warn(
                f"The posterior has collapsed: {self.active_units_} of {self.n_components} latent "
                "components tell the rows apart, so that their clusters mean little. "
                f"{against_collapse(self)}",
                PosteriorCollapseWarning,
                stacklevel=3,
            )
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None):
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

    def _fit(self, X, *, previous, partial=False):
        before = self.__dict__.copy()
        try:
            self._check_settings(partial=partial)
            with plain_torch(resolve_device(self.device)):
                return self._train(X, previous=previous, partial=partial)
        except BaseException:
            # Half a fit is none: not even the number of columns may stay behind.
            self.__dict__.clear()
            self.__dict__.update(before)
            raise

    def check_settings(self):
        """Raise what is wrong with the parameters, before there are any samples."""
        self._check_settings()

    def _check_settings(self, *, partial=False):
        """Raise what is wrong with the parameters, before there are any samples.

        Parameters
        ----------
        partial : bool, default=False
            Whether it is for a `partial_fit`, which holds nothing out and has no checkpoint.
        """
        self._validate_params()
        resolve_device(self.device)
        callbacks = [cb[-1] if isinstance(cb, tuple | list) else cb for cb in self.callbacks or ()]
        for callback in callbacks:
            kind = callback if isinstance(callback, type) else type(callback)
            if not issubclass(kind, Callback):
                raise ValueError(f"Got {callback!r} in callbacks, expected callbacks of skorch.")
            monitor = getattr(callback, "monitor", None)
            needs_valid_rows = isinstance(monitor, str) and monitor.startswith("valid_")
            if needs_valid_rows and (partial or not self.early_stopping):
                raise ValueError(
                    f"A callback monitors {monitor}, but no rows are held out: let it monitor "
                    "train_loss, or use early_stopping=True."
                )
        if partial or self.checkpoint_dir is None:
            return
        if callbacks or self.early_stopping:
            raise ValueError(
                "checkpoint_dir can't be had with callbacks or early_stopping, whose own state "
                "would be lost: leave out either."
            )
        if os.path.exists(self.checkpoint_dir) and not os.path.isdir(self.checkpoint_dir):
            raise NotADirectoryError(
                f"Got checkpoint_dir={str(self.checkpoint_dir)!r}, which is a file, expected a "
                "folder."
            )

    def _train(self, X, *, previous, partial):
        if previous is not None:
            settings = self._settings(1, self.n_features_in_)
            _check_same_network(self._net_settings, settings)
        X = self._training_rows(X, reset=previous is None)
        settings = self._settings(*X.shape)
        if previous is None:
            # A search may have trained the network already, together with others.
            if not partial and (taken := take(self, X)) is not None:
                net, summary, self._seed = taken
                return self._keep(net, summary, settings)
            self._seed = self._draw_seed()
        # Copies, since a fit must not change a parameter, and some hold the optimizer after it.
        callbacks = copy.deepcopy(list(self.callbacks or ()))
        X_valid = None
        if self.early_stopping and not partial:
            train_rows, valid_rows = train_test_split(
                np.arange(len(X)), test_size=self.validation_fraction, random_state=self._seed
            )
            X, X_valid = part(X, np.sort(train_rows)), part(X, np.sort(valid_rows))
            callbacks.append(EarlyStopping(patience=self.n_iter_no_change, load_best=True))

        checkpoint = state = None
        if self.checkpoint_dir is not None and previous is None and not partial:
            checkpoint, state = self._find_checkpoint(X, settings)
            self._seed = checkpoint.seed
            callbacks.append(checkpoint)
        device = resolve_device(self.device)
        with memory_errors(device, f"batch_size={settings['batch_size']}"):
            net = self._initialized_net(settings, device, callbacks=callbacks, verbose=self.verbose)
            if previous is not None:
                set_state(net, get_state(previous))
            with seeded(self._seed, len(net.history)):
                if checkpoint is not None and state is not None:
                    checkpoint.restore(net, state)
                train(
                    net,
                    X,
                    X_valid,
                    positives=(lambda _: state["positives"]) if state else self._positives,
                    epochs=1 if partial else self.max_epochs - (len(net.history) if state else 0),
                    amp=self.amp,
                )
                summary = summarize(net, X)
        if checkpoint is not None:
            checkpoint.remove()
        return self._keep(net, summary, settings)

    def _keep(self, net, summary, settings):
        self.net_ = net
        self.kl_per_component_ = summary["kl"]
        self.active_units_ = summary["active_units"]
        self.noise_variance_ = summary["noise_variance"]
        self.beta_norm_ = self.beta * self.n_components / net.module_.n_inputs
        self.device_ = str(torch.device(net.device))
        self.history_ = [
            {name: epoch[name] for name in _HISTORY if name in epoch} for epoch in net.epochs_
        ]
        self._net_settings = settings
        self._n_features_out = settings["module__n_components"]
        return self

    def _draw_seed(self):
        return int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))

    def _find_checkpoint(self, X, settings):
        params = {
            name: value
            for name, value in self.get_params(deep=False).items()
            if name not in NOT_IN_CHECKPOINT_KEY
        }
        seed = None if self.random_state is None else self._seed
        rows = X if isinstance(X, np.ndarray) else X.digest()
        identity = (type(self).__name__, params, settings, seed, rows)
        return Checkpoint.of_fit(self.checkpoint_dir, self._seed, *identity)

    def transform(self, X):
        """Return the mean of the posterior of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The samples.

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_components), float32
            Their latent vectors; NaN where a sample is missing.
        """
        return self._map_rows(self._encode, X)

    def inverse_transform(self, X):
        """Return the mean of the likelihood at places in the latent space.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components)
            Latent vectors, such as `transform` returns.

        Returns
        -------
        X_original : ndarray of shape (n_samples, n_features), float32
            What the decoder makes of them; NaN where a latent vector is.
        """
        X = self._check_places(X)
        return self._decode(X, np.empty((len(X), 0), dtype=np.float32))

    def score_samples(self, X):
        """Return the evidence lower bound (ELBO) of each row.

        It bounds the log-likelihood of the row from below, in nats, with the weight
        of the KL divergence at 1 whatever `beta`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        elbo : ndarray of shape (n_samples,), float32
            The higher, the better the sample fits; NaN where it is missing.
        """
        check_is_fitted(self)
        return self._score_rows(self._check_rows(X))

    def _score_rows(self, X):
        rng = np.random.default_rng(self._seed)
        nodes = torch.from_numpy(cubature_nodes(self._n_features_out, rng)).to(self.net_.device)
        return self._map(lambda rows: self._elbo(rows, nodes), X, self._is_missing)

    def score(self, X, y=None):
        """Return the mean of the samples' evidence lower bounds.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The samples.
        y : None
            Ignored.

        Returns
        -------
        score : float
            The mean of `score_samples` over the samples that are not missing; NaN if all are.
        """
        check_is_fitted(self)
        X = self._without_missing(self._check_rows(X))
        return float(self._score_rows(X).mean(dtype=np.float64)) if len(X) else float("nan")

    def sample(self, n_samples=1, random_state=None):
        """Decode draws from the prior.

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows.
        random_state : int, RandomState instance or None, default=None
            Where the draws come from; None takes the estimator's `random_state`.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features), float32
            The means of the likelihood, without the noise around them.
        """
        return self.inverse_transform(self._prior(n_samples, random_state))

    def _prior(self, n_samples, random_state):
        check_is_fitted(self)
        rng = check_random_state(self.random_state if random_state is None else random_state)
        return rng.standard_normal((n_samples, self._n_features_out))

    def _settings(self, n_rows, n_features):
        """Return what a net is built from, in plain numbers, so that it can be pickled."""
        settings = {"n_features": n_features, "n_components": int(self.n_components)}
        settings |= self._network_settings(n_features)
        return {f"module__{name}": value for name, value in settings.items()} | {
            "criterion__beta": float(self.beta),
            "criterion__free_bits": float(self.free_bits),
            "criterion__decoder_variance": self.decoder_variance,
            "criterion__total_correlation": float(self.total_correlation),
            "callbacks__terms__kl_warmup": int(self.kl_warmup),
            "batch_size": self._n_rows_per_step(n_rows),
            "lr": float(self.lr),
            "max_epochs": int(self.max_epochs),
        }

    def _n_rows_per_step(self, n_rows):
        """Return how many of so many rows a step of the training takes."""
        return int(self.batch_size)

    def _encode(self, rows):
        """Return the mean of the posterior of rows on the device."""
        return self.net_.module_.encode(rows)[0]

    def _elbo(self, rows, nodes):
        """Return the evidence lower bound of rows on the device."""
        kl = self.net_.criterion_.kl
        return elbo(self.net_.module_, rows, nodes, self.noise_variance_, kl)

    def _positives(self, X):
        """Return the rows that each row is tied to, (n_samples, n_positives), or None."""

    def _initialized_net(self, settings, device, **kwargs):
        network: type[Network] = DenseNetwork
        if "module__image_shape" in settings:
            network = TrackNetwork if "module__window_frames" in settings else ConvNetwork
        with seeded(self._seed), plain_torch(device):
            return EmbeddingNet(network, device=device, **settings, **kwargs).initialize()

    def _check_rows(self, X, *, reset=False, trains=False):
        """Return the rows as the network takes them: an array, or rows on disk."""
        table = X
        if is_mapped(X):
            validate_data(self, X, reset=reset, skip_check_array=True)
        else:
            X = validate_data(self, X, reset=reset, dtype=np.float32, ensure_all_finite="allow-nan")
        # Of pandas, of polars: it knows the names of its columns.
        table = table if hasattr(type(table), "columns") else X
        if reset:
            self._learn_columns(table)
        elif trains:
            self._check_columns(table)
        return MappedRows(X, self._lay_out) if is_mapped(X) else self._lay_out(X)

    def _training_rows(self, X, *, reset):
        """Return the rows to train on, without those that are missing.

        They are all looked at, so that what is wrong anywhere is an error now, and not in the
        middle of an epoch.
        """
        rows = self._check_rows(X, reset=reset, trains=True)
        present = self._without_missing(rows)
        if not len(present):
            raise ValueError(
                f"All {len(rows)} samples of X are missing, that is NaN: there is nothing to train "
                "on. Look at why the steps before could not make anything of them."
            )
        if reset:
            self._learn_rows(present)
        return present

    def _without_missing(self, rows):
        is_missing = np.concatenate([self._is_missing(some) for _, some in chunks(rows)])
        return part(rows, np.flatnonzero(~is_missing)) if is_missing.any() else rows

    def _is_missing(self, x):
        """Tell of valid rows, an array or a tensor, which are missing, (n_rows,).

        Where one number of what a sample can't do without is NaN, all of them are.
        """
        return is_nan(x[:, 0])

    def _learn_columns(self, X):
        """Learn from the columns of `X`, a DataFrame where it is one, what they are."""

    def _check_columns(self, X):
        """Raise where training can't go on, as the columns are no longer what they were."""

    def _lay_out(self, X):
        """Return rows as the network takes them, which are either valid or missing."""
        check_nan(X, n_needed=X.shape[1])
        return X

    def _learn_rows(self, X):
        """Learn from all rows what the network is built with."""

    def _check_places(self, X):
        """Return latent vectors, each of which is finite or NaN throughout."""
        check_is_fitted(self)
        X = check_array(X, dtype=np.float32, ensure_all_finite="allow-nan")
        if X.shape[1] != self._n_features_out:
            raise ValueError(
                f"X has {X.shape[1]} columns, but the latent space of this "
                f"{type(self).__name__} has {self._n_features_out}: pass rows such as "
                "transform returns."
            )
        check_nan(X, n_needed=X.shape[1])
        return X

    def _decode(self, Z, condition):
        """Return the decoder's means at places in the latent space, under a condition."""

        def decode(rows):
            return self._decode_rows(rows[:, : Z.shape[1]], rows[:, Z.shape[1] :])

        return self._map(decode, np.hstack([Z, condition]), lambda rows: is_nan(rows[:, 0]))

    def _decode_rows(self, z, condition):
        """Return the decoder's means at places on the device."""
        return self.net_.module_.decode(z, condition)

    def _map_rows(self, function, X):
        """Apply a function of tensors to rows as a user gives them."""
        check_is_fitted(self)
        return self._map(function, self._check_rows(X), self._is_missing)

    def _map(self, function, X, is_missing):
        """Apply a function of tensors to rows; of those that are missing the result is NaN."""
        device = self.net_.device
        self.net_.module_.eval()
        results = []
        with (
            plain_torch(device),
            torch.no_grad(),
            memory_errors(device, f"rows of {X.shape[1]} columns"),
        ):
            for rows in row_batches(X, device):
                missing = is_missing(rows)
                # Zeros in their stead: a result of NaN alone would not know its own width.
                result = function(torch.where(missing[:, None], 0.0, rows))
                result[missing] = torch.nan
                results.append(result.cpu().numpy())
        return np.concatenate(results)

    def __getstate__(self):
        state = dict(super().__getstate__())
        if "net_" in state:
            state["net_"] = get_state(self.net_)
        return state

    def __setstate__(self, state):
        super().__setstate__(state)
        if "net_" in state:
            try:
                device = resolve_device(self.device_)
            except ValueError:
                device = resolve_device("cpu")
            self.device_ = str(device)
            self.net_ = self._initialized_net(self._net_settings, device, verbose=self.verbose)
            with plain_torch(device):
                set_state(self.net_, state["net_"])

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        # Of the columns behind an image, any may be NaN. Elsewhere, as scikit-learn means it, none
        # may be: only all columns of a sample.
        sizes = np.asarray(getattr(self, "image_shape", None))
        tags.input_tags.allow_nan = sizes.ndim == 1 and -1 not in sizes.tolist()
        return tags


def has_collapsed(embedder):
    """Tell whether fewer than two components, or than a tenth of them, are active."""
    n_components = embedder.n_components
    return embedder.active_units_ < max(min(2, n_components), 0.1 * n_components)


def against_collapse(embedder):
    """Say what helps."""
    n_steps = sum(embedder.net_.history[:, "train_batch_count"])
    remedies = [f"train for more than these {n_steps:,} steps (max_epochs, a smaller batch_size)"]
    if embedder.beta:
        remedies.append(f"lower beta (it is {embedder.beta:g})")
    if embedder.beta and not embedder.kl_warmup:
        remedies.append("let it rise from 0 (kl_warmup)")
    if embedder.beta and not embedder.free_bits:
        remedies.append("keep a minimum of information per component (free_bits)")
    return f"What helps: {', '.join(remedies)}. Columns that were not scaled look the same."


def is_nan(x):
    """Tell which numbers of an array or of a tensor are NaN."""
    return x != x


def check_nan(X, n_needed, n_optional=0, columns=None):
    """Raise where a sample is NaN in part.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_columns)
        The samples, without infinite values.
    n_needed : int
        Number of the first columns, which are NaN all at once or not at all.
    n_optional : int, default=0
        Number of columns behind them that may be NaN. The others may be where the first are.
    columns : ndarray of shape (n_columns,), default=None
        Their numbers in what the user passed, where these are others.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # a sum takes no memory, as isnan does
        candidates = np.flatnonzero(np.isnan(X.sum(axis=1)))
    wrong = np.isnan(X[candidates])
    wrong[:, n_needed : n_needed + n_optional] = False
    wrong[wrong[:, :n_needed].all(axis=1)] = False
    if not wrong.any():
        return
    row, column = np.argwhere(wrong)[0]
    numbers = np.arange(X.shape[1]) if columns is None else columns
    message = f"X contains NaN in row {candidates[row]}, column {numbers[column]}"
    if column < n_needed:
        n_missing = np.isnan(X[candidates[row], :n_needed]).sum()
        what = "columns" if n_needed == X.shape[1] else "pixels"
        message += (
            f", in {n_missing} of its {n_needed} {what}. A sample may be missing as a whole only, "
            "with NaN in all of them: impute the values, or drop the row."
        )
    else:
        message += ", which belongs to the condition: an unknown condition is one of zeros."
    if n_optional:
        optional = numbers[n_needed : n_needed + n_optional]
        message += f" Only side features (columns {optional[0]} to {optional[-1]}) may be NaN."
    raise ValueError(message)


def check_image_shape(image_shape):
    """Raise where an image's height and width are no pair of sizes, whatever the columns."""
    if len(image_shape) != 2:
        raise ValueError(
            f"Got image_shape={image_shape!r}, expected two sizes, of bands and of frames."
        )
    height, width = image_shape
    for size in (height, width):
        check_scalar(size, "image_shape[i]", Integral)
        if size < 1 and size != -1:
            raise ValueError(f"Got image_shape={image_shape!r}, expected sizes from 1 up, or -1.")
    if height == width == -1:
        raise ValueError(f"Got image_shape={image_shape!r}, of which only one may be -1.")


def resolve_image_shape(image_shape, n_columns):
    """Return the image's height and width, -1 resolved as numpy.reshape does.

    Raises
    ------
    ValueError
        If it is no pair, needs more columns than there are, or -1 does not come out even.
    """
    check_image_shape(image_shape)
    height, width = image_shape
    known = max(height, width) if -1 in (height, width) else height * width
    if -1 in (height, width):
        if n_columns % known or not n_columns:
            raise ValueError(
                f"Got image_shape={image_shape!r}, which needs a multiple of {known} columns, but "
                f"X has {n_columns}. Give both sizes where there are columns behind the image."
            )
        other = n_columns // known
        return [int(known), other] if width == -1 else [other, int(known)]
    if known > n_columns:
        raise ValueError(
            f"Got image_shape={image_shape!r}, which needs {known} columns, but X has {n_columns}: "
            "take the image_shape_ of the SpectrogramExtractor that made them, or a -1 in it."
        )
    return [int(height), int(width)]


def learn_image_shape(image_shape, n_columns):
    """Return the image's height and width as a tuple; warn where they are hardly meant."""
    if tuple(image_shape) == (1, -1):
        warnings.warn(
            "Got image_shape=(1, -1), which takes each row for a spectrogram of one band. Give the "
            "image_shape_ of the SpectrogramExtractor that made them, or (n_mels, -1); if there "
            f"is one band, (1, {n_columns}).",
            UserWarning,
            stacklevel=2,
        )
    return tuple(resolve_image_shape(image_shape, n_columns))


def check_widths(widths, name, n_min=0):
    """Return the sizes of layers, of which there are so many at least, as a list of int."""
    if len(widths) < n_min:
        raise ValueError(f"Got {name}={widths!r}, expected at least {n_min} size.")
    for width in widths:
        check_scalar(width, f"{name}[i]", Integral, min_val=1)
    return [int(width) for width in widths]


# Settings of a network that no weight depends on: training may go on with others.
_OF_THE_TRAINING = tuple(
    f"module__{name}" for name in ("auxiliary_weight", "augmentation", "ties_windows", "ties_side")
)


def _check_same_network(before, now):
    changed = {
        name.split("__")[1]: (before.get(name), now.get(name))
        for name in [*before, *(name for name in now if name not in before)]
        if name.startswith(("module__", "criterion__decoder", "criterion__n_"))
        and name not in _OF_THE_TRAINING
        and before.get(name) != now.get(name)
    }
    if changed:
        raise ValueError(
            "Training can go on with the same network only, but it changed: "
            + ", ".join(f"{name} from {old} to {new}" for name, (old, new) in changed.items())
            + ". Set warm_start=False, or clone the estimator, to train a new one."
        )
