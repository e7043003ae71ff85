"""What the decoder makes of tracks."""

import numpy as np

from ._spectrogram_codec import SpectrogramCodec, draw_spectrogram
from .style import font_families, make_panels, plain


class ReconstructionDisplay:
    """Spectrograms beside their reconstructions and the differences.

    Parameters
    ----------
    originals : array-like of shape (n_tracks, n_bands, n_frames)
        The mel spectrograms, in dB. A track that could not be read is NaN, and its panels are
        empty.
    reconstructions : array-like of shape (n_tracks, n_bands, n_frames)
        What the decoder made of them.
    names : sequence of str, default=None
        The names of the tracks.
    sample_rate : int, default=22050
        In Hz.
    hop_length : int, default=512
        Step from a frame to the next, in samples.
    fmin : float, default=0.0
        Lowest frequency of the mel bands, in Hz.
    fmax : float, default=None
        Highest frequency of the mel bands, in Hz; None is half the sample rate.

    Attributes
    ----------
    figure_ : matplotlib.figure.Figure
        The figure, after `plot`.
    ax_ : ndarray of matplotlib.axes.Axes, shape (n_tracks, 3)
        Original, reconstruction and difference of each track.

    See Also
    --------
    LatentTraversalDisplay : What the decoder makes of places between the tracks.

    Examples
    --------
    >>> from sklearn.decomposition import PCA
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn_music import SpectrogramExtractor
    >>> from sklearn_music.datasets import make_music
    >>> from sklearn_music.plotting import ReconstructionDisplay
    >>> tracks = make_music(4, duration=0.5, random_state=0).data[["audio"]]
    >>> pipe = make_pipeline(SpectrogramExtractor(n_mels=20), PCA(2)).fit(tracks)
    >>> ReconstructionDisplay.from_estimator(pipe, tracks[:2]).ax_.shape
    (2, 3)
    """

    def __init__(
        self,
        originals,
        reconstructions,
        *,
        names=None,
        sample_rate=22050,
        hop_length=512,
        fmin=0.0,
        fmax=None,
    ):
        self.originals = originals
        self.reconstructions = reconstructions
        self.names = names
        self.sample_rate = sample_rate
        self.hop_length = hop_length
        self.fmin = fmin
        self.fmax = fmax

    @classmethod
    def from_estimator(cls, pipeline, X, *, names=None, ax=None):
        """Reconstruct tracks with a fitted pipeline, and draw them.

        Parameters
        ----------
        pipeline : Pipeline
            A SpectrogramExtractor of mel spectrograms, then an embedder such as a VAE,
            between them only steps that have `inverse_transform`. The extractor may be in
            a block of a ColumnTransformer, with the embedder in it or behind it. What
            follows the embedder is left out. A `BetaCVAE` decodes each track under the
            track's own condition, a `TrackVAE` at its own level.
        X : array-like
            Some tracks, as the pipeline takes them.
        names : sequence of str, default=None
            The names of the tracks.
        ax : array of matplotlib.axes.Axes of shape (n_tracks, 3), default=None
            One per panel; None makes a figure for them.

        Returns
        -------
        display : ReconstructionDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If the pipeline has no such extractor, or no embedder behind it.
        """
        codec = SpectrogramCodec(pipeline)
        reconstructions = codec.reconstruct(X)
        return cls(codec.spectrograms(X), reconstructions, names=names, **codec.axes).plot(ax=ax)

    def plot(self, ax=None):
        """Draw one row per track.

        Parameters
        ----------
        ax : array of matplotlib.axes.Axes of shape (n_tracks, 3), default=None
            One per panel; None makes a figure for them.

        Returns
        -------
        display : ReconstructionDisplay
            The display.

        Raises
        ------
        ValueError
            If there are not as many reconstructions, or names, as originals, or if all of these
            are NaN.
        """
        originals, reconstructions = np.asarray(self.originals), np.asarray(self.reconstructions)
        if originals.shape != reconstructions.shape or originals.ndim != 3 or not originals.size:
            raise ValueError(
                f"Got originals of shape {originals.shape} and reconstructions of shape "
                f"{reconstructions.shape}, expected both to be (n_tracks, n_bands, n_frames)."
            )
        names = [""] * len(originals) if self.names is None else [str(name) for name in self.names]
        if len(names) != len(originals):
            raise ValueError(f"Got {len(names)} names for {len(originals)} tracks.")
        if np.isnan(originals).all():
            raise ValueError(
                "Got NaN in place of every spectrogram, expected one at least: show tracks that "
                "can be read."
            )
        differences = reconstructions - originals
        # A track without a spectrogram is NaN.
        low, high = np.nanpercentile(originals, [1, 100])
        spread = np.nanpercentile(np.abs(differences), 99) or 1.0  # 0 where nothing was lost
        level = {"cmap": "magma", "vmin": low, "vmax": high}
        columns = {
            "original": (originals, level),
            "reconstruction": (reconstructions, level),
            "difference": (differences, {"cmap": "RdBu_r", "vmin": -spread, "vmax": spread}),
        }
        self.ax_ = make_panels(
            ax, len(originals), len(columns), panel_size=(4.3, 2.6), sharex=True, sharey=True
        )
        self.figure_ = self.ax_[0, 0].figure
        families = font_families([plain(name) for name in names])
        for column, (title, (images, colors)) in enumerate(columns.items()):
            for panel, image in zip(self.ax_[:, column], images, strict=True):
                mesh = draw_spectrogram(panel, image, self, **colors)
                if title != "original":
                    sign = "+" if title == "difference" else ""
                    self.figure_.colorbar(mesh, ax=panel, format=f"%{sign}.0f dB")
            self.ax_[0, column].set_title(title)
            self.ax_[-1, column].set_xlabel("seconds")
        for panel, name in zip(self.ax_[:, 0], names, strict=True):
            panel.set_ylabel(f"{plain(name)}\nHz".lstrip(), fontfamily=families)
        return self
