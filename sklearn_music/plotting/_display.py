"""What the displays share: figures, axes of spectrograms, groups of tracks."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils import column_or_1d

from .style import import_pyplot

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MISSING = "missing"


class Display:
    """Base of the displays."""

    figure_: "Figure"
    ax_: Any

    def _make_panels(self, ax, n_rows, n_columns, *, size, **kwargs):
        """Set `figure_`, and `ax_` as rows and columns of the given axes or of new ones."""
        plt = import_pyplot()
        if ax is None:
            kwargs |= {"figsize": (size[0] * n_columns, size[1] * n_rows), "layout": "constrained"}
            _, ax = plt.subplots(n_rows, n_columns, squeeze=False, **kwargs)
        panels = np.asarray(ax, dtype=object)
        if panels.size != n_rows * n_columns:
            raise ValueError(
                f"Got {panels.size} axes as ax, expected {n_rows} x {n_columns}: one per panel."
            )
        self.ax_ = panels.reshape(n_rows, n_columns)
        self.figure_ = self.ax_[0, 0].figure


class SpectrogramDisplay(Display):
    """Base of the displays of mel spectrograms: panels with axes in seconds and Hz."""

    def __init__(self, sample_rate: int, hop_length: int, fmin: float, fmax: float | None):
        self.sample_rate = sample_rate
        self.hop_length = hop_length
        self.fmin = fmin
        self.fmax = fmax

    def _draw(self, panel, image, **kwargs):
        """Draw one spectrogram, of shape (n_bands, n_frames)."""
        import librosa

        fmax = self.fmax or self.sample_rate / 2
        # The edges of the bands. librosa would take the lowest and the highest for centres.
        edges = librosa.mel_frequencies(len(image) + 2, fmin=self.fmin, fmax=fmax)
        mesh = librosa.display.specshow(
            np.nan_to_num(image),  # librosa fails where nothing is finite
            sr=self.sample_rate,
            hop_length=self.hop_length,
            x_axis="time",
            y_axis="mel",
            y_coords=edges[1:-1],
            ax=panel,
            **kwargs,
        )
        mesh.set_array(image)
        panel.set(xlabel="", ylabel="")
        return mesh

    def _label(self, titles, names, **kwargs):
        """Write the title of each column and the name of each row, once all is drawn."""
        for first, last, title in zip(self.ax_[0], self.ax_[-1], titles, strict=True):
            first.set_title(title)
            last.set_xlabel("seconds")
        for panel, name in zip(self.ax_[:, 0], names, strict=True):
            panel.set_ylabel(f"{name}\nHz".lstrip(), **kwargs)


def number_groups(groups: Any) -> tuple[NDArray[np.intp], list[str], bool]:
    """Return the number of each track's group, the groups' names, and whether any is missing.

    Groups are sorted, numbers as numbers. Tracks without a group are the last group.
    """
    numbers, values = pd.factorize(column_or_1d(np.asarray(groups, dtype=object)), sort=True)
    names = [str(value) for value in values]
    any_missing = bool((numbers < 0).any())
    if any_missing:
        numbers = np.where(numbers < 0, len(names), numbers)
        # There may be a label of this name.
        names.append(f"({_MISSING})" if _MISSING in names else _MISSING)
    return numbers, names, any_missing
