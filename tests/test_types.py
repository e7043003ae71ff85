"""mypy on a user's program: legal calls pass, mistakes are found, results have types.

``python tests/test_types.py > program.py`` writes the program, for other type checkers.
"""

import re
from pathlib import Path

import pytest
from embedders import EMBEDDERS
from mypy import api

import sklearn_music

# Every constructor with all legal kinds of values. The test runs this part too.
CONSTRUCTORS = """
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from joblib import Memory
from sklearn.cluster import KMeans
from sklearn.compose import make_column_selector
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline

from sklearn_music import (
    VAE,
    AudioEncoder,
    BetaCVAE,
    ConvVAE,
    GenreEncoder,
    JointVAE,
    LyricVectorizer,
    SpectrogramExtractor,
    TrackVAE,
    VaDE,
    exceptions,
    pipelines,
)
from sklearn_music.datasets import load_tracks, make_music
from sklearn_music.embedding import BaseEmbedder
from sklearn_music.exploration import describe_clusters, similar_tracks
from sklearn_music.metrics import (
    CLUSTERING_SCORERS,
    check_confounders,
    clustering_accuracy_score,
    compare_embeddings,
    elbo_scorer,
    format_comparison,
    mutual_information_gap,
    purity_score,
    separated_attribute_predictability,
    silhouette_scorer,
    stability_score,
)
from sklearn_music.model_selection import BatchedGridSearchCV, BatchedRandomizedSearchCV, NoSplit
from sklearn_music.pipelines import SkipMissing, TrackPipeline
from sklearn_music.plotting import (
    ClusterCompositionDisplay,
    LatentSpaceDisplay,
    LatentTraversalDisplay,
    ReconstructionDisplay,
    TrainingHistoryDisplay,
)
from sklearn_music.report import ClusterReport

random_state = np.random.RandomState(0)


def loudness(waveform: np.ndarray, sample_rate: int) -> list[float]:
    return [float(waveform.std())]


def encode(texts: list[str]) -> list[list[float]]:
    return [[len(text) / 100] for text in texts]


estimators: list[Any] = [
    VAE(),
    VAE(2, hidden_layer_sizes=(), beta=1, contrastive_weight=0, decoder_variance="learned"),
    VAE(2, hidden_layer_sizes=[8, 4], free_bits=0.1, decoder_variance="optimal", kl_warmup=3),
    VAE(total_correlation=1.5, device="cpu", amp=True, warm_start=True, random_state=3, verbose=1),
    VAE(early_stopping=True, validation_fraction=0.2, n_iter_no_change=3, random_state=None),
    VAE(checkpoint_dir="fits", max_epochs=3, batch_size=32, lr=1, random_state=random_state),
    VAE(checkpoint_dir=Path("fits"), callbacks=None, n_neighbors=5),
    VAE(callbacks=[]),
    ConvVAE(image_shape=(64, -1), channels=[8, 16], auxiliary_weight=1, beta=0.5),
    ConvVAE(8, image_shape=[64, 32], channels=(8,), free_bits=0, random_state=random_state),
    BetaCVAE(condition_features=None, hidden_layer_sizes=[8], image_shape=None),
    BetaCVAE(condition_features="genre", encode_condition=True),
    BetaCVAE(condition_features=0, image_shape=(64, -1), channels=(8, 16)),
    BetaCVAE(condition_features=["rock", "pop"]),
    BetaCVAE(condition_features=[0, 1]),
    BetaCVAE(condition_features=slice(3, 5)),
    BetaCVAE(condition_features=np.array([True, False])),
    BetaCVAE(condition_features=make_column_selector(pattern="^genre__")),
    BetaCVAE(condition_features=lambda X: ["genre"]),
    JointVAE(),
    JointVAE(8, n_main=50, hidden_layer_sizes=[8], auxiliary_weight=2, decoder_variance="unit"),
    JointVAE(n_main=lambda X: X.shape[1] // 2, hidden_layer_sizes=(), random_state=random_state),
    TrackVAE(),
    TrackVAE(batch_size=32),
    TrackVAE(8, image_shape=(64, -1), batch_size="auto", augmentation=0),
    TrackVAE(image_shape=(64, 128), window_frames=16, channels=[8], cross_modal_weight=0),
    VaDE(),
    VaDE(4, n_components=2, pretrain_epochs=0, n_init=1, hidden_layer_sizes=[8], lr=0.01),
    SpectrogramExtractor(),
    SpectrogramExtractor("mfcc", n_mfcc=13, top_db=None, fmax=8000, duration=30, pooling="stats"),
    SpectrogramExtractor("chroma", n_chroma=24, dtype=np.float16, offset=1, n_jobs=2),
    SpectrogramExtractor(dtype="float16", fmax="common", memory="cache", on_error="nan"),
    SpectrogramExtractor(dtype=np.float32, memory=Path("cache"), fmin=20, verbose=1),
    SpectrogramExtractor(memory=Memory("cache"), top_db=80, duration=0.5),
    AudioEncoder(loudness),
    AudioEncoder(loudness, sample_rate=16000, duration=10, dtype=np.float16, n_jobs=-1),
    AudioEncoder(loudness, dtype="float32", memory="cache", on_error="nan", offset=0.5),
    LyricVectorizer(),
    LyricVectorizer(8, stop_words="english", min_df=2, max_df=0.9, random_state=random_state),
    LyricVectorizer(stop_words=["la"], char_ngram_range=(2, 4), encoder=None, max_features=100),
    LyricVectorizer(encoder=encode, fill_value=float("nan"), add_indicator=True, missing_values=()),
    GenreEncoder(),
    GenreEncoder(None, categories=["rock", "pop"], min_frequency=2),
    GenreEncoder("/", categories="auto", min_frequency=0.1),
    SkipMissing(PCA(2)),
    TrackPipeline([("audio", SpectrogramExtractor()), ("cluster", KMeans())], memory="cache"),
    pipelines.make_track_vae_pipeline(),
    pipelines.make_track_vae_pipeline(3, lyrics_weight=0, duration=30, fmax=None, n_jobs=2),
    pipelines.make_pca_pipeline(3, duration=2.5, fmax=8000, on_error="raise", verbose=1),
    pipelines.make_vae_pipeline(3, course_project=True, memory="cache", random_state=0),
    pipelines.make_conv_vae_pipeline(3, audio_weight=2, memory=Path("cache")),
    pipelines.make_beta_cvae_pipeline(3, beta=1, genre_weight=0, memory=Memory("cache")),
    BatchedGridSearchCV(VAE(), {"beta": [0.5, 1]}, scoring="r2", cv=NoSplit(), n_jobs=2),
    BatchedGridSearchCV(
        make_pipeline(VAE(), KMeans()), [{"vae__beta": [1]}], scoring=silhouette_scorer(), cv=3
    ),
    BatchedGridSearchCV(VAE(), {"beta": [1]}, scoring=CLUSTERING_SCORERS, refit="ari"),
    BatchedGridSearchCV(VAE(), {"beta": [1]}, scoring=elbo_scorer, refit=False),
    BatchedRandomizedSearchCV(VAE(), {"beta": [0.5, 1]}, n_iter=2, random_state=0),
]
scorers: list[Any] = [
    silhouette_scorer(),
    silhouette_scorer("reference"),
    silhouette_scorer(PCA(2)),
    silhouette_scorer(None),
    silhouette_scorer("passthrough"),
]
"""

# The same of every embedder in the table.
CONSTRUCTORS += f"""
from sklearn_music import {", ".join(EMBEDDERS)}

estimators += {list(EMBEDDERS.values())}
"""

# What is called on data. It is read by the type checkers only.
CALLS = """
class MyVAE(VAE):
    def extra(self) -> int:
        return self.n_components


class MyLyrics(LyricVectorizer):
    def extra(self) -> int:
        return 1


class MyGenres(GenreEncoder):
    def extra(self) -> int:
        return 2


class MyMel(SpectrogramExtractor):
    def extra(self) -> int:
        return 3


class MyDisplay(TrainingHistoryDisplay):
    def extra(self) -> int:
        return 4


def use(X: Any, y: pd.Series, table: pd.DataFrame, Z: np.ndarray) -> None:
    MyVAE(2).fit(X).partial_fit(X, y).extra()
    MyLyrics(2).fit(table["lyrics"]).extra()
    MyGenres().fit(["rock", "pop"]).extra()
    MyMel().fit(["a.wav", Path("b.wav")]).extra()
    MyDisplay.from_estimator(VAE().fit(X)).plot().extra()

    print(JointVAE(2, n_main=3).fit(X).n_main_ + 1)
    TrackVAE(2).fit(X).inverse_transform(Z, level=[1.0])
    TrackVAE(2).fit(X).inverse_transform(Z, level=0)
    TrackVAE(2).fit(X).inverse_transform(Z, TrackVAE(2).fit(X).levels(X))
    BetaCVAE(2).fit(X, y).inverse_transform(Z, condition=[[1, 0]])
    VAE(2).fit(X.tolist()).sample(3, random_state=random_state)
    embedder: BaseEmbedder = VAE(2).fit(X)
    advice = embedder.collapse_advice()
    if advice is not None:
        print(advice.upper())
    print(SpectrogramExtractor().fit(["a.wav"]).image_shape_[0] + 1)

    tracks = load_tracks(Path("tracks.csv"), "audio", missing="drop", unreadable=None, n_jobs=2)
    tracks = load_tracks("tracks.csv", unreadable="drop") if len(tracks) else load_tracks(table)
    tracks = load_tracks("folder", n_jobs=2)
    tracks = load_tracks("tracks.csv", columns={"lyrics": "Lyrics Text"})
    music = make_music(20, duration=2, directory=Path("audio"), format="flac", random_state=0)
    pipeline = pipelines.make_track_vae_pipeline(3, random_state=0).fit(tracks)
    print(pipeline.predict(music.data), pipeline.fit_predict(tracks))

    scores = compare_embeddings(
        {"PCA": PCA(2), "VAE": VAE(2)}, X, y, features=None, n_clusters=3, n_seeds=3
    )
    scores = compare_embeddings({"VAE": VAE(2)}, X, table[["genre"]], n_clusters=3, n_jobs=2)
    print(format_comparison(scores).upper(), scores["embedding"])
    print(purity_score(["a"], [0]) + clustering_accuracy_score(y, [0, 1]) + 1.0)
    print(mutual_information_gap(table, Z, n_bins=10) + separated_attribute_predictability(y, Z))
    print(check_confounders(tracks, [0, 1], n_jobs=2).columns)
    print(describe_clusters(pipeline, tracks, tags=table, metadata=["genre"])["name"])
    describe_clusters(y, tracks, embedding=Z, titles=["a", "b"], n_words=3, stop_words=["la"])
    print(similar_tracks(pipeline, tracks, "Yesterday", n_neighbors=3)["track"])
    similar_tracks(Z, tracks, tracks.head(), metric="cosine")
    stability_score(pipeline, tracks, n_seeds=3, subsample=0.5, random_state=0)

    figure = LatentSpaceDisplay.from_estimator(pipeline, tracks, y, method="pca").figure_
    LatentSpaceDisplay.from_predictions(Z, {"genre": y}, method="umap", random_state=1).plot()
    ClusterCompositionDisplay.from_predictions(y, [0, 1])
    ClusterCompositionDisplay.from_estimator(pipeline, tracks, y)
    ReconstructionDisplay.from_estimator(pipeline, tracks, names=["a", "b"])
    LatentTraversalDisplay.from_estimator(pipeline, tracks, components=[0, 1], row=0, span=3)
    figure.savefig("map.png")
    search = BatchedGridSearchCV(VAE(), {"beta": [1]}, cv=NoSplit()).fit(X, y)
    print(search.best_params_, list(NoSplit().split(X)))
    ClusterReport(pipeline, tracks, y, title="Songs", audio="embed").to_html(Path("report.html"))
    try:
        VAE().fit(X)
    except exceptions.DivergenceError as error:
        print(error.args)
"""

# Each of these is a mistake.
WRONG = [
    'VAE("two")',
    'VAE(2, beta="high")',
    "VAE(2, betas=1)",
    "VAE(2, 3)",
    "VAE(hidden_layer_sizes=8)",
    'VAE(decoder_variance="fixed")',
    'VAE(random_state="0")',
    "ConvVAE(image_shape=64)",
    'JointVAE(n_main="half")',
    'TrackVAE(batch_size="all")',
    "VaDE(4, n_component=2)",
    "GenreEncoder(3)",
    'LyricVectorizer("two")',
    'SpectrogramExtractor("mels")',
    'SpectrogramExtractor(top_db="80")',
    'SpectrogramExtractor(on_error="skip")',
    "AudioEncoder()",
    "VAE().fit()",
    "VAE().score(np.ones((2, 2))).upper()",
    "purity_score([0])",
    "pipelines.make_pca_pipeline('three')",
    'load_tracks("tracks.csv", missing="ignore")',
    'LatentSpaceDisplay.from_predictions(np.ones((2, 2)), ["a", "b"], method="mds")',
]

# What mypy makes of the main results: none is Any. What a class has from scikit-learn, such as
# `fit_transform`, `fit_predict` and the methods of a Pipeline, has no types.
RESULTS = {
    **{f"{name}(2).fit([[0.0]])": name for name in EMBEDDERS},
    **{f"{name}(2).partial_fit([[0.0]])": name for name in EMBEDDERS},
    **{f"{name}(2).transform([[0.0]])": "ndarray" for name in EMBEDDERS},
    "MyVAE(2).fit([[0.0]])": "MyVAE",
    "VAE(2).inverse_transform([[0.0]])": "ndarray",
    "TrackVAE(2).inverse_transform([[0.0]])": "ndarray",
    "BetaCVAE(2).sample(2)": "ndarray",
    "VAE(2).score([[0.0]])": "float",
    "VAE(2).score_samples([[0.0]])": "ndarray",
    "VAE(2).n_components": "int",
    "VAE(2).collapse_advice()": "str",
    "VaDE(2).predict([[0.0]])": "ndarray",
    "VaDE(2).predict_proba([[0.0]])": "ndarray",
    "TrackVAE(2).levels([[0.0]])": "ndarray",
    "GenreEncoder().fit(['rock'])": "GenreEncoder",
    "LyricVectorizer().fit(['la'])": "LyricVectorizer",
    "SpectrogramExtractor().fit([])": "SpectrogramExtractor",
    "SpectrogramExtractor().transform([])": "ndarray",
    "AudioEncoder(loudness).transform([])": "ndarray",
    "purity_score([0], [0])": "float",
    "clustering_accuracy_score([0], [0])": "float",
    "mutual_information_gap([0], [[0]])": "float",
    "compare_embeddings({}, [[0]], [0])": "DataFrame",
    "format_comparison(pd.DataFrame())": "str",
    "check_confounders(pd.DataFrame(), [0])": "DataFrame",
    "describe_clusters([0], pd.DataFrame())": "DataFrame",
    "similar_tracks([[0]], [0])": "DataFrame",
    "elbo_scorer(VAE(), [[0]])": "float",
    "load_tracks('tracks.csv')": "DataFrame",
    "pipelines.make_track_vae_pipeline()": "TrackPipeline",
    "LatentSpaceDisplay.from_predictions([[0]], [0])": "LatentSpaceDisplay",
    "LatentSpaceDisplay.from_predictions([[0]], [0]).plot()": "LatentSpaceDisplay",
    "ClusterReport(pipelines.make_pca_pipeline(), pd.DataFrame())": "ClusterReport",
    "BatchedGridSearchCV(VAE(), {}).fit([[0]])": "BatchedGridSearchCV",
}

LEGAL = CONSTRUCTORS + CALLS
PROGRAM = "\n".join([LEGAL, *WRONG, *(f"reveal_type({result})" for result in RESULTS)])
FIRST_WRONG = LEGAL.count("\n") + 2
FIRST_RESULT = FIRST_WRONG + len(WRONG)

CONFIG = """
[mypy]
strict = True
follow_imports = silent

# These ship no types.
[mypy-sklearn.*,joblib.*]
ignore_missing_imports = True

# Nothing of it is in the public API, and it takes a minute to read.
[mypy-torch.*]
follow_imports = skip
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("types")
    (folder / "program.py").write_text(PROGRAM)
    return folder


@pytest.fixture(scope="module")
def mypy(folder):
    """Return what mypy says of each line of the program."""
    (folder / "mypy.ini").write_text(CONFIG)
    options = ["--config-file", str(folder / "mypy.ini"), "--cache-dir", str(folder / "cache")]
    options += ["--no-error-summary", "--hide-error-context", "--no-pretty"]
    program = str(folder / "program.py")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MYPYPATH", str(Path(sklearn_music.__file__).parent.parent))
        printed, error, _ = api.run([*options, program])
    assert not error
    said = {}
    for line in printed.splitlines():
        found = re.fullmatch(r".*program\.py:(\d+): (error|note): (.*)", line)
        assert found, line
        said.setdefault(int(found[1]), []).append((found[2], found[3]))
    return said


def errors(said, line):
    return [text for kind, text in said.get(line, []) if kind == "error"]


def first_word(revealed):
    """Return the class of a type as it is revealed, without its module and parameters."""
    revealed = revealed.removeprefix('Revealed type is "').removeprefix("Union[")
    return re.match(r"[\w.]+", revealed)[0].rpartition(".")[2]


def test_the_legal_values_are_legal(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(CONSTRUCTORS, names)
    for estimator in names["estimators"]:
        estimator._validate_params()


def test_mypy_takes_legal_calls(mypy):
    lines = PROGRAM.splitlines()
    wrong = [
        f"{lines[line - 1].strip()}  # {text}"
        for line in range(1, FIRST_WRONG)
        for text in errors(mypy, line)
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("call", WRONG)
def test_mypy_finds_the_mistake(mypy, call):
    found = errors(mypy, FIRST_WRONG + WRONG.index(call))
    assert [text for text in found if "[no-untyped-call]" not in text]


@pytest.mark.parametrize("call", RESULTS)
def test_mypy_knows_the_result(mypy, call):
    line = FIRST_RESULT + list(RESULTS).index(call)
    assert not errors(mypy, line)
    assert first_word(mypy[line][0][1]) == RESULTS[call]


if __name__ == "__main__":
    print(PROGRAM)
