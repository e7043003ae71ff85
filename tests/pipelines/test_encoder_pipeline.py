"""make_encoder_pipeline and BlockScaler."""

import pickle
import sys

import numpy as np
import pandas as pd
import pytest
import skops.io as skops
from sklearn.base import clone
from sklearn.cluster import HDBSCAN, KMeans
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV
from tiny_tagger import TAGS, TinyTagger

from sklearn_music.datasets import make_music
from sklearn_music.exploration import describe_clusters, similar_tracks
from sklearn_music.features import _track_windows
from sklearn_music.features.text import why_no_lyrics
from sklearn_music.metrics import CLUSTERING_SCORERS
from sklearn_music.pipelines import BlockScaler, SkipMissing, make_encoder_pipeline
from sklearn_music.report import ClusterReport

# Short lyrics have fewer topics.
pytestmark = pytest.mark.filterwarnings("ignore:Got n_components")


@pytest.fixture(scope="module")
def tracks(tmp_path_factory):
    music = make_music(36, duration=1.0, directory=tmp_path_factory.mktemp("a"), random_state=0)
    return music.data.set_index(np.arange(100, 136)[::-1])


def make(n_clusters=3, **params):
    return make_encoder_pipeline(
        n_clusters, **{"encoder": TinyTagger(), "windows": 2, "random_state": 0} | params
    )


@pytest.mark.parametrize("fusion", ["late", "joint"])
def test_clusters_and_round_trips(tracks, tmp_path, fusion):
    pipe = make(fusion=fusion, memory=tmp_path / "cache")
    labels = pipe.fit_predict(tracks)
    assert sorted(set(labels)) == [0, 1, 2]
    if fusion == "joint":
        assert pipe["embed"].n_main_ == 4
        assert pipe["embed"].n_features_in_ > 4
    for same in (clone(pipe).fit(tracks), pickle.loads(pickle.dumps(pipe))):
        np.testing.assert_array_equal(same.predict(tracks), labels)
    np.testing.assert_array_equal(pipe.predict(tracks[:1]), labels[:1])


@pytest.mark.parametrize("fusion", ["late", "joint"])
def test_skops(tracks, tmp_path, fusion):
    pipe = make(lyrics_weight=1, fusion=fusion).fit(tracks)
    skops.dump(pipe, tmp_path / "pipe.skops")
    unknown = skops.get_untrusted_types(file=tmp_path / "pipe.skops")
    assert all(name.startswith(("sklearn_music.", "tiny_tagger.")) for name in unknown)
    loaded = skops.load(tmp_path / "pipe.skops", trusted=unknown)
    np.testing.assert_array_equal(loaded.predict(tracks), pipe.predict(tracks))


@pytest.mark.parametrize("fusion", ["late", "joint"])
def test_gaps_are_bridged(tracks, tmp_path, fusion):
    some = tracks.copy()
    some.iloc[::3, some.columns.get_loc("lyrics")] = None
    some.iloc[1::6, some.columns.get_loc("audio")] = str(tmp_path / "lost.wav")
    some.iloc[0, some.columns.get_loc("audio")] = str(tmp_path / "lost.wav")
    with pytest.warns(UserWarning, match="7 of 36 tracks could not be used"):
        pipe = make(fusion=fusion).fit(some)
    labels = pipe[-1].labels_
    is_lost = some["audio"].str.endswith("lost.wav")
    is_unknown = is_lost & some["lyrics"].map(why_no_lyrics).notna()
    assert is_unknown.iloc[0]
    np.testing.assert_array_equal(labels == -1, is_unknown)
    assert list(pipe.failures_) == [0, 1, 7, 13, 19, 25, 31]


def test_without_lyrics(tracks):
    pipe = make(lyrics_weight=0)
    assert list(pipe.named_steps) == ["features", "cluster"]
    assert set(pipe.fit_predict(tracks[["audio"]])) == {0, 1, 2}


@pytest.mark.parametrize(
    "clusterer",
    [KMeans(2, n_init=1), GaussianMixture(2), HDBSCAN(3, copy=True), SkipMissing(KMeans(3))],
    ids=str,
)
def test_any_clusterer(tracks, clusterer):
    pipe = make(clusterer=clusterer)
    labels = pipe.fit_predict(tracks)
    assert isinstance(pipe[-1], SkipMissing)
    assert not isinstance(pipe[-1].estimator, SkipMissing)
    assert len(labels) == 36


def test_a_search(tracks, tmp_path):
    pipe = make(fusion="joint", memory=tmp_path).set_params(embed__max_epochs=2)
    grid = {
        "features__transformer_weights": [{"audio": 1, "lyrics": 0.5}, {"audio": 1, "lyrics": 2}],
        "embed__beta": [0.1, 1],
    }
    search = GridSearchCV(pipe, grid, scoring=CLUSTERING_SCORERS, refit="nmi", cv=2)
    assert np.isfinite(search.fit(tracks, tracks["genre"]).best_score_)


def test_what_is_wrong_is_found_before_the_work(tracks, monkeypatch, count_decoded):
    for params, table, message in [
        ({}, tracks.assign(lyrics=None), "To cluster by audio alone"),
        ({}, tracks.drop(columns="lyrics"), "no columns 'lyrics'"),
        ({"windows": 0}, tracks, "'windows' parameter"),
        ({"fusion": "both"}, tracks, "Got fusion='both'"),
        ({"n_clusters": 40}, tracks, "n_clusters=40 for 36 tracks"),
        ({"encoder": TinyTagger}, tracks, r"expected an object, TinyTagger\(\)"),
    ]:
        with pytest.raises(ValueError, match=message):
            make(**params).fit(table)
    monkeypatch.setitem(sys.modules, "musicnn", None)
    with pytest.raises(ImportError, match="pip install --no-deps musicnn"):
        make_encoder_pipeline(3).fit(tracks)
    assert not count_decoded


def test_clusters_are_named_by_the_tags(tracks, tmp_path):
    pipe = make(memory=tmp_path / "cache").fit(tracks)
    table = describe_clusters(pipe, tracks)
    assert table["tags"].map(len).sum() > 0
    assert set(table["tags"].sum()) <= set(TAGS)
    tags = pd.DataFrame(
        pipe["features"].named_transformers_["audio"]["encoder"].transform(tracks[["audio"]]),
        columns=TAGS,
    )
    pd.testing.assert_frame_equal(table, describe_clusters(pipe, tracks, tags=tags))
    # An encoder without tags.
    silent = make(encoder=TinyTagger(tags=())).fit(tracks)
    assert not describe_clusters(silent, tracks)["tags"].map(len).sum()
    nearest = similar_tracks(pipe, tracks, [tracks.index[0]], n_neighbors=2)
    assert len(nearest) == 2
    page = ClusterReport(pipe, tracks, n_seeds=1, excerpt_duration=0.2)
    names = [name for name in table["name"] if not name.startswith("Cluster")]
    text = page.to_html(tmp_path / "report.html").read_text("utf-8")
    assert names
    assert all(name in text for name in names)


def test_a_decode_ahead_and_one_cache(tracks, tmp_path, monkeypatch):
    reads = []
    original = _track_windows.read_audio
    monkeypatch.setattr(
        _track_windows, "read_audio", lambda *a, **k: reads.append(1) or original(*a, **k)
    )
    pipe = make(memory=tmp_path / "cache")
    pipe.fit(tracks)
    assert len(reads) == 36
    pipe.predict(tracks)
    clone(pipe).set_params(features__audio__encoder__n_jobs=3).fit(tracks)
    assert len(reads) == 36


# BlockScaler


def test_block_scaler(rng):
    X = rng.standard_normal((50, 3)) * [1, 10, 100] + 7
    for variance in (1.0, 4.0):
        scaler = BlockScaler(variance)
        Z = scaler.fit_transform(X)
        np.testing.assert_allclose(PCA(1).fit(Z).explained_variance_ * 49 / 50, variance)
        np.testing.assert_allclose(Z.mean(axis=0), 0, atol=1e-9)
        np.testing.assert_allclose(np.ptp(Z.std(axis=0) / X.std(axis=0)), 0, atol=1e-12)
        np.testing.assert_allclose(scaler.inverse_transform(Z), X)
    assert BlockScaler().fit_transform(X.astype(np.float32)).dtype == np.float32


def test_block_scaler_leaves_missing_values_out(rng):
    X = rng.standard_normal((50, 3))
    gaps = np.vstack([X, np.full((20, 3), np.nan)])
    scaler = BlockScaler().fit(gaps)
    np.testing.assert_allclose(scaler.transform(gaps)[:50], BlockScaler().fit_transform(X))
    assert np.isnan(scaler.transform(gaps)[50:]).all()
    wide = BlockScaler().fit_transform(X[:2])
    np.testing.assert_allclose((wide**2).sum() / 2, 1)  # two rows have one component
    constant = BlockScaler().fit_transform(np.full((5, 2), 3.0))
    np.testing.assert_array_equal(constant, np.zeros((5, 2)))
    nothing = BlockScaler().fit_transform(np.full((5, 2), np.nan))
    assert np.isnan(nothing).all()
