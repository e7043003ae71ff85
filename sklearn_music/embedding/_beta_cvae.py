"""The conditional beta-VAE."""

import math
from numbers import Real

import numpy as np
import pandas as pd
from sklearn.metrics import normalized_mutual_info_score
from sklearn.utils import check_array
from sklearn.utils._indexing import _get_column_indices
from sklearn.utils._param_validation import Interval
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_consistent_length

from .._leakage import warn_of_leakage
from ._base import (
    BaseEmbedder,
    check_image_shape,
    check_nan,
    check_widths,
    is_nan,
    learn_image_shape,
)
from ._conv_vae import conv_settings
from ._mapped_rows import chunks


class BetaCVAE(BaseEmbedder):
    """Conditional beta-VAE: what the rows hold beyond a condition, their genre for example.

    Some columns are the condition, the others the input. The decoder is told the
    condition, so that the latent space need not hold it, and can decode the same place
    under another one. The encoder is not, by default: it would copy the condition into
    the latent space, and clusters scored against the same labels would measure the leak.

    Parameters
    ----------
    n_components : int, default=16
        Number of latent dimensions.
    condition_features : str, int, slice, mask, sequence of str or int, callable, default=None
        The condition's columns, as ColumnTransformer picks columns; a callable, such as
        ``make_column_selector(pattern="^genre__")``, is given X. None for no condition.
    encode_condition : bool, default=False
        Whether the encoder is told the condition too. Its scores against labels that
        make up the condition are then worth nothing.
    hidden_layer_sizes : sequence of int, default=(128, 64)
        Widths of the encoder's hidden layers, without an image.
    image_shape : tuple of int, default=None
        ``(n_bands, n_frames)`` of the image that the input starts with, for a
        convolutional network as in `ConvVAE`. One may be -1. None for a dense one.
    channels : sequence of int, default=(32, 64, 128)
        Channels of the convolutions, with an image.
    auxiliary_weight : float, default=1.0
        Weight of the side features' squared error, with an image.
    beta : float, default=4.0
        Weight of the KL divergence. 1 is the evidence lower bound; more of it makes
        the latent dimensions independent and few, less makes the reconstruction sharp.
    kl_warmup : int, default=0
        Number of epochs over which the weight of the KL divergence rises to beta, which
        it never reaches where `max_epochs` is lower.
    free_bits : float, default=0.0
        Nats per latent dimension below which its KL divergence is not lowered further.
    decoder_variance : {"unit", "learned", "optimal"}, default="unit"
        The variance of the likelihood: 1, a parameter of the network, or the value that
        maximises the likelihood of each batch.
    total_correlation : float, default=0.0
        Weight of the total correlation of the latent dimensions, on top of beta.
    max_epochs : int, default=60
        Number of passes over the rows.
    batch_size : int, default=64
        Number of rows per step.
    lr : float, default=1e-3
        Learning rate of Adam.
    early_stopping : bool, default=False
        Whether to hold out rows, stop when their loss has stopped falling, and go
        back to the epoch in which it was lowest.
    validation_fraction : float, default=0.1
        The share of rows held out, where `early_stopping`.
    n_iter_no_change : int, default=10
        The number of epochs to wait for a lower loss, where `early_stopping`.
    callbacks : list of skorch.callbacks.Callback, default=None
        Further callbacks. Copies of them are used: those of a fit are in ``net_.callbacks_``.
    checkpoint_dir : str or path, default=None
        A folder in which `fit` keeps the state after each epoch. The same call after a
        crash goes on from there, and ends with the same weights on a CPU.
        With ``random_state=None``, fits that run at the same time need a folder each.
    device : str, default="auto"
        ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``; ``"auto"`` is CUDA where there
        is one, else the CPU.
    amp : bool, default=False
        Whether to train with layers in bfloat16 (automatic mixed precision): faster on
        a recent GPU, less exact. Falls back to float32, with a warning, where a GPU has none.
    warm_start : bool, default=False
        Whether `fit` goes on from where the last one ended.
    random_state : int, RandomState instance or None, default=None
        Determines the initial weights, the order of the rows and the draws from the
        posterior. An int gives the same embedding each time.
    verbose : int, default=0
        Prints a line per epoch where not 0.

    Attributes
    ----------
    condition_leakage_ : float or None
        Where `fit` was given labels y, their normalised mutual information with the
        condition: above .5 it all but tells them. y has no other use. None without y, or
        where nearly each row has a condition of its own.
    image_shape_ : tuple of int
        ``(n_bands, n_frames)`` of the image, with an image.
    net_ : skorch.NeuralNet
        The trained net; its network is ``net_.module_``.
    history_ : list of dict
        One per epoch: ``epoch``, ``train_loss``, ``reconstruction``, ``kl`` (in nats),
        ``active_units``, ``dur`` (in seconds) and, where they are used,
        ``total_correlation`` and ``valid_loss``.
    kl_per_component_ : ndarray of shape (n_components,)
        Each latent dimension's KL divergence, the mean over the rows, in nats.
    active_units_ : int
        Number of latent dimensions that tell the rows apart: the variance of their
        posterior mean is above 0.01.
    beta_norm_ : float
        ``beta * n_components / n_features``, to compare beta across sizes.
    noise_variance_ : float
        The variance of the likelihood.
    device_ : str
        Where the net is.
    n_features_in_ : int
        Number of columns seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns seen in `fit`, where they were strings.

    See Also
    --------
    VAE, ConvVAE : Without a condition.
    GenreEncoder : Makes a condition of genre labels.

    Notes
    -----
    The loss is that of `VAE` without `contrastive_weight`, for the input given the condition. A
    condition of zeros is an unknown one, and legal everywhere. Where the encoder is not
    told the condition, what stands in its columns makes no difference to `transform`.

    A sample whose input is NaN in all columns (with an image, in all of the image) is missing,
    whatever its condition: the training leaves it out, and `transform` gives it NaN.

    References
    ----------
    K. Sohn, H. Lee and X. Yan, "Learning Structured Output Representation using Deep
    Conditional Generative Models", NeurIPS 2015.

    I. Higgins et al., "beta-VAE: Learning Basic Visual Concepts with a Constrained
    Variational Framework", ICLR 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_music import BetaCVAE
    >>> rng = np.random.default_rng(0)
    >>> genre = np.eye(2)[np.arange(100) % 2]
    >>> X = np.hstack([genre @ [[3, 0, 0], [0, 3, 0]] + rng.standard_normal((100, 3)), genre])
    >>> cvae = BetaCVAE(
    ...     2, condition_features=slice(3, 5), beta=0.1, max_epochs=50, random_state=0
    ... ).fit(X)
    >>> Z = cvae.transform(X[:1])
    >>> as_first, as_second = (cvae.inverse_transform(Z, condition=c)[0] for c in np.eye(2))
    >>> bool(as_first[0] > as_second[0])
    True
    """

    _parameter_constraints: dict = {
        **BaseEmbedder._parameter_constraints,
        "condition_features": "no_validation",
        "encode_condition": ["boolean"],
        "hidden_layer_sizes": ["array-like"],
        "image_shape": ["array-like", None],
        "channels": ["array-like"],
        "auxiliary_weight": [Interval(Real, 0, None, closed="left")],
    }

    _condition_columns: np.ndarray

    def __init__(
        self,
        n_components=16,
        *,
        condition_features=None,
        encode_condition=False,
        hidden_layer_sizes=(128, 64),
        image_shape=None,
        channels=(32, 64, 128),
        auxiliary_weight=1.0,
        beta=4.0,
        kl_warmup=0,
        free_bits=0.0,
        decoder_variance="unit",
        total_correlation=0.0,
        max_epochs=60,
        batch_size=64,
        lr=1e-3,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        callbacks=None,
        checkpoint_dir=None,
        device="auto",
        amp=False,
        warm_start=False,
        random_state=None,
        verbose=0,
    ):
        self.n_components = n_components
        self.condition_features = condition_features
        self.encode_condition = encode_condition
        self.hidden_layer_sizes = hidden_layer_sizes
        self.image_shape = image_shape
        self.channels = channels
        self.auxiliary_weight = auxiliary_weight
        self.beta = beta
        self.kl_warmup = kl_warmup
        self.free_bits = free_bits
        self.decoder_variance = decoder_variance
        self.total_correlation = total_correlation
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.callbacks = callbacks
        self.checkpoint_dir = checkpoint_dir
        self.device = device
        self.amp = amp
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X, y=None):
        """Train the network.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows, each column of the input on a scale of about 1.
        y : array-like of shape (n_samples,), default=None
            Labels. They don't enter the training: where they are given, the leak of the
            condition is measured by them.

        Returns
        -------
        self : BetaCVAE
            The fitted embedder.

        Raises
        ------
        DivergenceError
            If the loss becomes NaN or infinite.
        """
        if y is not None:
            check_consistent_length(X, y)
        super().fit(X)
        self.condition_leakage_ = self._leakage(X, y)
        if self.encode_condition:
            warn_of_leakage(self.condition_leakage_)
        return self

    def partial_fit(self, X, y=None):
        """Train the network for one epoch over `X`, on top of what it has learnt.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Some rows.
        y : None
            Ignored.

        Returns
        -------
        self : BetaCVAE
            The embedder.
        """
        super().partial_fit(X)
        self.condition_leakage_ = getattr(self, "condition_leakage_", None)
        return self

    def inverse_transform(self, X, condition=None):
        """Return the mean of the likelihood at places in the latent space.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components)
            Places in the latent space, such as `transform` returns.
        condition : array-like of shape (n_condition,) or (n_samples, n_condition), default=None
            The condition to decode under; None is an unknown one, all zeros.

        Returns
        -------
        X_original : ndarray of shape (n_samples, n_features), float32
            The rows that the decoder makes of them, the condition in its columns.
        """
        Z = self._check_places(X)
        n_condition = len(self._condition_columns)
        if condition is None:
            condition = np.zeros(n_condition)
        condition = check_array(
            condition,
            dtype=np.float32,
            ensure_2d=False,
            ensure_min_samples=0,
            ensure_all_finite="allow-nan",
        )
        if condition.shape not in ((n_condition,), (len(Z), n_condition)):
            raise ValueError(
                f"Got a condition of shape {condition.shape}, expected ({n_condition},) or "
                f"({len(Z)}, {n_condition}), in the order of condition_features."
            )
        condition = np.broadcast_to(condition, (len(Z), n_condition)).copy()
        is_missing = is_nan(Z[:, 0])
        condition[is_missing] = np.nan
        if is_nan(condition[~is_missing]).any():
            raise ValueError(
                "The condition contains NaN for a latent vector that has none: an unknown "
                "condition is one of zeros."
            )
        return self._merged(self._decode(Z, condition), condition)

    def sample(self, n_samples=1, random_state=None, *, condition=None):
        """Decode draws from the prior.

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows.
        random_state : int, RandomState instance or None, default=None
            Where the draws come from; None takes the estimator's `random_state`.
        condition : array-like of shape (n_condition,) or (n_samples, n_condition), default=None
            The condition to decode under; None is an unknown one, all zeros.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features), float32
            The means of the likelihood, the condition in its columns.
        """
        return self.inverse_transform(self._prior(n_samples, random_state), condition)

    def _check_settings(self, *, partial=False):
        super()._check_settings(partial=partial)
        if self.image_shape is None:
            check_widths(self.hidden_layer_sizes, "hidden_layer_sizes")
        else:
            check_image_shape(self.image_shape)
            check_widths(self.channels, "channels", n_min=1)

    def _learn_columns(self, X):
        self._condition_columns = self._find_condition(X)
        n_inputs = int(self._is_input().sum())
        if n_inputs == 0:
            raise ValueError(
                f"All columns of X (n_features={X.shape[1]}) are condition_features, which leaves "
                "no input."
            )
        if self.image_shape is not None:
            self.image_shape_ = learn_image_shape(self.image_shape, n_inputs)
        elif hasattr(self, "image_shape_"):
            del self.image_shape_  # of an earlier fit

    def _check_columns(self, X):
        columns = self._find_condition(X)
        if not np.array_equal(columns, self._condition_columns):
            raise ValueError(
                "Training can go on with the same network only, but condition_features "
                f"changed from the columns {self._condition_columns.tolist()} to "
                f"{columns.tolist()}. Set warm_start=False to train a new one."
            )

    def _lay_out(self, X):
        inputs = np.flatnonzero(self._is_input())
        columns = np.concatenate([inputs, self._condition_columns])
        X = X[:, columns]
        # Of the fit: the parameter may have changed since.
        n_pixels = math.prod(getattr(self, "image_shape_", [len(inputs)]))
        check_nan(X, n_pixels, len(inputs) - n_pixels, columns)
        return X

    def _find_condition(self, X):
        features = self.condition_features
        if callable(features):
            features = features(X)
        if features is None:
            return np.empty(0, dtype=int)
        return np.unique(np.atleast_1d(_get_column_indices(X, features))).astype(int)

    def _is_input(self):
        """Return the mask of the columns that are not the condition."""
        is_input = np.ones(self.n_features_in_, dtype=bool)
        is_input[self._condition_columns] = False
        return is_input

    def _merged(self, inputs, condition):
        """Return input and condition as columns in the order of X."""
        merged = np.empty((len(inputs), self.n_features_in_), dtype=np.float32)
        merged[:, self._is_input()] = inputs
        merged[:, self._condition_columns] = condition
        return merged

    def label_leakage(self, X, y):
        """Return how well the condition predicts labels.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The samples.
        y : array-like of shape (n_samples,)
            Their labels.

        Returns
        -------
        leakage : float or None
            Normalised mutual information, in [0, 1]; None where it can't be measured.
        """
        return self._leakage(X, y)

    def _leakage(self, X, y):
        n_condition = len(self._condition_columns)
        if y is None or not n_condition:
            return None
        labels = np.asarray(y, dtype=object)
        if labels.ndim > 1:
            return None
        parts = [
            (rows[:, -n_condition:], self._is_missing(rows))
            for _, rows in chunks(self._check_rows(X))
        ]
        condition, is_missing = (np.concatenate(part) for part in zip(*parts, strict=True))
        counts = ~pd.isna(labels) & ~is_missing
        if not counts.any():
            return None
        labels, condition = pd.Series(labels[counts]).infer_objects().to_numpy(), condition[counts]
        if type_of_target(labels) not in ("binary", "multiclass"):
            return None
        groups = np.unique(condition, axis=0, return_inverse=True)[1].ravel()
        if groups.max() > len(groups) / 2:
            return None  # nearly each row has a condition of its own, which tells anything
        return float(normalized_mutual_info_score(pd.factorize(labels)[0], groups))

    def _network_settings(self, n_features):
        n_condition = len(self._condition_columns)
        settings = {"n_condition": n_condition, "encode_condition": bool(self.encode_condition)}
        if self.image_shape is None:
            widths = check_widths(self.hidden_layer_sizes, "hidden_layer_sizes")
            return settings | {"hidden_layer_sizes": widths}
        return settings | conv_settings(self, n_features - n_condition)
