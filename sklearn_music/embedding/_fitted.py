"""What a fitted embedder does: encode, decode, score, sample."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import check_is_fitted

from ._layout import Layout, check_nan, is_nan
from .losses import cubature_nodes
from .training import Trainer, sample_batches, torch_state


class FittedEmbedder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """The methods of a fitted embedder."""

    net_: Trainer
    active_units_: int
    noise_variance_: float
    n_features_in_: int
    _layout: Layout
    _seed: int
    _n_features_out: int

    def transform(self, X: Any) -> NDArray[np.float32]:
        """Return the latent vector of each sample, the mean of its posterior.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The samples.

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_components), float32
            Their latent vectors; NaN where a sample is missing.
        """
        return self._map_samples(lambda x: self.net_.module_.embed(x).mean, X)

    def inverse_transform(self, X: Any) -> NDArray[np.float32]:
        """Decode latent vectors.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components)
            Latent vectors, such as `transform` returns.

        Returns
        -------
        X_original : ndarray of shape (n_samples, n_features), float32
            The means of the likelihood; NaN where a latent vector is.
        """
        Z = self._check_latent(X)
        return self._decode(Z, np.empty((len(Z), 0), dtype=np.float32))

    def score_samples(self, X: Any) -> NDArray[np.float32]:
        """Return the evidence lower bound (ELBO) of each sample.

        It bounds the log-likelihood of the sample from below, in nats, with a weight of 1 for
        the KL divergence whatever `beta` is.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The samples.

        Returns
        -------
        elbo : ndarray of shape (n_samples,), float32
            The higher, the better the sample fits; NaN where it is missing.
        """
        check_is_fitted(self)
        return self._score(self._check_samples(X))

    def _score(self, X: Any) -> NDArray[np.float32]:
        rng = np.random.default_rng(self._seed)
        nodes = torch.from_numpy(cubature_nodes(self._n_features_out, rng)).to(self.net_.device)
        return self._map(
            lambda x: self.net_.module_.elbo(x, nodes, self.noise_variance_),
            X,
            self._layout.is_missing,
        )

    def score(self, X: Any, y: Any = None) -> float:
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
        X = self._without_missing(self._check_samples(X))
        return float(self._score(X).mean(dtype=np.float64)) if len(X) else float("nan")

    def sample(
        self, n_samples: int = 1, random_state: int | np.random.RandomState | None = None
    ) -> NDArray[np.float32]:
        """Decode draws from the prior.

        Parameters
        ----------
        n_samples : int, default=1
            Number of samples.
        random_state : int, RandomState instance or None, default=None
            Determines the draws; None takes the estimator's `random_state`.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features), float32
            The means of the likelihood, without its noise.
        """
        return self.inverse_transform(self._draw_latent(n_samples, random_state))

    def _draw_latent(self, n_samples: int, random_state: Any) -> NDArray:
        check_is_fitted(self)
        rng = check_random_state(self.random_state if random_state is None else random_state)
        return rng.standard_normal((n_samples, self._n_features_out))

    def collapse_advice(self) -> str | None:
        """Return what helps against posterior collapse, if the posterior has collapsed.

        Returns
        -------
        advice : str or None
            None if two latent components, and a tenth of them, are active.
        """
        check_is_fitted(self)
        if self.active_units_ >= max(min(2, self.n_components), 0.1 * self.n_components):
            return None
        n_steps = sum(self.net_.history[:, "train_batch_count"])
        remedies = [
            f"train for more than these {n_steps:,} steps (max_epochs, a smaller batch_size)"
        ]
        if self.beta:
            remedies.append(f"lower beta (it is {self.beta:g})")
            if not self.kl_warmup:
                remedies.append("let it rise from 0 (kl_warmup)")
            if not self.free_bits:
                remedies.append("keep a minimum of information per component (free_bits)")
        return (
            f"The posterior has collapsed: {self.active_units_} of {self.n_components} latent "
            "components differ between samples, so clusters in them mean little. What helps: "
            f"{', '.join(remedies)}. Columns that were not scaled look the same."
        )

    def _check_latent(self, Z: Any) -> NDArray[np.float32]:
        """Return latent vectors, each of which is finite or NaN throughout."""
        check_is_fitted(self)
        Z = check_array(Z, dtype=np.float32, ensure_all_finite="allow-nan")
        if Z.shape[1] != self._n_features_out:
            raise ValueError(
                f"X has {Z.shape[1]} columns, but the latent space of this "
                f"{type(self).__name__} has {self._n_features_out}: pass latent vectors such as "
                "transform returns."
            )
        check_nan(Z, n_needed=Z.shape[1])
        return Z

    def _decode(self, Z: NDArray, condition: NDArray) -> NDArray[np.float32]:
        def generate(x: torch.Tensor) -> torch.Tensor:
            return self.net_.module_.generate(x[:, : Z.shape[1]], x[:, Z.shape[1] :])

        return self._map(generate, np.hstack([Z, condition]), lambda x: is_nan(x[:, 0]))

    def _map_samples(self, function: Callable, X: Any) -> NDArray[np.float32]:
        """Apply a function of tensors to samples as a user gives them."""
        check_is_fitted(self)
        return self._map(function, self._check_samples(X), self._layout.is_missing)

    def _map(self, function: Callable, X: Any, is_missing: Callable) -> NDArray[np.float32]:
        """Apply a function of tensors to samples; the result is NaN for missing ones."""
        device = self.net_.device
        self.net_.module_.eval()
        results = []
        with torch_state(device, task=f"samples of {X.shape[1]} columns"), torch.no_grad():
            for x in sample_batches(X, device):
                missing = is_missing(x)
                # Zeros in their place: if all are missing, the result still has its width.
                result = function(torch.where(missing[:, None], 0.0, x))
                result[missing] = torch.nan
                results.append(result.cpu().numpy())
        return np.concatenate(results)
