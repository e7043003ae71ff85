"""The terms of the loss, against other libraries and closed forms."""

from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from torch.distributions import Normal
from torch.distributions import kl_divergence as torch_kl

from sklearn_music.embedding.losses import (
    cosine_similarity,
    cubature_nodes,
    heavy_tailed_similarity,
    info_nce,
    kl_divergence,
    total_correlation,
)


@given(st.integers(1, 5), st.integers(1, 7), st.integers(0, 1000))
def test_kl_divergence_is_that_of_torch(n_samples, n_components, seed):
    generator = torch.Generator().manual_seed(seed)
    mean = torch.randn(n_samples, n_components, generator=generator)
    log_variance = torch.randn(n_samples, n_components, generator=generator)
    expected = torch_kl(Normal(mean, (0.5 * log_variance).exp()), Normal(0.0, 1.0))
    torch.testing.assert_close(kl_divergence(mean, log_variance), expected, rtol=1e-4, atol=1e-5)


def heavy_tailed_by_hand(anchor, positive):
    return 1 / (1 + np.exp(0.3) * ((anchor[:, None] - positive[None]) ** 2).sum(axis=2))


def cosine_by_hand(anchor, positive):
    return np.exp((1 - cdist(anchor, positive, "cosine")) / 0.2)


@pytest.mark.parametrize(
    ("similarity", "by_hand"),
    [
        (partial(heavy_tailed_similarity, log_scale=torch.tensor(0.3)), heavy_tailed_by_hand),
        (partial(cosine_similarity, temperature=0.2), cosine_by_hand),
    ],
    ids=["heavy-tailed", "cosine"],
)
def test_info_nce_by_hand(similarity, by_hand):
    anchor, positive = torch.randn(2, 5, 3, dtype=torch.float64)
    alike = by_hand(anchor.numpy(), positive.numpy())
    expected = -np.log(alike.diagonal() / alike.sum(axis=1)).mean()
    assert info_nce(similarity(anchor, positive)).item() == pytest.approx(expected)


def test_info_nce_of_a_batch_without_pairs_is_zero():
    assert info_nce(torch.zeros(0, 0)).item() == 0


@pytest.mark.parametrize("n_components", [1, 2, 5, 40])
def test_cubature_nodes_have_the_moments_of_a_standard_normal(n_components):
    nodes = cubature_nodes(n_components, np.random.default_rng(0)).astype(float)
    assert len(nodes) >= 64
    np.testing.assert_allclose(nodes.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(nodes.T @ nodes / len(nodes), np.eye(n_components), atol=1e-5)


def test_total_correlation_is_that_of_the_gaussian():
    """-log(1 - r²) / 2 for a correlated normal distribution, 0 for an independent one."""
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 3000, generator=generator)
    r = 0.9
    log_variance = torch.full((3000, 2), -3.0)
    estimates = []
    for second in (r * a + (1 - r**2) ** 0.5 * b, b):
        mean = torch.stack([a, second], dim=1)
        z = mean + (0.5 * log_variance).exp() * torch.randn(3000, 2, generator=generator)
        # With n_samples=1 the density is the mean over the batch, which is the whole data set.
        estimates.append(total_correlation(z, mean, log_variance, n_samples=1).item())
    noise = np.exp(-3.0)
    expected = -0.5 * np.log(1 - (r / (1 + noise)) ** 2)
    assert estimates[0] == pytest.approx(expected, abs=0.05)
    assert estimates[1] == pytest.approx(0, abs=0.05)
