"""The map of the tracks."""

import numpy as np
from scipy import sparse
from sklearn import config_context
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.utils import check_array
from sklearn.utils.validation import check_consistent_length

from .._inspection import embed_and_cluster
from .._tables import as_numbers, by_name, is_present
from ._groups import number_groups
from .style import COLORS, MARKERS, font_families, make_panels, plain

_GROUPS_PER_COLUMN = 20


class LatentSpaceDisplay:
    """A map of the latent space in two dimensions, coloured by cluster and by label.

    Parameters
    ----------
    points : array-like of shape (n_tracks, 2)
        Where each track is drawn. A missing track, whose row is NaN, is not drawn; the legends
        count such tracks.
    colorings : dict or DataFrame of str to array-like of shape (n_tracks,)
        One panel for each: its title, and the group of each track. A track whose group
        is missing is grey.
    axis_name : str, default="component"
        What the two axes are.

    Attributes
    ----------
    figure_ : matplotlib.figure.Figure
        The figure, after `plot`.
    ax_ : ndarray of matplotlib.axes.Axes
        One per panel.

    See Also
    --------
    ClusterCompositionDisplay : Clusters against labels, counted.

    Examples
    --------
    >>> from sklearn.cluster import KMeans
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.decomposition import PCA
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn_music.plotting import LatentSpaceDisplay
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> pipe = make_pipeline(PCA(3), KMeans(3, random_state=0)).fit(X)
    >>> display = LatentSpaceDisplay.from_estimator(pipe, X, y, method="pca")
    >>> [panel.get_title() for panel in display.ax_]
    ['cluster', 'target']
    """

    def __init__(self, points, colorings, *, axis_name="component"):
        self.points = points
        self.colorings = colorings
        self.axis_name = axis_name

    @classmethod
    def from_estimator(cls, pipeline, X, y=None, *, method="tsne", random_state=0, ax=None):
        """Draw the latent space of a fitted pipeline, its clusters beside the labels.

        Parameters
        ----------
        pipeline : Pipeline
            Transformers, then a clusterer. One that has no `predict` (DBSCAN, say) tells
            the clusters of the tracks that it was fitted to only.
        X : array-like of length n_tracks
            The tracks, as the pipeline takes them.
        y : array-like of shape (n_tracks,), or DataFrame or dict of such, default=None
            Labels, a panel for each.
        method : {"tsne", "pca", "umap"}, default="tsne"
            As in `from_predictions`.
        random_state : int, RandomState instance or None, default=0
            Of t-SNE and UMAP.
        ax : array of matplotlib.axes.Axes, default=None
            One per panel; None makes a figure for them.

        Returns
        -------
        display : LatentSpaceDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If the pipeline does not end in a clusterer, or the clusterer can't tell the
            clusters of these tracks.
        """
        Z, clusters = embed_and_cluster(pipeline, X)
        labels = {} if y is None else by_name(y, "label")
        if "cluster" in labels:
            raise ValueError('The name "cluster" is taken: call the labels by another.')
        colorings = {"cluster": clusters, **labels}
        return cls.from_predictions(Z, colorings, method=method, random_state=random_state, ax=ax)

    @classmethod
    def from_predictions(cls, Z, colorings, *, method="tsne", random_state=0, ax=None):
        """Draw places in the latent space, brought to two dimensions.

        Parameters
        ----------
        Z : array-like of shape (n_tracks, n_components)
            The latent space; with one or two components, or with all tracks in one
            place, it is drawn as it is. A sparse matrix is drawn too. Missing tracks, whose rows
            are NaN, are left out.
        colorings : dict or DataFrame of str to array-like of shape (n_tracks,)
            One panel for each, ``{"cluster": ..., "genre": ...}`` for example.
        method : {"tsne", "pca", "umap"}, default="tsne"
            t-SNE [1]_ and UMAP [2]_ keep neighbours together: distances between groups
            mean little. PCA keeps the directions of largest variance. UMAP needs the
            package umap-learn.
        random_state : int, RandomState instance or None, default=0
            Of t-SNE and UMAP.
        ax : array of matplotlib.axes.Axes, default=None
            One per panel; None makes a figure for them.

        Returns
        -------
        display : LatentSpaceDisplay
            The display, drawn.

        Raises
        ------
        ImportError
            If ``method="umap"`` and umap-learn is not installed.
        ValueError
            If rows of Z are NaN in part, or all of them are NaN, or there are less than three
            tracks for UMAP.

        References
        ----------
        .. [1] L. van der Maaten and G. Hinton, "Visualizing Data using t-SNE",
           JMLR 2008.
        .. [2] L. McInnes, J. Healy and J. Melville, "UMAP: Uniform Manifold Approximation
           and Projection for Dimension Reduction", 2018.
        """
        if method not in _PROJECTIONS:
            raise ValueError(f"Got method={method!r}, expected one of {sorted(_PROJECTIONS)}.")
        Z = as_numbers(Z)
        present = is_present(Z)
        if not present.any():
            raise ValueError(f"All {len(present)} tracks are missing: their rows of Z are NaN.")
        axis_name, points = project(
            check_array(Z[present], accept_sparse="csr"), random_state, method
        )
        everywhere = np.full((len(present), 2), np.nan)
        everywhere[present] = points
        return cls(everywhere, colorings, axis_name=axis_name).plot(ax=ax)

    def plot(self, ax=None):
        """Draw the panels.

        Parameters
        ----------
        ax : array of matplotlib.axes.Axes, default=None
            One per panel; None makes a figure for them.

        Returns
        -------
        display : LatentSpaceDisplay
            The display.
        """
        points = np.asarray(self.points)
        colorings = by_name(self.colorings, "label")
        if not colorings:
            raise ValueError("Got no colorings, expected one per panel, such as the clusters.")
        check_consistent_length(points, *colorings.values())
        is_drawn = is_present(points)
        n_left_out = int(np.sum(~is_drawn))
        panels = {name: number_groups(groups) for name, groups in colorings.items()}
        legend_columns = {
            title: -(-len(names) // _GROUPS_PER_COLUMN) for title, (_, names, _) in panels.items()
        }
        widths = [5.5 + 1.3 * n_columns for n_columns in legend_columns.values()]
        self.ax_ = make_panels(
            ax, 1, len(panels), panel_size=(np.mean(widths), 5), width_ratios=widths
        ).ravel()
        self.figure_ = self.ax_[0].figure
        for panel, (title, (numbers, names, any_missing)) in zip(
            self.ax_, panels.items(), strict=True
        ):
            handles, entries = [], []
            for i, name in enumerate(names):
                chosen = (numbers == i) & is_drawn
                if not chosen.any():
                    continue  # all of its tracks are missing
                is_missing = any_missing and i == len(names) - 1
                color = "#BBBBBB" if is_missing else COLORS[i % len(COLORS)]
                handles.append(
                    panel.scatter(
                        *points[chosen].T,
                        s=30,
                        color=color,
                        marker=MARKERS[i // len(COLORS) % len(MARKERS)],
                        edgecolors="white",
                        linewidths=0.3,
                    )
                )
                entries.append(plain(f"{name} ({chosen.sum()})"))
            if n_left_out:
                handles.append(panel.scatter([], [], color="none"))
                entries.append(f"not drawn: missing ({n_left_out})")
            families = font_families([plain(title), *entries])
            panel.set_title(plain(title), fontfamily=families)
            panel.set(
                xticks=[], yticks=[], xlabel=f"{self.axis_name} 1", ylabel=f"{self.axis_name} 2"
            )
            panel.set_box_aspect(1)
            panel.legend(
                handles,
                entries,
                loc="center left",
                bbox_to_anchor=(1, 0.5),
                frameon=False,
                prop={"family": families},
                ncols=legend_columns[title],
            )
        return self


@config_context(transform_output="default")
def project(Z, random_state, method="tsne"):
    """Return what the axes are and the tracks' places, brought to two dimensions.

    Parameters
    ----------
    Z : ndarray or sparse matrix of shape (n_tracks, n_components)
        The latent space, of finite numbers; drawn as it is with one or two components, or with
        all tracks in one place but for rounding.
    random_state : int, RandomState instance or None
        Of t-SNE and UMAP.
    method : {"tsne", "pca", "umap"}, default="tsne"
        How.
    """
    Z = Z.toarray() if sparse.issparse(Z) else np.asarray(Z)
    Z = Z.astype(np.float64)
    spread = np.ptp(Z, axis=0)
    if Z.shape[1] <= 2 or (spread <= 10 * np.finfo(np.float64).eps * np.abs(Z).max(axis=0)).all():
        return "component", np.pad(Z[:, :2], [(0, 0), (0, max(0, 2 - Z.shape[1]))])
    axis_name, function = _PROJECTIONS[method]
    return axis_name, function(Z, random_state)


def _by_tsne(Z, random_state):
    # In float32, as t-SNE computes, a tiny spread has a standard deviation of 0, by which it would
    # divide. It sees ratios of distances only.
    Z = (Z - Z.min(axis=0)) / np.ptp(Z, axis=0).max()
    # As scikit-learn advises: fewer dimensions are faster, and less noise.
    Z = PCA(min(50, *Z.shape), random_state=random_state).fit_transform(Z)
    # t-SNE wants fewer neighbours than there are tracks.
    perplexity = min(30.0, max(1.0, (len(Z) - 1) / 3))
    return TSNE(perplexity=perplexity, init="pca", random_state=random_state).fit_transform(Z)


def _by_pca(Z, random_state):
    return PCA(2).fit_transform(Z)


def _by_umap(Z, random_state):
    check_array(Z, ensure_min_samples=3, estimator="UMAP")
    try:
        from umap import UMAP
    except ImportError as error:
        raise ImportError(
            'method="umap" needs umap-learn. Install it with: pip install "sklearn-music[umap]"'
        ) from error
    # UMAP warns where n_jobs is not 1, since a seed allows for no more.
    umap = UMAP(n_neighbors=min(15, len(Z) - 1), init="pca", random_state=random_state, n_jobs=1)
    return umap.fit_transform(Z)


# By method: the name of the axes, and the function.
_PROJECTIONS = {
    "tsne": ("t-SNE", _by_tsne),
    "pca": ("PCA", _by_pca),
    "umap": ("UMAP", _by_umap),
}
