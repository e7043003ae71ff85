"""What all modules share: the pass through the network, and the loss."""

from typing import Any

import torch
from torch import Tensor, nn

from ..losses import (
    cosine_similarity,
    gaussian_log_likelihood,
    heavy_tailed_similarity,
    info_nce,
    negative_log_likelihood,
    total_correlation,
)
from ._outputs import LossOutput, Outputs, Pair, Posterior, posterior_sums
from ._prior import GaussianMixturePrior, StandardNormalPrior


class VAEModule(nn.Module):
    """Network and loss of a variational autoencoder.

    A sample is laid out as the input, then `n_condition` columns of the condition. The decoder is
    conditioned on it, the encoder only with `encode_condition`. The prior is a mixture of
    `n_clusters` Gaussians, or the standard normal. Without `temperature`, the similarity of the
    contrastive terms is heavy-tailed, else a cosine; with `contrastive_weight=None` there are
    none. The other parameters are the estimators'.
    """

    def __init__(
        self,
        n_features: int,
        n_components: int,
        *,
        n_condition: int = 0,
        encode_condition: bool = False,
        n_clusters: int | None = None,
        beta: float = 1.0,
        free_bits: float = 0.0,
        decoder_variance: str = "unit",
        total_correlation: float = 0.0,
        contrastive_weight: float | None = None,
        cross_modal_weight: float = 0.0,
        temperature: float | None = None,
    ) -> None:
        super().__init__()
        self.n_inputs = n_features - n_condition
        self.n_components = n_components
        self.n_condition = n_condition
        self.encode_condition = encode_condition
        self.beta = beta
        self.free_bits = free_bits
        self.decoder_variance = decoder_variance
        self.total_correlation = total_correlation
        self.temperature = temperature
        self.pair_weights = {
            "contrastive": contrastive_weight or 0.0,
            "cross_modal": (contrastive_weight or 0.0) * cross_modal_weight,
        }
        self.prior: StandardNormalPrior = (
            StandardNormalPrior()
            if n_clusters is None
            else GaussianMixturePrior(n_clusters, n_components)
        )
        self.log_scale: Any = None
        if contrastive_weight is not None and temperature is None:
            # With a weight of 0 too, so that a warm start can turn the contrastive term on.
            self.log_scale = nn.Parameter(torch.zeros((), dtype=torch.float32))
        self.log_variance = None
        if decoder_variance == "learned":
            self.log_variance = nn.Parameter(torch.zeros((), dtype=torch.float32))

    def encode(self, x: Tensor) -> Posterior:
        """Return the posterior of each sample."""
        raise NotImplementedError

    def decode(self, z: Tensor, condition: Tensor) -> Tensor:
        """Return the mean of the likelihood, (n_samples, n_inputs)."""
        raise NotImplementedError

    def embed(self, x: Tensor) -> Posterior:
        """Return the posterior of each sample as `transform` gives it."""
        return self.encode(x)

    def generate(self, z: Tensor, condition: Tensor) -> Tensor:
        """Return samples as `inverse_transform` gives them, without the condition."""
        return self.decode(z, condition)

    def condition(self, x: Tensor) -> Tensor:
        """Return the condition of each sample, (n_samples, n_condition)."""
        return x[:, self.n_inputs :]

    def error(self, x: Tensor, x_hat: Tensor, auxiliary_weight: float | None = None) -> Tensor:
        """Return the squared error of each sample's input."""
        return (x[:, : self.n_inputs] - x_hat).square().sum(dim=1)

    def n_observed(self, x: Tensor, auxiliary_weight: float | None = None) -> Tensor:
        """Return the number of each sample's features that are not missing, weighted as `error`."""
        return torch.full_like(x[:, 0], self.n_inputs)

    def forward(
        self,
        x: Tensor,
        positive: Tensor | None = None,
        noise: Tensor | None = None,
        auxiliary_weight: float | None = None,
    ) -> Outputs:
        """Encode, draw, decode and compare a batch, (n_samples, n_features).

        `positive` has a similar sample for each, for the contrastive term; `noise`, standard
        normal, is torch's next where it is None; `auxiliary_weight` takes the place of the
        module's own.
        """
        # Under autocast only the layers are in half precision: sums of it would be too coarse.
        posterior = self.encode(x).float()
        z = posterior.sample(noise)
        outputs = self._compare(x, posterior, z, auxiliary_weight)
        if positive is not None:
            pair = Pair(posterior.mean, self.encode(positive).mean.float())
            outputs.pairs["contrastive"] = pair
        return outputs

    def _compare(
        self, x: Tensor, posterior: Posterior, z: Tensor, auxiliary_weight: float | None
    ) -> Outputs:
        x_hat = self.decode(z, self.condition(x)).float()
        error = self.error(x, x_hat, auxiliary_weight)
        return Outputs(posterior, z, error, self.n_observed(x, auxiliary_weight))

    def loss(
        self, outputs: Outputs, kl_weight: float | Tensor = 1.0, n_samples: int | None = None
    ) -> LossOutput:
        """Return the negative ELBO and the further terms, averaged over the batch.

        beta is multiplied by `kl_weight`, which rises in the first epochs. `n_samples` is the
        size of the data set; None is that of the batch.
        """
        posterior, z = outputs.posterior, outputs.z
        error, n_observed = outputs.error.mean(), outputs.n_observed.mean()
        likelihood = (error, n_observed, self.decoder_variance, self.log_variance)
        terms = {"reconstruction": negative_log_likelihood(*likelihood)}
        kl = self.prior.kl(posterior)
        beta = self.beta * kl_weight
        loss = terms["reconstruction"] + beta * kl.mean(dim=0).clamp(min=self.free_bits).sum()
        if self.total_correlation:
            terms["total_correlation"] = total_correlation(z, *posterior, n_samples or len(z))
            loss = loss + self.total_correlation * terms["total_correlation"]
        for name, pair in outputs.pairs.items():
            terms[name] = info_nce(self._similarity(pair))
            loss = loss + self.pair_weights[name] * terms[name]
        with torch.no_grad():
            sums = posterior_sums(kl, posterior.mean) | self.prior.sums(posterior)
        return LossOutput(loss, {name: term.detach() for name, term in terms.items()}, sums)

    def _similarity(self, pair: Pair) -> Tensor:
        if self.temperature is None:
            return heavy_tailed_similarity(*pair, self.log_scale)
        return cosine_similarity(*pair, self.temperature)

    @torch.no_grad()
    def elbo(self, x: Tensor, nodes: Tensor, variance: float = 1.0) -> Tensor:
        """Return the evidence lower bound of each sample in nats, constants included.

        The posterior is averaged over the `nodes`, (n_nodes, n_components): see
        `cubature_nodes`. `variance` is that of the likelihood.
        """
        posterior = self.encode(x)
        condition = self.condition(x)
        errors = [
            # Unweighted: a weighted error bounds no likelihood.
            self.error(x, self.decode(posterior.sample(node), condition), auxiliary_weight=1.0)
            for node in nodes
        ]
        error = torch.stack(errors).mean(dim=0)
        n_observed = self.n_observed(x, auxiliary_weight=1.0)
        likelihood = gaussian_log_likelihood(error, n_observed, variance)
        return likelihood - self.prior.kl(posterior).sum(dim=1)
