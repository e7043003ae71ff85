"""The modules and their loss: both terms are sums over dimensions and means over samples."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import norm
from torch.distributions import Normal

from sklearn_music.embedding.losses import cubature_nodes
from sklearn_music.embedding.nn import (
    ConvModule,
    DenseModule,
    Outputs,
    Posterior,
    TrackModule,
    frames_before_padding,
)


def outputs(mean, log_variance=None, error=None, n_observed=6):
    """Return outputs of a network, as the loss takes them."""
    n = len(mean)
    log_variance = torch.zeros_like(mean) if log_variance is None else log_variance
    error = torch.zeros(n) if error is None else error
    return Outputs(Posterior(mean, log_variance), mean, error, torch.full((n,), float(n_observed)))


def test_reconstruction_is_the_gaussian_log_likelihood():
    x, x_hat = torch.randn(2, 4, 6)
    module = DenseModule(6, 2, [])
    error = module.error(x, x_hat)
    terms = module.loss(outputs(torch.zeros(4, 2), error=error)).terms
    constant = 6 * 0.5 * np.log(2 * np.pi)
    expected = -Normal(x_hat, 1.0).log_prob(x).sum(dim=1) - constant
    torch.testing.assert_close(0.5 * error, expected)
    torch.testing.assert_close(terms["reconstruction"], expected.mean())


def test_the_loss_does_not_depend_on_the_batch_size():
    error = torch.rand(8)
    mean, log_variance = torch.randn(2, 8, 3)
    module = DenseModule(6, 3, [], beta=4.0)
    whole, *halves = (
        module.loss(outputs(mean[part], log_variance[part], error[part])).loss
        for part in (slice(8), slice(4), slice(4, 8))
    )
    torch.testing.assert_close(whole, sum(halves) / 2)


def test_free_bits_bound_each_component_from_below():
    mean = torch.zeros(8, 3)
    mean[:, 0] = 2.0
    # By hand: 2 nats in the first component, none in the others.
    assert DenseModule(6, 3, []).loss(outputs(mean)).loss.item() == pytest.approx(2.0)
    module = DenseModule(6, 3, [], free_bits=0.5)
    assert module.loss(outputs(mean)).loss.item() == pytest.approx(3.0)


@pytest.mark.parametrize("kind", ["learned", "optimal"])
def test_the_variance_of_the_likelihood(kind):
    x, x_hat = torch.randn(2, 16, 6)
    module = DenseModule(6, 2, [], decoder_variance=kind)
    variance = (x - x_hat).square().mean()
    if kind == "learned":
        module.log_variance.data = variance.log()
    expected = -Normal(x_hat, variance.sqrt()).log_prob(x).sum(dim=1).mean()
    constant = 6 * 0.5 * np.log(2 * np.pi)
    actual = module.loss(outputs(torch.zeros(16, 2), error=module.error(x, x_hat))).loss
    torch.testing.assert_close(actual, expected - constant)


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

    module = DenseModule(6, 2, [])
    encoder, decoder = module.encoder[0], module.decoder[0]
    gain = posterior_covariance @ W.T
    with torch.no_grad():
        encoder.weight.copy_(torch.from_numpy(np.vstack([gain, np.zeros((2, 6))])))
        log_variance = np.log(np.diag(posterior_covariance))
        encoder.bias.copy_(torch.from_numpy(np.concatenate([-gain @ X.mean(axis=0), log_variance])))
        decoder.weight.copy_(torch.from_numpy(W))
        decoder.bias.copy_(torch.from_numpy(X.mean(axis=0)))
    nodes = torch.from_numpy(cubature_nodes(2, rng))
    bound = module.elbo(torch.from_numpy(X.astype(np.float32)), nodes).numpy()
    np.testing.assert_allclose(bound, exact, rtol=1e-4)


@settings(max_examples=40)
@given(
    height=st.integers(1, 20),
    width=st.integers(1, 20),
    channels=st.lists(st.integers(1, 3), min_size=1, max_size=5),
    n_auxiliary=st.integers(0, 3),
    n_condition=st.integers(0, 2),
    encode_condition=st.booleans(),
)
def test_convolutions_restore_any_shape(
    height, width, channels, n_auxiliary, n_condition, encode_condition
):
    n_inputs = height * width + n_auxiliary
    module = ConvModule(
        n_inputs + n_condition,
        2,
        (height, width),
        channels,
        n_condition=n_condition,
        encode_condition=encode_condition,
    )
    x = torch.randn(3, n_inputs + n_condition)
    mean, _ = module.encode(x)
    assert mean.shape == (3, 2)
    assert module.decode(mean, module.condition(x)).shape == (3, n_inputs)


def test_missing_auxiliary_features_take_no_part_in_the_error():
    module = ConvModule(6, 2, (2, 2), [2], auxiliary_weight=3.0)
    x, x_hat = torch.zeros(2, 6), torch.ones(2, 6, requires_grad=True)
    x[1, 5] = torch.nan
    error = module.error(x, x_hat)
    assert error.tolist() == [4 + 3 * 2, 4]
    assert module.n_observed(x).tolist() == [4 + 3 * 2, 4]
    error.sum().backward()
    assert torch.isfinite(x_hat.grad).all()
    assert x_hat.grad[1, 4:].tolist() == [0, 0]


@settings(max_examples=50)
@given(
    images=arrays(np.float32, (3, 2, 6), elements=st.integers(0, 2).map(np.float32)),
    n_padding=st.integers(0, 5),
)
def test_length_of_a_padded_spectrogram(images, n_padding):
    images[:, 0, 5 - n_padding] = 7  # the last frame of the track differs from the padding
    images[:, :, 6 - n_padding :] = -80
    lengths = frames_before_padding(torch.from_numpy(images))
    # A single last frame may as well belong to the track.
    expected = 6 if n_padding == 1 else 6 - n_padding
    assert lengths.tolist() == [expected] * 3


@torch.no_grad()
def test_audio_and_auxiliary_features_are_a_product_of_experts():
    """The joint posterior is the product of each modality's posterior, the prior counted once."""
    torch.manual_seed(0)
    module = TrackModule(4 * 6 + 3, 1, (4, 6), 6, [4], [0.0] * 4, [1.0] * 4).eval()
    x = 3 * torch.randn(1, 27)
    audio, auxiliary = x.clone(), x.clone()
    audio[:, 24:] = torch.nan
    auxiliary[:, :24] = torch.nan
    z = np.linspace(-8, 8, 100_001)
    density = 1 / norm(0, 1).pdf(z)
    for alone in (module.embed(audio), module.embed(auxiliary)):
        density *= norm(alone.mean.item(), (0.5 * alone.log_variance).exp().item()).pdf(z)
    density /= density.sum()
    joint = module.embed(x)
    mean = (z * density).sum()
    assert joint.mean.item() == pytest.approx(mean, abs=1e-4)
    variance = (z**2 * density).sum() - mean**2
    assert joint.log_variance.exp().item() == pytest.approx(variance, rel=1e-3)
    nothing = module.embed(torch.full_like(x, torch.nan))  # the prior is left
    assert (nothing.mean.item(), nothing.log_variance.item()) == (0, 0)
