"""The criteria for the number of clusters."""

from typing import Any, Self

import pandas as pd

from .._docstrings import shared
from ..model_selection import NClustersChoice, choose_n_clusters
from ._display import Display
from ._docstrings import TEXTS
from .style import COLORS

# The column of each panel, the rule that goes by it, and the title.
_PANELS = {
    "silhouette": ("silhouette", "silhouette ↑"),
    "stability": ("stability", "stability ↑"),
    "auto": ("auto", "silhouette × stability ↑"),
    "calinski_harabasz": ("calinski_harabasz", "Calinski-Harabasz ↑"),
    "davies_bouldin": ("davies_bouldin", "Davies-Bouldin ↓"),
    "bic": ("bic", "BIC ↓"),
    "gap": ("gap", "gap statistic ↑"),
    "inertia": ("elbow", "inertia (elbow)"),
}


@shared(TEXTS)
class NClustersDisplay(Display):
    """The criteria for the number of clusters as curves: silhouette, stability, BIC and others.

    An arrow says whether higher or lower is better. A ring marks the number that the
    rule of this criterion takes, a dashed line the number chosen.

    Parameters
    ----------
    table : DataFrame
        The `table` of an `NClustersChoice`.
    n_clusters : int, default=None
        The number chosen. None draws no line.
    by_rule : dict of str to int, default=None
        The number that each rule takes. None draws no rings.

    Attributes
    ----------
    {figure}
    ax_ : ndarray of matplotlib.axes.Axes, shape (2, 4)
        Silhouette, stability, their product, Calinski-Harabasz; Davies-Bouldin, BIC, gap
        statistic, inertia.

    See Also
    --------
    sklearn_music.model_selection.choose_n_clusters : Computes what is drawn.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from sklearn_music.model_selection import choose_n_clusters
    >>> from sklearn_music.plotting import NClustersDisplay
    >>> Z, _ = make_blobs(100, centers=5, cluster_std=0.5, random_state=3)
    >>> choice = choose_n_clusters(Z, n_clusters=range(2, 8), n_seeds=3)
    >>> display = NClustersDisplay.from_choice(choice)
    >>> display.ax_[0, 0].get_title()
    'silhouette ↑'
    """

    def __init__(
        self,
        table: pd.DataFrame,
        n_clusters: int | None = None,
        by_rule: dict[str, int] | None = None,
    ):
        self.table = table
        self.n_clusters = n_clusters
        self.by_rule = by_rule

    @classmethod
    @shared(TEXTS)
    def from_choice(cls, choice: NClustersChoice, *, ax: Any = None) -> Self:
        """Draw what `choose_n_clusters` returned.

        Parameters
        ----------
        choice : NClustersChoice
            The choice.
        {ax}
        """
        return cls(choice.table, choice.n_clusters, choice.by_rule).plot(ax=ax)

    @classmethod
    @shared(TEXTS)
    def from_estimator(
        cls, estimator: Any, X: Any = None, *, ax: Any = None, **params: Any
    ) -> Self:
        """Choose the number of clusters, and draw the criteria.

        Parameters
        ----------
        estimator : Pipeline, clusterer or array-like of shape (n_tracks, n_components)
            As for `choose_n_clusters`.
        X : array-like or DataFrame of length n_tracks, default=None
            The tracks.
        ax : array of matplotlib.axes.Axes, shape (2, 4), default=None
            Where to draw. None makes a figure.
        **params : dict of str -> object
            Parameters of `choose_n_clusters`.

        Returns
        -------
        self : object
            The display, drawn.

        Raises
        ------
        ValueError
            As `choose_n_clusters` does.
        """
        return cls.from_choice(choose_n_clusters(estimator, X, **params), ax=ax)

    @shared(TEXTS)
    def plot(self, ax: Any = None) -> Self:
        """Draw the curves.

        {plot}

        Raises
        ------
        ValueError
            If the table lacks a column that is drawn.
        """
        if missing := {"n_clusters", *_PANELS} - set(self.table):
            raise ValueError(
                f"Got a table without {', '.join(sorted(missing))}, expected the table of an "
                "NClustersChoice."
            )
        self._make_panels(ax, 2, 4, size=(2.8, 2.4))
        numbers = self.table["n_clusters"].to_numpy()
        for panel, (column, (rule, title)) in zip(self.ax_.flat, _PANELS.items(), strict=True):
            values = self.table[column].to_numpy(dtype=float)
            panel.plot(numbers, values, "o-", ms=3, color=COLORS[0])
            taken = (self.by_rule or {}).get(rule)
            if taken is not None:
                ring = {"ms": 10, "mfc": "none", "color": COLORS[3], "label": "by this criterion"}
                panel.plot(numbers[numbers == taken], values[numbers == taken], "o", **ring)
            if self.n_clusters is not None:
                label = f"chosen: {self.n_clusters}"
                panel.axvline(self.n_clusters, ls="--", lw=1, color="black", label=label)
            panel.set(title=title)
            panel.xaxis.get_major_locator().set_params(integer=True)
        for panel in self.ax_[-1]:
            panel.set_xlabel("number of clusters")
        if self.ax_[0, 0].get_legend_handles_labels()[0]:
            self.ax_[0, 0].legend(frameon=False, fontsize="small")
        return self
