"""The training of an embedder."""

import itertools
from typing import Any, Self

import pandas as pd

from .._docstrings import shared
from .._inspection import find_embedders
from ._display import Display
from ._docstrings import TEXTS
from .style import COLORS

_REQUIRED = {"epoch", "train_loss", "reconstruction", "kl", "active_units"}
_NO_TERMS = _REQUIRED - {"kl"} | {"valid_loss", "dur"}
_NAMES = {"train_loss": "training", "valid_loss": "validation", "kl": "KL divergence"}


@shared(TEXTS)
class TrainingHistoryDisplay(Display):
    """The loss of an embedder, its terms and its active units, by epoch.

    Use it to see whether the training has converged, and whether the posterior has collapsed:
    then the KL divergence and the number of active units fall to zero.

    Parameters
    ----------
    history : list of dict, or DataFrame
        One row per epoch, as in the `history_` of an embedder.

    Attributes
    ----------
    {figure}
    ax_ : ndarray of matplotlib.axes.Axes, shape (4,)
        The loss; the reconstruction error; the KL divergence and the other terms of the loss;
        the active units.

    See Also
    --------
    sklearn_music.VAE : Describes the columns of its `history_`.

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

    def __init__(self, history: Any):
        self.history = history

    @classmethod
    @shared(TEXTS)
    def from_estimator(cls, estimator: Any, *, ax: Any = None) -> Self:
        """Draw the history of a fitted embedder, or of the one in a pipeline.

        Parameters
        ----------
        estimator : estimator
            Holds exactly one fitted embedder, at any depth: in a Pipeline, ColumnTransformer,
            FeatureUnion or SkipMissing, or in the best estimator of a search.
        {ax}

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

    @shared(TEXTS)
    def plot(self, ax: Any = None) -> Self:
        """Draw the panels.

        {plot}

        Raises
        ------
        ValueError
            If the history is empty, or lacks a column that is drawn.
        """
        history = pd.DataFrame(self.history)
        if missing := _REQUIRED - set(history):
            raise ValueError(
                f"Got a history without {', '.join(sorted(missing))}, expected the history_ of an "
                "embedder such as VAE."
            )
        terms = [
            name
            for name in map(str, history.select_dtypes("number"))
            if name not in _NO_TERMS and not name.startswith(("event_", "train_", "valid_"))
        ]
        panels = {
            "loss": ["train_loss", "valid_loss"],
            "reconstruction": ["reconstruction"],
            "latent space (nats)": sorted(terms, key=lambda name: name != "kl"),  # which is first
            "active units": ["active_units"],
        }
        self._make_panels(ax, 1, len(panels), size=(3.6, 3.2))
        self.ax_ = self.ax_[0]
        for panel, (title, names) in zip(self.ax_, panels.items(), strict=True):
            drawn = [name for name in names if name in history]
            for name, color in zip(drawn, itertools.cycle(COLORS), strict=False):
                label = _NAMES.get(name, name.replace("_", " "))
                look = {"ms": 3, "color": color, "label": label}
                panel.plot(history["epoch"], history[name], "o-", **look)
            panel.set(title=title, xlabel="epoch")
            panel.xaxis.get_major_locator().set_params(integer=True)
            if len(drawn) > 1:
                panel.legend(frameon=False)
        self.ax_[-1].set_ylim(bottom=0)
        self.ax_[-1].yaxis.get_major_locator().set_params(integer=True)
        return self
