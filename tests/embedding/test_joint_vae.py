"""JointVAE: distances, principal axes, the product of experts, what is missing."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from scipy.linalg import subspace_angles
from scipy.spatial.distance import cdist, pdist
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline

from sklearn_music import JointVAE
from sklearn_music.pipelines import SkipMissing

N_MAIN = 8
TINY = {"n_main": N_MAIN, "hidden_layer_sizes": (16,), "random_state": 0, "device": "cpu"}


@pytest.fixture
def blocks(rng):
    """Vectors of eight columns and four auxiliary features, all made of three factors."""
    factors = rng.standard_normal((90, 3)) * [2, 1.5, 1]
    X = factors @ rng.standard_normal((3, 12)) + 0.1 * rng.standard_normal((90, 12))
    return X.astype(np.float32)


@pytest.fixture
def partial(blocks):
    """The same, in which track 0 lacks the auxiliary features, 1 the vectors, 2 both."""
    X = blocks.copy()
    X[0, N_MAIN:] = X[1, :N_MAIN] = X[2] = np.nan
    return X


def arrays(module):
    """Return the weights of a module of one layer, (n_out, n_in), and its bias."""
    return [part.detach().numpy() for part in module.parameters()]


def experts(vae, X):
    """Return mean and precision of each block's posterior without the prior, by hand."""
    module = vae.net_.module_
    encoders = (module.encoder, X[:, :N_MAIN]), (module.auxiliary_encoder, X[:, N_MAIN:])
    made = []
    for encoder, block in encoders:
        with torch.no_grad():
            head = encoder(torch.from_numpy(block)).numpy()
        mean, log_variance = np.split(head, 2, axis=1)
        excess = np.maximum(log_variance - 2, 0)  # which is compressed
        made.append((mean, np.exp(-np.where(excess > 0, 2 + np.log1p(excess), log_variance))))
    return made


def test_distances_are_those_between_the_reconstructions(blocks, partial):
    vae = JointVAE(4, max_epochs=5, **TINY).fit(blocks)
    for X in (blocks, partial[:2]):
        Z = vae.transform(X)
        np.testing.assert_allclose(pdist(Z), pdist(vae.inverse_transform(Z)), rtol=1e-3)


def test_latent_vectors_are_posterior_means_along_the_axes_of_the_decoder(blocks):
    vae = JointVAE(4, max_epochs=20, **TINY).fit(blocks)
    (main, main_precision), (auxiliary, auxiliary_precision) = experts(vae, blocks)
    evidence = (1 + main_precision) * main + (1 + auxiliary_precision) * auxiliary
    mean = evidence / (1 + main_precision + auxiliary_precision)
    weights, bias = arrays(vae.net_.module_.decoder)
    Z = vae.transform(blocks)
    np.testing.assert_allclose(vae.inverse_transform(Z), mean @ weights.T + bias, atol=1e-4)
    left, scale, _ = np.linalg.svd(weights, full_matrices=False)
    assert (np.diff(scale) < 0).all()
    along = (mean @ weights.T) @ left  # the reconstruction's coordinates on the axes
    signs = np.sign((along * Z).sum(axis=0))
    np.testing.assert_allclose(Z, along * signs, atol=1e-4)


def test_draws_from_the_prior_vary_most_in_the_first_components(blocks):
    """They lie in the space that inverse_transform takes."""
    vae = JointVAE(4, max_epochs=20, **TINY).fit(blocks)
    weights, bias = arrays(vae.net_.module_.decoder)
    X = vae.sample(4000, random_state=0)
    np.testing.assert_allclose(np.cov(X.T), weights @ weights.T, atol=0.1 * weights.max() ** 2)
    np.testing.assert_allclose(X.mean(axis=0), bias, atol=0.1 * np.abs(weights).max())
    variances = PCA(4).fit(X).explained_variance_
    np.testing.assert_allclose(variances, np.linalg.svd(weights)[1] ** 2, rtol=0.1)
    np.testing.assert_array_equal(X[:2], vae.sample(4000, random_state=0)[:2])


def test_the_signs_of_the_axes_do_not_depend_on_the_decomposition(blocks, monkeypatch):
    vae = JointVAE(4, max_epochs=2, **TINY).fit(blocks)
    Z = vae.transform(blocks)
    svd = torch.linalg.svd

    def other(matrix, **kwargs):
        left, scale, right = svd(matrix, **kwargs)
        signs = torch.tensor([-1.0, 1.0, -1.0, -1.0])
        return left * signs, scale, signs[:, None] * right

    monkeypatch.setattr(torch.linalg, "svd", other)
    np.testing.assert_array_equal(vae.transform(blocks), Z)


@pytest.mark.parametrize("n_main", [None, 6])
def test_linear_encoders_find_the_subspace_of_pca(rng, n_main):
    """The likelihood of a linear model is highest there (probabilistic PCA)."""
    axes = np.linalg.qr(rng.standard_normal((10, 10)))[0][:3]
    X = rng.standard_normal((300, 3)) * [4, 3, 2] @ axes + 0.3 * rng.standard_normal((300, 10))
    X -= X.mean(axis=0)
    vae = JointVAE(3, n_main=n_main, hidden_layer_sizes=(), beta=1, max_epochs=60, lr=0.02)
    Z = vae.set_params(random_state=0).fit_transform(X)
    pca = PCA(3).fit(X)
    weights, _ = arrays(vae.net_.module_.decoder)
    assert np.degrees(subspace_angles(weights, pca.components_.T)).max() < 5
    np.testing.assert_allclose(Z.std(axis=0), np.sqrt(pca.explained_variance_), rtol=0.15)
    assert vae.noise_variance_ == pytest.approx(pca.noise_variance_, rel=0.5)


def test_what_is_missing_is_left_out_of_the_product(blocks, partial):
    vae = JointVAE(4, max_epochs=5, **TINY).fit(partial)
    (main, _), (auxiliary, _) = experts(vae, blocks)
    axes = vae.net_.module_.axes().detach().numpy()
    Z = vae.transform(partial)
    np.testing.assert_allclose(Z[0], main[0] @ axes, atol=1e-5)
    np.testing.assert_allclose(Z[1], auxiliary[1] @ axes, atol=1e-5)
    assert np.isnan(Z[2]).all()
    np.testing.assert_allclose(Z[3:], vae.transform(blocks)[3:], atol=1e-6)


def test_what_is_missing_is_left_out_of_the_error(blocks, partial):
    module = JointVAE(4, auxiliary_weight=10, max_epochs=1, **TINY).fit(blocks).net_.module_
    assert module.n_observed(torch.from_numpy(partial)).tolist()[:4] == [8, 40, 0, 48]
    assert module.n_observed(torch.from_numpy(partial), 1.0).tolist()[:4] == [8, 4, 0, 12]
    errors = module.error(torch.from_numpy(partial), torch.zeros(90, 12)).numpy()
    main = np.square(blocks[:, :N_MAIN]).sum(axis=1)
    auxiliary = 10 * np.square(blocks[:, N_MAIN:]).sum(axis=1)
    expected = [main[0], auxiliary[1], 0, *(main + auxiliary)[3:]]
    np.testing.assert_allclose(errors, expected, rtol=1e-5)


def test_scores_of_tracks_with_gaps_count_what_is_there(rng):
    X = rng.standard_normal((200, 12)).astype(np.float32)
    X[:50, N_MAIN:] = X[50:100, :N_MAIN] = X[100] = np.nan
    vae = JointVAE(2, auxiliary_weight=0.5, max_epochs=5, **TINY).fit(X)
    scores = vae.score_samples(X)
    assert np.flatnonzero(np.isnan(scores)).tolist() == [100]
    assert vae.score(X) == pytest.approx(np.nanmean(scores), rel=1e-5)
    # Of standard normal noise: a nat and a half for each number.
    per_number = 0.5 * (np.log(2 * np.pi) + 1)
    means = [scores[:50].mean(), scores[50:100].mean(), scores[101:].mean()]
    np.testing.assert_allclose(means, [-n * per_number for n in (8, 4, 12)], rtol=0.2)


@pytest.mark.parametrize("missing", [slice(N_MAIN, None), slice(N_MAIN)])
def test_a_track_without_a_block_lands_near_its_full_vector(blocks, missing):
    gaps = blocks[60:].copy()
    gaps[:, missing] = np.nan
    vae = JointVAE(4, max_epochs=150, lr=0.01, **TINY).fit(blocks[:60])
    distances = cdist(vae.transform(gaps), vae.transform(blocks[60:]))
    ranks = (distances < np.diag(distances)[:, None]).sum(axis=1)
    assert (ranks == 0).mean() > 0.85  # the nearest of 30 is its own, by chance .03
    assert ranks.mean() < 0.2


def test_one_missing_auxiliary_feature_leaves_all_of_them_out(blocks, partial):
    vae = JointVAE(2, max_epochs=2, **TINY).fit(blocks)
    expected = vae.transform(partial)
    partial[0, N_MAIN:-1] = 7.0
    np.testing.assert_array_equal(vae.transform(partial), expected)
    partial[1, -1] = np.nan  # of a track without vectors
    assert np.isnan(vae.transform(partial)[1]).all()


def test_a_track_without_both_is_in_no_cluster(partial):
    vae = JointVAE(2, max_epochs=2, **TINY)
    pipe = make_pipeline(vae, SkipMissing(KMeans(3, n_init=1, random_state=0)))
    labels = pipe.fit_predict(partial)
    assert np.flatnonzero(labels == -1).tolist() == [2]
    np.testing.assert_array_equal(pipe.predict(partial), labels)
    decoded = pipe[0].inverse_transform(pipe[0].transform(partial))
    assert np.flatnonzero(np.isnan(decoded).any(axis=1)).tolist() == [2]


def test_vectors_that_are_nan_in_part_are_an_error(partial):
    vae = JointVAE(2, max_epochs=1, **TINY).fit(partial)
    partial[7, 3] = partial[7, 5] = np.nan
    message = "NaN in row 7, column 3, in 2 of its 8 columns.*columns 8 to 11"
    for call in (vae.fit, vae.transform, vae.score_samples, vae.partial_fit):
        with pytest.raises(ValueError, match=message):
            call(partial)


@pytest.mark.parametrize("block", [slice(N_MAIN), slice(N_MAIN, None)])
def test_no_track_has_one_of_the_blocks(blocks, block):
    blocks[:, block] = np.nan
    vae = JointVAE(3, max_epochs=3, **TINY).fit(blocks)
    Z = vae.transform(blocks)
    assert np.isfinite(Z).all()
    assert np.isfinite(vae.inverse_transform(Z)).all()
    assert np.isfinite(vae.score_samples(blocks)).all()


def test_no_track_has_both_blocks(blocks):
    blocks[::2, N_MAIN:] = blocks[1::2, :N_MAIN] = np.nan
    Z = JointVAE(3, max_epochs=3, batch_size=1, **TINY).fit_transform(blocks)
    assert np.isfinite(Z).all()


def test_the_auxiliary_weight_decides_what_the_latent_space_represents(rng):
    X = rng.standard_normal((200, 12))

    def share(weight):
        vae = JointVAE(2, auxiliary_weight=weight, max_epochs=30, lr=0.02, **TINY).fit(X)
        energy = np.square(arrays(vae.net_.module_.decoder)[0]).sum(axis=1)
        return energy[N_MAIN:].sum() / energy.sum()

    assert share(0.1) < 0.2 < 0.8 < share(10)


# n_main


@pytest.mark.parametrize(
    ("n_main", "expected"),
    [(8, 8), (np.int64(3), 3), (12, 12), (None, 12), (lambda X: X.shape[1] // 2, 6)],
)
def test_the_number_of_main_columns(blocks, n_main, expected):
    vae = JointVAE(2, n_main=n_main, max_epochs=1, random_state=0)
    vae.fit(blocks)
    assert vae.n_main_ == expected
    assert type(vae.n_main_) is int
    assert vae.get_params()["n_main"] is n_main
    assert (vae.net_.module_.auxiliary_encoder is None) == (expected == 12)


def test_a_function_sees_the_table(blocks):
    names = [f"audio{i}" for i in range(5)] + [f"lyrics{i}" for i in range(7)]

    def count(table):
        return sum(name.startswith("audio") for name in table.columns)

    vae = JointVAE(2, n_main=count, max_epochs=1, random_state=0)
    expected = clone(vae).set_params(n_main=5).fit(blocks).transform(blocks)
    # Of what the index says, nothing is used.
    for table in (
        pd.DataFrame(blocks.astype(np.float64), columns=names, index=[7, 7, *"ab" * 44]),
        pl.DataFrame(blocks, schema=names),
    ):
        vae.fit(table)
        assert vae.n_main_ == 5
        np.testing.assert_array_equal(vae.transform(table), expected)
    with pytest.raises(AttributeError, match="columns"):
        vae.fit(blocks)


@pytest.mark.parametrize("n_main", [0, -1, 8.0, "8", [8], np.nan])
def test_values_that_are_no_number_of_columns(blocks, n_main):
    with pytest.raises(ValueError, match="'n_main' parameter of JointVAE must be an int"):
        JointVAE(2, n_main=n_main).fit(blocks)


def test_more_main_columns_than_columns(blocks):
    vae = JointVAE(2, n_main=13)
    with pytest.raises(ValueError, match="Got n_main=13, but X has 12 columns: expected an int"):
        vae.fit(blocks)
    assert not hasattr(vae, "n_main_")


@pytest.mark.parametrize("returned", [None, 0, -1, 13, 2.5, 8.0, "8", np.nan, [8], (8, 4)])
def test_functions_that_return_no_number_of_columns(blocks, returned):
    with pytest.raises(ValueError, match=r"Got n_main=<function.*, which returned .*1 to 12\."):
        JointVAE(2, n_main=lambda X: returned).fit(blocks)


# Sizes and scales


@pytest.mark.parametrize("n_samples", [1, 2, 3])
@pytest.mark.filterwarnings("ignore::sklearn_music.exceptions.PosteriorCollapseWarning")
def test_few_tracks(blocks, n_samples):
    X = blocks[:n_samples]
    vae = JointVAE(4, max_epochs=3, **TINY).fit(X)
    Z = vae.transform(X)
    assert Z.shape == (n_samples, 4)
    assert np.isfinite(Z).all()
    assert np.isfinite(vae.score_samples(X)).all()
    assert vae.sample(2, random_state=0).shape == (2, 12)


@pytest.mark.parametrize(("n_columns", "n_main"), [(12, 8), (12, 1), (12, 11), (1, 1), (1, None)])
def test_more_components_than_columns(blocks, n_columns, n_main):
    X = blocks[:, :n_columns]
    vae = JointVAE(15, max_epochs=5, random_state=0, n_main=n_main).fit(X)
    Z = vae.transform(X)
    assert not Z[:, n_columns:].any()
    decoded = vae.inverse_transform(Z)
    np.testing.assert_allclose(pdist(Z), pdist(decoded), rtol=1e-3, atol=1e-5)
    assert vae.sample(3, random_state=0).shape == (3, n_columns)
    assert np.isfinite(vae.score_samples(X)).all()


def test_constant_columns_do_not_change(blocks):
    blocks[:, [2, 9]] = 5.0
    vae = JointVAE(4, max_epochs=100, lr=0.02, **TINY).fit(blocks)
    decoded = vae.inverse_transform(vae.transform(blocks))[:, [2, 9]]
    np.testing.assert_allclose(decoded, 5.0, atol=1)


@pytest.mark.parametrize("scale", [1e-6, 1e6])
@pytest.mark.filterwarnings("ignore::sklearn_music.exceptions.PosteriorCollapseWarning")
def test_columns_that_were_not_scaled_give_finite_numbers(blocks, scale):
    X = blocks.astype(np.float64) * scale
    vae = JointVAE(4, max_epochs=5, **TINY).fit(X)
    Z = vae.transform(X)
    assert Z.dtype == np.float32
    assert np.isfinite(Z).all()
    assert np.isfinite(vae.inverse_transform(Z)).all()
    assert np.isfinite(vae.score_samples(X)).all()


# Training


def test_half_of_the_tracks_of_a_step_show_one_block(blocks):
    module = JointVAE(2, max_epochs=1, **TINY).fit(blocks).net_.module_
    X = np.repeat(blocks[:1], 2000, axis=0)
    torch.manual_seed(0)
    with torch.no_grad():
        mean = module.train()(torch.from_numpy(X)).posterior.mean.numpy()
    kinds, counts = np.unique(mean.round(5), axis=0, return_counts=True)
    assert len(kinds) == 3  # both, and each alone
    np.testing.assert_allclose(np.sort(counts) / 2000, [0.25, 0.25, 0.5], atol=0.03)
    gaps = np.where(np.arange(12) < N_MAIN, X, np.nan).astype(np.float32)
    with torch.no_grad():
        mean = module(torch.from_numpy(gaps)).posterior.mean
    assert (mean == mean[0]).all()  # what stands alone is never hidden


def test_pickles_and_clones(partial):
    vae = JointVAE(3, max_epochs=2, **TINY).fit(partial)
    copy = pickle.loads(pickle.dumps(vae))
    np.testing.assert_array_equal(copy.transform(partial), vae.transform(partial))
    np.testing.assert_array_equal(copy.sample(2, 0), vae.sample(2, 0))
    copy.partial_fit(partial)
    assert len(copy.history_) == 3
    again = clone(vae).fit(partial)
    np.testing.assert_array_equal(again.transform(partial), vae.transform(partial))
