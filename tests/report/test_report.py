import base64
import builtins
import html
import io
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import soundfile
from chromium import DRAWN, complaints, hover, open_page, played_by, requests, wait
from scipy import sparse
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select, WebDriverWait
from sklearn import config_context
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.cluster import DBSCAN, HDBSCAN, KMeans
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from sklearn_music import VAE, BetaCVAE, LyricVectorizer, SpectrogramExtractor
from sklearn_music.datasets import make_music
from sklearn_music.exceptions import AudioError
from sklearn_music.metrics.reference_space import score_headings
from sklearn_music.report import ClusterReport
from sklearn_music.report._media import embed

SCRIPT = "<script>alert(1)</script>"
MARKUP = '</script><img src="x" onerror="alert(2)">{{ 7 * 7 }}'
BANGLA = "ভৌতিক গল্প"


@pytest.fixture(scope="module")
def tracks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tracks")
    tracks = make_music(24, duration=1, directory=folder, random_state=0).data
    tracks["title"] = [SCRIPT, MARKUP, BANGLA, *(f"Song {i}" for i in range(3, 24))]
    tracks.loc[:1, "lyrics"] = MARKUP
    return tracks.set_index(pd.Index([i // 2 for i in range(24)]))  # an index of no use


def audio_pipe(*steps):
    return Pipeline(
        [("mel", SpectrogramExtractor(n_mels=16, duration=1)), ("scale", StandardScaler()), *steps]
    )


def words_pipe():
    words = ColumnTransformer([("lyrics", LyricVectorizer(), "lyrics")])
    return make_pipeline(words, KMeans(2, n_init=1, random_state=0))


@pytest.fixture(scope="module")
def pipe(tracks):
    vae = VAE(4, beta=0.1, max_epochs=3, random_state=0)
    blocks = [
        ("audio", audio_pipe(("vae", vae)), ["audio"]),
        ("lyrics", LyricVectorizer(4), "lyrics"),
    ]
    return make_pipeline(ColumnTransformer(blocks), KMeans(3, n_init=1, random_state=0)).fit(tracks)


@pytest.fixture(scope="module")
def path(pipe, tracks, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    return ClusterReport(pipe, tracks, tracks[["genre", "language"]]).to_html(path)


@pytest.mark.parametrize(("row", "title"), [(0, SCRIPT), (1, MARKUP), (2, BANGLA)])
def test_a_click_on_the_map_plays_the_track(browser, path, tracks, tmp_path, row, title):
    open_page(browser, path)
    assert title in hover(browser, row)
    ActionChains(browser).click().perform()
    source = played_by(browser)
    # Where points lie upon one another, the click takes one of them.
    played = [path in source for path in tracks["audio"]].index(True)
    assert browser.find_element(By.ID, "track-title").text == tracks["title"].iloc[played]
    if row == 1:
        assert browser.find_element(By.ID, "track-lyrics").text == MARKUP

    # The points are there: coloured pixels, on a map that has none else.
    screenshot = browser.find_element(By.ID, "map").screenshot_as_png
    (tmp_path / "map.png").write_bytes(screenshot)
    pixels = plt.imread(io.BytesIO(screenshot))[..., :3]
    assert np.sum(np.ptp(pixels, axis=-1) > 0.2) > 24 * 10
    assert complaints(browser) == []
    assert {url.split(":")[0] for url in requests(browser)} <= {"file", "data"}


def test_titles_in_the_clusters_play_too_and_colours_change(browser, path, tracks):
    open_page(browser, path)
    button = browser.find_elements(By.CSS_SELECTOR, "article .track")[0]
    button.click()
    row = int(button.get_attribute("data-row"))
    source = played_by(browser)
    assert source.endswith(tracks["audio"].iloc[row])
    assert button.text == tracks["title"].iloc[row].strip()

    Select(browser.find_element(By.ID, "coloring")).select_by_visible_text("language")
    (legend,) = (
        legend for legend in browser.find_elements(By.CLASS_NAME, "legend") if legend.is_displayed()
    )
    assert legend.text.count("12") == 2  # 12 tracks in each language
    colors = "return Bokeh.documents.at(-1).get_model_by_name('tracks').data.color"
    expected = pd.factorize(tracks["language"])[0]
    found = pd.factorize(np.array(browser.execute_script(colors)))[0]
    np.testing.assert_array_equal(found, expected)
    assert complaints(browser) == []


def test_a_notebook_shows_the_page_in_a_frame_of_its_own(browser, tmp_path):
    waveforms = make_music(8, duration=1, random_state=0).data
    frame = ClusterReport(words_pipe().fit(waveforms), waveforms, title=SCRIPT)._repr_html_()
    notebook = tmp_path / "notebook.html"
    notebook.write_text(f"<!DOCTYPE html><body>{frame}</body>", encoding="utf-8")
    browser.get_log("browser")
    browser.get(notebook.as_uri())
    browser.switch_to.frame(0)
    wait(browser, DRAWN)
    assert browser.find_element(By.TAG_NAME, "h1").text == SCRIPT
    browser.find_element(By.CLASS_NAME, "track").click()
    assert played_by(browser).startswith("data:audio/mpeg;base64,")
    assert complaints(browser) == []


def test_a_file_that_cannot_be_played_is_said(browser, tracks, tmp_path):
    text = tmp_path / "text.wav"
    text.write_text("no audio")
    table = tracks.assign(audio=str(text))
    report = ClusterReport(words_pipe().fit(table), table)
    open_page(browser, report.to_html(tmp_path / "report.html"))
    browser.find_element(By.CLASS_NAME, "track").click()
    silence = browser.find_element(By.ID, "track-silence")
    WebDriverWait(browser, 30).until(lambda _: "can't play" in silence.text)
    assert "text.wav" in silence.text
    assert not browser.find_element(By.ID, "audio").is_displayed()


def text_of(page):
    """Return the page's own words, without those of its scripts and styles."""
    if isinstance(page, ClusterReport):
        page = html.unescape(page._repr_html_())
    page = re.sub(r"<(script|style)\b.*?</\1>", "", page, flags=re.DOTALL)
    return html.unescape(" ".join(re.sub(r"<[^>]*>", " ", page).split()))


def test_what_the_page_says(path, tracks):
    page = path.read_text(encoding="utf-8")
    for markup in (SCRIPT, MARKUP):
        assert markup not in page
    assert BANGLA in page
    text = text_of(page)
    n_missing = LyricVectorizer().fit(tracks["lyrics"]).n_missing_
    assert f"{n_missing} of 24 tracks have no lyrics" in text
    for row in ("this pipeline", "chance", "raw features", "PCA"):
        for target in ("genre", "language"):
            assert re.search(rf"{target} {row} [236] 24 \d\.\d{{3}} ", text), (target, row)
    assert "⚠" not in text
    assert f"k tracks {' '.join(score_headings().values())} genre" in text
    assert "Reconstructions" in text
    assert "Training VAE" in text


def blob_tracks(Z):
    """Return a table of numbers, and what makes rows of it."""
    table = pd.DataFrame(Z, columns=["a", "b"]).assign(title=[f"Song {i}" for i in range(len(Z))])
    return table, ColumnTransformer([("numbers", "passthrough", ["a", "b"])])


def test_typical_tracks_outliers_and_words():
    Z = np.zeros((20, 2))
    Z[:10, 0] = 100
    Z[:10, 1] = [0, 1, -1, 2, -2, 3, -3, 4, -4, 30]
    table, numbers = blob_tracks(Z)
    table["lyrics"] = ["the river sings"] * 10 + ["আমি নদী গান"] * 9 + [None]
    pipe = make_pipeline(numbers, KMeans(2, n_init=1, random_state=0)).fit(table)
    text = text_of(ClusterReport(pipe, table)).split("All tracks")[0]
    first = text.split("10 tracks, 50 %")[1 + int(pipe[-1].labels_[0])]
    assert "Outliers Song 9 " in first
    assert "Song 9" not in first.split("Outliers")[0]
    assert "river · sings" in first  # without its stop word
    assert f"cluster {pipe[-1].labels_[0]}: river, sings 10 tracks" in text
    assert "নদী" not in first
    assert "গান · নদী" in text or "নদী · গান" in text
    assert "Scores against labels" not in text
    assert "Separation and stability" in text  # needs no labels
    assert "no track can be played" in text


@pytest.mark.parametrize(
    ("embedder", "leaks"),
    [
        (None, True),
        (BetaCVAE(2, condition_features=slice(2, None), encode_condition=True), True),
        (BetaCVAE(2, condition_features=slice(2, None)), False),
    ],
)
def test_a_row_that_was_told_the_label_is_marked(rng, embedder, leaks):
    table, _ = blob_tracks(rng.standard_normal((40, 2)))
    table["genre"] = ["folk", "rock"] * 20
    columns = ColumnTransformer(
        [
            ("numbers", "passthrough", ["a", "b"]),
            ("genre", OneHotEncoder(sparse_output=False), ["genre"]),
        ]
    )
    steps = [columns, KMeans(2, n_init=1)]
    if embedder is not None:
        steps.insert(1, embedder.set_params(max_epochs=20, beta=0.1, random_state=0))
    pipe = make_pipeline(*steps).fit(table)
    features = ColumnTransformer([("numbers", "passthrough", ["a", "b"])])
    text = text_of(ClusterReport(pipe, table, table["genre"], features=features))
    assert ("⚠ label leakage" in text) == leaks
    assert ("predicts the label 'genre'" in text) == leaks


def test_a_collapsed_posterior_is_said(tracks):
    vae = VAE(4, beta=1e6, max_epochs=2, random_state=0)
    pipe = audio_pipe(("vae", vae), ("cluster", KMeans(2, n_init=1))).fit(tracks[["audio"]])
    text = text_of(ClusterReport(pipe, tracks[["audio"]]))
    assert "VAE: The posterior has collapsed: 0 of 4" in text


def test_embedded_audio(tracks):
    pipe = words_pipe().fit(tracks)
    report = ClusterReport(pipe, tracks, audio="embed", excerpt_duration=0.5, max_excerpts=10)
    page = html.unescape(report._repr_html_())
    excerpts = re.findall(r"data:audio/mpeg;base64,([\w+/=]+)", page)
    assert len(excerpts) == 10
    assert page.count('"file:///') == 14
    waveform, rate = soundfile.read(io.BytesIO(base64.b64decode(excerpts[0])))
    assert len(waveform) / rate == pytest.approx(0.5, abs=0.1)


def test_tracks_that_cannot_be_used_are_named(tracks, tmp_path):
    table = tracks.reset_index(drop=True)
    table["audio"] = table["audio"].astype(object)
    table.loc[4, "audio"] = str(tmp_path / "gone.wav")
    table.loc[5, "audio"] = None
    table["lyrics"] = None
    table.loc[7, "genre"] = None
    table["style"] = table["genre"].where(table["genre"] == "folk")  # mostly NaN
    pipe = make_pipeline(
        ColumnTransformer([("language", OneHotEncoder(), ["language"])]), KMeans(2, n_init=1)
    ).fit(table)  # a sparse matrix
    text = text_of(ClusterReport(pipe, table, table["genre"]))
    assert "2 of 24 tracks can't be played" in text
    assert "Song 4: " in text
    assert "gone.wav' does not exist" in text
    assert "have no lyrics" not in text
    assert "1 of 24 tracks have no 'genre'" in text


@pytest.mark.parametrize("n_tracks", [1, 3, 12])
def test_few_tracks_one_cluster_and_noise(rng, n_tracks):
    table, numbers = blob_tracks(rng.standard_normal((n_tracks, 2)))
    one = make_pipeline(numbers, KMeans(1, n_init=1)).fit(table)
    y = None if n_tracks == 1 else ["folk"] * n_tracks
    text = text_of(ClusterReport(one, table, y, features=numbers, n_seeds=1))
    assert "All tracks are in one cluster, cluster 0." in text
    # DBSCAN has no predict: its labels are those of the fit.
    noise = make_pipeline(numbers, DBSCAN(eps=1e-9)).fit(table)
    assert f"noise {n_tracks} track" in text_of(ClusterReport(noise, table))
    with pytest.raises(ValueError, match="has no predict"):
        ClusterReport(noise, pd.concat([table, table]))._repr_html_()


def test_what_cannot_be_reported_is_a_clear_error(pipe, tracks):
    with pytest.raises(NotFittedError):
        ClusterReport(make_pipeline(PCA(2), KMeans(2)), tracks)
    with pytest.raises(ValueError, match="expected a fitted Pipeline of transformers"):
        ClusterReport(make_pipeline(StandardScaler(), PCA(2)), tracks)
    with pytest.raises(ValueError, match="Got a KMeans, expected a fitted Pipeline"):
        ClusterReport(KMeans(2), tracks)
    with pytest.raises(ValueError, match="Got 2 labels of the target 'label' for 24 tracks"):
        ClusterReport(pipe, tracks, ["folk", "rock"])
    with pytest.raises(ValueError, match="All labels of the target 'genre' are missing"):
        ClusterReport(pipe, tracks, {"genre": [None] * 24})
    with pytest.raises(ValueError, match="is taken"):
        ClusterReport(pipe, tracks, {"cluster": list("ab") * 12})
    with pytest.raises(ValueError, match="'audio' parameter"):
        ClusterReport(pipe, tracks, audio="mp3")
    with pytest.raises(ValueError, match="'tracks' parameter"):
        ClusterReport(pipe, [1, 2])
    numbers, rows = blob_tracks(np.eye(2))
    fitted = make_pipeline(rows, KMeans(2, n_init=1)).fit(numbers)
    with pytest.raises(ValueError, match="pass a transformer of the table as features"):
        ClusterReport(fitted, numbers, [0, 1])._repr_html_()


@pytest.mark.parametrize("package", ["jinja2", "bokeh", "itables", "matplotlib"])
def test_without_its_packages_the_error_says_what_to_install(pipe, tracks, monkeypatch, package):
    real_import = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith(package):
            raise ImportError(name)
        return real_import(name, *args, **kwargs)

    monkeypatch.delitem(sys.modules, "sklearn_music.report._map", raising=False)
    monkeypatch.delattr("sklearn_music.report._map", raising=False)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r"sklearn-music\["):
        ClusterReport(pipe, tracks)


# Missing tracks, artefacts, and texts of any kind


class Gaps(TransformerMixin, BaseEstimator):
    """Makes rows of NaN of the tracks without a number."""

    def fit(self, X, y=None):
        self.is_fitted_ = True
        return self

    def transform(self, X):
        return X[["a", "b"]].to_numpy(np.float64)


class SkipsMissing(KMeans):
    """A clusterer that gives rows of NaN the label -1."""

    def fit(self, X, y=None, sample_weight=None):
        super().fit(X[~np.isnan(X).all(axis=1)])
        return self

    def predict(self, X):
        present = ~np.isnan(X).all(axis=1)
        clusters = np.full(len(X), -1)
        if present.any():
            clusters[present] = super().predict(X[present])
        return clusters


def test_every_track_is_accounted_for(rng, browser, tmp_path):
    table, _ = blob_tracks(rng.standard_normal((20, 2)))
    table.loc[[0, 7], ["a", "b"]] = np.nan
    genre = ["folk", "rock", None, "folk"] * 5
    pipe = make_pipeline(Gaps(), SkipsMissing(3, n_init=1, random_state=0)).fit(table)
    features = ColumnTransformer([("numbers", "passthrough", ["a", "b"])])
    path = ClusterReport(pipe, table, genre, features=features).to_html(tmp_path / "report.html")
    text = text_of(path.read_text(encoding="utf-8"))
    assert "18 tracks in 3 clusters, 2 without a cluster" in text
    assert "2 of 20 tracks have no cluster" in text
    listed = text.split("Tracks without a cluster")[1]
    assert "Song 0 : nothing is known of it" in listed
    assert "Song 7 : nothing is known of it" in listed
    assert "5 of 20 tracks have no 'label'" in text
    assert re.search(r"label this pipeline 3 15 ", text)
    sizes = [int(n) for n in re.findall(r"cluster \d (\d+) tracks?,", text)]
    assert sum(sizes) == 18
    # The places of the tracks in the map's data are those of the table.
    open_page(browser, path)
    data = browser.execute_script(
        "const { x, title } = Bokeh.documents.at(-1).get_model_by_name('tracks').data;"
        "return [Array.from(x).map(Number.isFinite), title]"
    )
    assert data[1] == table["title"].tolist()
    assert [i for i, drawn in enumerate(data[0]) if not drawn] == [0, 7]
    assert "no cluster 2" in browser.find_element(By.CLASS_NAME, "legend").text.replace("\n", " ")
    assert complaints(browser) == []
    with pytest.raises(ValueError, match="no latent vector of any of the 2 tracks"):
        ClusterReport(pipe, table.loc[[0, 7]])._repr_html_()


@pytest.mark.filterwarnings("ignore:2 of 24 tracks could not be used")
def test_tracks_that_cannot_be_read_are_listed_with_the_reason(tracks, tmp_path):
    table = tracks.reset_index(drop=True)
    table["audio"] = table["audio"].astype(object)
    (tmp_path / "empty.wav").touch()
    table.loc[[4, 9], "audio"] = [str(tmp_path / "gone.wav"), str(tmp_path / "empty.wav")]
    extractor = SpectrogramExtractor("mfcc", pooling="stats", duration=1, on_error="nan")
    columns = ColumnTransformer([("audio", extractor, ["audio"])])
    if not hasattr(extractor, "failures_") and "failures_" not in SpectrogramExtractor.__doc__:
        pytest.skip("the extractor doesn't tell its failures")
    pipe = make_pipeline(columns, SkipsMissing(2, n_init=1, random_state=0)).fit(table)
    text = text_of(ClusterReport(pipe, table, table["genre"]))
    listed = text.split("Tracks without a cluster")[1]
    assert re.search(r"Song 4 : .*gone\.wav' does not exist", listed)
    assert re.search(r"Song 9 : .*empty\.wav' is empty", listed)


def test_a_cluster_that_is_an_artefact_is_said(rng):
    table, numbers = blob_tracks(rng.standard_normal((30, 2)) / 9 + np.arange(30)[:, None] // 15)
    table["lyrics"] = ["row a boat"] * 15 + [None] * 15
    pipe = make_pipeline(numbers, KMeans(2, n_init=1, random_state=0)).fit(table)
    text = text_of(ClusterReport(pipe, table))
    assert "15 of its 15 tracks have no lyrics (100 %); elsewhere 0 of 15 (0 %)." in text
    table["lyrics"] = rng.permutation(table["lyrics"].to_numpy(object))
    assert "of its" not in text_of(ClusterReport(pipe, table))


TEXTS = ["$$a$$", "$a$", r"\(a\)", r"\[a\]", SCRIPT, "half \ud83d", "caf\udce9", "nul \0", "שלום"]
TEXTS += ["long " * 2000, "{{ 7 * 7 }}", "url(http://a.example/b)", "http://a.example/c.png"]
TEXTS += ['<img src="http://a.example/d.png">', "@cluster", "$index", "%s", "\N{GRINNING FACE}"]


class Fetched(HTMLParser):
    """What a browser would fetch of a page."""

    def __init__(self):
        super().__init__()
        self.urls = []

    def handle_starttag(self, tag, attrs):
        names = {"src", "srcset", "href", "data", "poster", "action", "background", "ping"}
        self.urls += [value for name, value in attrs if name in names]
        for name, value in attrs:
            if name == "style":
                self.urls += re.findall(r"url\(([^)]*)", value)


def text_table(rng):
    table, numbers = blob_tracks(rng.standard_normal((2 * len(TEXTS), 2)))
    for name in ("title", "lyrics", "audio"):
        table[name] = pd.Series([*TEXTS, *TEXTS], dtype=object)
    pipe = make_pipeline(numbers, KMeans(2, n_init=1, random_state=0)).fit(table)
    return table, pipe, numbers


def test_texts_are_texts_and_nothing_is_fetched(rng, browser, tmp_path):
    table, pipe, numbers = text_table(rng)
    y = {text: np.array([*TEXTS, *TEXTS], dtype=object) for text in ("$$a$$", "caf\udce9", SCRIPT)}
    report = ClusterReport(pipe, table, y, title="$$a$$ \ud83d", features=numbers, n_seeds=1)
    path = report.to_html(tmp_path / "report.html")
    report._repr_html_().encode()
    page = path.read_text(encoding="utf-8")
    parser = Fetched()
    parser.feed(page)
    assert all(url.startswith(("#", "data:image/png;base64,")) for url in parser.urls), parser.urls
    (style,) = re.findall(r"<style>(.*?)</style>", page, flags=re.DOTALL)
    assert "url(" not in style
    assert "@import" not in style
    assert "default-src 'none'" in page

    open_page(browser, path)
    assert browser.find_element(By.TAG_NAME, "h1").text == "$$a$$ \N{REPLACEMENT CHARACTER}"
    for row in range(0, len(TEXTS), 3):
        seen = hover(browser, row)
        expected = TEXTS[row].replace("\ud83d", "\ufffd").replace("\udce9", "\ufffd").strip()
        assert expected in [text.strip() for text in seen]
    for text in y:
        name = text.replace("\udce9", "\ufffd")
        Select(browser.find_element(By.ID, "coloring")).select_by_visible_text(name)
    legend = next(
        legend for legend in browser.find_elements(By.CLASS_NAME, "legend") if legend.is_displayed()
    )
    assert "$$a$$" in legend.text
    assert complaints(browser) == []
    assert {url.split(":")[0] for url in requests(browser)} <= {"file", "data", "blob"}


def test_texts_are_written_without_a_browser_too(rng, tmp_path):
    table, pipe, numbers = text_table(rng)
    y = {"\ud83d": np.array([*TEXTS, *TEXTS], dtype=object)}
    report = ClusterReport(pipe, table, y, title="\udce9", features=numbers, n_seeds=1)
    page = report.to_html(tmp_path / "report.html").read_text(encoding="utf-8")
    assert "caf\N{REPLACEMENT CHARACTER}" in page
    assert SCRIPT not in page


def test_a_page_is_whole_or_not_there(pipe, tracks, tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    path.write_text("the old one")
    report = ClusterReport(words_pipe().fit(tracks), tracks)
    real = Path.write_text

    def full_disk(self, text, **kwargs):
        real(self, text[:1000], **kwargs)
        raise OSError("No space left on device")

    monkeypatch.setattr(Path, "write_text", full_disk)
    with pytest.raises(OSError, match="No space left"):
        report.to_html(path)
    monkeypatch.undo()
    assert path.read_text() == "the old one"
    assert list(tmp_path.iterdir()) == [path]
    assert report.to_html(str(path)) == path
    assert path.stat().st_size > 1_000_000
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "name", ["title", "x", "y", "lyrics", "audio", "color", "index", "embedding", "target", "items"]
)
def test_labels_may_be_named_like_our_own_columns(rng, name):
    table, numbers = blob_tracks(rng.standard_normal((12, 2)))
    pipe = make_pipeline(numbers, KMeans(2, n_init=1, random_state=0)).fit(table)
    y = {name: ["folk", "rock"] * 6, 0: ["only", None] * 6}
    text = text_of(ClusterReport(pipe, table, y, features=numbers, n_seeds=1))
    assert f"{name} this pipeline 2 12" in text
    assert f"{name} folk" in text
    assert "0 only 100 %" in text


def test_tables_that_are_ambiguous_or_no_tables(rng):
    table, numbers = blob_tracks(rng.standard_normal((12, 2)))
    pipe = make_pipeline(numbers, KMeans(2, n_init=1, random_state=0)).fit(table)
    twice = pd.concat([table, table[["title"]]], axis=1)
    with pytest.raises(ValueError, match="2 columns 'title'"):
        ClusterReport(pipe, twice)
    with pytest.raises(ValueError, match="each with a name of its own"):
        ClusterReport(pipe, table, pd.DataFrame([["a", "b"]] * 12, columns=["y", "y"]))
    polars = pytest.importorskip("polars")
    other = polars.DataFrame({name: table[name].tolist() for name in table})
    y = polars.DataFrame({"genre": ["folk", "rock", None] * 4})
    text = text_of(ClusterReport(pipe, other, y, features=numbers, n_seeds=1))
    assert "genre this pipeline 2 8" in text
    assert "Song 3" in text


def test_sparse_features_and_a_clusterer_without_predict(tracks):
    words = ColumnTransformer([("lyrics", LyricVectorizer(), "lyrics")], sparse_threshold=1.0)
    table = tracks.assign(lyrics=["row a boat", "the river sings", "moon on water"] * 8)
    pipe = make_pipeline(words, DBSCAN(eps=0.3, min_samples=2)).fit(table)
    assert "24 tracks in 3 clusters" in text_of(ClusterReport(pipe, table, n_seeds=1))


LATENT = {
    "nullable": lambda X: X.convert_dtypes(),
    "object": lambda X: X.to_numpy(object),
    "list": lambda X: X.to_numpy().tolist(),
    "coo": lambda X: sparse.coo_matrix(X.to_numpy()),
    "bool": lambda X: X > 0,
    "one place": lambda X: X * 0 + 0.1,
    "polars": lambda X: pytest.importorskip("polars").DataFrame({c: X[c].tolist() for c in X}),
}


@pytest.mark.parametrize("name", LATENT)
def test_latent_spaces_of_any_kind(rng, name):
    table = pd.DataFrame(rng.standard_normal((12, 3)), columns=list("abc"))
    pipe = make_pipeline(FunctionTransformer(LATENT[name]), KMeans(1, n_init=1)).fit(table)
    assert "12 tracks in 1 cluster" in text_of(ClusterReport(pipe, table))


def test_rows_that_are_not_finite_in_part(rng):
    table = pd.DataFrame(rng.standard_normal((20, 3)), columns=list("abc"))
    table[["a", "b"]] += np.repeat([0, 9], 10)[:, None]
    table.loc[[0, 1], "a"] = [np.nan, np.inf]
    pipe = make_pipeline(FunctionTransformer(), HDBSCAN(min_cluster_size=5, copy=True)).fit(table)
    text = text_of(ClusterReport(pipe, table))
    assert "cluster -" not in text
    assert re.search(r"18 tracks in \d clusters?( and noise)?, 2 without a cluster", text)
    assert re.search("track 0 : its latent vector holds NaN or infinity", text)


def test_noise_is_no_cluster(rng):
    table = pd.DataFrame(np.r_[rng.normal(0, 0.1, (10, 2)), [[9, 9]]], columns=list("ab"))
    pipe = make_pipeline(FunctionTransformer(), DBSCAN(1)).fit(table)
    assert "11 tracks in 1 cluster and noise" in text_of(ClusterReport(pipe, table))


@pytest.mark.parametrize("output", ["pandas", "polars"])
def test_words_whatever_the_output_of_transformers(output):
    pytest.importorskip(output)
    table = pd.DataFrame({"lyrics": ["river night"] * 5 + ["boat morning"] * 4 + ["..."]})
    columns = ColumnTransformer([("words", LyricVectorizer(2, random_state=0), "lyrics")])
    pipe = make_pipeline(columns, KMeans(2, n_init=1, random_state=0))
    with config_context(transform_output=output):
        pipe.fit(table)
        text = text_of(ClusterReport(pipe, table, ["a", "b"] * 5, n_seeds=1))
    assert "Words night · river" in text


def test_a_waveform_in_a_list_is_not_quoted_whole():
    with pytest.raises(AudioError) as caught:
        embed([0.123] * 10_000, sample_rate=8000, offset=0, duration=1)
    assert len(str(caught.value)) < 200
    extractor = SpectrogramExtractor(sample_rate=8000)
    with pytest.raises(AudioError) as caught:
        extractor.fit(pd.DataFrame({"audio": pd.Series(["gone.wav", [0.123] * 10_000])}))
    assert len(str(caught.value)) < 500
