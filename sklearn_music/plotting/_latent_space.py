"""The map of the tracks."""

from typing import Any, Self

import numpy as np
from sklearn.utils import check_array
from sklearn.utils.validation import check_consistent_length

from .._docstrings import shared
from .._inspection import embed_and_cluster
from .._tables import as_numbers, by_name, is_present
from ._display import Display, number_groups
from ._docstrings import TEXTS
from .projection import Method, Seed, project
from .style import COLORS, MARKERS, font_families, plain

_GROUPS_PER_COLUMN = 20


@shared(TEXTS)
class LatentSpaceDisplay(Display):
    """A map of the latent space in two dimensions, coloured by cluster and by label.

    There is one panel per colouring, with a legend that counts the tracks of each group.
    Make it with `from_estimator` or `from_predictions`, by t-SNE [1]_, UMAP [2]_ or PCA.

    Parameters
    ----------
    points : array-like of shape (n_tracks, 2)
        The position of each track. Missing tracks, which are NaN, are only counted.
    colorings : dict or DataFrame of str to array-like of shape (n_tracks,)
        For each panel, its title and the group of each track. A track whose group is missing
        is grey.
    axis_name : str, default="component"
        Name of the two axes.

    Attributes
    ----------
    {figure}
    ax_ : ndarray of matplotlib.axes.Axes, shape (n_panels,)
        The panels.

    See Also
    --------
    ClusterCompositionDisplay : Counts of clusters against labels.

    References
    ----------
    .. [1] L. van der Maaten and G. Hinton, "Visualizing Data using t-SNE",
       JMLR 9, 2008.
    .. [2] L. McInnes, J. Healy and J. Melville, "UMAP: Uniform Manifold Approximation
       and Projection for Dimension Reduction", arXiv:1802.03426, 2018.

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

    def __init__(self, points: Any, colorings: Any, *, axis_name: str = "component"):
        self.points = points
        self.colorings = colorings
        self.axis_name = axis_name

    @classmethod
    @shared(TEXTS)
    def from_estimator(
        cls,
        pipeline: Any,
        X: Any,
        y: Any = None,
        *,
        method: Method = "tsne",
        random_state: Seed = 0,
        ax: Any = None,
    ) -> Self:
        """Draw the latent space of a fitted pipeline, its clusters next to the labels.

        Parameters
        ----------
        {tracks}
        y : array-like of shape (n_tracks,), or DataFrame or dict of such, default=None
            Labels, with one panel for each column.
        {projection}
        {ax}

        {not_clustered}
        """
        Z, clusters = embed_and_cluster(pipeline, X)
        labels = {} if y is None else by_name(y, "label")
        if "cluster" in labels:
            raise ValueError('The name "cluster" is taken: give the labels another name.')
        colorings = {"cluster": clusters, **labels}
        return cls.from_predictions(Z, colorings, method=method, random_state=random_state, ax=ax)

    @classmethod
    @shared(TEXTS)
    def from_predictions(
        cls,
        Z: Any,
        colorings: Any,
        *,
        method: Method = "tsne",
        random_state: Seed = 0,
        ax: Any = None,
    ) -> Self:
        """Draw latent vectors, projected to two dimensions.

        Parameters
        ----------
        Z : array-like or sparse matrix of shape (n_tracks, n_components)
            The latent vectors. One or two components are drawn as they are. Missing tracks,
            which are NaN, are left out.
        colorings : dict or DataFrame of str to array-like of shape (n_tracks,)
            One panel for each, ``{"cluster": ..., "genre": ...}`` for example.
        {projection}
        {ax}

        Raises
        ------
        ImportError
            If ``method="umap"`` and umap-learn is not installed.
        ValueError
            If a latent vector is NaN in part, if all tracks are missing, or if UMAP gets fewer
            than three tracks.
        """
        Z = as_numbers(Z)
        present = is_present(Z)
        if not present.any():
            raise ValueError(
                f"All {len(present)} tracks are missing: their latent vectors are NaN. Pass tracks "
                "of which something is known."
            )
        points = np.full((len(present), 2), np.nan)
        Z = check_array(Z[present], accept_sparse="csr")
        axis_name, points[present] = project(Z, random_state, method)
        return cls(points, colorings, axis_name=axis_name).plot(ax=ax)

    @shared(TEXTS)
    def plot(self, ax: Any = None) -> Self:
        """Draw the panels.

        {plot}
        """
        points = np.asarray(self.points)
        colorings = by_name(self.colorings, "label")
        if not colorings:
            raise ValueError("Got no colorings, expected one per panel, such as the clusters.")
        check_consistent_length(points, *colorings.values())
        groups = [number_groups(values) for values in colorings.values()]
        titles = [plain(title) for title in colorings]
        n_columns = [-(-len(names) // _GROUPS_PER_COLUMN) for _, names, _ in groups]
        widths = [5.5 + 1.3 * n for n in n_columns]
        self._make_panels(ax, 1, len(groups), size=(np.mean(widths), 5), width_ratios=widths)
        self.ax_ = self.ax_[0]
        texts = [*titles, *(plain(name) for _, names, _ in groups for name in names)]
        families = font_families(texts)
        for panel, title, group, n in zip(self.ax_, titles, groups, n_columns, strict=True):
            handles, entries = _draw_groups(panel, points, *group)
            panel.set_title(title, fontfamily=families)
            panel.set(xticks=[], yticks=[])
            panel.set(xlabel=f"{self.axis_name} 1", ylabel=f"{self.axis_name} 2")
            panel.set_box_aspect(1)
            look = {"frameon": False, "prop": {"family": families}, "ncols": n}
            beside = {"loc": "center left", "bbox_to_anchor": (1, 0.5)}
            legend = panel.legend(handles, range(len(entries)), **look, **beside)
            # matplotlib before 3.10 leaves out labels that begin with "_".
            for text, entry in zip(legend.get_texts(), entries, strict=True):
                text.set_text(entry)
        return self


def _draw_groups(panel, points, numbers, names, any_missing):
    """Draw the tracks of each group, and return the handles and the entries of the legend."""
    is_drawn = is_present(points)
    handles, entries = [], []
    for i, name in enumerate(names):
        chosen = (numbers == i) & is_drawn
        if not chosen.any():
            continue  # all of its tracks are missing
        is_missing = any_missing and i == len(names) - 1
        color = "#BBBBBB" if is_missing else COLORS[i % len(COLORS)]
        marker = MARKERS[i // len(COLORS) % len(MARKERS)]
        look = {"color": color, "marker": marker, "edgecolors": "white", "linewidths": 0.3}
        handles.append(panel.scatter(*points[chosen].T, s=30, **look))
        entries.append(plain(f"{name} ({chosen.sum()})"))
    if n_left_out := int(np.sum(~is_drawn)):
        handles.append(panel.scatter([], [], color="none"))
        entries.append(f"not drawn: missing ({n_left_out})")
    return handles, entries
