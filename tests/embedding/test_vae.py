"""VAE: what it learns, its contract, posterior collapse."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness
from sklearn.preprocessing import StandardScaler

from sklearn_music import VAE
from sklearn_music.embedding.losses import total_correlation
from sklearn_music.exceptions import PosteriorCollapseWarning

# A linear VAE, whose best solution is known in closed form.
LINEAR = {
    "n_components": 2,
    "hidden_layer_sizes": (),
    "beta": 1,
    "contrastive_weight": 0,
    "lr": 0.01,
    "random_state": 0,
}


def test_reconstructs_nearly_as_well_as_pca(blobs):
    X, _ = blobs
    vae = VAE(2, beta=0.01, max_epochs=200, batch_size=16, random_state=0).fit(X)
    pca = PCA(2, random_state=0).fit(X)

    def error(model):
        return np.square(X - model.inverse_transform(model.transform(X))).mean()

    assert error(vae) < 1.2 * error(pca)


def test_shapes_and_dtypes(blobs):
    X, _ = blobs
    vae = VAE(3, max_epochs=2, random_state=0).fit(X.astype(np.float64))
    Z = vae.transform(X)
    assert Z.shape == (90, 3)
    assert vae.inverse_transform(Z).shape == X.shape
    assert vae.score_samples(X).shape == (90,)
    assert vae.sample(5).shape == (5, 10)
    for array in (Z, vae.inverse_transform(Z), vae.score_samples(X), vae.sample(5)):
        assert array.dtype == np.float32
    assert isinstance(vae.score(X), float)
    assert vae.score(X) == pytest.approx(vae.score_samples(X).mean(), rel=1e-5)
    assert list(vae.get_feature_names_out()) == ["vae0", "vae1", "vae2"]


def test_more_beta_less_information(blobs):
    X, _ = blobs
    kl = [
        VAE(4, beta=beta, max_epochs=60, random_state=0).fit(X).history_[-1]["kl"]
        for beta in (0.1, 1, 10)
    ]
    assert kl[0] > kl[1] > kl[2]


def test_the_contrastive_loss_keeps_neighbors_together():
    X = StandardScaler().fit_transform(load_digits().data[:400])
    params = {"max_epochs": 20, "random_state": 0}
    contrastive, plain = (
        trustworthiness(X, VAE(2, contrastive_weight=weight, **params).fit_transform(X))
        for weight in (30, 0)
    )
    assert contrastive > plain + 0.05


@pytest.mark.parametrize("n_samples", [1, 2, 5])
def test_fewer_samples_than_neighbors(blobs, n_samples):
    X = blobs[0][:n_samples]
    vae = VAE(2, max_epochs=3, batch_size=2, random_state=0).fit(X)
    assert np.isfinite(vae.transform(X)).all()


def test_columns_of_zeros_and_read_only_input(blobs):
    X = np.zeros_like(blobs[0])
    X.setflags(write=False)
    assert np.isfinite(VAE(3, max_epochs=2).fit_transform(X)).all()


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # numpy's own, of the cast
def test_values_too_large_for_float32_are_an_error(blobs):
    with pytest.raises(ValueError, match="too large for dtype"):
        VAE(3, max_epochs=1).fit(blobs[0].astype(float) * 1e300)


def test_inverse_transform_takes_latent_vectors(blobs):
    X, _ = blobs
    vae = VAE(3, max_epochs=1).fit(X)
    with pytest.raises(ValueError, match="latent space of this VAE has 3"):
        vae.inverse_transform(X)


def test_drawn_samples_depend_on_the_seed_only(blobs):
    vae = VAE(3, max_epochs=1, random_state=0).fit(blobs[0])
    np.testing.assert_array_equal(vae.sample(4), vae.sample(4))
    assert not np.allclose(vae.sample(4, random_state=1), vae.sample(4))


def test_the_score_is_below_the_likelihood(blobs):
    """No linear VAE of unit variance explains samples better than the best such model."""
    X, _ = blobs
    vae = VAE(max_epochs=400, **LINEAR).fit(X)
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
    # It finds the space of PCA.
    decoder = vae.net_.module_.decoder[0].weight.detach().numpy()
    basis = np.linalg.qr(decoder)[0]
    cosines = np.linalg.svd(basis.T @ PCA(2).fit(X).components_.T)[1]
    assert cosines.min() > 0.99


def test_the_decoder_finds_the_variance_of_the_noise(rng):
    signal = rng.standard_normal((400, 2)) @ rng.standard_normal((2, 10))
    X = signal + 0.3 * rng.standard_normal((400, 10))
    unit = VAE(max_epochs=200, **LINEAR).fit(X)
    # No bound is above the exact log-likelihood of the best such model, probabilistic PCA.
    best = PCA(2).fit(X).score(X)
    for decoder_variance in ("learned", "optimal"):
        vae = clone(unit).set_params(decoder_variance=decoder_variance).fit(X)
        assert vae.noise_variance_ == pytest.approx(0.09, rel=0.15)
        assert unit.score(X) + 3 < vae.score(X) < best + 0.1
        loaded = pickle.loads(pickle.dumps(vae))
        assert loaded.score(X) == vae.score(X)


def test_the_weight_of_the_total_correlation_lowers_it(rng):
    a, b = rng.standard_normal((2, 300))
    X = np.stack([a, 0.9 * a + 0.4 * b, a - b, b], axis=1)
    estimates = []
    for weight in (0.0, 10.0):
        vae = VAE(2, beta=0.05, contrastive_weight=0, max_epochs=100, random_state=0)
        vae.set_params(total_correlation=weight, device="cpu").fit(X)
        with torch.no_grad():
            outputs = vae.net_.module_(torch.from_numpy(X.astype(np.float32)))
        estimates.append(total_correlation(outputs.z, *outputs.posterior, n_samples=1).item())
    assert estimates[1] < 0.5 * estimates[0]


def test_posterior_collapse_is_a_warning(rng):
    """Independent columns of variance 1 have nothing that a latent dimension could represent."""
    noise = rng.standard_normal((200, 10))
    vae = VAE(8, beta=4.0, contrastive_weight=0, max_epochs=40, random_state=0)
    with pytest.warns(PosteriorCollapseWarning, match="of 8 latent components") as caught:
        vae.fit(noise)
    assert vae.active_units_ < 2
    assert vae.collapse_advice() == str(caught[0].message)
    for remedy in ("160 steps", "lower beta", "kl_warmup", "free_bits"):
        assert remedy in vae.collapse_advice()


@pytest.mark.filterwarnings("error::sklearn_music.exceptions.PosteriorCollapseWarning")
@pytest.mark.parametrize("n_components", [1, 4])
def test_a_posterior_that_has_not_collapsed(blobs, n_components):
    X, _ = blobs
    vae = VAE(n_components, beta=0.1, max_epochs=60, random_state=0).fit(X)
    means = vae.transform(X)
    assert vae.collapse_advice() is None
    assert vae.active_units_ == (means.var(axis=0) > 0.01).sum()
    assert vae.history_[-1]["active_units"] == vae.active_units_
    assert vae.kl_per_component_.shape == (n_components,)
    assert vae.kl_per_component_.sum() == pytest.approx(vae.history_[-1]["kl"], rel=0.1)
    assert vae.beta_norm_ == pytest.approx(0.1 * n_components / 10)
    assert vae.noise_variance_ == 1


def test_free_bits_keep_components_active(rng):
    noise = rng.standard_normal((200, 10))
    params = {"beta": 4.0, "contrastive_weight": 0, "max_epochs": 60, "random_state": 0}
    free = VAE(8, free_bits=0.5, **params).fit(noise)
    assert VAE(8, **params).fit(noise).active_units_ < 2
    assert free.active_units_ == 8
    assert free.kl_per_component_.min() > 0.2
