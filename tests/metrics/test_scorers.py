import functools
import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.cluster import DBSCAN, HDBSCAN, AgglomerativeClustering, KMeans
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score, silhouette_score
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import Pipeline, make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sklearn_music import VAE, BetaCVAE, SpectrogramExtractor
from sklearn_music.datasets import make_music
from sklearn_music.metrics import (
    CLUSTERING_SCORERS,
    elbo_scorer,
    silhouette_scorer,
    stability_score,
)
from sklearn_music.model_selection import NoSplit
from sklearn_music.pipelines import SkipMissing


def test_a_search_without_labels(blobs):
    X, _ = blobs
    X = pd.DataFrame(X, index=np.arange(90)[::-1]).add_prefix("x")
    pipe = make_pipeline(
        StandardScaler(),
        VAE(2, contrastive_weight=0, max_epochs=20, random_state=0),
        KMeans(n_init=2, random_state=0),
    )
    scoring = {
        "elbo": elbo_scorer,
        "silhouette": silhouette_scorer(),
        "stability": functools.partial(stability_score, n_seeds=2),
    }
    grid = {"kmeans__n_clusters": [1, 3], "vae__beta": [1.0, 50.0]}
    search = GridSearchCV(pipe, grid, scoring=scoring, refit="silhouette", cv=NoSplit())
    search.fit(X)
    results = pd.DataFrame(search.cv_results_).set_index(
        ["param_kmeans__n_clusters", "param_vae__beta"]
    )
    assert search.n_splits_ == 1
    assert search.best_params_ == {"kmeans__n_clusters": 3, "vae__beta": 1.0}
    assert results.loc[(1, 1.0), "mean_test_silhouette"] == 0
    assert results.loc[(1, 1.0), "mean_test_stability"] == 1
    assert results.loc[(3, 1.0), "mean_test_elbo"] > results.loc[(3, 50.0), "mean_test_elbo"]


def test_no_split_is_one_fold_of_all_samples():
    ((train, test),) = NoSplit().split(pd.DataFrame({"a": "xyz"}, index=[7, 7, 2]))
    assert train.tolist() == test.tolist() == [0, 1, 2]
    assert NoSplit().get_n_splits() == 1
    assert repr(NoSplit()) == "NoSplit()"


def test_silhouettes_in_each_space(blobs):
    X, _ = blobs
    X = 5 + 3 * X
    pipe = make_pipeline(PCA(1), KMeans(3, n_init=2, random_state=0)).fit(X[:60])
    X = X[30:]
    clusters = pipe.predict(X)
    for space, Z in {
        "reference": StandardScaler().fit_transform(X),
        "passthrough": X,
        PCA(2, random_state=0): PCA(2, random_state=0).fit_transform(X),
        None: pipe[0].transform(X),
    }.items():
        scorer = pickle.loads(pickle.dumps(silhouette_scorer(space)))
        assert scorer(pipe, X) == pytest.approx(silhouette_score(Z, clusters), abs=1e-5)
    kmeans = KMeans(3, n_init=2, random_state=0).fit(X)
    own = silhouette_scorer(space=None)(kmeans, X, None)
    assert own == pytest.approx(silhouette_score(X, kmeans.labels_), abs=1e-5)


def test_silhouettes_that_are_not_defined(blobs):
    X, _ = blobs
    scorer = silhouette_scorer()
    assert scorer(KMeans(1).fit(X), X) == 0
    assert scorer(KMeans(20, n_init=1).fit(X[:20]), X[:20]) == 0
    with pytest.raises(ValueError, match=r"neither a table of numbers .* as space of"):
        scorer(_Any().fit(None), pd.Series(["la la", "na na"]))
    with pytest.raises(ValueError, match="'space' parameter"):
        silhouette_scorer("typo")


@pytest.mark.parametrize(
    "clusterer",
    [
        HDBSCAN(min_cluster_size=5, copy=True),
        AgglomerativeClustering(3),
        SkipMissing(AgglomerativeClustering(4)),
    ],
)
def test_silhouettes_of_a_clusterer_without_predict(blobs, clusterer):
    X, _ = blobs
    pipe = make_pipeline(PCA(2), clusterer)
    scores = cross_validate(pipe, X, scoring=silhouette_scorer("passthrough"), cv=NoSplit())
    labels = pipe.fit(X)[-1].labels_
    in_cluster = labels >= 0
    expected = silhouette_score(X[in_cluster], labels[in_cluster])
    assert scores["test_score"] == pytest.approx([expected], abs=1e-5)


def test_a_clusterer_without_predict_knows_the_samples_of_its_fit_only(blobs):
    X, _ = blobs
    # In another order, so that the groups of the two halves differ.
    X = np.random.default_rng(0).permutation(X)
    for clusterer in (AgglomerativeClustering(3), make_pipeline(AgglomerativeClustering(3))):
        fitted = clusterer.fit(X[:45])
        for others in (X[:44], X[45:]):
            with pytest.raises(AttributeError, match=r"Agglomerative.* has no predict.*cv="):
                silhouette_scorer()(fitted, others)
    with pytest.raises(AttributeError, match="PCA has no predict"):
        silhouette_scorer()(PCA().fit(X), X)
    search = GridSearchCV(
        AgglomerativeClustering(), {"n_clusters": [2, 3]}, scoring=silhouette_scorer(), cv=NoSplit()
    )
    assert search.fit(X).best_params_ == {"n_clusters": 3}


def test_silhouettes_leave_out_what_is_missing_for_hdbscan(blobs):
    X, _ = blobs
    some = np.vstack([X, np.full((5, 10), np.nan)])
    hdbscan = HDBSCAN(min_cluster_size=5, copy=True)
    scores = [silhouette_scorer("passthrough")(hdbscan.fit(Z), Z) for Z in (X, some)]
    assert scores[0] == pytest.approx(scores[1], abs=1e-5)


class _Any(KMeans):
    def fit(self, X, y=None, sample_weight=None):
        return self

    def predict(self, X):
        return np.arange(len(X))


def test_the_elbo_of_held_out_samples_wherever_the_embedder_is(blobs):
    X, _ = blobs
    X = pd.DataFrame(X).add_prefix("x")
    train, test = X.iloc[::2], X.iloc[1::2]
    vae = VAE(2, max_epochs=2, random_state=0)
    scaled = Pipeline([("scale", StandardScaler()), ("nothing", "passthrough"), ("vae", vae)])
    some = ["x1", "x3", "x8"]
    of_some = clone(scaled).fit(train[some]).score(test[some])
    blocks = ColumnTransformer([("pca", PCA(1), ["x0"]), ("vae", scaled, some)])
    clustered = make_pipeline(blocks, StandardScaler(), KMeans(2, n_init=1))
    search = GridSearchCV(scaled, {"vae__beta": [vae.beta]}, cv=2)
    for estimator, columns in {
        clustered: list(X),
        make_pipeline(PCA(3), make_union(PCA(1), vae)): None,
        scaled: some,
        search: some,
    }.items():
        if columns is None:
            expected = vae.fit(PCA(3).fit_transform(train)).score(
                estimator.fit(train)[0].transform(test)
            )
            columns = list(X)
        else:
            expected = of_some
        assert elbo_scorer(estimator.fit(train[columns]), test[columns]) == pytest.approx(expected)


def test_the_elbo_needs_one_embedder(blobs):
    X, _ = blobs
    with pytest.raises(ValueError, match="got none"):
        elbo_scorer(make_pipeline(PCA(2), KMeans(2, n_init=1)).fit(X), X)
    two = make_union(VAE(2, max_epochs=1), BetaCVAE(2, max_epochs=1)).fit(X)
    with pytest.raises(ValueError, match="got VAE, BetaCVAE"):
        elbo_scorer(two, X)


def test_stability_by_hand(blobs):
    X, _ = blobs
    kmeans = KMeans(7, n_init=1)
    score = stability_score(kmeans, X, n_seeds=2, subsample=1, random_state=5)
    rng = np.random.RandomState(5)
    labels = []
    for _ in range(2):
        rng.permutation(90)
        labels.append(clone(kmeans).set_params(random_state=rng.randint(2**31 - 1)).fit_predict(X))
    assert score == adjusted_rand_score(*labels) < 1
    assert stability_score(kmeans, X, n_seeds=3) == stability_score(kmeans, X, n_seeds=3, n_jobs=2)
    assert not hasattr(kmeans, "labels_")


@pytest.mark.parametrize(
    "clusterer", [KMeans(3, n_init=3), GaussianMixture(3), AgglomerativeClustering(3)]
)
def test_what_is_there_is_stable_and_what_is_not_is_not(blobs, rng, clusterer):
    X, _ = blobs
    assert stability_score(make_pipeline(StandardScaler(), clusterer), X.tolist(), n_seeds=4) == 1
    noise = pd.DataFrame(rng.standard_normal((90, 10)), index=[0] * 90)
    assert stability_score(clusterer, noise, n_seeds=4) < 0.6


def test_stability_of_what_cannot_be_compared(blobs):
    X, _ = blobs
    with pytest.raises(ValueError, match="may not share two samples"):
        stability_score(KMeans(2), X[:3], subsample=0.6)
    with pytest.raises(ValueError, match="implementing 'fit_predict'"):
        stability_score(PCA(2), X)
    with pytest.raises(ValueError, match="'subsample' parameter"):
        stability_score(KMeans(2), X, subsample=0.4)


def test_scorers_with_and_without_labels_side_by_side(blobs, rng):
    X, y = blobs
    order = rng.permutation(90)
    scoring = {
        **CLUSTERING_SCORERS,
        "silhouette": silhouette_scorer(),
        "stability": stability_score,
    }
    scores = cross_validate(KMeans(3, n_init=2), X[order], y[order], scoring=scoring, cv=2)
    assert (scores["test_ari"] == 1).all()
    assert (scores["test_stability"] == 1).all()
    assert (scores["test_silhouette"] > 0.5).all()


class SkipsMissing(KMeans):
    """A clusterer that gives missing samples the label -1."""

    def fit(self, X, y=None, sample_weight=None):
        present = ~np.isnan(X).all(axis=1)
        super().fit(X[present])
        self.labels_ = self.predict(X)
        return self

    def fit_predict(self, X, y=None, sample_weight=None):
        return self.fit(X).labels_

    def predict(self, X):
        present = ~np.isnan(X).all(axis=1)
        clusters = np.full(len(X), -1)
        clusters[present] = super().predict(X[present])
        return clusters


@pytest.mark.parametrize("space", ["reference", "passthrough", PCA(2), None])
def test_missing_samples_are_left_out_of_silhouettes(blobs, rng, space):
    X, _ = blobs
    gaps = rng.choice(90, 20, replace=False)
    with_gaps = X.copy()
    with_gaps[gaps] = np.nan
    rest = np.delete(X, gaps, axis=0)
    kmeans = SkipsMissing(3, n_init=2, random_state=0).fit(rest)
    scorer = silhouette_scorer(space)
    if isinstance(space, PCA):  # which takes no NaN: there the samples have features after all
        fitted = make_pipeline(FunctionTransformer(_hide(gaps)), kmeans).fit(X)
        clusters = fitted.predict(X)
        Z = PCA(2, random_state=0).fit_transform(X)[clusters >= 0]
        expected = silhouette_score(Z, clusters[clusters >= 0])
        assert scorer(fitted, X) == pytest.approx(expected, abs=1e-5)
    else:
        assert scorer(kmeans, with_gaps) == pytest.approx(scorer(kmeans, rest), abs=1e-5)


def _hide(gaps):
    def hide(X):
        X = X.copy()
        X[gaps] = np.nan
        return X

    return hide


def test_missing_samples_are_no_agreement(rng):
    X = rng.standard_normal((60, 5))
    with_gaps = np.vstack([X, np.full((60, 5), np.nan)])
    # Were the samples that are never clustered a cluster, it would be .8.
    assert stability_score(SkipsMissing(4, n_init=1), with_gaps, n_seeds=4) < 0.6
    # Where all is noise there is no clustering that could be stable.
    assert stability_score(DBSCAN(eps=1e-9), X, n_seeds=2) == 0


def test_stability_of_sparse_samples(blobs):
    X, _ = blobs
    assert stability_score(KMeans(3, n_init=2), csr_array(X), n_seeds=2) == 1
    assert stability_score(DBSCAN(eps=3), csr_array(X), n_seeds=2) > 0


@pytest.mark.parametrize("gap", [np.nan, np.inf])
def test_hdbscan_has_other_labels_for_what_is_missing(rng, gap):
    X = rng.uniform(size=(60, 2))
    X[:20] = gap
    hdbscan = HDBSCAN(min_cluster_size=5, copy=True)
    more = np.r_[X, np.full((60, 2), gap)]
    stability = [stability_score(hdbscan, rows, subsample=1, n_seeds=2) for rows in (X, more)]
    assert stability[0] == stability[1]
    only_noise = np.r_[np.full((60, 2), gap), rng.uniform(size=(6, 2))]
    assert stability_score(hdbscan, only_noise, subsample=1, n_seeds=3) == 0


def test_silhouettes_of_tables_of_other_packages(tmp_path):
    tracks = make_music(8, duration=0.5, directory=tmp_path, random_state=0).data[["audio"]]
    pipe = make_pipeline(SpectrogramExtractor(n_mels=8), KMeans(2, n_init=1, random_state=0))
    table = pytest.importorskip("polars").DataFrame({"audio": tracks["audio"].tolist()})
    assert silhouette_scorer()(pipe.fit(tracks), table) == silhouette_scorer()(pipe, tracks)


def test_silhouettes_in_a_latent_space_with_missing_values_of_pandas(rng):
    table = pd.DataFrame(rng.standard_normal((12, 2)), columns=["a", "b"])
    table.loc[0] = np.nan
    kmeans = SkipMissing(KMeans(2, n_init=1, random_state=0))
    pipe = make_pipeline(FunctionTransformer(pd.DataFrame.convert_dtypes), kmeans).fit(table)
    assert silhouette_scorer(None)(pipe, table) == silhouette_scorer("passthrough")(pipe, table)
