"""VaDE: its clusters, where the mixture begins, and how training goes on."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from sklearn_music import VAE, VaDE
from sklearn_music.embedding.nn import GaussianMixturePrior
from sklearn_music.metrics import CLUSTERING_SCORERS, elbo_scorer

SMALL = {"n_components": 3, "pretrain_epochs": 10, "max_epochs": 20, "random_state": 0}


def test_finds_the_groups_and_their_responsibilities(blobs):
    X, labels = blobs
    vade = VaDE(3, **SMALL).fit(X)
    assert adjusted_rand_score(labels, vade.labels_) > 0.95
    proba = vade.predict_proba(X)
    assert proba.dtype == np.float32
    np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(proba.argmax(axis=1), vade.labels_)
    np.testing.assert_array_equal(vade.predict(X), vade.labels_)
    np.testing.assert_array_equal(VaDE(3, **SMALL).fit_predict(X), vade.labels_)
    # Between the centres of two groups the highest responsibility is lower than at either.
    a, b = (X[labels == label].mean(axis=0) for label in (0, 1))
    highest = vade.predict_proba(np.linspace(a, b, 21)).max(axis=1)
    assert highest.min() < min(highest[0], highest[-1])
    decoded = vade.inverse_transform(vade.means_)
    assert set(vade.predict(decoded)) == {0, 1, 2}


@pytest.mark.parametrize("params", [{}, {"beta": 4.0}, {"contrastive_weight": 0.0}], ids=str)
def test_does_not_collapse(blobs, params):
    X, _ = blobs
    epochs = {"pretrain_epochs": 30, "max_epochs": 60}
    sizes = np.bincount(VaDE(6, **SMALL | epochs | params).fit(X).labels_, minlength=6)
    assert sizes.min() > 0
    assert sizes.max() < 45


class Eviction(Callback):
    """Moves a cluster to where no sample is."""

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == 12:
            net.module_.prior.means.data[0] = 100


def test_an_empty_cluster_gets_half_of_the_largest(blobs, monkeypatch):
    X, _ = blobs
    vade = VaDE(3, callbacks=[Eviction()], **SMALL)
    assert set(vade.fit(X).labels_) == {0, 1, 2}
    monkeypatch.setattr(GaussianMixturePrior, "split", lambda self, largest, empty: None)
    with pytest.warns(ConvergenceWarning, match="Only 2 of n_clusters=3"):
        vade.fit(X)


def test_samples_come_from_the_clusters(blobs):
    X, _ = blobs
    X = np.vstack([X, X[:30]])  # so that one of the groups is as large as the other two
    vade = VaDE(3, **SMALL).fit(X)
    sample = vade.sample(1000)
    assert sample.shape == (1000, 10)
    shares = np.bincount(vade.predict(sample), minlength=3) / 1000
    np.testing.assert_allclose(shares, np.bincount(vade.labels_) / 120, atol=0.1)
    np.testing.assert_allclose(vade.weights_, np.bincount(vade.labels_) / 120, atol=0.1)
    np.testing.assert_array_equal(sample, vade.sample(1000))


def test_the_score_is_the_bound_under_the_mixture(blobs):
    X, _ = blobs
    vade = VaDE(3, **SMALL).fit(X)
    with torch.no_grad():
        mean, log_variance = vade.net_.module_.encode(torch.from_numpy(X).to(vade.device_))
    prior = MixtureSameFamily(
        Categorical(torch.from_numpy(vade.weights_)),
        Independent(
            Normal(torch.from_numpy(vade.means_), torch.from_numpy(vade.covariances_).sqrt()), 1
        ),
    )
    torch.manual_seed(0)
    posterior = Normal(mean.cpu(), (0.5 * log_variance.cpu()).exp())
    bounds = []
    for _ in range(300):
        z = posterior.sample()
        x_hat = torch.from_numpy(vade.inverse_transform(z.numpy()))
        bounds.append(
            Normal(x_hat, 1.0).log_prob(torch.from_numpy(X)).sum(dim=1)
            + prior.log_prob(z)
            - posterior.log_prob(z).sum(dim=1)
        )
    # The groups are far apart, so the bound on the mixture's divergence is close.
    difference = vade.score_samples(X) - torch.stack(bounds).mean(dim=0).numpy()
    assert abs(difference.mean()) < 0.2
    assert abs(difference).max() < 2


def test_the_mixture_begins_where_the_pretraining_ends(blobs):
    X, _ = blobs
    kl = [epoch["kl"] for epoch in VaDE(3, **SMALL).fit(X).history_]
    plain = [epoch["kl"] for epoch in VAE(3, max_epochs=10, random_state=0).fit(X).history_]
    assert len(kl) == 20
    assert kl[:10] == plain
    assert abs(kl[10] - kl[9]) > 10 * abs(kl[9] - kl[8])
    short = VaDE(3, **SMALL | {"max_epochs": 10}).fit(X)
    assert len(short.history_) == 10
    assert set(short.labels_) == {0, 1, 2}


def test_a_warm_start_goes_on_with_the_clusters(blobs):
    X, labels = blobs
    vade = VaDE(3, warm_start=True, **SMALL).fit(X)
    before = vade.means_
    vade.fit(X)
    assert len(vade.history_) == 40
    assert adjusted_rand_score(labels, vade.labels_) > 0.95
    closest = np.linalg.norm(before[:, None] - vade.means_, axis=2).argmin(axis=1)
    np.testing.assert_array_equal(closest, [0, 1, 2])


def test_partial_fit_makes_the_clusters_from_its_first_samples(blobs):
    X, _ = blobs
    vade = VaDE(2, n_components=2, random_state=0)
    for n_epochs in (1, 2, 3):
        vade.partial_fit(X[::n_epochs])
        assert len(vade.history_) == n_epochs
        assert len(vade.labels_) == len(X[::n_epochs])
        assert vade.predict_proba(X).shape == (90, 2)


def test_epochs_one_by_one_are_those_of_a_fit(blobs):
    X, labels = blobs
    vade = VaDE(3, **SMALL)
    for _ in range(20):
        vade.partial_fit(X)
    kl = [epoch["kl"] for epoch in vade.history_]
    assert abs(kl[10] - kl[9]) > 10 * abs(kl[9] - kl[8])  # where the pretraining ends
    assert adjusted_rand_score(labels, vade.labels_) > 0.95


@pytest.mark.parametrize("n_samples", [1, 3])
def test_too_few_samples(blobs, n_samples):
    with pytest.raises(ValueError, match=rf"n_samples={n_samples} .*n_clusters=4"):
        VaDE(4).fit(blobs[0][:n_samples])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_odd_inputs(blobs):
    X, _ = blobs
    few = {"n_components": 2, "pretrain_epochs": 1, "max_epochs": 2, "random_state": 0}
    vade = VaDE(1, **few).fit(X[:2])
    np.testing.assert_array_equal(vade.labels_, [0, 0])
    np.testing.assert_array_equal(vade.predict_proba(X[:1]), [[1.0]])
    assert len(VaDE(90, **few).fit(X).labels_) == 90
    with_constant = np.hstack([X, np.ones((90, 2))])
    assert np.isfinite(VaDE(3, **few).fit(with_constant).predict_proba(with_constant)).all()
    X.flags.writeable = False
    table = pd.DataFrame(X, index=np.arange(90) % 7).rename(columns=str)
    np.testing.assert_array_equal(VaDE(3, **few).fit_predict(table), VaDE(3, **few).fit_predict(X))


def test_equal_samples_are_one_cluster():
    with pytest.warns(ConvergenceWarning, match="Only 1 of n_clusters=3"):
        vade = VaDE(3, **SMALL).fit(np.ones((20, 4)))
    assert np.isfinite(vade.predict_proba(np.ones((1, 4)))).all()


def test_a_search_over_the_number_of_clusters(blobs):
    X, labels = blobs
    pipe = make_pipeline(StandardScaler(), VaDE(**SMALL))
    scoring = {**CLUSTERING_SCORERS, "elbo": elbo_scorer}
    grid = {"vade__n_clusters": [2, 3]}
    cv = StratifiedKFold(3)
    search = GridSearchCV(pipe, grid, scoring=scoring, refit="ari", cv=cv).fit(X, labels)
    assert search.best_params_ == {"vade__n_clusters": 3}
    assert np.isfinite(search.cv_results_["mean_test_elbo"]).all()
