import copy
import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import loguniform
from sklearn.base import BaseEstimator, ClusterMixin, clone
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.exceptions import FitFailedWarning
from sklearn.metrics import adjusted_rand_score, make_scorer
from sklearn.model_selection import GridSearchCV, KFold, RandomizedSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, StandardScaler
from skorch.callbacks import EpochScoring

from sklearn_music import VAE, BetaCVAE, ConvVAE, JointVAE, TrackVAE, VaDE
from sklearn_music.embedding import _fitting
from sklearn_music.embedding.training import _handover, _out_of_core, _vmap
from sklearn_music.metrics import CLUSTERING_SCORERS, elbo_scorer
from sklearn_music.model_selection import (
    BatchedGridSearchCV,
    BatchedRandomizedSearchCV,
    NoSplit,
    _batched,
)

SETTINGS = {"hidden_layer_sizes": (16,), "n_neighbors": 3, "max_epochs": 4, "random_state": 0}


@pytest.fixture
def trained_separately(monkeypatch):
    """The nets that were trained by a fit of their own, in a list."""
    nets = []

    def train(net, *args, **kwargs):
        nets.append(net)
        return original(net, *args, **kwargs)

    original = _fitting.train
    monkeypatch.setattr(_fitting, "train", train)
    return nets


class Scaler(StandardScaler):
    """Notes how many samples it is fitted on."""

    def fit(self, X, y=None):
        self.note(len(X))
        return super().fit(X)


class Kept:
    """A scorer that keeps what it is given: the fitted estimators, in the order of the search."""

    def __init__(self):
        self.fitted = []

    def __call__(self, estimator, X, y=None):
        self.fitted.append(copy.deepcopy(estimator))
        return estimator.score(X)


def pipeline(vae, scale=None):
    return Pipeline(
        [
            ("scale", scale or StandardScaler()),
            ("vae", vae),
            ("cluster", KMeans(3, n_init=3, random_state=0)),
        ]
    )


def search_both(estimator, grid, X, y=None, *, why_separately=None, **kwargs):
    kwargs = {"cv": 3, "refit": False, "error_score": "raise", **kwargs}
    plain, together = (
        kind(estimator, grid, **kwargs) for kind in (GridSearchCV, BatchedGridSearchCV)
    )
    plain.fit(X, y)
    if why_separately is None:
        return plain, together.fit(X, y)
    message = rf"can't train any networks together here \(.*{why_separately}.*use GridSearchCV"
    with pytest.warns(UserWarning, match=message) as caught:
        together.fit(X, y)
    assert sum("together" in str(warning.message) for warning in caught) == 1
    return plain, together


def assert_same_results(plain, together, **kwargs):
    plain, together = plain.cv_results_, together.cv_results_
    assert list(plain) == list(together)
    assert plain["params"] == together["params"]
    for name, values in plain.items():
        if name.startswith("param_"):
            assert values.tolist() == together[name].tolist()
        elif name != "params" and not name.endswith("_time"):
            np.testing.assert_allclose(values, together[name], **{"rtol": 1e-3, **kwargs})


def test_the_scores_are_those_of_a_grid_search(blobs, trained_separately, monkeypatch):
    X, y = blobs
    X, y = X[:80], y[:80]  # folds of 53, 53 and 54 samples
    labels, scaled = [], []
    monkeypatch.setattr(Scaler, "note", scaled.append, raising=False)

    def score(estimator, X, y):
        labels.append(estimator.predict(X))
        elbo = estimator["vae"].score(estimator["scale"].transform(X))
        return {"elbo": elbo, "ari": adjusted_rand_score(y, labels[-1])}

    grid = {"vae__beta": [0.25, 1, 4], "vae__n_components": [2, 3, 5]}
    pipe = pipeline(VAE(**SETTINGS), Scaler())
    plain, together = search_both(pipe, grid, X, y, scoring=score, refit="elbo")
    assert_same_results(plain, together)
    n = len(labels) // 2
    for one, other in zip(labels[:n], labels[n:], strict=True):
        assert adjusted_rand_score(one, other) >= 0.99
    # All of the first search and both refits were trained separately, none of the second search.
    assert len(trained_separately) == 27 + 2
    assert scaled == [53, 53, 54] * 9 + [80] + [53, 53, 54] + [80]
    assert together.best_params_ == plain.best_params_
    np.testing.assert_array_equal(together.predict(X), plain.predict(X))
    assert together.best_estimator_.get_params().keys() == plain.best_estimator_.get_params().keys()
    assert together.best_estimator_.memory is None


@pytest.mark.parametrize(
    ("embedder", "grid"),
    [
        (
            VAE(4, **SETTINGS),
            [
                {"lr": [1e-3, 1e-2], "n_components": [3, 4]},
                {"kl_warmup": [3], "free_bits": [0.3], "n_components": [2, 4]},
                {"random_state": [1, np.random.RandomState(2)]},
            ],
        ),
        (VAE(2, **SETTINGS, decoder_variance="optimal"), {"n_components": [2, 3]}),
        (VAE(2, **SETTINGS, decoder_variance="learned", contrastive_weight=0), {"beta": [0.1, 1]}),
        (
            VAE(2, **SETTINGS, total_correlation=2.0),
            {"beta": [0.1, 1], "n_components": [2, 3]},
        ),
        (
            BetaCVAE(condition_features=[0, 3], hidden_layer_sizes=(8,), max_epochs=3),
            {"n_components": [2, 3], "encode_condition": [True, False], "random_state": [0]},
        ),
    ],
    ids=["vae", "optimal", "learned", "total_correlation", "cvae"],
)
def test_each_embedder_is_as_after_its_own_fit(blobs, trained_separately, embedder, grid):
    X, _ = blobs
    scorers = Kept(), Kept()
    plain = GridSearchCV(embedder, grid, scoring=scorers[0], cv=2, refit=False).fit(X)
    n_before = len(trained_separately)
    together = BatchedGridSearchCV(embedder, grid, scoring=scorers[1], cv=2, refit=False).fit(X)
    assert len(trained_separately) == n_before
    assert_same_results(plain, together, rtol=1e-5)
    for one, other in zip(*(scorer.fitted for scorer in scorers), strict=True):
        assert one.__dict__.keys() == other.__dict__.keys()
        np.testing.assert_allclose(one.transform(X), other.transform(X), atol=1e-4)
        np.testing.assert_allclose(one.kl_per_component_, other.kl_per_component_, atol=1e-4)
        assert one.noise_variance_ == pytest.approx(other.noise_variance_, rel=1e-4)
        assert one.active_units_ == other.active_units_
        for epoch, other_epoch in zip(one.net_.epochs, other.net_.epochs, strict=True):
            assert list(epoch) == list(other_epoch)
            del epoch["dur"], other_epoch["dur"]
            assert epoch == pytest.approx(other_epoch, rel=1e-4)
        # It can be trained further: the optimizer is where it would be.
        one, other = (vae.partial_fit(X).transform(X) for vae in (one, other))
        np.testing.assert_allclose(one, other, atol=1e-3)


def test_an_embedder_in_a_column_transformer_beside_others(blobs, trained_separately):
    X, y = blobs
    table = pd.DataFrame(X, columns=[f"c{i}" for i in range(10)], index=np.arange(90) * 7)
    audio = Pipeline([("scale", StandardScaler()), ("vae", VAE(2, **SETTINGS))])
    pipe = Pipeline(
        [
            (
                "embed",
                ColumnTransformer(
                    [
                        ("first", FunctionTransformer(lambda X: X), ["c8", "c9"]),
                        ("audio", audio, [f"c{i}" for i in range(8)]),
                    ]
                ),
            ),
            ("cluster", KMeans(3, n_init=3, random_state=0)),
        ]
    ).set_output(transform="pandas")
    weights = [{"audio": 1, "first": 0}, {"audio": 1, "first": 2}]
    grid = [
        {"embed__audio__vae__beta": [0.25, 4], "embed__transformer_weights": weights},
        {"embed__audio__vae": [PCA(2)], "embed__transformer_weights": weights},
    ]
    plain, together = search_both(pipe, grid, table, y, scoring="adjusted_rand_score")
    assert len(trained_separately) == 12  # of the first search
    scores = [search.cv_results_["mean_test_score"] for search in (plain, together)]
    np.testing.assert_allclose(*scores, rtol=1e-3)
    assert list(plain.cv_results_) == list(together.cv_results_)


SHAPES = {"image_shape": (2, 5), "channels": (2,)}


@pytest.mark.parametrize(
    ("embedder", "reason"),
    [
        (BetaCVAE(early_stopping=True), "early_stopping"),
        (BetaCVAE(checkpoint_dir="checkpoints"), "checkpoint_dir"),
        (BetaCVAE(callbacks=[EpochScoring(lambda net, X, y: 0.0)]), "callbacks"),
        (BetaCVAE(condition_features=lambda X: [0]), "parameters that can't be pickled"),
        (JointVAE(n_main=7), "a network of another kind"),
        (ConvVAE(**SHAPES), "a ConvVAE with image_shape is always trained separately"),
        (BetaCVAE(**SHAPES), "a BetaCVAE with image_shape is always trained separately"),
        (
            TrackVAE(**SHAPES, window_frames=3),
            "a TrackVAE with image_shape is always trained separately",
        ),
        (
            VaDE(3, n_neighbors=3, pretrain_epochs=1, n_init=1),
            "a VaDE is always trained separately",
        ),
    ],
)
def test_what_is_trained_separately_has_the_scores_of_a_grid_search(
    blobs, capsys, tmp_path, monkeypatch, embedder, reason
):
    monkeypatch.chdir(tmp_path)
    X, _ = blobs
    embedder = clone(embedder).set_params(n_components=2, max_epochs=2, random_state=0)
    grid = {"beta": [0.1, 0.2]}
    plain, together = search_both(embedder, grid, X, cv=2, verbose=1, why_separately=reason)
    assert_same_results(plain, together, rtol=0)
    assert f"Training 4 separately: {reason}" in capsys.readouterr().out


def test_memory_mapped_data(blobs, capsys, monkeypatch, tmp_path):
    def write(X):
        path = tmp_path / str(X[0, 0])
        X.tofile(path)
        return np.memmap(path, X.dtype, mode="r", shape=X.shape)

    X, _ = blobs
    monkeypatch.setattr(_out_of_core, "N_BUFFERED", 100)
    vae = VAE(2, **SETTINGS, contrastive_weight=0)
    pipe = Pipeline([("write", FunctionTransformer(write)), ("vae", vae)])
    plain, together = search_both(
        pipe, {"vae__beta": [1, 2]}, X, cv=2, verbose=1, why_separately="memory-mapped data"
    )
    assert_same_results(plain, together, rtol=0)
    assert "Training 4 separately: memory-mapped data" in capsys.readouterr().out


def test_invalid_parameters_and_samples_fail_as_ever(blobs):
    X, _ = blobs
    pipe = pipeline(VAE(2, **SETTINGS))
    with pytest.raises(ValueError, match=r"All the 2 fits failed[\s\S]*'batch_size'"):
        BatchedGridSearchCV(pipe, {"vae__batch_size": [0]}, cv=2).fit(X)
    with pytest.raises(ValueError, match=r"All the 2 fits failed[\s\S]*NaN"):
        BatchedGridSearchCV(pipe, {"vae__beta": [1]}, cv=2).fit(np.where(X > 1, np.nan, X))
    with pytest.raises(ValueError, match="Invalid parameter 'gamma'"):
        BatchedGridSearchCV(pipe, {"vae__gamma": [1]}, cv=2).fit(X)


def test_a_diverged_network_fails_by_itself(blobs):
    X, _ = blobs
    grid = {"lr": [1e-3, 1e30]}
    plain = GridSearchCV(VAE(2, **SETTINGS), {"lr": [1e-3]}, cv=2, refit=False).fit(X)
    search = BatchedGridSearchCV(VAE(2, **SETTINGS), grid, cv=2, refit=False)
    with (
        pytest.warns(FitFailedWarning, match="DivergenceError"),
        pytest.warns(UserWarning, match="non-finite"),
    ):
        search.fit(X)
    good, bad = search.cv_results_["mean_test_score"]
    assert good == pytest.approx(plain.cv_results_["mean_test_score"][0], rel=1e-3)
    assert np.isnan(bad)


def test_no_seed_means_draws_of_their_own(blobs, trained_separately):
    X, _ = blobs
    kept = Kept()
    vae = VAE(2, **SETTINGS).set_params(random_state=None)
    cv = KFold(2, shuffle=True)  # whose folds differ from call to call
    state = torch.get_rng_state()
    BatchedGridSearchCV(vae, {"beta": [1, 1]}, scoring=kept, cv=cv, refit=False).fit(X)
    assert not trained_separately
    assert torch.equal(torch.get_rng_state(), state)
    assert len({fitted.score(X) for fitted in kept.fitted}) == 4


def test_equal_fits_are_trained_once(blobs, capsys):
    X, _ = blobs
    pipe = pipeline(VAE(2, **SETTINGS))
    grid = {"vae__beta": [0.25, 4], "cluster__n_clusters": [2, 3, 4]}
    plain, together = search_both(pipe, grid, X, verbose=1)
    assert "Training 4 networks" not in capsys.readouterr().out  # but of three folds
    assert_same_results(plain, together)


def test_small_groups_and_threads_make_no_difference(blobs, monkeypatch):
    X, _ = blobs
    pipe, grid = pipeline(VAE(2, **SETTINGS)), {"vae__n_components": [2, 3], "vae__beta": [0.1, 1]}
    plain, together = search_both(pipe, grid, X, n_jobs=1)
    assert_same_results(plain, together)
    monkeypatch.setattr(_vmap, "_N_BYTES", 1)
    in_threads = BatchedGridSearchCV(pipe, grid, cv=3, refit=False, n_jobs=2).fit(X)
    assert_same_results(plain, in_threads)


def test_interrupted(blobs, monkeypatch):
    def summarize(*args):
        raise KeyboardInterrupt

    X, _ = blobs
    monkeypatch.setattr(_vmap, "summarize", summarize)
    state, n_threads = torch.get_rng_state(), torch.get_num_threads()
    search = BatchedGridSearchCV(VAE(2, **SETTINGS), {"beta": [1, 2]}, cv=2)
    with pytest.raises(KeyboardInterrupt):
        search.fit(X)
    assert not hasattr(search, "cv_results_")
    assert not _handover._providers
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == n_threads


def test_randomized(blobs, trained_separately):
    X, _ = blobs
    kwargs = {"n_iter": 4, "cv": 2, "random_state": 0, "refit": False}
    distributions = {"beta": loguniform(0.01, 10), "lr": loguniform(1e-4, 1e-2)}
    plain, together = (
        kind(VAE(2, **SETTINGS), distributions, **kwargs).fit(X)
        for kind in (RandomizedSearchCV, BatchedRandomizedSearchCV)
    )
    assert_same_results(plain, together)
    assert len(trained_separately) == 8
    assert clone(together).get_params().keys() == plain.get_params().keys()


def test_one_fold_without_labels(blobs, trained_separately):
    X, _ = blobs
    pipe, grid = pipeline(VAE(2, **SETTINGS)), {"vae__beta": [0.1, 4]}
    kwargs = {"scoring": elbo_scorer, "cv": NoSplit(), "refit": True, "return_train_score": True}
    plain, together = search_both(pipe, grid, X, **kwargs)
    assert len(trained_separately) == 2 + 2
    assert_same_results(plain, together)
    assert together.best_params_ == plain.best_params_


def test_missing_samples_are_left_out(blobs, trained_separately):
    X, _ = blobs
    X = X.copy()
    X[::7] = np.nan

    def score(vae, X):
        return vae.score(X[~np.isnan(X[:, 0])])

    plain, together = search_both(VAE(2, **SETTINGS), {"beta": [0.1, 1]}, X, scoring=score)
    assert len(trained_separately) == 6
    assert_same_results(plain, together)


def test_memory_that_is_too_small(blobs, trained_separately, monkeypatch, capsys):
    def train(self, stop):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    X, _ = blobs
    vae, grid = VAE(2, **SETTINGS), {"beta": [0.1, 1]}
    with monkeypatch.context() as patched:
        patched.setattr(_vmap._Stack, "train", train)
        plain, together = search_both(vae, grid, X)
    assert len(trained_separately) == 6 + 6
    assert_same_results(plain, together, rtol=0)
    monkeypatch.setattr(_batched, "_N_NUMBERS", 1.5 * 60 * X.shape[1])
    plain, together = search_both(vae, grid, X, verbose=1)
    assert len(trained_separately) == 12 + 6 + 4
    assert "Training 4 separately: more than 900.0 numbers" in capsys.readouterr().out
    assert_same_results(plain, together)


def test_no_warning_where_some_are_trained_together_or_nothing_is_trained(blobs, capsys):
    X, y = blobs
    pipe = pipeline(VAE(2, **SETTINGS))
    stopped = VAE(2, **SETTINGS, early_stopping=True)
    grid = {"vae": [VAE(2, **SETTINGS), stopped, PCA(2)]}
    BatchedGridSearchCV(pipe, grid, scoring="adjusted_rand_score", cv=2, verbose=1).fit(X, y)
    printed = capsys.readouterr().out
    assert "Training 2 networks together" in printed
    assert "Training 2 separately: early_stopping" in printed
    assert "Training 2 separately: no embedder" in printed
    BatchedGridSearchCV(KMeans(n_init=1), {"n_clusters": [2, 3]}, cv=2).fit(X)


def test_wide_networks_give_exactly_the_scores_of_a_grid_search(blobs, monkeypatch):
    X, y = blobs
    monkeypatch.setattr(_vmap, "_SMALL_STEP", 1)
    plain, together = search_both(
        pipeline(VAE(2, **SETTINGS)),
        {"vae__beta": [0.1, 4]},
        X,
        y,
        scoring=elbo_scorer,
        why_separately="networks this wide",
    )
    assert_same_results(plain, together, rtol=0)


class Refusing(VAE):
    """A VAE that refuses to be fitted on more than 70 samples."""

    def fit(self, X, y=None):
        if len(X) > 70:
            raise OSError("too many")
        return super().fit(X)


@pytest.mark.parametrize("ends", ["well", "in the refit", "in a scorer", "by Ctrl-C"])
def test_nothing_of_the_search_stays_behind(blobs, capsys, ends, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    X, y = blobs
    fitted = []

    def score(estimator, X, y):
        fitted.append(estimator)
        if ends == "in a scorer":
            raise OSError("no score")
        if ends == "by Ctrl-C":
            raise KeyboardInterrupt
        return estimator["vae"].score(estimator["scale"].transform(X))

    pipe = pipeline((Refusing if ends == "in the refit" else VAE)(2, **SETTINGS))
    search = BatchedGridSearchCV(
        pipe,
        [{"vae__beta": [0.1, 4]}, {"memory": [None], "vae__lr": [1e-2]}],
        scoring=score,
        cv=3,
        verbose=3,
        error_score="raise",
    )
    if ends == "well":
        search.fit(X, y)
        params = search.cv_results_["params"]
        assert params == [{"vae__beta": 0.1}, {"vae__beta": 4}, {"memory": None, "vae__lr": 1e-2}]
        assert all(type(candidate) is dict for candidate in params)
        memories = search.cv_results_["param_memory"]
        assert memories.mask.tolist() == [True, True, False]
        assert memories[2] is None
        assert search.best_estimator_.memory is None
        assert b"_batched" not in pickle.dumps(search.best_estimator_)
    else:
        with pytest.raises(KeyboardInterrupt if ends == "by Ctrl-C" else OSError):
            search.fit(X, y)
        assert not hasattr(search, "cv_results_")
    assert "shared" not in capsys.readouterr().out
    assert pipe.memory is None
    assert search.estimator is pipe
    assert not _handover._providers
    assert not any(tmp_path.iterdir())
    # Nor is what the steps made of the folds, in the estimators that a scorer has kept.
    assert fitted
    assert not any(estimator.memory.results for estimator in fitted)


class Failing(ClusterMixin, BaseEstimator):
    """A clusterer that must not be fitted."""

    def fit(self, X, y=None):
        raise AssertionError("fitted")


@pytest.mark.parametrize(
    ("scoring", "y", "error"),
    [
        ("adjusted_rand_score", None, TypeError),
        (CLUSTERING_SCORERS, None, (TypeError, ValueError)),
        ("adjusted_rand_score", np.zeros((90, 2, 2)), ValueError),
        (CLUSTERING_SCORERS, np.array([None] * 90, dtype=object), ValueError),
    ],
)
def test_labels_that_no_fold_can_be_scored_by_fail_before_any_fit(
    blobs, trained_separately, scoring, y, error
):
    X, _ = blobs
    pipe = Pipeline([("vae", VAE(2, **SETTINGS)), ("cluster", Failing())])
    search = BatchedGridSearchCV(pipe, {"vae__beta": [1, 2]}, scoring=scoring, refit=False, cv=3)
    with pytest.raises(error):
        search.fit(X, y)
    assert not trained_separately
    # A number in the place of a score that fails is what was asked for.
    with pytest.raises(ValueError, match="All the 6 fits failed"):
        search.set_params(error_score=0).fit(X, y)


@pytest.mark.parametrize("backend", ["multiprocessing", "loky", "threading", "sequential"])
def test_whatever_the_backend_of_joblib(blobs, backend):
    X, y = blobs
    pipe, grid = pipeline(VAE(2, **SETTINGS)), {"vae__beta": [0.1, 4]}
    kwargs = {"scoring": "adjusted_rand_score", "cv": 3, "refit": False}
    together = BatchedGridSearchCV(pipe, grid, **kwargs).fit(X, y)
    with joblib.parallel_config(backend, n_jobs=2):
        in_backend = BatchedGridSearchCV(pipe, grid, **kwargs).fit(X, y)
    assert_same_results(together, in_backend, rtol=0)
    n_threads = torch.get_num_threads()
    with joblib.parallel_config("threading", n_jobs=2):
        searches = joblib.Parallel()(
            joblib.delayed(BatchedGridSearchCV(pipe, grid, **kwargs).fit)(X, y) for _ in range(2)
        )
    for search in searches:
        assert_same_results(together, search, rtol=0)
    assert torch.get_num_threads() == n_threads
    assert not _handover._providers


def test_whatever_the_default_dtype_of_torch(blobs):
    X, _ = blobs
    vae, grid = VAE(2, **SETTINGS), {"beta": [0.1, 4], "n_components": [2, 3]}
    expected = BatchedGridSearchCV(vae, grid, cv=2, refit=False).fit(X)
    dtype = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        search = BatchedGridSearchCV(vae, grid, cv=2, refit=False).fit(X)
    finally:
        torch.set_default_dtype(dtype)
    assert_same_results(expected, search, rtol=0)


def test_a_generator_as_cv(blobs):
    X, _ = blobs
    vae, grid = VAE(2, **SETTINGS), {"beta": [0.1, 4]}
    plain, together = (
        kind(vae, grid, cv=(fold for fold in KFold(2).split(X)), refit=False).fit(X)
        for kind in (GridSearchCV, BatchedGridSearchCV)
    )
    assert_same_results(plain, together)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu(blobs, trained_separately):
    X, _ = blobs
    vae = VAE(2, **SETTINGS, device="cuda")
    plain, together = search_both(vae, {"beta": [0.1, 1], "n_components": [2, 3]}, X)
    assert_same_results(plain, together)
    assert len(trained_separately) == 12


def test_steps_that_work_in_place(blobs):
    X, _ = blobs
    steps = [("scale", StandardScaler()), ("unit", MinMaxScaler(copy=False))]
    vae = VAE(2, max_epochs=2, contrastive_weight=0, random_state=0)
    pipe = Pipeline([*steps, ("vae", vae)])
    scores = [
        search(pipe, {"vae__beta": [0.1, 1]}, cv=3, scoring=elbo_scorer)
        .fit(X)
        .cv_results_["mean_test_score"]
        for search in (GridSearchCV, BatchedGridSearchCV)
    ]
    np.testing.assert_allclose(*scores, rtol=1e-4)


def test_scorers_are_asked_before_the_training_without_a_warning(blobs):
    X, y = blobs
    scoring = {
        **CLUSTERING_SCORERS,
        "proba": make_scorer(mean_proba, response_method="predict_proba"),
    }
    vade = VaDE(
        3, n_components=2, n_neighbors=3, pretrain_epochs=1, n_init=1, max_epochs=2, random_state=0
    )
    search_both(
        vade, {"beta": [0.1, 1]}, X, y, scoring=scoring, cv=2, why_separately="a VaDE is always"
    )


def mean_proba(labels, proba):
    return proba.max(axis=1).mean()
