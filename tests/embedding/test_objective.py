"""The convention: both terms are sums over dimensions, means over rows, beta on the KL."""

from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from sklearn.decomposition import PCA
from torch.distributions import Normal
from torch.distributions import kl_divergence as torch_kl

from sklearn_music import VAE
from sklearn_music.embedding._networks import DenseNetwork
from sklearn_music.embedding._objective import (
    NegativeELBO,
    cosine_similarity,
    cubature_nodes,
    elbo,
    heavy_tailed_similarity,
    info_nce,
    kl_divergence,
    total_correlation,
)


@given(st.integers(1, 5), st.integers(1, 7), st.integers(0, 1000))
def test_kl_is_that_of_torch(n_rows, n_components, seed):
    generator = torch.Generator().manual_seed(seed)
    mean = torch.randn(n_rows, n_components, generator=generator)
    log_variance = torch.randn(n_rows, n_components, generator=generator)
    posterior = Normal(mean, (0.5 * log_variance).exp())
    expected = torch_kl(posterior, Normal(0.0, 1.0)).sum(dim=1)
    torch.testing.assert_close(
        kl_divergence(mean, log_variance).sum(dim=1), expected, rtol=1e-4, atol=1e-5
    )


def test_reconstruction_is_the_gaussian_log_likelihood():
    x, x_hat = torch.randn(2, 4, 6)
    constant = 6 * 0.5 * np.log(2 * np.pi)
    expected = -Normal(x_hat, 1.0).log_prob(x).sum(dim=1) - constant
    torch.testing.assert_close(0.5 * DenseNetwork(6, 2, []).error(x, x_hat), expected)


def test_the_loss_does_not_depend_on_the_batch_size():
    error = torch.rand(8)
    mean, log_variance = torch.randn(2, 8, 3)
    loss = NegativeELBO(beta=4.0)
    whole = loss((error, mean, mean, log_variance), 6)[0]
    halves = [
        loss((error[i], mean[i], mean[i], log_variance[i]), 6)[0] for i in (slice(4), slice(4, 8))
    ]
    torch.testing.assert_close(whole, sum(halves) / 2)


def heavy_tailed_by_hand(mean, positive):
    return 1 / (1 + np.exp(0.3) * ((mean[:, None] - positive[None]) ** 2).sum(axis=2))


def cosine_by_hand(mean, positive):
    return np.exp((1 - cdist(mean, positive, "cosine")) / 0.2)


@pytest.mark.parametrize(
    ("similarity", "by_hand"),
    [
        (partial(heavy_tailed_similarity, log_scale=torch.tensor(0.3)), heavy_tailed_by_hand),
        (partial(cosine_similarity, temperature=0.2), cosine_by_hand),
    ],
)
def test_info_nce_by_hand(similarity, by_hand):
    mean, positive = torch.randn(2, 5, 3, dtype=torch.float64)
    alike = by_hand(mean.numpy(), positive.numpy())
    expected = -np.log(alike.diagonal() / alike.sum(axis=1)).mean()
    assert info_nce(similarity(mean, positive)).item() == pytest.approx(expected)


@pytest.mark.parametrize("n_components", [1, 2, 5, 40])
def test_the_nodes_have_the_moments_of_a_standard_normal(n_components):
    nodes = cubature_nodes(n_components, np.random.default_rng(0)).astype(float)
    assert len(nodes) >= 64
    np.testing.assert_allclose(nodes.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(nodes.T @ nodes / len(nodes), np.eye(n_components), atol=1e-5)


def test_the_elbo_of_a_linear_model_equals_the_closed_form(rng):
    """With probabilistic PCA's own posterior the bound is the log-likelihood itself."""
    X = rng.standard_normal((200, 6)) @ rng.standard_normal((6, 6))
    W = np.linalg.svd(X, full_matrices=False)[2][:2].T * 1.5
    covariance = W @ W.T + np.eye(6)
    centred = X - X.mean(axis=0)
    exact = -0.5 * (
        np.einsum("ij,jk,ik->i", centred, np.linalg.inv(covariance), centred)
        + np.linalg.slogdet(covariance)[1]
        + 6 * np.log(2 * np.pi)
    )
    posterior_covariance = np.linalg.inv(W.T @ W + np.eye(2))
    np.testing.assert_allclose(  # the directions are orthogonal
        posterior_covariance, np.diag(np.diag(posterior_covariance)), atol=1e-12
    )

    network = DenseNetwork(6, 2, [])
    encoder, decoder = network.encoder[0], network.decoder[0]
    gain = posterior_covariance @ W.T
    with torch.no_grad():
        encoder.weight.copy_(torch.from_numpy(np.vstack([gain, np.zeros((2, 6))])))
        log_variance = np.log(np.diag(posterior_covariance))
        encoder.bias.copy_(torch.from_numpy(np.concatenate([-gain @ X.mean(axis=0), log_variance])))
        decoder.weight.copy_(torch.from_numpy(W))
        decoder.bias.copy_(torch.from_numpy(X.mean(axis=0)))
    nodes = torch.from_numpy(cubature_nodes(2, rng))
    bound = elbo(network, torch.from_numpy(X.astype(np.float32)), nodes).numpy()
    np.testing.assert_allclose(bound, exact, rtol=1e-4)


def _linear_vae():
    return VAE(
        2,
        hidden_layer_sizes=(),
        beta=1,
        contrastive_weight=0,
        max_epochs=400,
        lr=0.01,
        random_state=0,
    )


def test_the_bound_is_below_the_likelihood(blobs):
    """No linear VAE of unit variance explains rows better than the best such model."""
    X, _ = blobs
    vae = _linear_vae().fit(X)
    scatter = np.cov(X.T.astype(float), bias=True)
    values, vectors = np.linalg.eigh(scatter)
    # Tipping and Bishop, 1999: the optimum with two components and noise variance 1.
    W = vectors[:, -2:] * np.sqrt(np.maximum(values[-2:] - 1, 0))
    covariance = W @ W.T + np.eye(10)
    best = -0.5 * (
        np.trace(np.linalg.solve(covariance, scatter))
        + np.linalg.slogdet(covariance)[1]
        + 10 * np.log(2 * np.pi)
    )
    assert best - 0.2 < vae.score(X) <= best


def test_a_linear_vae_finds_the_space_of_pca(blobs):
    X, _ = blobs
    vae = _linear_vae().fit(X)
    decoder = vae.net_.module_.decoder[0].weight.detach().numpy()
    basis = np.linalg.qr(decoder)[0]
    cosines = np.linalg.svd(basis.T @ PCA(2).fit(X).components_.T)[1]
    assert cosines.min() > 0.99


def test_free_bits_bound_each_component_from_below():
    mean, log_variance = torch.zeros(8, 3), torch.zeros(8, 3)
    mean[:, 0] = 2.0
    error = torch.zeros(8)
    # By hand: 2 nats in the first component, none in the others.
    assert NegativeELBO(1.0)((error, mean, mean, log_variance), 5)[0] == pytest.approx(2.0)
    loss = NegativeELBO(1.0, free_bits=0.5)
    assert loss((error, mean, mean, log_variance), 5)[0] == pytest.approx(3.0)


@pytest.mark.parametrize("kind", ["learned", "optimal"])
def test_the_variance_of_the_likelihood(kind):
    x, x_hat = torch.randn(2, 16, 6)
    zeros = torch.zeros(16, 2)
    loss = NegativeELBO(1.0, decoder_variance=kind)
    variance = (x - x_hat).square().mean()
    if kind == "learned":
        loss.log_variance.data = variance.log()
    expected = -Normal(x_hat, variance.sqrt()).log_prob(x).sum(dim=1).mean()
    constant = 6 * 0.5 * np.log(2 * np.pi)
    error = (x - x_hat).square().sum(dim=1)
    actual = loss((error, zeros, zeros, zeros), 6)[0]
    torch.testing.assert_close(actual, expected - constant)


def test_total_correlation_is_that_of_the_gaussian():
    """Of a correlated normal, -log(1 - r²) / 2; of an independent one, nothing."""
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 3000, generator=generator)
    r = 0.9
    log_variance = torch.full((3000, 2), -3.0)
    estimates = []
    for second in (r * a + (1 - r**2) ** 0.5 * b, b):
        mean = torch.stack([a, second], dim=1)
        z = mean + (0.5 * log_variance).exp() * torch.randn(3000, 2, generator=generator)
        # The batch is the whole collection, so that the density is the mean over the batch.
        estimates.append(total_correlation(z, mean, log_variance, n_rows=1).item())
    noise = np.exp(-3.0)
    expected = -0.5 * np.log(1 - (r / (1 + noise)) ** 2)
    assert estimates[0] == pytest.approx(expected, abs=0.05)
    assert estimates[1] == pytest.approx(0, abs=0.05)


def test_the_weight_of_the_total_correlation_lowers_it(rng):
    a, b = rng.standard_normal((2, 300))
    X = np.stack([a, 0.9 * a + 0.4 * b, a - b, b], axis=1)
    estimates = []
    for weight in (0.0, 10.0):
        vae = VAE(2, beta=0.05, contrastive_weight=0, max_epochs=100, random_state=0)
        vae.set_params(total_correlation=weight).fit(X)
        with torch.no_grad():
            x = torch.from_numpy(X.astype(np.float32))
            _, z, mean, log_variance = vae.net_.module_(x)
        estimates.append(total_correlation(z, mean, log_variance, n_rows=1).item())
    assert estimates[1] < 0.5 * estimates[0]
