import builtins
import sys
import warnings
from collections.abc import Callable
from typing import NamedTuple

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib import font_manager
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.cluster import DBSCAN, AgglomerativeClustering, KMeans
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler

from sklearn_music import (
    VAE,
    BetaCVAE,
    ConvVAE,
    GenreEncoder,
    JointVAE,
    LyricVectorizer,
    SpectrogramExtractor,
    TrackVAE,
    plotting,
)
from sklearn_music.datasets import make_music
from sklearn_music.pipelines import SkipMissing
from sklearn_music.plotting import (
    ClusterCompositionDisplay,
    LatentSpaceDisplay,
    LatentTraversalDisplay,
    NClustersDisplay,
    ReconstructionDisplay,
    TrainingHistoryDisplay,
)

BANGLA = ["ক্ষেত্র", "গল্প", "কিশোর"]
HISTORY = [
    {"epoch": epoch, "train_loss": 9.0, "reconstruction": 8.0, "kl": 1.0, "active_units": 2}
    for epoch in (1, 2)
]
CRITERIA = pd.DataFrame(
    {
        "n_clusters": [2, 3],
        "silhouette": [0.3, 0.2],
        "stability": [0.9, np.nan],
        "auto": [0.27, np.nan],
        "calinski_harabasz": [50.0, 40.0],
        "davies_bouldin": [1.0, 2.0],
        "bic": [-9.0, -8.0],
        "gap": [0.5, 0.4],
        "inertia": [9.0, 5.0],
    }
)
IMAGE = (16, 44)


class Entry(NamedTuple):
    """What the tests need to know of a display."""

    make: Callable  # from four labels, those of tracks or of groups, to a display not yet drawn
    n_panels: int
    shows_labels: bool


IMAGES = np.ones((3, 4, 5))
# A new display gets an entry.
DISPLAYS = {
    "ClusterCompositionDisplay": Entry(
        lambda labels: ClusterCompositionDisplay(
            pd.DataFrame([[1] * 4], columns=pd.Index(labels, name=labels[0]))
        ),
        1,
        True,
    ),
    "LatentSpaceDisplay": Entry(
        lambda labels: LatentSpaceDisplay(np.eye(4, 2), {labels[1]: labels}), 1, True
    ),
    "LatentTraversalDisplay": Entry(
        lambda _: LatentTraversalDisplay(np.ones((2, 3, 4, 5)), [0, 1], [-1, 0, 1]), 6, False
    ),
    "NClustersDisplay": Entry(lambda _: NClustersDisplay(CRITERIA, 3, {"bic": 2}), 8, False),
    "ReconstructionDisplay": Entry(
        lambda labels: ReconstructionDisplay(IMAGES, IMAGES, names=labels[:3]), 9, True
    ),
    "TrainingHistoryDisplay": Entry(lambda _: TrainingHistoryDisplay(HISTORY), 4, False),
}


@pytest.fixture(params=DISPLAYS)
def entry(request):
    return DISPLAYS[request.param]


def mel():
    return SpectrogramExtractor(n_mels=IMAGE[0])


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def tracks():
    music = make_music(24, duration=1.0, random_state=0)
    # An index that is no range, as after a filter.
    return music.data.set_index(np.arange(100, 124)[::-1])


@pytest.fixture(scope="module")
def pipe(tracks):
    steps = mel(), StandardScaler(), VAE(4, beta=0.1, max_epochs=5, random_state=0)
    return make_pipeline(*steps, KMeans(3, n_init=1, random_state=0)).fit(tracks[["audio"]])


def shown(panel):
    """Return the spectrogram that a panel shows."""
    return panel.collections[0].get_array().reshape(IMAGE)


def test_every_display_is_in_the_table_by_its_name():
    assert DISPLAYS.keys() == set(plotting.__all__)
    for name, entry in DISPLAYS.items():
        assert type(entry.make(list("abcd"))).__name__ == name


# LatentSpaceDisplay


@pytest.mark.filterwarnings("ignore:Tensorflow:ImportWarning")  # umap-learn's own
@pytest.mark.parametrize("method", ["tsne", "pca", "umap"])
def test_a_map_keeps_groups_apart(blobs, method):
    X, labels = blobs
    display = LatentSpaceDisplay.from_predictions(X, {"label": labels}, method=method)
    centers = np.array([display.points[labels == i].mean(axis=0) for i in range(3)])
    nearest = np.linalg.norm(display.points[:, None] - centers, axis=2).argmin(axis=1)
    np.testing.assert_array_equal(nearest, labels)


@pytest.mark.parametrize("n_tracks", [1, 2, 3, 40])
@pytest.mark.parametrize("n_components", [1, 2, 5])
def test_a_map_of_few_tracks_or_components(rng, n_tracks, n_components):
    Z = rng.standard_normal((n_tracks, n_components)).astype(np.float32)
    Z.flags.writeable = False
    groups = np.arange(n_tracks) % 2
    display = LatentSpaceDisplay.from_predictions(Z, {"cluster": groups, "genre": groups})
    assert display.points.shape == (n_tracks, 2)
    assert [panel.get_title() for panel in display.ax_] == ["cluster", "genre"]
    drawn = sum(len(points.get_offsets()) for points in display.ax_[0].collections)
    assert drawn == n_tracks
    display.figure_.draw_without_rendering()


def test_a_collapsed_latent_space_can_be_drawn():
    display = LatentSpaceDisplay.from_predictions(np.ones((5, 4)), {"cluster": [0] * 5})
    assert np.isfinite(display.points).all()


def test_clusters_and_labels_side_by_side(pipe, tracks):
    labels = tracks[["genre", "language"]].copy()
    labels.iloc[:3, 0] = None
    display = LatentSpaceDisplay.from_estimator(pipe, tracks[["audio"]], labels)
    assert [panel.get_title() for panel in display.ax_] == ["cluster", "genre", "language"]
    entries = [text.get_text() for text in display.ax_[1].get_legend().get_texts()]
    assert entries[-1] == "missing (3)"
    assert len(entries) == 7
    np.testing.assert_array_equal(display.colorings["cluster"], pipe.predict(tracks[["audio"]]))


def test_a_clusterer_without_predict_knows_its_own_tracks_only(tracks):
    pipe = make_pipeline(mel(), PCA(3), AgglomerativeClustering(3)).fit(tracks[["audio"]])
    display = LatentSpaceDisplay.from_estimator(pipe, tracks[["audio"]], method="pca")
    np.testing.assert_array_equal(display.colorings["cluster"], pipe[-1].labels_)
    with pytest.raises(ValueError, match="pass the 24 tracks"):
        LatentSpaceDisplay.from_estimator(pipe, tracks[["audio"]][:5])
    with pytest.raises(ValueError, match="ends in PCA, expected a clusterer"):
        LatentSpaceDisplay.from_estimator(pipe[:-1], tracks[["audio"]])


def test_fifty_groups_look_different_and_fit_the_figure(rng):
    display = LatentSpaceDisplay(rng.standard_normal((50, 2)), {"genre": np.arange(50)}).plot()
    looks = {
        (tuple(points.get_facecolor()[0]), points.get_paths()[0].vertices.tobytes())
        for points in display.ax_[0].collections
    }
    assert len(looks) == 50
    display.figure_.draw_without_rendering()
    legend = display.ax_[0].get_legend()
    assert [text.get_text()[:2].strip() for text in legend.get_texts()][8:11] == ["8", "9", "10"]
    box, figure = legend.get_window_extent(), display.figure_.bbox
    assert box.x0 > display.ax_[0].get_window_extent().x1
    assert box.x1 <= figure.x1
    assert figure.y0 <= box.y0 < box.y1 <= figure.y1


def test_wrong_arguments_are_errors_that_leave_no_figure(rng, pipe, tracks):
    Z = rng.standard_normal((4, 3))
    for match, kwargs in {
        "inconsistent": {"colorings": {"genre": ["a"]}},
        "Got no colorings": {"colorings": {}},
        "method='mds'": {"method": "mds"},
        "NaN": {"Z": np.full((4, 3), np.nan)},
    }.items():
        with pytest.raises(ValueError, match=match):
            LatentSpaceDisplay.from_predictions(
                **{"Z": Z, "colorings": {"genre": list("abab")}} | kwargs
            )
    with pytest.raises(ValueError, match="2 columns of labels"):
        ClusterCompositionDisplay.from_estimator(
            pipe, tracks[["audio"]], tracks[["genre", "language"]]
        )
    with pytest.raises(ValueError, match="2 names for 1 tracks"):
        ReconstructionDisplay(np.ones((1, 3, 4)), np.ones((1, 3, 4)), names="ab").plot()
    assert not plt.get_fignums()


def test_umap_is_optional(rng, monkeypatch):
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(ImportError, match=r"sklearn-music\[umap\]"):
        LatentSpaceDisplay.from_predictions(
            rng.standard_normal((4, 3)), {"genre": list("abab")}, method="umap"
        )


# Axes, and letters


def check_axes(plot, n_panels):
    figure, ax = plt.subplots(1, n_panels)
    display = plot(ax=ax)
    assert display.figure_ is figure
    assert np.ravel(display.ax_).tolist() == np.ravel(ax).tolist()
    with pytest.raises(ValueError, match="one per panel"):
        plot(ax=plt.subplots(1, n_panels + 1)[1])


def test_axes_may_be_given(entry):
    check_axes(entry.make(list("abab")).plot, entry.n_panels)


def test_from_estimator_takes_axes(pipe, tracks):
    one = tracks[["audio"]][:1]
    check_axes(lambda ax: ReconstructionDisplay.from_estimator(pipe, one, ax=ax), 3)


def test_without_matplotlib_the_error_says_what_to_install(entry, monkeypatch):
    real_import = builtins.__import__

    def no_matplotlib(name, *args, **kwargs):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", no_matplotlib)
    with pytest.raises(ImportError, match=r"sklearn-music\[plot\]"):
        entry.make(list("abab")).plot()


@pytest.mark.parametrize("cache", ["fresh", "older than the font"])
def test_bangla_labels_render(monkeypatch, cache):
    displays = [e.make([*BANGLA, "rock"]) for e in DISPLAYS.values() if e.shows_labels]
    manager = font_manager.fontManager
    if cache == "older than the font":
        old = [font for font in manager.ttflist if "DejaVu" in font.name]
        monkeypatch.setattr(manager, "ttflist", old)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for display in displays:
            display.plot().figure_.canvas.draw()
    messages = [str(warning.message) for warning in caught]
    if matplotlib.__version_info__ < (3, 11):
        assert sum("can't join" in message for message in messages) == len(displays)
        messages = [message for message in messages if "can't join" not in message]
    if any("Noto Sans Bengali" in message for message in messages):
        pytest.skip("no font for Bangla is installed (Debian: fonts-lohit-beng-bengali)")
    assert not messages


def test_without_a_font_a_warning_names_one(monkeypatch):
    manager = font_manager.fontManager
    dejavu = [font for font in manager.ttflist if "DejaVu" in font.name]
    monkeypatch.setattr(manager, "ttflist", dejavu)
    monkeypatch.setattr(font_manager, "findSystemFonts", list)
    with pytest.warns(UserWarning, match="Noto Sans Bengali"):
        ClusterCompositionDisplay.from_predictions(BANGLA, [0, 1, 2])


@pytest.mark.filterwarnings("ignore:No installed font")
@pytest.mark.parametrize(
    ("label", "script"),
    [("গল্প", "Bengali"), ("हिन्दी", "Devanagari"), ("عربي", "Arabic"), ("שלום", ""), ("café", "")],
)
def test_matplotlib_that_cannot_join_letters(rng, monkeypatch, label, script):
    display = LatentSpaceDisplay(rng.standard_normal((2, 2)), {"a": ["x", label], label: [0, 1]})

    def warnings_about_letters():
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            display.plot()
        return [str(w.message) for w in caught if "join" in str(w.message)]

    monkeypatch.setattr(matplotlib, "__version__", "3.10.9")
    monkeypatch.setattr(matplotlib, "__version_info__", (3, 10, 9))
    messages = warnings_about_letters()
    assert len(messages) == (1 if script else 0)  # one per figure, not per panel
    if script:
        assert f"labels in {script}," in messages[0]
        assert "matplotlib 3.10.9 can't join" in messages[0]
        assert "matplotlib>=3.11" in messages[0]
    monkeypatch.setattr(matplotlib, "__version_info__", (3, 11, 0))
    assert not warnings_about_letters()


def test_labels_are_no_formulas_and_none_is_hidden(rng):
    names = ["$5 and $10", "_private", "a_1$"]
    display = LatentSpaceDisplay(rng.standard_normal((3, 2)), {"$x$": names}).plot()
    display.figure_.canvas.draw()
    texts = display.ax_[0].get_legend().get_texts()
    assert len(texts) == 3
    for text in [display.ax_[0].title, *texts]:
        _, is_formula = text._preprocess_math(text.get_text())
        assert not is_formula


# ReconstructionDisplay


def test_reconstructions(pipe, tracks):
    X = tracks[["audio"]][:2]
    display = ReconstructionDisplay.from_estimator(pipe, X, names=["one", "two"])
    assert display.ax_.shape == (2, 3)
    original, reconstruction, difference = map(shown, display.ax_[1])
    np.testing.assert_allclose(original.ravel(), pipe[0].transform(X)[1])
    expected = pipe[1:3].inverse_transform(pipe[:3].transform(X))[1]
    np.testing.assert_allclose(reconstruction.ravel(), expected, rtol=1e-5)
    np.testing.assert_allclose(difference, reconstruction - original, atol=1e-3)
    assert display.ax_[0, 0].get_xlim()[1] == pytest.approx(1, rel=0.05)  # seconds
    assert display.ax_[1, 0].get_ylabel() == "two\nHz"
    assert display.ax_[1, 0].get_xlabel() == "seconds"


def test_reconstruction_of_a_track_without_a_spectrogram(rng):
    originals, reconstructions = -40 + rng.standard_normal((2, 2, *IMAGE))
    originals[0] = np.nan
    display = ReconstructionDisplay(originals, reconstructions).plot()
    original, reconstruction, difference = map(shown, display.ax_[0])
    assert np.ma.getmaskarray(original).all()
    assert np.ma.getmaskarray(difference).all()
    np.testing.assert_allclose(reconstruction, reconstructions[0])
    display.figure_.canvas.draw()
    with pytest.raises(ValueError, match="NaN in place of every spectrogram"):
        ReconstructionDisplay(originals[:1], reconstructions[:1]).plot()


@pytest.mark.parametrize("frequency", [250.0, 1300.0, 9000.0])
def test_a_tone_is_drawn_at_its_frequency(frequency):
    tone = np.sin(2 * np.pi * frequency * np.arange(22050) / 22050)
    image = mel().fit_transform([tone]).reshape(1, *IMAGE)
    display = ReconstructionDisplay(image, image).plot()
    edges = display.ax_[0, 0].collections[0].get_coordinates()[:, 0, 1]
    loudest = image[0, :, 20].argmax()
    assert edges[loudest] <= frequency <= edges[loudest + 1]


audio = ("audio", make_pipeline(mel(), StandardScaler()), ["audio"])
lyrics = ("lyrics", LyricVectorizer(n_components=2), "lyrics")
genre = ("genre", GenreEncoder(), ["genre"])
embedded = ("audio", make_pipeline(mel(), PCA(23)), ["audio"])
conv = {"image_shape": IMAGE, "channels": (4,), "max_epochs": 2}
PIPELINES = {
    "embedder in a block": ([lyrics, embedded], []),
    "and a scaler behind": ([lyrics, embedded], [StandardScaler()]),
    "embedder behind": ([lyrics, audio], [PCA(23)]),
    "an embedder in it and one behind": ([embedded], [StandardScaler(), PCA(23)]),
    "side features": ([audio, lyrics], [ConvVAE(2, **conv)]),
    "two blocks": ([audio, lyrics], [JointVAE(2, n_main=np.prod(IMAGE), max_epochs=2)]),
    "condition": ([audio, genre], [BetaCVAE(2, condition_features=slice(-6, None), **conv)]),
    "level": ([audio, lyrics], [TrackVAE(2, **conv)]),
}


@pytest.mark.parametrize("name", PIPELINES)
def test_reconstructions_of_nested_pipelines(tracks, name):
    blocks, steps = PIPELINES[name]
    blocks = ColumnTransformer(blocks, transformer_weights={"audio": 2.0})
    pipe = make_pipeline(blocks, *steps, KMeans(3, n_init=1)).fit(tracks)
    some = tracks[:3]
    display = ReconstructionDisplay.from_estimator(pipe, some)
    original, reconstruction, _ = map(shown, display.ax_[2])
    np.testing.assert_allclose(
        original.ravel(), mel().fit(tracks[["audio"]]).transform(some[["audio"]])[2]
    )
    if steps and isinstance(steps[-1], (ConvVAE, JointVAE, BetaCVAE, TrackVAE)):
        columns = pipe[0].transform(some)
        Z = pipe[1].transform(columns)
        kwargs = {}
        if name == "condition":
            kwargs["condition"] = columns[:, -6:]
        elif name == "level":
            kwargs["level"] = pipe[1].levels(columns)
        pixels = pipe[1].inverse_transform(Z, **kwargs)[:, : np.prod(IMAGE)] / 2
        expected = pipe[0].named_transformers_["audio"][1].inverse_transform(pixels)[2]
        np.testing.assert_allclose(reconstruction.ravel(), expected, rtol=1e-4)
    else:
        # 24 tracks lie in 23 dimensions: nothing is lost.
        np.testing.assert_allclose(reconstruction, original, atol=0.05)
    traversal = LatentTraversalDisplay.from_estimator(pipe, some, components=0, row=2, n_steps=3)
    np.testing.assert_allclose(shown(traversal.ax_[0, 1]), reconstruction, atol=1e-3)


def test_pipelines_that_cannot_be_decoded(tracks):
    X = tracks[["audio"]]
    for match, steps in {
        "expected a fitted Pipeline that begins with": [SpectrogramExtractor("mfcc"), PCA(2)],
        "no embedder follows": [mel(), StandardScaler(), KMeans(2)],
        "Normalizer.* has no inverse_transform": [mel(), Normalizer(), PCA(2)],
    }.items():
        with pytest.raises(ValueError, match=match):
            ReconstructionDisplay.from_estimator(make_pipeline(*steps).fit(X), X)


# LatentTraversalDisplay


def test_a_walk_changes_one_component(pipe, tracks):
    X = tracks[["audio"]]
    display = LatentTraversalDisplay.from_estimator(pipe, X, components=[2, 0], n_steps=3)
    Z = pipe[:3].transform(X)
    place = Z.mean(axis=0)
    np.testing.assert_allclose(
        shown(display.ax_[1, 1]).ravel(), pipe[1:3].inverse_transform(place[None])[0], rtol=1e-4
    )
    place[2] += 2 * Z.std(axis=0)[2]
    np.testing.assert_allclose(
        shown(display.ax_[0, 2]).ravel(), pipe[1:3].inverse_transform(place[None])[0], rtol=1e-4
    )
    assert [panel.get_title() for panel in display.ax_[0]] == ["-2 sd", "centre", "+2 sd"]


def test_a_walk_goes_along_the_components_in_which_tracks_differ(pipe, tracks):
    display = LatentTraversalDisplay.from_estimator(pipe, tracks[["audio"]])
    spread = pipe[:3].transform(tracks[["audio"]]).std(axis=0)
    assert display.components == np.argsort(-spread)[:3].tolist()
    assert display.ax_.shape == (3, 5)


@pytest.mark.parametrize(
    ("match", "kwargs"),
    [
        ("from 0 to 3", {"components": 4}),
        ("from 0 to 3", {"components": [0.5]}),
        ("from 0 to 23", {"row": -1}),
        ("n_steps", {"n_steps": 0}),
    ],
)
def test_walks_that_do_not_exist(pipe, tracks, match, kwargs):
    with pytest.raises(ValueError, match=match):
        LatentTraversalDisplay.from_estimator(pipe, tracks[["audio"]], **kwargs)


# TrainingHistoryDisplay


def test_training_history(blobs):
    vae = VAE(2, max_epochs=3, early_stopping=True, random_state=0).fit(blobs[0])
    display = TrainingHistoryDisplay.from_estimator(make_pipeline(StandardScaler(), vae))
    for panel, names in zip(
        display.ax_,
        [["train_loss", "valid_loss"], ["reconstruction"], ["kl", "contrastive"], ["active_units"]],
        strict=True,
    ):
        for line, name in zip(panel.lines, names, strict=True):
            np.testing.assert_array_equal(line.get_xdata(), [1, 2, 3])
            np.testing.assert_allclose(line.get_ydata(), [epoch[name] for epoch in vae.history_])


def test_every_term_of_the_loss_is_drawn():
    new = {"cross_modal": 0.5, "new_term": 0.3, "event_lr": True, "note": "x", "dur": 1.0}
    display = TrainingHistoryDisplay([new | epoch for epoch in HISTORY]).plot()
    names = [text.get_text() for text in display.ax_[2].get_legend().get_texts()]
    assert names == ["KL divergence", "cross modal", "new term"]
    assert display.ax_[2].lines[2].get_ydata().tolist() == [0.3, 0.3]
    assert [len(panel.lines) for panel in display.ax_] == [1, 1, 3, 1]


def test_training_history_in_a_column_transformer(tracks):
    block = make_pipeline(mel(), VAE(2, max_epochs=2))
    pipe = make_pipeline(ColumnTransformer([("audio", block, ["audio"])]), KMeans(2)).fit(tracks)
    assert len(TrainingHistoryDisplay.from_estimator(pipe).history) == 2


def test_histories_that_cannot_be_drawn(blobs):
    with pytest.raises(ValueError, match="holds 0 fitted embedders"):
        TrainingHistoryDisplay.from_estimator(make_pipeline(VAE()))
    two = make_pipeline(VAE(2, max_epochs=1), VAE(2, max_epochs=1)).fit(blobs[0])
    with pytest.raises(ValueError, match="holds 2 fitted embedders"):
        TrainingHistoryDisplay.from_estimator(two)
    with pytest.raises(ValueError, match="a history without active_units, epoch"):
        TrainingHistoryDisplay([]).plot()


# ClusterCompositionDisplay


def test_cluster_composition(pipe, tracks):
    labels = tracks["genre"].copy()
    labels.iloc[:2] = None
    display = ClusterCompositionDisplay.from_estimator(pipe, tracks[["audio"]], labels)
    counts = display.counts
    clusters = pipe.predict(tracks[["audio"]])
    assert counts.shape == (3, 7)
    assert counts.loc["1", "rock"] == ((clusters == 1) & (labels == "rock")).sum()
    assert counts["missing"].sum() == 2
    assert counts.to_numpy().sum() == 24
    ticks = [tick.get_text() for tick in display.ax_.get_yticklabels()]
    assert ticks == [f"{i} ({n})" for i, n in enumerate(np.bincount(clusters))]
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("genre", "cluster")
    shares = display.ax_.images[0].get_array()
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert {int(text.get_text()) for text in display.ax_.texts} == set(np.unique(counts)) - {0}


def test_clusters_are_sorted_as_numbers():
    display = ClusterCompositionDisplay.from_predictions(["a"] * 3, [10, 9, 0])
    assert display.counts.index.tolist() == ["0", "9", "10"]


# Missing tracks, and texts of any kind


class SkipsMissing(MetaEstimatorMixin, BaseEstimator):
    """A step that leaves rows of NaN out: they stay NaN, or get the label -1."""

    def __init__(self, estimator):
        self.estimator = estimator

    def fit(self, X, y=None):
        self.estimator_ = clone(self.estimator).fit(X[~np.isnan(X).all(axis=1)])
        return self

    def transform(self, X):
        return self._apply("transform", X, np.nan)

    def inverse_transform(self, X):
        return self._apply("inverse_transform", X, np.nan)

    def predict(self, X):
        return self._apply("predict", X, -1)

    def _apply(self, method, X, fill_value):
        present = ~np.isnan(X).all(axis=1)
        some = np.nan_to_num(X[present] if present.any() else X[:1])
        some = getattr(self.estimator_, method)(some)[: present.sum()]
        result = np.full((len(X), *some.shape[1:]), fill_value, some.dtype)
        result[present] = some
        return result


@pytest.fixture(scope="module")
def skipping(tracks):
    extractor = mel().set_params(on_error="nan")
    steps = extractor, StandardScaler(), SkipsMissing(PCA(3)), SkipsMissing(KMeans(3, n_init=1))
    return make_pipeline(*steps).fit(tracks[["audio"]])


@pytest.mark.filterwarnings("ignore:. of .* tracks could not be used")
def test_every_track_of_a_table_with_gaps_is_accounted_for(skipping, tracks):
    table = tracks[["audio"]].astype(object)
    table.iloc[[0, 5, 23], 0] = "gone.wav"
    display = LatentSpaceDisplay.from_estimator(skipping, table, tracks["genre"])
    for panel in display.ax_:
        entries = [text.get_text() for text in panel.get_legend().get_texts()]
        assert entries[-1] == "not drawn: missing (3)"
        assert sum(int(entry.rpartition("(")[2][:-1]) for entry in entries) == 24
        assert sum(len(points.get_offsets()) for points in panel.collections) == 21
    assert "-1" not in "".join(entries)
    assert np.flatnonzero(np.isnan(display.points).all(axis=1)).tolist() == [0, 5, 23]

    counts = ClusterCompositionDisplay.from_estimator(skipping, table, tracks["genre"]).counts
    assert counts.loc["-1"].sum() == 3
    assert counts.to_numpy().sum() == 24

    some = table.iloc[:6]
    display = ReconstructionDisplay.from_estimator(skipping, some)
    alone = ReconstructionDisplay.from_estimator(skipping, some.iloc[1:2])
    np.testing.assert_allclose(shown(display.ax_[1, 1]), shown(alone.ax_[0, 1]), rtol=1e-5)
    for panel in display.ax_[0]:
        assert np.ma.getmaskarray(shown(panel)).all()
    with pytest.raises(ValueError, match="All 1 tracks are missing"):
        ReconstructionDisplay.from_estimator(skipping, table.iloc[:1])

    whole = LatentTraversalDisplay.from_estimator(skipping, table.drop(table.index[[0, 5, 23]]))
    walk = LatentTraversalDisplay.from_estimator(skipping, table)
    np.testing.assert_allclose(walk.spectrograms, whole.spectrograms, rtol=1e-4)
    with pytest.raises(
        ValueError, match="row=5, expected a number from 0 to 23, that of a track with"
    ):
        LatentTraversalDisplay.from_estimator(skipping, table, row=5)
    with pytest.raises(ValueError, match="of which 1 have a latent vector"):
        LatentTraversalDisplay.from_estimator(skipping, table.iloc[[0, 1]])
    with pytest.raises(ValueError, match="All 1 tracks are missing"):
        LatentSpaceDisplay.from_estimator(skipping, table.iloc[:1])


def test_sparse_features_with_any_clusterer(tracks):
    words = ColumnTransformer([("lyrics", LyricVectorizer(), "lyrics")], sparse_threshold=1.0)
    table = tracks.assign(lyrics=["row a boat", "the river sings", "moon on water"] * 8)
    for clusterer in (DBSCAN(eps=0.3, min_samples=2), KMeans(3, n_init=1)):
        pipe = make_pipeline(words, clusterer).fit(table)
        assert issparse(pipe[:-1].transform(table))
        counts = ClusterCompositionDisplay.from_estimator(pipe, table, table["lyrics"]).counts
        assert counts.max(axis=1).tolist() == [8, 8, 8]
        LatentSpaceDisplay.from_estimator(pipe, table, method="pca")
    no_predict = make_pipeline(words, DBSCAN()).fit(table)
    with pytest.raises(ValueError, match="pass the 24 tracks"):
        ClusterCompositionDisplay.from_estimator(no_predict, table[:3], table["lyrics"][:3])


TEXTS = ["$$a$$", "$a$", r"\(a\)", r"$\frac{", "<script>", "half \ud83d", "caf\udce9", "a\0b\x07"]
TEXTS += ["very long " * 500, "שלום", "two\nlines\ttab", "", "missing", "cluster"]


@pytest.mark.filterwarnings("ignore:No installed font")
def test_any_text_is_drawn_as_text(rng):
    n_tracks = len(TEXTS)
    images = rng.standard_normal((n_tracks, *IMAGE))
    for text in TEXTS:
        name = text or "empty"
        LatentSpaceDisplay(rng.standard_normal((n_tracks, 2)), {name: TEXTS}).plot()
        display = ClusterCompositionDisplay.from_predictions(
            {name: [*TEXTS, None]}, [*TEXTS[::-1], "x"]
        )
        assert display.counts.to_numpy().sum() == n_tracks + 1
        plt.close("all")
    display.figure_.canvas.draw()
    display = ReconstructionDisplay(images[:3], images[:3], names=TEXTS[:3]).plot()
    display.figure_.canvas.draw()
    display = LatentSpaceDisplay(rng.standard_normal((n_tracks, 2)), {"$x$": TEXTS}).plot()
    display.figure_.canvas.draw()
    texts = display.ax_[0].get_legend().get_texts()
    assert len(texts) == n_tracks
    for text in [display.ax_[0].title, *texts]:
        assert not text._preprocess_math(text.get_text())[1]
        assert len(text.get_text()) < 80


@pytest.mark.parametrize("package", ["polars", "pyarrow"])
def test_labels_in_other_packages(rng, package):
    module = pytest.importorskip(package)
    table = {"genre": ["folk", "rock", None, "folk"], "language": ["bn", "en", "en", None]}
    table = module.DataFrame(table) if package == "polars" else module.table(table)
    display = LatentSpaceDisplay.from_predictions(rng.standard_normal((4, 2)), table)
    assert [panel.get_title() for panel in display.ax_] == ["genre", "language"]
    assert [t.get_text() for t in display.ax_[0].get_legend().get_texts()] == [
        "folk (2)",
        "rock (1)",
        "missing (1)",
    ]
    counts = ClusterCompositionDisplay.from_predictions(table["genre"], [0, 1, 1, 0]).counts
    assert counts.loc["0", "folk"] == 2


def test_names_of_labels(pipe, tracks, rng):
    with pytest.raises(ValueError, match='"cluster" is taken'):
        LatentSpaceDisplay.from_estimator(
            pipe, tracks[["audio"]], tracks["genre"].rename("cluster")
        )
    twice = pd.DataFrame([["a", "b"]] * 4, columns=["genre", "genre"])
    with pytest.raises(ValueError, match="each with a name of its own"):
        LatentSpaceDisplay(rng.standard_normal((4, 2)), twice).plot()
    display = LatentSpaceDisplay(rng.standard_normal((4, 2)), {0: list("abab"), "x": [1] * 4})
    assert [panel.get_title() for panel in display.plot().ax_] == ["0", "x"]
    # A label may be called what the missing ones are.
    display = ClusterCompositionDisplay.from_predictions(["missing", None], [0, 1])
    assert display.counts.columns.tolist() == ["missing", "(missing)"]


NOISE = np.random.default_rng(0).standard_normal((12, 5))


@pytest.mark.parametrize(
    "Z", [NOISE * 0 + 0.1, NOISE * 1e-30, NOISE * 1e-9 + 1e8, NOISE > 9, NOISE > 0]
)
@pytest.mark.parametrize("method", ["tsne", "pca"])
def test_tracks_that_are_all_but_in_one_place(Z, method):
    display = LatentSpaceDisplay.from_predictions(Z, {"cluster": [0] * 12}, method=method)
    assert np.isfinite(display.points).all()


def test_negative_clusters_are_noise_or_missing():
    display = ClusterCompositionDisplay.from_predictions(["a"] * 5, [0, -1, -2, -3, 0])
    assert display.counts["a"].to_dict() == {"-1": 3, "0": 2}


def test_training_history_wherever_the_embedder_is(blobs):
    vae = VAE(2, max_epochs=1, random_state=0)
    for model in (SkipMissing(vae), FeatureUnion([("vae", vae), ("pca", PCA(2))])):
        display = TrainingHistoryDisplay.from_estimator(make_pipeline(model).fit(blobs[0]))
        assert len(display.history) == 1
