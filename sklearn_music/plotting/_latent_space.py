"""The map of the tracks."""

import numpy as np
from sklearn.manifold import TSNE
from sklearn.utils.validation import check_consistent_length

from ._matplotlib import COLORS, MARKERS, import_pyplot


class LatentSpaceDisplay:
    """A map of the latent space in two dimensions, coloured by cluster and by label.

    Parameters
    ----------
    points : ndarray of shape (n_tracks, 2)
        Where each track is drawn.
    colorings : dict of str to array-like of shape (n_tracks,)
        One panel for each: its title, and the group of each track.

    Attributes
    ----------
    figure_ : matplotlib.figure.Figure
        The figure, after `plot`.
    ax_ : ndarray of matplotlib.axes.Axes
        One per panel.

    See Also
    --------
    ReconstructionDisplay : What the decoder makes of tracks.
    """

    def __init__(self, points, colorings):
        self.points = points
        self.colorings = colorings

    @classmethod
    def from_predictions(cls, Z, colorings, *, random_state=0, ax=None):
        """Draw places in the latent space, brought to two dimensions by t-SNE.

        Parameters
        ----------
        Z : array-like of shape (n_tracks, n_components)
            The latent space; with two components it is drawn as it is.
        colorings : dict of str to array-like of shape (n_tracks,)
            One panel for each, ``{"cluster": ..., "genre": ...}`` for example.
        random_state : int, RandomState instance or None, default=0
            Of t-SNE.
        ax : array of matplotlib.axes.Axes, default=None
            One per panel.

        Returns
        -------
        display : LatentSpaceDisplay
            The display, drawn.
        """
        Z = np.asarray(Z)
        check_consistent_length(Z, *colorings.values())
        if Z.shape[1] > 2:
            # t-SNE wants fewer neighbours than there are tracks.
            perplexity = min(30.0, max(1.0, (len(Z) - 1) / 3))
            tsne = TSNE(perplexity=perplexity, init="pca", random_state=random_state)
            Z = tsne.fit_transform(Z)
        return cls(Z, colorings).plot(ax=ax)

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
        if ax is None:
            n_panels = len(self.colorings)
            _, ax = import_pyplot().subplots(
                1, n_panels, figsize=(6 * n_panels, 5.5), layout="constrained"
            )
        self.ax_ = np.atleast_1d(ax)
        self.figure_ = self.ax_[0].figure
        for panel, (title, groups) in zip(self.ax_, self.colorings.items(), strict=True):
            groups = np.asarray(groups).astype(str)
            for i, group in enumerate(np.unique(groups)):
                chosen = groups == group
                panel.scatter(
                    *self.points[chosen].T,
                    s=18,
                    color=COLORS[i % len(COLORS)],
                    marker=MARKERS[i // len(COLORS) % len(MARKERS)],
                    linewidths=0,
                    alpha=0.8,
                    label=f"{group} ({chosen.sum()})",
                )
            panel.set(title=title, xticks=[], yticks=[])
            panel.set_box_aspect(1)
            panel.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
        return self
