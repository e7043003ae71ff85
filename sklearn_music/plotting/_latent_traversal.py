"""Spectrograms decoded along the components of the latent space."""

from collections.abc import Sequence
from numbers import Integral
from typing import Any, Self

import numpy as np
from sklearn.utils.validation import check_scalar

from .._docstrings import shared
from .._tables import is_present
from ._display import SpectrogramDisplay
from ._docstrings import TEXTS
from ._spectrogram_codec import SpectrogramCodec


@shared(TEXTS)
class LatentTraversalDisplay(SpectrogramDisplay):
    """Spectrograms decoded along a walk through the latent space, one component at a time.

    Use it to see what each component stands for. Make it with `from_estimator`.

    Parameters
    ----------
    spectrograms : array-like of shape (n_walks, n_steps, n_bands, n_frames)
        The mel spectrograms of each walk, in dB.
    components : sequence of int of length n_walks
        The component along which each walk goes.
    offsets : array-like of shape (n_steps,)
        The distance of each step from the centre, in standard deviations of the component.
    {mel_axes}

    Attributes
    ----------
    {figure}
    ax_ : ndarray of matplotlib.axes.Axes, shape (n_walks, n_steps)
        One per spectrogram.

    See Also
    --------
    ReconstructionDisplay : Spectrograms next to their reconstructions.

    Examples
    --------
    {decoder_example}
    >>> from sklearn_music.plotting import LatentTraversalDisplay
    >>> LatentTraversalDisplay.from_estimator(pipe, tracks, n_steps=3).ax_.shape
    (2, 3)
    """

    def __init__(
        self,
        spectrograms: Any,
        components: Sequence[int],
        offsets: Any,
        *,
        sample_rate: int = 22050,
        hop_length: int = 512,
        fmin: float = 0.0,
        fmax: float | None = None,
    ):
        super().__init__(sample_rate, hop_length, fmin, fmax)
        self.spectrograms = spectrograms
        self.components = components
        self.offsets = offsets

    @classmethod
    @shared(TEXTS)
    def from_estimator(
        cls,
        pipeline: Any,
        X: Any,
        *,
        components: int | Sequence[int] | None = None,
        row: int | None = None,
        n_steps: int = 5,
        span: float = 2.0,
        ax: Any = None,
    ) -> Self:
        """Decode walks through the latent space of a fitted pipeline, and draw them.

        Parameters
        ----------
        {decoder}
        components : int or sequence of int, default=None
            The components to walk along, from 0. None takes the three with the largest
            standard deviation over the tracks.
        row : int, default=None
            The track in the centre, a row of X. None takes the mean of the tracks, which a
            `BetaCVAE` decodes under an unknown condition, and a `TrackVAE` at the mean level.
        n_steps : int, default=5
            Number of spectrograms per walk. An odd number has the centre among them.
        span : float, default=2.0
            Distance from the centre to either end, in standard deviations over all tracks.
        {ax}

        Raises
        ------
        ValueError
            If the pipeline has no SpectrogramExtractor or no embedder, if fewer than two tracks
            have a latent vector, or if there is no such component or row.
        """
        check_scalar(n_steps, "n_steps", Integral, min_val=1)
        codec = SpectrogramCodec(pipeline)
        Z, known = codec.encode(X)
        center, deviations = _describe(Z, row)
        known = {name: values[row] for name, values in known.items() if row is not None}
        chosen = _choose_components(components, deviations)
        offsets = np.linspace(-span, span, n_steps)
        walks = np.tile(center, (len(chosen), n_steps, 1))
        for walk, component in zip(walks, chosen, strict=True):
            walk[:, component] += offsets * deviations[component]
        images = codec.decode(walks.reshape(-1, Z.shape[1]), **known)
        images = images.reshape(*walks.shape[:2], *images.shape[1:])
        return cls(images, chosen, offsets, **codec.axes).plot(ax=ax)

    @shared(TEXTS)
    def plot(self, ax: Any = None) -> Self:
        """Draw one row per walk.

        {plot}

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
        self._make_panels(ax, *shape, size=(2.6, 2.2), sharex=True, sharey=True)
        low, high = np.percentile(spectrograms, [1, 100])
        for place, panel in np.ndenumerate(self.ax_):
            mesh = self._draw(panel, spectrograms[place], cmap="magma", vmin=low, vmax=high)
            panel.label_outer()
        self._label(
            [f"{offset:+.2g} sd" if offset else "centre" for offset in self.offsets],
            [f"component {component}" for component in self.components],
        )
        self.figure_.colorbar(mesh, ax=self.ax_, format="%.0f dB")
        return self


def _describe(Z, row):
    """Return the centre of the walks, and the standard deviations over the tracks."""
    present = is_present(Z)
    if present.sum() < 2:
        raise ValueError(
            f"Got {len(Z)} tracks, of which {present.sum()} have a latent vector, expected at "
            "least 2: they determine the length of the walks."
        )
    if row is not None and not (row in range(len(Z)) and present[row]):
        raise ValueError(
            f"Got row={row!r}, expected a number from 0 to {len(Z) - 1}, that of a track with a "
            "latent vector."
        )
    return Z[present].mean(axis=0) if row is None else Z[row], Z[present].std(axis=0)


def _choose_components(components, deviations):
    if components is None:
        components = np.argsort(-deviations, kind="stable")[:3]
    chosen = np.atleast_1d(components).tolist()
    if not all(component in range(len(deviations)) for component in chosen):
        raise ValueError(
            f"Got components={chosen}, expected numbers from 0 to {len(deviations) - 1}."
        )
    return chosen
