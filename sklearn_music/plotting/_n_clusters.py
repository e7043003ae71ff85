"""The criteria for the number of clusters."""

from typing import Any, Self

import pandas as pd

from .._docstrings import shared
from ..model_selection import NClustersChoice, choose_n_clusters
from ._display import Display
from ._docstrings import TEXTS
from .style import COLORS

# The columns that are drawn, with the title of each panel.
_PANELS = {
    "silhouette": "silhouette ↑",
    "stability": "stability ↑",
    "calinski_harabasz": "Calinski-Harabasz ↑",
    "davies_bouldin": "Davies-Bouldin ↓",
    "bic": "BIC ↓",
    "gap": "gap statistic ↑",
}


@shared(TEXTS)
class NClustersDisplay(Display):
    """The criteria for the number of clusters as curves: silhouette, stability, BIC and others.

    An arrow in each title says whether higher or lower is better. A ring marks the number that the
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
    ax_ : ndarray of matplotlib.axes.Axes, shape (2, 3)
        Silhouette, stability, Calinski-Harabasz; Davies-Bouldin, BIC, gap statistic.

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
        ax : array of matplotlib.axes.Axes, shape (2, 3), default=None
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
        self._make_panels(ax, 2, 3, size=(3.2, 2.4))
        numbers = self.table["n_clusters"].to_numpy()
        for panel, (column, title) in zip(self.ax_.ravel(), _PANELS.items(), strict=True):
            values = self.table[column].to_numpy(dtype=float)
            panel.plot(numbers, values, "o-", ms=3, color=COLORS[0])
            taken = (self.by_rule or {}).get(column)
            ring = {"ms": 10, "mfc": "none", "color": COLORS[3]}
            panel.plot(numbers[numbers == taken], values[numbers == taken], "o", **ring)
            if self.n_clusters is not None:
                panel.axvline(self.n_clusters, ls="--", lw=1, color="black")
            panel.set(title=title)
            panel.xaxis.get_major_locator().set_params(integer=True)
        for panel in self.ax_[-1]:
            panel.set_xlabel("number of clusters")
        return self
