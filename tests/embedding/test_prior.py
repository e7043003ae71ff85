"""The mixture of Gaussians that is VaDE's prior."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.mixture import GaussianMixture
from torch.distributions import Normal
from torch.distributions import kl_divergence as torch_kl

from sklearn_music.embedding.losses import kl_divergence
from sklearn_music.embedding.nn import GaussianMixturePrior, Posterior


def mixture(n_clusters, n_components, seed):
    """Return a prior of random clusters, in double precision."""
    generator = torch.Generator().manual_seed(seed)
    weights = torch.rand(n_clusters, generator=generator) + 0.1
    means = torch.randn(n_clusters, n_components, generator=generator)
    variances = torch.rand(n_clusters, n_components, generator=generator) + 0.2
    prior = GaussianMixturePrior(n_clusters, n_components).double()
    prior.begin(weights / weights.sum(), means, variances)
    return prior


def posteriors(n_samples, n_components, seed):
    generator = torch.Generator().manual_seed(seed + 1)
    return Posterior(
        *torch.randn(2, n_samples, n_components, generator=generator, dtype=torch.float64)
    )


@given(st.integers(1, 5), st.integers(1, 4), st.integers(0, 1000))
def test_one_cluster_is_a_gaussian_prior(n_samples, n_components, seed):
    prior = mixture(1, n_components, seed)
    posterior = posteriors(n_samples, n_components, seed)
    expected = torch_kl(
        Normal(posterior.mean, (0.5 * posterior.log_variance).exp()),
        Normal(prior.means, (0.5 * prior.log_variances).exp()),
    )
    torch.testing.assert_close(prior.kl(posterior), expected)
    resp = prior.responsibilities(posterior.mean)
    torch.testing.assert_close(resp, torch.ones_like(resp))


@given(st.integers(2, 4), st.integers(1, 3), st.integers(0, 1000))
def test_responsibilities_are_those_of_a_gaussian_mixture(n_clusters, n_components, seed):
    prior = mixture(n_clusters, n_components, seed)
    mean, _ = posteriors(4, n_components, seed)
    variances = prior.log_variances.exp().detach().numpy()
    reference = GaussianMixture(n_clusters, covariance_type="diag")
    reference.weights_ = prior.logits.softmax(dim=0).detach().numpy()
    reference.means_, reference.covariances_ = prior.means.detach().numpy(), variances
    reference.precisions_cholesky_ = 1 / np.sqrt(variances)
    expected = reference.predict_proba(mean.numpy())
    actual = prior.responsibilities(mean).detach()
    np.testing.assert_allclose(actual, expected, rtol=1e-6, atol=1e-12)


def test_the_divergence_is_that_of_draws():
    """It is exact for draw and cluster together, and an upper bound for the draw alone."""
    prior = mixture(3, 2, seed=0)
    mean, log_variance = posteriors(5, 2, seed=0)
    torch.manual_seed(0)
    posterior = Normal(mean, (0.5 * log_variance).exp())
    z = posterior.sample((100_000,))
    log_q = posterior.log_prob(z).sum(dim=-1)
    clusters = Normal(prior.means, (0.5 * prior.log_variances).exp())
    log_p = clusters.log_prob(z[:, :, None]).sum(dim=-1)
    resp, log_weights = prior.responsibilities(mean), prior.logits.log_softmax(dim=0)
    joint = (resp * (log_q[:, :, None] + resp.log() - log_weights - log_p)).sum(dim=2).mean(0)
    kl = prior.kl(Posterior(mean, log_variance)).sum(dim=1)
    torch.testing.assert_close(kl, joint.detach(), rtol=0.02, atol=0.02)
    exact = (log_q - (log_weights + log_p).logsumexp(dim=2)).mean(dim=0)
    assert (kl > exact - 0.02).all()


def test_the_prior_is_the_standard_normal_until_the_mixture_begins():
    posterior = posteriors(4, 3, seed=0)
    kl = GaussianMixturePrior(5, 3).double().kl(posterior)
    torch.testing.assert_close(kl, kl_divergence(*posterior), rtol=0, atol=0)
    assert not kl.requires_grad


def test_far_samples_have_finite_gradients():
    prior = mixture(4, 2, seed=0).float()
    mean = torch.tensor([[1e4, -1e4]], requires_grad=True)
    prior.kl(Posterior(mean, torch.zeros(1, 2))).sum().backward()
    assert mean.grad.isfinite().all()
    assert all(part.grad.isfinite().all() for part in (prior.logits, prior.means))
