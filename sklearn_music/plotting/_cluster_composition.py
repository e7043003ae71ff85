"""Clusters against labels."""

from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.metrics.cluster import contingency_matrix
from sklearn.utils import column_or_1d
from sklearn.utils.validation import check_consistent_length

from .._docstrings import shared
from .._inspection import embed_and_cluster
from .._tables import by_name, is_clustered
from ._display import Display, number_groups
from ._docstrings import TEXTS
from .style import font_families, plain


@shared(TEXTS)
class ClusterCompositionDisplay(Display):
    """A heat map of clusters against labels, with counts.

    The number in a cell is the count of tracks, its colour the share of the label in the
    cluster. Make it with `from_estimator` or `from_predictions`.

    Parameters
    ----------
    counts : DataFrame of shape (n_clusters, n_labels)
        Number of tracks by cluster (rows) and label (columns). The names of its index and
        columns are those of the axes.

    Attributes
    ----------
    {figure}
    ax_ : matplotlib.axes.Axes
        The heat map.

    See Also
    --------
    sklearn_music.metrics.purity_score : Share of tracks that have their cluster's main label.

    Examples
    --------
    >>> from sklearn_music.plotting import ClusterCompositionDisplay
    >>> display = ClusterCompositionDisplay.from_predictions(["a", "a", "b"], [0, 1, 1])
    >>> display.counts
    label    a  b
    cluster
    0        1  0
    1        1  1
    """

    def __init__(self, counts: pd.DataFrame):
        self.counts = counts

    @classmethod
    @shared(TEXTS)
    def from_estimator(cls, pipeline: Any, X: Any, y: Any, *, ax: Any = None) -> Self:
        """Draw the clusters of a fitted pipeline against labels.

        Parameters
        ----------
        {tracks}
        y : array-like of shape (n_tracks,)
            Labels. Missing ones get a column of their own.
        {ax}

        {not_clustered}
        """
        _, clusters = embed_and_cluster(pipeline, X)
        return cls.from_predictions(y, clusters, ax=ax)

    @classmethod
    @shared(TEXTS)
    def from_predictions(cls, labels: Any, clusters: Any, *, ax: Any = None) -> Self:
        """Draw clusters against labels.

        Parameters
        ----------
        labels : array-like of shape (n_tracks,)
            Labels. Missing ones get a column of their own.
        clusters : array-like of shape (n_tracks,)
            The cluster of each track. Negative ones (noise, or missing tracks) share the row -1.
        {ax}

        Raises
        ------
        ValueError
            If there are several columns of labels, or not as many labels as clusters.
        """
        columns = by_name(labels, "label")
        if len(columns) != 1:
            raise ValueError(
                f"Got {len(columns)} columns of labels, {list(columns)}, expected one: draw each "
                "on axes of its own."
            )
        ((name, labels),) = columns.items()
        check_consistent_length(labels, clusters)
        labels, label_names, _ = number_groups(labels)
        clusters = column_or_1d(np.asarray(clusters, dtype=object))
        is_noise = ~is_clustered(clusters) & ~pd.isna(clusters)
        clusters, cluster_names, _ = number_groups(np.where(is_noise, -1, clusters))
        counts = pd.DataFrame(
            contingency_matrix(clusters, labels),
            index=pd.Index(cluster_names, name="cluster", dtype=object),
            columns=pd.Index(label_names, name=name, dtype=object),
        )
        return cls(counts).plot(ax=ax)

    @shared(TEXTS)
    def plot(self, ax: Any = None) -> Self:
        """Draw the heat map.

        {plot}
        """
        counts = self.counts
        n_clusters, n_labels = counts.shape
        size = (2.5 + 0.5 * n_labels, 1.5 + 0.4 * n_clusters)
        self._make_panels(ax, 1, 1, size=size)
        self.ax_ = self.ax_[0, 0]
        # A user's own table may have a cluster without tracks.
        shares = counts.div(counts.sum(axis=1).clip(lower=1), axis=0).to_numpy()
        image = self.ax_.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        for (row, column), count in np.ndenumerate(counts.to_numpy()):
            if count:
                color = "white" if shares[row, column] > 0.5 else "black"
                self.ax_.text(column, row, count, ha="center", va="center", color=color)
        rows, columns = (
            [plain(f"{name} ({total})") for name, total in counts.sum(axis=axis).items()]
            for axis in (1, 0)
        )
        names = [plain(name or "") for name in (counts.index.name, counts.columns.name)]
        font = {"fontfamily": font_families([*rows, *columns, *names])}
        slanted = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
        self.ax_.set_yticks(range(n_clusters), rows, **font)
        self.ax_.set_xticks(range(n_labels), columns, **font, **slanted)
        self.ax_.set_ylabel(names[0], **font)
        self.ax_.set_xlabel(names[1], **font)
        bar = self.figure_.colorbar(image, ax=self.ax_, label="share of the cluster")
        bar.ax.yaxis.set_major_formatter("{x:.0%}")
        return self
