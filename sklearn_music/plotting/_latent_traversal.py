"""What the decoder makes of places between the tracks."""

from numbers import Integral

import numpy as np
from sklearn.utils.validation import check_scalar

from .._tables import is_present
from ._spectrogram_codec import SpectrogramCodec, draw_spectrogram
from .style import make_panels


class LatentTraversalDisplay:
    """Spectrograms decoded along a walk through the latent space, one component at a time.

    Parameters
    ----------
    spectrograms : array-like of shape (n_walks, n_steps, n_bands, n_frames)
        The mel spectrograms of each walk, in dB.
    components : sequence of int of length n_walks
        The component along which each walk goes.
    offsets : array-like of shape (n_steps,)
        How far each step is from the centre, in standard deviations of the component.
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
    ax_ : ndarray of matplotlib.axes.Axes, shape (n_walks, n_steps)
        One per spectrogram.

    See Also
    --------
    ReconstructionDisplay : What the decoder makes of the tracks themselves.

    Examples
    --------
    >>> from sklearn.decomposition import PCA
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn_music import SpectrogramExtractor
    >>> from sklearn_music.datasets import make_music
    >>> from sklearn_music.plotting import LatentTraversalDisplay
    >>> tracks = make_music(4, duration=0.5, random_state=0).data[["audio"]]
    >>> pipe = make_pipeline(SpectrogramExtractor(n_mels=20), PCA(2)).fit(tracks)
    >>> LatentTraversalDisplay.from_estimator(pipe, tracks, n_steps=3).ax_.shape
    (2, 3)
    """

    def __init__(
        self,
        spectrograms,
        components,
        offsets,
        *,
        sample_rate=22050,
        hop_length=512,
        fmin=0.0,
        fmax=None,
    ):
        self.spectrograms = spectrograms
        self.components = components
        self.offsets = offsets
        self.sample_rate = sample_rate
        self.hop_length = hop_length
        self.fmin = fmin
        self.fmax = fmax

    @classmethod
    def from_estimator(
        cls, pipeline, X, *, components=None, row=None, n_steps=5, span=2.0, ax=None
    ):
        """Decode walks through the latent space of a fitted pipeline, and draw them.

        Parameters
        ----------
        pipeline : Pipeline
            As `ReconstructionDisplay.from_estimator` takes it.
        X : array-like of length n_tracks
            Tracks, as the pipeline takes them: the walks are as wide as they are spread.
        components : int or sequence of int, default=None
            The components to walk along, from 0; None takes the three along which the
            tracks differ most.
        row : int, default=None
            The track to walk around, a row of X; None walks around the mean of the tracks.
            A `BetaCVAE` decodes under that track's condition, or under an unknown one, a
            `TrackVAE` at that track's level, or at the mean one.
        n_steps : int, default=5
            Number of spectrograms per walk; an odd number has the centre among them.
        span : float, default=2.0
            How far a walk goes to either side, in standard deviations of the tracks.
        ax : array of matplotlib.axes.Axes of shape (n_walks, n_steps), default=None
            One per spectrogram; None makes a figure for them.

        Returns
        -------
        display : LatentTraversalDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If the pipeline has no SpectrogramExtractor or no embedder, if there are less
            than two tracks, or if there is no such component or row.
        """
        check_scalar(n_steps, "n_steps", Integral, min_val=1)
        codec = SpectrogramCodec(pipeline)
        Z, known = codec.encode(X)
        n_tracks, n_components = Z.shape
        present = is_present(Z)
        if present.sum() < 2:
            raise ValueError(
                f"Got {n_tracks} tracks, of which {present.sum()} have a latent vector, expected "
                "at least 2: they tell how far to go."
            )
        deviations = Z[present].std(axis=0)
        if components is None:
            components = np.argsort(-deviations, kind="stable")[:3]
        components = np.atleast_1d(components).tolist()
        if not all(component in range(n_components) for component in components):
            raise ValueError(
                f"Got components={components}, expected numbers from 0 to {n_components - 1}."
            )
        if row is None:
            center, known = Z[present].mean(axis=0), {}
        elif row in range(n_tracks):
            if not present[row]:
                raise ValueError(f"Got row={row}, a missing track: it has no latent vector.")
            center, known = Z[row], {name: values[row] for name, values in known.items()}
        else:
            raise ValueError(f"Got row={row!r}, expected a number from 0 to {n_tracks - 1}.")
        offsets = np.linspace(-span, span, n_steps)
        walks = np.tile(center, (len(components), n_steps, 1))
        for walk, component in zip(walks, components, strict=True):
            walk[:, component] += offsets * deviations[component]
        images = codec.decode(walks.reshape(-1, n_components), **known)
        images = images.reshape(len(components), n_steps, *images.shape[1:])
        return cls(images, components, offsets, **codec.axes).plot(ax=ax)

    def plot(self, ax=None):
        """Draw one row per walk.

        Parameters
        ----------
        ax : array of matplotlib.axes.Axes of shape (n_walks, n_steps), default=None
            One per spectrogram; None makes a figure for them.

        Returns
        -------
        display : LatentTraversalDisplay
            The display.

        Raises
        ------
        ValueError
            If there are not as many spectrograms as components and offsets.
        """
        spectrograms = np.asarray(self.spectrograms)
        shape = (len(self.components), len(self.offsets))
        if spectrograms.ndim != 4 or spectrograms.shape[:2] != shape:
            raise ValueError(
                f"Got spectrograms of shape {spectrograms.shape}, expected (n_walks, n_steps, "
                f"n_bands, n_frames) with {shape[0]} components and {shape[1]} offsets."
            )
        self.ax_ = make_panels(ax, *shape, panel_size=(2.6, 2.2), sharex=True, sharey=True)
        self.figure_ = self.ax_[0, 0].figure
        low, high = np.percentile(spectrograms, [1, 100])
        for panels, images, component in zip(self.ax_, spectrograms, self.components, strict=True):
            for panel, image in zip(panels, images, strict=True):
                mesh = draw_spectrogram(panel, image, self, cmap="magma", vmin=low, vmax=high)
                panel.label_outer()
            panels[0].set_ylabel(f"component {component}\nHz")
        for panel, last, offset in zip(self.ax_[0], self.ax_[-1], self.offsets, strict=True):
            panel.set_title(f"{offset:+.2g} sd" if offset else "centre")
            last.set_xlabel("seconds")
        self.figure_.colorbar(mesh, ax=self.ax_, format="%.0f dB")
        return self
