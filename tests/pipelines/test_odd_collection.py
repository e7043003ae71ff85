"""The recommended pipeline, its saved form, the comparison and the report on odd files."""

import functools
import pickle
import warnings

import numpy as np
import pytest
from odd_collection import make_odd_collection
from tiny_tagger import TinyTagger

from sklearn_music import LyricVectorizer
from sklearn_music.metrics import compare_embeddings
from sklearn_music.pipelines import (
    make_encoder_pipeline,
    make_pca_pipeline,
    make_track_vae_pipeline,
)
from sklearn_music.report import ClusterReport

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # one for every oddity


@pytest.fixture(scope="module")
def tracks(tmp_path_factory):
    return make_odd_collection(str(tmp_path_factory.mktemp("odd")))


MAKE = {
    "TrackVAE": make_track_vae_pipeline,
    "late fusion": functools.partial(make_encoder_pipeline, encoder=TinyTagger(), windows=2),
    "joint": functools.partial(
        make_encoder_pipeline, encoder=TinyTagger(), windows=2, fusion="joint"
    ),
}


@pytest.fixture(scope="module", params=MAKE)
def fitted(request, tracks, tmp_path_factory):
    pipe = MAKE[request.param](
        4, duration=2.0, memory=tmp_path_factory.mktemp("cache"), n_jobs=2, random_state=0
    )
    if "embed" in pipe.named_steps:
        pipe.set_params(embed__max_epochs=4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        labels = pipe.fit_predict(tracks)
    return pipe, labels, pipe.failures_


def test_the_collection_is_large_enough(tracks):
    assert len(tracks) > 60
    assert tracks["readable"].eq(False).sum() >= 20


def test_every_track_is_in_a_cluster_or_has_its_reason(tracks, fitted):
    _, labels, failures = fitted
    assert len(labels) == len(tracks)
    for row, readable in enumerate(tracks["readable"]):
        if readable is not None:
            assert (row not in failures) == readable, tracks["audio"][row]
    lyrics = LyricVectorizer(2, fill_value=np.nan).fit_transform(tracks["lyrics"])
    has_lyrics = ~np.isnan(lyrics[:, 0])
    is_failed = np.isin(np.arange(len(tracks)), list(failures))
    np.testing.assert_array_equal(labels == -1, is_failed & ~has_lyrics)


def test_the_saved_pipeline_gives_the_same(tracks, fitted):
    pipe, labels, failures = fitted
    loaded = pickle.loads(pickle.dumps(pipe))
    np.testing.assert_array_equal(loaded.predict(tracks), labels)
    assert list(loaded.failures_) == list(failures)
    np.testing.assert_array_equal(loaded.predict(tracks[::-1]), labels[::-1])


@pytest.mark.parametrize("fitted", ["TrackVAE"], indirect=True)
def test_comparison(tracks, fitted):
    pipe, _, _ = fitted
    (memory,) = {
        value for name, value in pipe.get_params().items() if name.endswith("__memory") and value
    }
    pca = make_pca_pipeline(duration=2.0, memory=memory)[:-1]
    scores = compare_embeddings(
        {"joint": pipe[:-1], "mel, PCA": pca}, tracks, tracks["genre"], n_clusters=3, n_seeds=1
    )
    assert scores["n_tracks"].eq(tracks["genre"].notna().sum()).all()
    assert np.isfinite(scores[["purity", "nmi", "ari", "silhouette"]].to_numpy()).all()


@pytest.mark.parametrize("fitted", ["TrackVAE"], indirect=True)
def test_report(tracks, fitted, tmp_path):
    pipe, _, _ = fitted
    report = ClusterReport(pipe, tracks, tracks[["genre"]], n_seeds=1, excerpt_duration=0.5)
    text = report.to_html(tmp_path / "report.html").read_text("utf-8")
    assert "half.flac" in text
    assert "<script>alert(1)" not in text
