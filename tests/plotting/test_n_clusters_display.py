import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.cluster import AgglomerativeClustering
from sklearn.datasets import make_blobs
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_music.model_selection import choose_n_clusters
from sklearn_music.plotting import NClustersDisplay

COLUMNS = [
    *("silhouette", "stability", "auto", "calinski_harabasz"),
    *("davies_bouldin", "bic", "gap", "inertia"),
]
PARAMS = {"n_clusters": range(2, 7), "n_seeds": 2, "rule": "silhouette"}


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def X():
    return make_blobs(60, centers=4, cluster_std=0.5, random_state=1)[0]


@pytest.fixture(scope="module")
def pipe():
    return make_pipeline(StandardScaler(), AgglomerativeClustering())


@pytest.fixture(scope="module")
def choice(pipe, X):
    return choose_n_clusters(pipe, X, **PARAMS)


def test_each_criterion_is_a_curve_with_the_number_it_takes(choice):
    display = NClustersDisplay.from_choice(choice)
    assert display.ax_.shape == (2, 4)
    for panel, column in zip(display.ax_.flat, COLUMNS, strict=True):
        curve, ring, line = panel.lines
        np.testing.assert_array_equal(curve.get_xdata(), [2, 3, 4, 5, 6])
        np.testing.assert_array_equal(curve.get_ydata(), choice.table[column])
        rule = "elbow" if column == "inertia" else column
        assert ring.get_xdata() == [choice.by_rule[rule]]
        assert ring.get_ydata() in choice.table[column].to_numpy()
        assert set(line.get_xdata()) == {choice.n_clusters}
    texts = [text.get_text() for text in display.ax_[0, 0].get_legend().get_texts()]
    assert texts == ["by this criterion", f"chosen: {choice.n_clusters}"]
    assert {panel.get_xlabel() for panel in display.ax_[1]} == {"number of clusters"}
    display.figure_.draw_without_rendering()


def test_from_a_pipeline(pipe, X, choice):
    _, axes = plt.subplots(2, 4)
    display = NClustersDisplay.from_estimator(pipe, X, ax=axes, **PARAMS)
    assert display.n_clusters == choice.n_clusters == 4
    assert display.figure_ is axes[0, 0].figure
    np.testing.assert_array_equal(display.table, choice.table)


def test_a_table_without_a_choice(choice):
    display = NClustersDisplay(choice.table).plot()
    assert {len(panel.lines) for panel in display.ax_.flat} == {1}
    assert display.ax_[0, 0].get_legend() is None
    with pytest.raises(ValueError, match="a table without bic, gap, expected"):
        NClustersDisplay(choice.table.drop(columns=["gap", "bic"])).plot()
