"""How the training of an embedder went."""

import pandas as pd

from .._inspection import find_embedders
from .style import COLORS, make_panels

# By panel: the columns of the history, and what they are called in the legend.
_PANELS: dict[str, dict[str, str | None]] = {
    "loss": {"train_loss": "training", "valid_loss": "validation"},
    "reconstruction": {"reconstruction": None},
    "latent space (nats)": {
        "kl": "KL divergence",
        "contrastive": "contrastive",
        "cross_modal": "with side features",
    },
    "active units": {"active_units": None},
}
_REQUIRED = {"epoch", "train_loss", "reconstruction", "kl", "active_units"}


class TrainingHistoryDisplay:
    """The loss of an embedder, its terms and its active units, by epoch.

    Parameters
    ----------
    history : list of dict, or DataFrame
        One row per epoch, as the `history_` of an embedder.

    Attributes
    ----------
    figure_ : matplotlib.figure.Figure
        The figure, after `plot`.
    ax_ : ndarray of matplotlib.axes.Axes, shape (4,)
        Loss, reconstruction, KL divergence, active units.

    See Also
    --------
    sklearn_music.VAE : What the columns of its `history_` mean.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_music import VAE
    >>> from sklearn_music.plotting import TrainingHistoryDisplay
    >>> vae = VAE(2, beta=0.1, max_epochs=20, random_state=0).fit(load_iris().data)
    >>> display = TrainingHistoryDisplay(vae.history_).plot()
    >>> [panel.get_title() for panel in display.ax_]
    ['loss', 'reconstruction', 'latent space (nats)', 'active units']
    """

    def __init__(self, history):
        self.history = history

    @classmethod
    def from_estimator(cls, estimator, *, ax=None):
        """Draw the history of a fitted embedder, or of the one in a pipeline.

        Parameters
        ----------
        estimator : estimator
            What holds exactly one fitted embedder, at any depth: in a Pipeline, ColumnTransformer,
            FeatureUnion or SkipMissing, or as the best one of a search.
        ax : array of matplotlib.axes.Axes of shape (4,), default=None
            One per panel; None makes a figure for them.

        Returns
        -------
        display : TrainingHistoryDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If the estimator holds no fitted embedder, or several.
        """
        embedders = [part.estimator for part in find_embedders(estimator)]
        histories = [part.history_ for part in embedders if hasattr(part, "history_")]
        if len(histories) != 1:
            raise ValueError(
                f"Got {estimator!r}, which holds {len(histories)} fitted embedders, expected one: "
                "pass the embedder itself."
            )
        return cls(histories[0]).plot(ax=ax)

    def plot(self, ax=None):
        """Draw the panels.

        Parameters
        ----------
        ax : array of matplotlib.axes.Axes of shape (4,), default=None
            One per panel; None makes a figure for them.

        Returns
        -------
        display : TrainingHistoryDisplay
            The display.

        Raises
        ------
        ValueError
            If the history is empty, or lacks what is drawn.
        """
        history = pd.DataFrame(self.history)
        if missing := _REQUIRED - set(history):
            raise ValueError(
                f"Got a history without {', '.join(sorted(missing))}, expected that of an embedder "
                "such as VAE: its history_."
            )
        self.ax_ = make_panels(ax, 1, len(_PANELS), panel_size=(3.6, 3.2)).ravel()
        self.figure_ = self.ax_[0].figure
        for panel, (title, columns) in zip(self.ax_, _PANELS.items(), strict=True):
            for i, (column, name) in enumerate(columns.items()):
                if column in history:
                    panel.plot(
                        history["epoch"], history[column], "o-", ms=3, color=COLORS[i], label=name
                    )
            panel.set(title=title, xlabel="epoch")
            panel.xaxis.get_major_locator().set_params(integer=True)
        self.ax_[-1].set_ylim(bottom=0)
        self.ax_[-1].yaxis.get_major_locator().set_params(integer=True)
        for panel in self.ax_:
            if len(panel.lines) > 1:
                panel.legend(frameon=False)
        return self
