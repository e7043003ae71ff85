"""Clusters against labels."""

import numpy as np
import pandas as pd
from sklearn.metrics.cluster import contingency_matrix
from sklearn.utils import column_or_1d
from sklearn.utils.validation import check_consistent_length

from .._inspection import embed_and_cluster
from .._tables import by_name, is_clustered
from ._groups import number_groups
from .style import font_families, make_panels, plain


class ClusterCompositionDisplay:
    """What the clusters are made of: a heat map of clusters against labels, with counts.

    The colour of a cell is the share of the label in the cluster, the number in it the
    count of tracks.

    Parameters
    ----------
    counts : DataFrame of shape (n_clusters, n_labels)
        Number of tracks by cluster (rows) and label (columns). The names of its index
        and of its columns are those of the axes.

    Attributes
    ----------
    figure_ : matplotlib.figure.Figure
        The figure, after `plot`.
    ax_ : matplotlib.axes.Axes
        The heat map.

    See Also
    --------
    sklearn_music.metrics.purity_score : The share of tracks with their cluster's main label.

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

    def __init__(self, counts):
        self.counts = counts

    @classmethod
    def from_estimator(cls, pipeline, X, y, *, ax=None):
        """Draw the clusters of a fitted pipeline against labels.

        Parameters
        ----------
        pipeline : Pipeline
            Transformers, then a clusterer. One that has no `predict` (DBSCAN, say) tells
            the clusters of the tracks that it was fitted to only.
        X : array-like of length n_tracks
            The tracks, as the pipeline takes them.
        y : array-like of shape (n_tracks,)
            Labels; missing ones are a column of their own.
        ax : matplotlib.axes.Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        display : ClusterCompositionDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If the pipeline does not end in a clusterer, or the clusterer can't tell the
            clusters of these tracks.
        """
        _, clusters = embed_and_cluster(pipeline, X)
        return cls.from_predictions(y, clusters, ax=ax)

    @classmethod
    def from_predictions(cls, labels, clusters, *, ax=None):
        """Draw clusters against labels.

        Parameters
        ----------
        labels : array-like of shape (n_tracks,)
            Labels; missing ones are a column of their own.
        clusters : array-like of shape (n_tracks,)
            The clusters of the same tracks; negative ones (noise, or missing tracks) are one row,
            -1.
        ax : matplotlib.axes.Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        display : ClusterCompositionDisplay
            The display, drawn.
        """
        labels = by_name(labels, "label")
        if len(labels) != 1:
            raise ValueError(
                f"Got {len(labels)} columns of labels, {list(labels)}, expected one: draw each on "
                "axes of its own."
            )
        ((name, labels),) = labels.items()
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

    def plot(self, ax=None):
        """Draw the heat map.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        display : ClusterCompositionDisplay
            The display.
        """
        counts = self.counts
        n_clusters, n_labels = counts.shape
        size = (2.5 + 0.5 * n_labels, 1.5 + 0.4 * n_clusters)
        self.ax_ = make_panels(ax, 1, 1, panel_size=size)[0, 0]
        self.figure_ = self.ax_.figure
        # A cluster of no tracks, which a table of one's own may have, has no shares.
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
        families = font_families([*rows, *columns, counts.index.name, counts.columns.name])
        self.ax_.set_yticks(range(n_clusters), rows, fontfamily=families)
        self.ax_.set_xticks(
            range(n_labels),
            columns,
            fontfamily=families,
            rotation=45,
            ha="right",
            rotation_mode="anchor",
        )
        self.ax_.set_ylabel(plain(counts.index.name or ""), fontfamily=families)
        self.ax_.set_xlabel(plain(counts.columns.name or ""), fontfamily=families)
        self.figure_.colorbar(image, ax=self.ax_, format="{x:.0%}", label="share of the cluster")
        return self
