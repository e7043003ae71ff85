"""Spectrograms and their reconstructions."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from .._docstrings import shared
from ._display import SpectrogramDisplay
from ._docstrings import TEXTS
from ._spectrogram_codec import SpectrogramCodec
from .style import font_families, plain


@shared(TEXTS)
class ReconstructionDisplay(SpectrogramDisplay):
    """Spectrograms next to their reconstructions and the differences.

    Use it to see what the latent vector of a track keeps. Make it with `from_estimator`.

    Parameters
    ----------
    originals : array-like of shape (n_tracks, n_bands, n_frames)
        The mel spectrograms, in dB. A track that could not be read is NaN, and its panels are
        empty.
    reconstructions : array-like of shape (n_tracks, n_bands, n_frames)
        The spectrograms that the decoder makes of the latent vectors, in dB.
    names : sequence of str, default=None
        The names of the tracks.
    {mel_axes}

    Attributes
    ----------
    {figure}
    ax_ : ndarray of matplotlib.axes.Axes, shape (n_tracks, 3)
        Original, reconstruction and difference of each track.

    See Also
    --------
    LatentTraversalDisplay : Spectrograms decoded along the components of the latent space.

    Examples
    --------
    {decoder_example}
    >>> from sklearn_music.plotting import ReconstructionDisplay
    >>> ReconstructionDisplay.from_estimator(pipe, tracks[:2]).ax_.shape
    (2, 3)
    """

    def __init__(
        self,
        originals: Any,
        reconstructions: Any,
        *,
        names: Sequence[str] | None = None,
        sample_rate: int = 22050,
        hop_length: int = 512,
        fmin: float = 0.0,
        fmax: float | None = None,
    ):
        super().__init__(sample_rate, hop_length, fmin, fmax)
        self.originals = originals
        self.reconstructions = reconstructions
        self.names = names

    @classmethod
    @shared(TEXTS)
    def from_estimator(
        cls, pipeline: Any, X: Any, *, names: Sequence[str] | None = None, ax: Any = None
    ) -> Self:
        """Reconstruct tracks with a fitted pipeline, and draw them.

        Parameters
        ----------
        {decoder}
        names : sequence of str, default=None
            The names of the tracks.
        {ax}

        Raises
        ------
        ValueError
            If the pipeline has no such extractor, or no embedder behind it, or if none of the
            tracks has a latent vector.
        """
        codec = SpectrogramCodec(pipeline)
        reconstructions = codec.reconstruct(X)
        return cls(codec.spectrograms(X), reconstructions, names=names, **codec.axes).plot(ax=ax)

    @shared(TEXTS)
    def plot(self, ax: Any = None) -> Self:
        """Draw one row per track.

        {plot}

        Raises
        ------
        ValueError
            If there are not as many reconstructions, or names, as originals, or if all
            originals are NaN.
        """
        originals, reconstructions, names = self._check()
        differences = reconstructions - originals
        low, high = np.nanpercentile(originals, [1, 100])
        largest = np.nanpercentile(np.abs(differences), 99) or 1.0  # 0 where nothing was lost
        level = {"cmap": "magma", "vmin": low, "vmax": high}
        columns: dict[str, tuple[Any, dict[str, Any]]] = {
            "original": (originals, level),
            "reconstruction": (reconstructions, level),
            "difference": (differences, {"cmap": "RdBu_r", "vmin": -largest, "vmax": largest}),
        }
        shape = (len(originals), len(columns))
        self._make_panels(ax, *shape, size=(4.3, 2.6), sharex=True, sharey=True)
        for column, (title, (images, colors)) in enumerate(columns.items()):
            for panel, image in zip(self.ax_[:, column], images, strict=True):
                mesh = self._draw(panel, image, **colors)
                if title != "original":
                    sign = "+" if title == "difference" else ""
                    self.figure_.colorbar(mesh, ax=panel, format=f"%{sign}.0f dB")
        self._label(columns, names, fontfamily=font_families(names))
        return self

    def _check(self) -> tuple[Any, Any, list[str]]:
        originals, reconstructions = np.asarray(self.originals), np.asarray(self.reconstructions)
        if originals.shape != reconstructions.shape or originals.ndim != 3 or not originals.size:
            raise ValueError(
                f"Got originals of shape {originals.shape} and reconstructions of shape "
                f"{reconstructions.shape}, expected both to be (n_tracks, n_bands, n_frames)."
            )
        names = (
            [""] * len(originals) if self.names is None else [plain(name) for name in self.names]
        )
        if len(names) != len(originals):
            raise ValueError(
                f"Got {len(names)} names for {len(originals)} tracks, expected one for each."
            )
        if np.isnan(originals).all():
            raise ValueError(
                "Got NaN in place of every spectrogram, expected one at least: show tracks that "
                "can be read."
            )
        return originals, reconstructions, names
