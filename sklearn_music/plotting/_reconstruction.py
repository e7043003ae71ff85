"""What the decoder makes of tracks."""

import librosa
import numpy as np

from ._matplotlib import import_pyplot


class ReconstructionDisplay:
    """Spectrograms beside their reconstructions and the differences.

    Parameters
    ----------
    originals : ndarray of shape (n_tracks, n_bands, n_frames)
        The spectrograms.
    reconstructions : ndarray of shape (n_tracks, n_bands, n_frames)
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
    LatentSpaceDisplay : The map of the tracks.
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
        self.names = None if names is None else list(names)
        self.sample_rate = sample_rate
        self.hop_length = hop_length
        self.fmin = fmin
        self.fmax = fmax

    @classmethod
    def from_estimator(cls, pipeline, X, *, names=None):
        """Reconstruct tracks with a fitted pipeline, and draw them.

        Parameters
        ----------
        pipeline : Pipeline
            A SpectrogramExtractor of mel spectrograms, then steps that all have
            `inverse_transform`, such as a StandardScaler and a VAE.
        X : array-like
            Some tracks, as the pipeline takes them.
        names : sequence of str, default=None
            The names of the tracks.

        Returns
        -------
        display : ReconstructionDisplay
            The display, drawn.
        """
        extractor, embedder = pipeline[0], pipeline[1:]
        originals = extractor.transform(X)
        reconstructions = embedder.inverse_transform(embedder.transform(originals))
        shape = (-1, *extractor.image_shape_)
        return cls(
            originals.reshape(shape),
            np.asarray(reconstructions).reshape(shape),
            names=names,
            sample_rate=extractor.sample_rate,
            hop_length=extractor.hop_length,
            fmin=extractor.fmin,
            fmax=extractor.fmax,
        ).plot()

    def plot(self):
        """Draw one row per track.

        Returns
        -------
        display : ReconstructionDisplay
            The display.
        """
        plt = import_pyplot()
        n_tracks = len(self.originals)
        self.figure_, self.ax_ = plt.subplots(
            n_tracks,
            3,
            figsize=(13, 2.6 * n_tracks),
            layout="constrained",
            sharex=True,
            sharey=True,
            squeeze=False,
        )
        low, high = np.percentile(self.originals, [1, 100])
        difference = self.reconstructions - self.originals
        spread = np.percentile(np.abs(difference), 99)
        for row, panels in enumerate(self.ax_):
            images = (self.originals[row], self.reconstructions[row], difference[row])
            for panel, image, title in zip(
                panels, images, ("original", "reconstruction", "difference"), strict=True
            ):
                is_difference = title == "difference"
                mesh = librosa.display.specshow(
                    image,
                    sr=self.sample_rate,
                    hop_length=self.hop_length,
                    fmin=self.fmin,
                    fmax=self.fmax or self.sample_rate / 2,
                    x_axis="time",
                    y_axis="mel",
                    cmap="RdBu_r" if is_difference else "magma",
                    vmin=-spread if is_difference else low,
                    vmax=spread if is_difference else high,
                    ax=panel,
                )
                panel.set(xlabel="", ylabel="")
                if row == 0:
                    panel.set_title(title)
                if title != "original":
                    self.figure_.colorbar(mesh, ax=panel, format="%+.0f dB")
            panels[0].set_ylabel("Hz" if self.names is None else f"{self.names[row]}\nHz")
        for panel in self.ax_[-1]:
            panel.set_xlabel("seconds")
        return self
