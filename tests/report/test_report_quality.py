import html
import re

import numpy as np
import pandas as pd
import pytest
from chromium import complaints, open_page
from scipy import sparse
from selenium.webdriver.common.by import By
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.cluster import DBSCAN, HDBSCAN, KMeans
from sklearn.datasets import make_blobs
from sklearn.metrics import silhouette_samples, silhouette_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import sklearn_music
from sklearn_music import VaDE
from sklearn_music.metrics import cluster_stability_scores, stability_score
from sklearn_music.model_selection import choose_n_clusters
from sklearn_music.report import ClusterReport


def report_of(Z, clusterer, y=None, tracks=None, transform=None, **params):
    """Return a report on tracks whose latent vectors are Z, and their clusters."""
    table = pd.DataFrame(Z).add_prefix("x")
    names = table.columns.tolist()
    table = table if tracks is None else table.join(tracks)
    numbers = FunctionTransformer(lambda X: (transform or np.asarray)(X[names].to_numpy()))
    pipe = make_pipeline(numbers, clusterer).fit(table)
    params = {"features": numbers, "n_seeds": 2} | params
    return ClusterReport(pipe, table, y, **params), pipe[-1].labels_


@pytest.fixture(scope="module")
def blobs():
    """Two groups far apart, and one cloud that KMeans(4) cuts in halves."""
    centers = [[0, 0], [30, 0], [0, 40]]
    return make_blobs([20, 20, 60], centers=centers, random_state=0)


def kmeans(**params):
    return KMeans(4, n_init=1, random_state=1, **params)


def test_silhouettes_and_stability_are_those_of_the_clusterer_in_its_latent_space(blobs):
    Z, _ = blobs
    report, labels = report_of(Z, kmeans())
    table = report.describe()
    samples = silhouette_samples(Z, labels)
    expected = [samples[labels == cluster].mean() for cluster in table["cluster"]]
    np.testing.assert_allclose(table["silhouette"], expected)
    assert table.attrs["silhouette"] == pytest.approx(silhouette_score(Z, labels))
    assert abs(table.attrs["chance"]) < 0.15 < table.attrs["silhouette"]

    # The same parts are drawn with the same seed.
    seed = np.random.RandomState(0).randint(np.iinfo(np.int32).max, size=3)[2]
    stability = cluster_stability_scores(kmeans(), Z, labels, random_state=seed)
    np.testing.assert_allclose(table["stability"], stability[table["cluster"]])
    assert table.attrs["stability"] == stability_score(kmeans(), Z, random_state=seed)
    halves = table["silhouette"] < 0.6
    assert halves.sum() == 2
    assert (table["stability"][~halves] > 0.9).all()
    assert (table["stability"][halves] < 0.75).all()
    pd.testing.assert_frame_equal(report.describe(), table)
    assert table.attrs == report.describe().attrs


def test_each_cluster_comes_out_again_by_hand():
    X = np.array([0, 1, 2, 50, 51, 52, 53, 54], dtype=float)[:, None]
    clusters = np.array([0, 0, 0, 1, 1, 2, 2, -1])
    stability = cluster_stability_scores(KMeans(2, n_init=3), X, clusters, n_seeds=2, subsample=1)
    # Of the five that KMeans has on the right, two are in cluster 1, and two in cluster 2.
    assert stability.to_dict() == {0: 1, 1: 2 / 5, 2: 2 / 5}
    noise = DBSCAN(eps=0.1, min_samples=3)
    assert not cluster_stability_scores(noise, X, clusters, n_seeds=2, subsample=1).any()
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        cluster_stability_scores(KMeans(2), X, clusters[:5])
    with pytest.raises(ValueError, match="raise subsample, or pass more samples"):
        cluster_stability_scores(KMeans(2), X[:3], clusters[:3], subsample=0.6)


class Once(ClusterMixin, BaseEstimator):
    """A clusterer that can't be fitted a second time."""

    n_fits = 0

    def fit(self, X, y=None):
        if Once.n_fits:
            raise RuntimeError("enough")
        Once.n_fits += 1
        self.labels_ = np.arange(len(X)) % 2
        return self


class Uncopied(ClusterMixin, BaseEstimator):
    """A clusterer that scikit-learn can't copy: it changes its parameter."""

    def __init__(self, names="ab"):
        self.names = list(names)

    def fit(self, X, y=None):
        self.labels_ = np.arange(len(X)) % len(self.names)
        return self


@pytest.mark.parametrize("clusterer", [Once, Uncopied])
def test_a_clusterer_that_cannot_be_fitted_again_has_no_stability(rng, clusterer):
    report, _ = report_of(rng.standard_normal((12, 2)), clusterer())
    table = report.describe()
    assert table["stability"].isna().all()
    assert np.isnan(table.attrs["stability"])
    assert table["silhouette"].notna().all()
    assert "nan" not in quality_of(report)


def test_a_clusterer_that_trains_a_network_is_not_trained_again(rng):
    table = pd.DataFrame(rng.standard_normal((20, 3)).astype(np.float32)).add_prefix("x")
    vade = VaDE(2, n_components=2, max_epochs=1, pretrain_epochs=1, random_state=0)
    pipe = make_pipeline(FunctionTransformer(np.asarray), vade).fit(table)
    assert np.isnan(ClusterReport(pipe, table).describe().attrs["stability"])


@pytest.mark.parametrize("n_tracks", [1, 2, 4])
def test_few_tracks(rng, n_tracks):
    report, _ = report_of(rng.standard_normal((n_tracks, 2)), KMeans(min(2, n_tracks), n_init=1))
    table = report.describe()
    assert table["size"].sum() == n_tracks
    assert table["silhouette"].notna().all() == (n_tracks == 4)
    assert "nan" not in quality_of(report)


def test_noise_has_no_silhouette_and_sparse_vectors_do(blobs):
    Z = np.r_[blobs[0], [[500.0, 500.0]]]
    dense, _ = report_of(Z, DBSCAN(eps=3))
    table = dense.describe()
    assert table["cluster"].tolist() == [0, 1, 2, -1]
    assert table["silhouette"].isna().tolist() == [False, False, False, True]
    assert (table["stability"][:3] == 1).all()
    assert repr(dense) == "ClusterReport of 101 tracks in 3 clusters"
    assert "noise" not in quality_of(dense)
    other, _ = report_of(Z, DBSCAN(eps=3), transform=sparse.csr_array)
    pd.testing.assert_frame_equal(other.describe(), table)


def test_large_collections_are_measured_on_a_part(rng):
    Z = np.r_[rng.standard_normal((3000, 2)), rng.standard_normal((3, 2)) + 50]
    report, labels = report_of(Z, KMeans(2, n_init=1, random_state=0))
    table = report.describe().set_index("size")
    assert table.loc[3000, "silhouette"] == pytest.approx(
        silhouette_samples(Z, labels)[:3000].mean(), abs=0.02
    )
    assert repr(report) == "ClusterReport of 3003 tracks in 2 clusters"


def test_labels_in_the_table_of_clusters(blobs):
    Z, groups = blobs
    y = {name: np.array(list("abc"), object)[groups] for name in ("genre", "size", "name_share")}
    y["genre"][:] = np.where(groups == 2, "c", None)
    tracks = pd.DataFrame({"genre": "other", "artist": "One"}, index=range(100))
    report, labels = report_of(Z, KMeans(3, n_init=3, random_state=0), y, tracks)
    assert repr(report) == "ClusterReport of 100 tracks"  # nothing is computed for it
    table = report.describe()
    assert table.columns.is_unique
    group = [groups[labels == cluster][0] for cluster in table["cluster"]]
    letters = [list("abc")[code] for code in group]
    assert table["label size"].tolist() == table["name_share"].tolist() == letters
    assert table["label size_share"].tolist() == [1, 1, 1]
    # The label is what the page shows, not the column of the tracks.
    assert table["genre"].tolist() == [letter if letter == "c" else None for letter in letters]
    assert table["genre_share"].isna().tolist() == [letter != "c" for letter in letters]
    assert table["artist"].tolist() == ["One"] * 3
    assert sorted(table["size"]) == [20, 20, 60]


def test_scores_are_a_table_with_labels_and_empty_without(blobs):
    Z, groups = blobs
    assert report_of(Z, kmeans())[0].scores().empty
    report, _ = report_of(Z, kmeans(), {"group": groups})
    scores = report.scores()
    assert set(scores["embedding"]) >= {"this pipeline", "chance"}
    assert set(scores["target"]) == {"group"}
    scores.loc[:, "target"] = "changed"
    assert set(report.scores()["target"]) == {"group"}


# The page


def quality_of(report):
    """Return the text of the section on silhouettes and stability."""
    page = html.unescape(report._repr_html_())
    (section,) = re.findall(r'<h2 id="the-quality">.*?</section>', page, flags=re.DOTALL)
    return " ".join(re.sub("<[^>]*>", " ", section).split())


def test_the_page_shows_quality_curve_and_how_it_was_made(blobs, browser, tmp_path):
    Z, groups = blobs
    y = {"group": groups}
    choice = choose_n_clusters(Z, n_clusters=range(2, 6), n_seeds=2)
    settings = {"folder": "<b>music</b>", "labels": ["a", "b"], "encoder": None, "long": "x" * 300}
    report, _ = report_of(Z, kmeans(max_iter=99), y, n_clusters_choice=choice, settings=settings)
    path = report.to_html(tmp_path / "report.html")
    open_page(browser, path)
    rows = browser.find_elements(By.CSS_SELECTOR, ".by-cluster tbody tr")
    cells = [[cell.text for cell in row.find_elements(By.TAG_NAME, "td")] for row in rows]
    table = report.describe()
    for row, shown in zip(table.itertuples(), cells, strict=False):
        assert shown[0].startswith(f"cluster {row.cluster}")
        assert shown[1:4] == [str(row.size), f"{row.silhouette:.3f}", f"{row.stability:.3f}"]
        reading = "stable" if row.stability >= 0.75 else "doubtful"
        assert shown[4] == (reading if row.stability >= 0.6 else "not to be trusted")
    totals = [table.attrs["silhouette"], table.attrs["stability"]]
    assert cells[-2] == ["all", "100", *(f"{value:.3f}" for value in totals), ""]
    assert cells[-1][0] == "random clusters"
    section = browser.find_element(By.CSS_SELECTOR, "[aria-labelledby=the-quality]")
    assert choice.reason in section.text
    picture = section.find_element(By.TAG_NAME, "img")
    assert browser.execute_script("return arguments[0].naturalWidth", picture) > 300

    foot = browser.find_element(By.TAG_NAME, "footer")
    for summary in foot.find_elements(By.TAG_NAME, "summary"):
        summary.click()
    text = foot.text
    for name, value in {
        "sklearn_music": sklearn_music.__version__,
        "folder": "<b>music</b>",
        "labels": "a, b",
        "kmeans__random_state": "1",
        "this page": "0",
    }.items():
        assert re.search(rf"{re.escape(name)}\s+{re.escape(value)}", text.replace(":", " "))
    assert "encoder" not in text
    assert "max_iter=99" in text
    assert "tol=" not in text  # it has its default
    assert "@software{sklearn_music" in text
    assert f"version {sklearn_music.__version__}" in text
    size = {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    try:
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        width = browser.execute_script("return document.documentElement.scrollWidth")
        assert width <= 390
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert complaints(browser) == []


def test_a_long_pipeline_is_shown_whole_and_a_random_state_without_its_address(blobs):
    steps = [FunctionTransformer(np.asarray, validate=False, check_inverse=False)] * 20
    clusterer = HDBSCAN(min_cluster_size=7, copy=True)
    table = pd.DataFrame(blobs[0]).add_prefix("x")
    pipe = make_pipeline(*steps, clusterer).fit(table)
    page = ClusterReport(pipe, table, random_state=np.random.RandomState(3))._repr_html_()
    assert page.count("check_inverse=False") == 20
    assert "MT19937" not in page
    assert "RandomState" in page
