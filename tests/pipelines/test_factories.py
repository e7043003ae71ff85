"""The pipelines and the README, on real files."""

import pickle
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_music import VAE, GenreEncoder, LyricVectorizer, SpectrogramExtractor
from sklearn_music.datasets import make_music
from sklearn_music.exceptions import AudioError
from sklearn_music.metrics import CLUSTERING_SCORERS, compare_embeddings
from sklearn_music.pipelines import (
    make_beta_cvae_pipeline,
    make_conv_vae_pipeline,
    make_pca_pipeline,
    make_track_vae_pipeline,
    make_vae_pipeline,
)

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def tracks(tmp_path_factory):
    music = make_music(24, duration=1.0, directory=tmp_path_factory.mktemp("a"), random_state=0)
    # An index that is no range, as after a filter.
    return music.data.set_index(np.arange(100, 124)[::-1])


def test_the_readme_runs_and_decodes_each_file_once(tmp_path, monkeypatch, count_decoded):
    """Run its search with two epochs instead of sixty, and 45 tracks instead of 60."""
    text = (ROOT / "README.md").read_text("utf-8")
    _, code = re.findall(r"```python\n(.*?)```", text, re.S)
    epochs = '"embed__audio__vae__n_components"'
    for before, after in (
        (epochs, f'"embed__audio__vae__max_epochs": [2], {epochs}'),
        ("(60", "(45"),
    ):
        assert before in code
        code = code.replace(before, after)
    monkeypatch.chdir(tmp_path)
    namespace = {}
    exec(compile(code, "README.md", "exec"), namespace)

    tracks, search = namespace["tracks"], namespace["search"]
    assert tracks["lyrics"].str.contains("[\u0980-\u09ff]", na=False).any()  # Bangla
    assert len(count_decoded) == len(set(count_decoded)) == len(tracks)
    results = pd.DataFrame(search.cv_results_)
    assert len(results) == 12
    assert (
        results[["mean_test_purity", "mean_test_nmi", "mean_test_ami", "mean_test_ari"]]
        .notna()
        .all()
        .all()
    )
    assert search.predict(tracks).shape == (45,)


def test_all_features_in_one_column_transformer(tracks):
    features = ColumnTransformer(
        [
            ("audio", SpectrogramExtractor("mfcc", pooling="stats"), ["audio"]),
            ("lyrics", LyricVectorizer(n_components=4), "lyrics"),
            ("genre", GenreEncoder(), ["genre"]),
        ]
    ).set_output(transform="pandas")
    pipe = Pipeline(
        [
            ("features", features),
            ("scale", StandardScaler()),
            ("vae", VAE(3, max_epochs=3, random_state=0)),
            ("cluster", KMeans(6, n_init=2, random_state=0)),
        ]
    )
    clusters = pipe.fit_predict(tracks)
    assert clusters.shape == (24,)
    np.testing.assert_array_equal(pipe.predict(tracks), clusters)
    columns = pipe["features"].transform(tracks)
    assert columns.index.equals(tracks.index)
    genres = make_column_selector(pattern="^genre__")(columns)
    assert genres == [f"genre__genre_{name}" for name in sorted(tracks["genre"].unique())]
    assert list(pipe[:-1].get_feature_names_out()) == ["vae0", "vae1", "vae2"]


def test_pca_and_vae_in_one_grid(tracks):
    pipe = Pipeline(
        [
            ("audio", SpectrogramExtractor("mfcc", pooling="stats")),
            ("scale", StandardScaler()),
            ("embed", PCA()),
            ("cluster", KMeans(6, n_init=2, random_state=0)),
        ]
    )
    grid = {"embed": [PCA(random_state=0), VAE(max_epochs=2)], "embed__n_components": [2, 4]}
    search = GridSearchCV(pipe, grid, scoring=CLUSTERING_SCORERS, refit="nmi", cv=2)
    search.fit(tracks[["audio"]], tracks["genre"])
    assert np.isfinite(search.cv_results_["mean_test_nmi"]).all()


def test_all_lyrics_missing_in_a_test_fold(tracks):
    vectorizer = LyricVectorizer(n_components=4).fit(tracks["lyrics"])
    nothing = vectorizer.transform(pd.Series([None, "", "[Instrumental]"]))
    np.testing.assert_array_equal(nothing, np.zeros((3, 4)))


FACTORIES = [
    make_track_vae_pipeline,
    make_pca_pipeline,
    make_vae_pipeline,
    make_conv_vae_pipeline,
    make_beta_cvae_pipeline,
]
few_lyrics = pytest.mark.filterwarnings("ignore:Got n_components")  # have fewer topics


def quick(make, n_clusters=3, **kwargs):
    """Return a pipeline of one second and two epochs."""
    pipe = make(n_clusters, duration=1.0, random_state=0, **kwargs)
    return pipe.set_params(
        **{name: 2 for name in pipe.get_params() if name.endswith("__max_epochs")}
    )


@few_lyrics
@pytest.mark.parametrize("make", FACTORIES)
def test_factories(make, tracks, tmp_path):
    pipe = clone(quick(make, memory=tmp_path))
    clusters = pipe.fit_predict(tracks)
    assert len(np.unique(clusters)) == 3
    loaded = pickle.loads(pickle.dumps(pipe))
    np.testing.assert_array_equal(loaded.predict(tracks), pipe.predict(tracks))
    assert pipe.failures_ == {}


@pytest.mark.parametrize("make", FACTORIES)
@pytest.mark.parametrize("kwargs", [{}, {"duration": 3.0}, {"course_project": True}])
def test_factories_know_the_size_of_their_spectrograms(make, kwargs, tracks):
    if make is make_track_vae_pipeline and "course_project" in kwargs:
        return
    pipe = make(**kwargs)
    extractor = next(p for p in pipe.get_params().values() if isinstance(p, SpectrogramExtractor))
    shape = extractor.fit(tracks[["audio"]][:1]).image_shape_
    embedder = pipe[1]
    assert getattr(embedder, "image_shape", shape) == shape
    if not kwargs:
        assert shape == (64, 323)


@pytest.mark.parametrize(
    "make", [make_track_vae_pipeline, make_vae_pipeline, make_conv_vae_pipeline]
)
def test_without_lyrics(make, tracks):
    pipe = quick(make, lyrics_weight=0)
    assert len(np.unique(pipe.fit_predict(tracks[["audio"]]))) == 3


@few_lyrics
@pytest.mark.parametrize("make", FACTORIES)
def test_a_bad_file_stops_nothing_and_is_never_in_a_cluster(make, tracks, tmp_path):
    """The other tracks get the labels that they get without the bad files."""
    corrupt = tmp_path / "corrupt.mp3"
    corrupt.write_bytes(bytes(range(256)) * 9)
    bad = tracks.astype(object)
    for row, path in {2: str(corrupt), 7: str(tmp_path / "lost.wav"), 11: None}.items():
        bad.iloc[row, bad.columns.get_indexer(["audio", "lyrics"])] = [path, None]
    pipe = quick(make)
    with pytest.warns(UserWarning, match="3 of 24 tracks"):
        labels = pipe.fit_predict(bad)
    assert list(pipe.failures_) == [2, 7, 11]
    assert "corrupt.mp3" in pipe.failures_[2]
    np.testing.assert_array_equal(np.flatnonzero(labels == -1), [2, 7, 11])
    good = bad.drop(bad.index[[2, 7, 11]])
    np.testing.assert_array_equal(quick(make).fit_predict(good), labels[labels >= 0])

    loaded = pickle.loads(pickle.dumps(pipe))
    with pytest.warns(UserWarning, match="3 of 24 tracks"):
        np.testing.assert_array_equal(loaded.predict(bad), labels)
    nothing = bad.iloc[[2, 7]]
    with pytest.warns(UserWarning, match="2 of 2 tracks"):
        np.testing.assert_array_equal(loaded.predict(nothing), [-1, -1])

    with pytest.raises(AudioError, match="Row 7"):
        make(3, duration=1.0, on_error="raise").fit(bad)


class WorkBegan(Exception):
    """A net is about to be trained, or a file to be decoded."""


@pytest.fixture
def no_work(monkeypatch):
    def work(*args, **kwargs):
        raise WorkBegan

    monkeypatch.setattr("sklearn_music.embedding._base.train_network", work)
    monkeypatch.setattr("sklearn_music.features._track_transformer.read_audio", work)


@pytest.mark.usefixtures("no_work")
def test_more_components_than_tracks_are_an_error_before_the_work(tracks):
    with pytest.raises(ValueError, match=r"n_components=16 for 9 tracks.*pca__estimator__n_comp"):
        quick(make_pca_pipeline).fit(tracks[:9])


def test_any_last_step(tracks):
    embedding = quick(make_pca_pipeline).set_params(cluster="passthrough")
    assert embedding.fit_transform(tracks).shape == (24, 16)
    assert embedding.fit(tracks).transform(tracks).shape == (24, 16)
    assert not hasattr(embedding, "fit_predict")
    for method in (embedding.fit, embedding.fit_transform):
        with pytest.raises(ValueError, match="no columns 'audio'"):
            method(tracks.drop(columns="audio"))


@few_lyrics
def test_the_genre_is_found_in_tables_of_polars(tracks):
    pipe = quick(make_beta_cvae_pipeline)
    expected = clone(pipe).fit_predict(tracks)
    pipe["features"].set_output(transform="polars")
    np.testing.assert_array_equal(pipe.fit_predict(tracks), expected)
    pipe["features"].set_output(transform="default")
    with pytest.raises(ValueError, match="set_output"):
        pipe.fit(tracks)


@few_lyrics
def test_lyrics_or_audio_alone_give_a_track_its_cluster(tracks):
    some = tracks.copy()
    some.iloc[3, some.columns.get_loc("audio")] = None
    some.iloc[5, some.columns.get_loc("lyrics")] = None
    with pytest.warns(UserWarning, match="1 of 24 tracks"):
        labels = quick(make_track_vae_pipeline).fit_predict(some)
    assert (labels >= 0).all()


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize(
    ("change", "params", "message"),
    [
        (lambda t: t.drop(columns="lyrics"), {}, r"no columns? 'lyrics'.*lyrics_weight=0"),
        (lambda t: t.assign(lyrics=None), {}, r"All 24 lyrics are missing.*lyrics_weight=0"),
        (lambda t: t.assign(lyrics="[Instrumental]"), {}, r"All 24 .*lyrics_weight=0"),
        (lambda t: t.rename(columns={"audio": "file"}), {}, r"no columns? 'audio'.*'file'"),
        (lambda t: pd.concat([t, t[["lyrics"]]], axis=1), {}, "2 columns 'lyrics'"),
        (lambda t: t[:2], {}, "n_clusters=3 for 2 tracks"),
        (lambda t: t, {"cluster__estimator__n_clusters": 0}, "n_clusters"),
        (lambda t: t, {"embed__beta": -1.0}, "beta"),
        (lambda t: t, {"embed__image_shape": (64, 12)}, "image_shape"),
        (lambda t: t, {"embed__image_shape": (11, 64)}, "image_shape"),
        (lambda t: t, {"features__audio__n_mels": 32}, "image_shape"),
        (lambda t: t[:0], {}, "no tracks"),
        (lambda t: t, {"cluster__estimator__n_clusters": np.int64(25)}, "n_clusters=25"),
        (lambda t: t, {"features__audio__duration": 2.0}, "image_shape"),
        (lambda t: t, {"features__audio__fmin": 9e9}, "fmin"),
        (
            lambda t: t,
            {"embed__checkpoint_dir": "c", "embed__early_stopping": True},
            "checkpoint_dir",
        ),
    ],
)
def test_mistakes_are_found_before_the_work(change, params, message, tracks):
    pipe = quick(make_track_vae_pipeline).set_params(**params)
    with pytest.raises(ValueError, match=message):
        pipe.fit_predict(change(tracks))
    for method in ("fit", "fit_predict"):
        with pytest.raises(WorkBegan):  # without a mistake, the work begins
            getattr(quick(make_track_vae_pipeline, on_error="raise"), method)(tracks)


@pytest.mark.filterwarnings("ignore:Got n_components")
def test_the_course_project_conditions_the_encoder_on_the_genre_which_is_label_leakage(tracks):
    pipe = make_beta_cvae_pipeline(random_state=0).set_params(embed__max_epochs=1)
    leaky = clone(pipe).set_params(embed__encode_condition=True)
    assert make_beta_cvae_pipeline(course_project=True)["embed"].encode_condition
    scores = compare_embeddings(
        {"leaky": leaky[:-1], "honest": pipe[:-1]}, tracks, tracks["genre"], n_seeds=1
    ).set_index("embedding")
    assert scores["leakage"]["leaky"] > 0.9
    assert scores["leakage"].drop("leaky").eq(0).all()
