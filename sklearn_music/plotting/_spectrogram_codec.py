"""Mel spectrograms: drawn, and taken through a latent space and back."""

import librosa
import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline

from .._inspection import flat_steps, iter_estimators
from .._tables import is_present
from ..embedding import BetaCVAE, TrackVAE
from ..features import SpectrogramExtractor


def draw_spectrogram(panel, image, display, **kwargs):
    """Draw a spectrogram of a display, on axes in seconds and Hz."""
    fmax = display.fmax or display.sample_rate / 2
    # The edges of the filters, of which librosa would draw the first and last as centres.
    edges = librosa.mel_frequencies(len(image) + 2, fmin=display.fmin, fmax=fmax)
    mesh = librosa.display.specshow(
        np.nan_to_num(image),  # librosa fails where nothing is finite
        sr=display.sample_rate,
        hop_length=display.hop_length,
        x_axis="time",
        y_axis="mel",
        y_coords=edges[1:-1],
        ax=panel,
        **kwargs,
    )
    mesh.set_array(image)
    panel.set(xlabel="", ylabel="")
    return mesh


class SpectrogramCodec:
    """The way from tracks to the latent space of a fitted pipeline, and back to spectrograms.

    The pipeline begins with a SpectrogramExtractor, or with a ColumnTransformer one of
    whose blocks does. The latent space is that of its last embedder, a step with
    `n_components` and `inverse_transform`; what follows is left out.
    """

    def __init__(self, pipeline):
        parts = {id(part.estimator): part for part in iter_estimators(pipeline)}
        links = next(filter(None, map(_links, parts.values())), [])
        if not links:
            raise ValueError(
                f"Got {pipeline!r}, expected a fitted Pipeline that begins with a "
                'SpectrogramExtractor (feature="mel", pooling=None), or with a ColumnTransformer '
                "that has a block which does."
            )
        embedders = [i for i, link in enumerate(links) if _is_embedder(link)]
        if not embedders:
            raise ValueError(
                f"Got {pipeline!r}, in which no embedder follows the SpectrogramExtractor: a step "
                "with n_components and inverse_transform, such as a VAE or PCA."
            )
        self._links = links[: embedders[-1] + 1]
        self._first, self._last = (parts[id(link)] for link in (links[0], self._links[-1]))
        # As a step that skips missing samples does: what it wraps.
        self._embedder = getattr(self._links[-1], "estimator_", self._links[-1])
        self.extractor = links[0]
        for link in self._links[1:]:
            if not hasattr(link, "inverse_transform"):
                raise ValueError(
                    f"Got a pipeline with {link!r} before its embedder, which has no "
                    "inverse_transform: its spectrograms can't be brought back."
                )

    @property
    def axes(self):
        """What a display needs to know of the axes of the spectrograms."""
        names = ("sample_rate", "hop_length", "fmin")
        axes = {name: getattr(self.extractor, name) for name in names}
        return {**axes, "fmax": self.extractor.fmax_}

    def spectrograms(self, X):
        """Return the spectrograms of tracks, of shape (n_tracks, n_bands, n_frames)."""
        return self._as_images(self.extractor.transform(self._first.get_input(X)))

    def encode(self, X):
        """Return the latent vectors of tracks, and what else decodes them, by name.

        Of a missing track, of which nothing is known, all of it is NaN.
        """
        X = self._last.get_input(X)
        known = {}
        if isinstance(self._embedder, BetaCVAE):
            known["condition"] = np.asarray(X)[:, self._embedder.condition_columns_]
        elif isinstance(self._embedder, TrackVAE):
            known["level"] = self._embedder.levels(X)
        return np.asarray(self._last.estimator.transform(X)), known

    def decode(self, Z, **known):
        """Return the spectrograms at latent vectors."""
        X = self._embedder.inverse_transform(Z, **known)
        for link in reversed(self._links[1:-1]):
            X = link.inverse_transform(np.asarray(X))
        return self._as_images(X)

    def reconstruct(self, X):
        """Return what the decoder makes of tracks; NaN of those that have no latent vector."""
        Z, known = self.encode(X)
        present = is_present(Z)
        if not present.any():
            raise ValueError(
                f"All {len(Z)} tracks are missing (they have no latent vector): show tracks of "
                "which something is known."
            )
        known = {name: np.asarray(values)[present] for name, values in known.items()}
        images = self.decode(Z[present], **known)
        everything = np.full((len(Z), *images.shape[1:]), np.nan, dtype=images.dtype)
        everything[present] = images
        return everything

    def _as_images(self, X):
        return np.asarray(X).reshape(-1, *self.extractor.image_shape_)


class _Block:
    """The way from all columns that a ColumnTransformer makes back to those of one block."""

    def __init__(self, transformer, name):
        self.transformer = transformer
        self.name = name

    def inverse_transform(self, X):
        weight = (self.transformer.transformer_weights or {}).get(self.name, 1)
        if weight == 0:
            raise ValueError(f"Got a ColumnTransformer whose block {self.name!r} has the weight 0.")
        return X[:, self.transformer.output_indices_[self.name]] / weight


def _links(part):
    """Return a SpectrogramExtractor at the start of a pipeline and all behind it, else none."""
    extractor, path = part
    if not isinstance(extractor, SpectrogramExtractor):
        return []
    if extractor.feature != "mel" or extractor.pooling is not None:
        return []
    links = [extractor]
    for parent, where in reversed(path):
        if isinstance(parent, ColumnTransformer):
            links.append(_Block(parent, where[0]))
        elif isinstance(parent, Pipeline) and not flat_steps(parent[:where]):
            links += flat_steps(parent[where + 1 :])
        else:
            return []
    return links


def _is_embedder(step):
    step = getattr(step, "estimator_", step)
    return hasattr(step, "n_components") and hasattr(step, "inverse_transform")
