"""Conditional beta-VAE."""

import math
from collections.abc import Sequence
from numbers import Real
from os import PathLike
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import normalized_mutual_info_score
from sklearn.utils import check_array
from sklearn.utils._indexing import _get_column_indices
from sklearn.utils._param_validation import Interval
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_consistent_length

from .._docstrings import shared
from .._inspection import warn_of_leakage
from ._base import BaseEmbedder
from ._docstrings import EMBEDDER
from ._layout import Layout, is_nan, resolve_image_shape, warn_of_one_band
from .training import chunks


@shared(EMBEDDER)
class BetaCVAE(BaseEmbedder):
    """Conditional beta-VAE: it can decode a track under another condition, such as a genre.

    Some columns are the condition, the others the input. The decoder is conditioned on the
    condition, so the latent space need not represent it, and one latent vector can be decoded
    under several conditions. The encoder is not, by default: it would copy the condition into
    the latent space, and clusters scored against the same labels would measure label leakage.

    Parameters
    ----------
    n_components : int, default=16
        Number of latent dimensions.
    condition_features : str, int, slice, mask, sequence of str or int, callable, default=None
        Columns of the condition, selected as in ColumnTransformer. A callable, such as
        ``make_column_selector(pattern="^genre__")``, is called with X. None is no condition.
    encode_condition : bool, default=False
        Whether the encoder is conditioned too. Scores against labels that make up the condition
        then mean nothing.
    hidden_layer_sizes : sequence of int, default=(128, 64)
        Widths of the encoder's hidden layers, if there is no image.
    image_shape : tuple of int, default=None
        ``(n_bands, n_frames)`` of the image that the input starts with, for a convolutional
        network as in `ConvVAE`. One of them may be -1. None is a dense network.
    channels : sequence of int, default=(32, 64, 128)
        Channels of the convolutions, if there is an image.
    auxiliary_weight : float, default=1.0
        Weight of the auxiliary features' squared error, if there is an image.
    beta : float, default=4.0
        {beta}
    {elbo}
    {total_correlation}
    max_epochs : int, default=60
        Number of passes over the samples.
    {batch_size}
    {early_stopping}
    {training}

    Attributes
    ----------
    condition_columns_ : ndarray of int
        Numbers of the condition's columns.
    condition_leakage_ : float or None
        Normalised mutual information of the condition with the labels y, if `fit` was given any:
        above .5 it nearly determines them. y has no other use. None without y, or if nearly each
        sample has a condition of its own.
    image_shape_ : tuple of int
        ``(n_bands, n_frames)`` of the image, if there is one.
    {attributes}

    See Also
    --------
    VAE, ConvVAE : Without a condition.
    GenreEncoder : Makes a condition of genre labels.

    Notes
    -----
    The loss is that of `VAE` with ``contrastive_weight=0``, for the input given the condition
    [1]_. A condition of zeros is an unknown one, and allowed everywhere. With
    ``encode_condition=False`` the condition's columns make no difference to `transform`.

    A sample whose input is NaN in all columns (with an image, in all of the image) is missing,
    whatever its condition: the training leaves it out, and `transform` returns NaN for it.

    References
    ----------
    .. [1] K. Sohn, H. Lee and X. Yan, "Learning Structured Output Representation using Deep
       Conditional Generative Models", NeurIPS 2015.

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

    condition_leakage_: float | None = None

    def __init__(
        self,
        n_components: int = 16,
        *,
        condition_features: Any = None,
        encode_condition: bool = False,
        hidden_layer_sizes: Sequence[int] = (128, 64),
        image_shape: Sequence[int] | None = None,
        channels: Sequence[int] = (32, 64, 128),
        auxiliary_weight: float = 1.0,
        beta: float = 4.0,
        kl_warmup: int = 0,
        free_bits: float = 0.0,
        decoder_variance: Literal["unit", "learned", "optimal"] = "unit",
        total_correlation: float = 0.0,
        max_epochs: int = 60,
        batch_size: int = 64,
        lr: float = 1e-3,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        callbacks: Sequence[Any] | None = None,
        checkpoint_dir: str | PathLike[str] | None = None,
        device: str = "auto",
        amp: bool = False,
        warm_start: bool = False,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None:
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

    def fit(self, X: Any, y: Any = None) -> Self:
        """Train the network.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The samples, each column of the input on a scale of about 1.
        y : array-like of shape (n_samples,), default=None
            Labels. They don't enter the training: if given, the label leakage of the
            condition is measured with them.

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
        self.condition_leakage_ = self.label_leakage(X, y)
        if self.encode_condition:
            warn_of_leakage(self.condition_leakage_)
        return self

    def inverse_transform(self, X: Any, condition: Any = None) -> NDArray[np.float32]:
        """Decode latent vectors under a condition.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components)
            Latent vectors, such as `transform` returns.
        condition : array-like of shape (n_condition,) or (n_samples, n_condition), default=None
            The condition; None is an unknown one, all zeros.

        Returns
        -------
        X_original : ndarray of shape (n_samples, n_features), float32
            The means of the likelihood, with the condition in its columns.
        """
        Z = self._check_latent(X)
        n_condition = len(self.condition_columns_)
        condition = check_array(
            np.zeros(n_condition) if condition is None else condition,
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
        return self._layout.restore(self._decode(Z, condition), condition)

    def sample(
        self,
        n_samples: int = 1,
        random_state: int | np.random.RandomState | None = None,
        *,
        condition: Any = None,
    ) -> NDArray[np.float32]:
        """Decode draws from the prior under a condition.

        Parameters
        ----------
        n_samples : int, default=1
            Number of samples.
        random_state : int, RandomState instance or None, default=None
            Determines the draws; None takes the estimator's `random_state`.
        condition : array-like of shape (n_condition,) or (n_samples, n_condition), default=None
            The condition; None is an unknown one, all zeros.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features), float32
            The means of the likelihood, with the condition in its columns.
        """
        return self.inverse_transform(self._draw_latent(n_samples, random_state), condition)

    def label_leakage(self, X: Any, y: Any) -> float | None:
        """Return how much the condition says about labels.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The samples.
        y : array-like of shape (n_samples,) or None
            Labels, of which some may be missing.

        Returns
        -------
        leakage : float or None
            Normalised mutual information of condition and labels. None if there are no labels or
            no condition, or if nearly each sample has a condition of its own.
        """
        n_condition = len(self.condition_columns_)
        if y is None or not n_condition:
            return None
        labels = np.asarray(y, dtype=object)
        if labels.ndim > 1:
            return None
        parts = [
            (x[:, -n_condition:], self._layout.is_missing(x))
            for _, x in chunks(self._check_samples(X))
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
            return None  # such a condition predicts anything
        return float(normalized_mutual_info_score(pd.factorize(labels)[0], groups))

    def _find_layout(self, X: Any) -> Layout:
        self.condition_columns_ = self._find_condition(X)
        n_inputs = X.shape[1] - len(self.condition_columns_)
        if n_inputs == 0:
            raise ValueError(
                f"All columns of X (n_features={X.shape[1]}) are condition_features, which leaves "
                "no input."
            )
        if self.image_shape is None:
            self.__dict__.pop("image_shape_", None)  # of an earlier fit
            return Layout(X.shape[1], condition=self.condition_columns_)
        warn_of_one_band(self.image_shape, n_inputs)
        self.image_shape_ = resolve_image_shape(self.image_shape, n_inputs)
        n_pixels = math.prod(self.image_shape_)
        return Layout(X.shape[1], n_pixels, self.condition_columns_, what="pixels")

    def _check_columns(self, X: Any) -> None:
        before, now = self.condition_columns_, self._find_condition(X)
        if not np.array_equal(before, now):
            raise ValueError(
                "Training can go on with the same network only, but condition_features changed "
                f"from the columns {before.tolist()} to {now.tolist()}. Set warm_start=False to "
                "train a new one."
            )

    def _find_condition(self, X: Any) -> NDArray[np.int64]:
        features = self.condition_features
        if callable(features):
            features = features(X)
        if features is None:
            return np.empty(0, dtype=int)
        return np.unique(np.atleast_1d(_get_column_indices(X, features))).astype(int)
