"""The parts together: what the README promises, on real files."""

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
from sklearn_music.metrics import CLUSTERING_SCORERS, compare_embeddings
from sklearn_music.pipelines import (
    make_beta_cvae_pipeline,
    make_conv_vae_pipeline,
    make_pca_pipeline,
    make_vae_pipeline,
)

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def tracks(tmp_path_factory):
    music = make_music(24, duration=1.0, directory=tmp_path_factory.mktemp("a"), random_state=0)
    # An index that is no range, as after a filter.
    return music.data.set_index(np.arange(100, 124)[::-1])


def test_the_readme_runs_and_decodes_each_file_once(tmp_path, monkeypatch, count_decoded):
    """With two epochs instead of sixty, and 45 tracks instead of 60."""
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.S)
    for before, after in (("VAE(n_comp", "VAE(max_epochs=2, n_comp"), ("music(60", "music(45")):
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


def test_the_straight_form(tracks):
    """All features in one ColumnTransformer, one embedder over all columns, KMeans."""
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
    search = GridSearchCV(pipe, grid, scoring=CLUSTERING_SCORERS, refit="nmi", cv=2, n_jobs=2)
    search.fit(tracks[["audio"]], tracks["genre"])
    assert np.isfinite(search.cv_results_["mean_test_nmi"]).all()


def test_all_lyrics_missing_in_a_test_fold(tracks):
    vectorizer = LyricVectorizer(n_components=4).fit(tracks["lyrics"])
    nothing = vectorizer.transform(pd.Series([None, "", "[Instrumental]"]))
    np.testing.assert_array_equal(nothing, np.zeros((3, 4)))


@pytest.mark.filterwarnings("ignore:Got n_components")  # so few lyrics have fewer topics
@pytest.mark.parametrize(
    "make", [make_pca_pipeline, make_vae_pipeline, make_conv_vae_pipeline, make_beta_cvae_pipeline]
)
def test_recipes(make, tracks, tmp_path):
    pipe = clone(make(3, memory=tmp_path, random_state=0))
    epochs = {name: 2 for name in pipe.get_params() if name.endswith("__max_epochs")}
    clusters = pipe.set_params(**epochs).fit_predict(tracks)
    assert len(np.unique(clusters)) == 3
    loaded = pickle.loads(pickle.dumps(pipe))
    np.testing.assert_array_equal(loaded.predict(tracks), pipe.predict(tracks))
    weights = [value for name, value in pipe.get_params().items() if "transformer_weights" in name]
    assert weights  # so that a search can vary them


@pytest.mark.parametrize("make", [make_conv_vae_pipeline, make_beta_cvae_pipeline])
@pytest.mark.parametrize(("course_project", "shape"), [(False, (64, 323)), (True, (128, 640))])
def test_recipes_know_the_size_of_their_spectrograms(make, course_project, shape, tracks):
    pipe = make(course_project=course_project)
    extractor = pipe["features"].transformers[0][1]["mel"]
    assert extractor.fit(tracks[["audio"]][:1]).image_shape_ == shape == pipe["embed"].image_shape


@pytest.mark.filterwarnings("ignore:Got n_components")
def test_the_recipe_of_the_course_project_is_told_the_genre_and_marked(tracks):
    pipe = make_beta_cvae_pipeline(random_state=0).set_params(embed__max_epochs=1)
    told = clone(pipe).set_params(embed__encode_condition=True)
    assert make_beta_cvae_pipeline(course_project=True)["embed"].encode_condition
    scores = compare_embeddings(
        {"told": told[:-1], "not told": pipe[:-1]}, tracks, tracks["genre"], n_seeds=1
    ).set_index("embedding")
    assert scores["leakage"]["told"] > 0.9
    assert scores["leakage"].drop("told").eq(0).all()
