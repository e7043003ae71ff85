"""Mel spectrograms: drawn, and taken through a latent space and back."""

import librosa
import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing

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
        links = _links(pipeline)
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
        # As a step that skips missing samples does: what it wraps.
        self._embedder = getattr(links[embedders[-1]], "estimator_", links[embedders[-1]])
        self._columns = [link.columns for link in reversed(links) if isinstance(link, _Block)]
        self._links = links[: embedders[-1] + 1]
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
        for columns in self._columns:
            X = _safe_indexing(X, columns, axis=1)
        return self._as_images(self.extractor.transform(X))

    def encode(self, X):
        """Return the latent vectors of tracks, and what else decodes them, by name.

        Of a missing track, of which nothing is known, all of it is NaN.
        """
        # The last block is the outermost: it brings its own columns to where the links meet.
        is_block = [isinstance(link, _Block) for link in self._links]
        for columns in self._columns[: len(self._columns) - sum(is_block)]:
            X = _safe_indexing(X, columns, axis=1)
        start = max(i for i, block in enumerate(is_block) if block or i == 0)
        *links, embedder = self._links[start:]
        for link in links:
            X = link.transform(X)
        known = {}
        if isinstance(self._embedder, BetaCVAE):
            known["condition"] = np.asarray(X)[:, self._embedder.condition_columns_]
        elif isinstance(self._embedder, TrackVAE):
            known["level"] = self._embedder.levels(X)
        return np.asarray(embedder.transform(X)), known

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
    """A block of a ColumnTransformer: transforms all blocks, and inverts to its own columns."""

    def __init__(self, transformer, name, columns):
        self.transformer = transformer
        self.name = name
        self.columns = columns

    def transform(self, X):
        return self.transformer.transform(X)

    def inverse_transform(self, X):
        weight = (self.transformer.transformer_weights or {}).get(self.name, 1)
        if weight == 0:
            raise ValueError(f"Got a ColumnTransformer whose block {self.name!r} has the weight 0.")
        return X[:, self.transformer.output_indices_[self.name]] / weight


def _links(estimator):
    """Return the steps from a SpectrogramExtractor to the end of the pipeline, or none."""
    first, *rest = _steps(estimator) or [None]
    if isinstance(first, SpectrogramExtractor):
        return [first, *rest] if first.feature == "mel" and first.pooling is None else []
    if isinstance(first, ColumnTransformer):
        for name, branch, columns in first.transformers_:
            if links := _links(branch):
                return [*links, _Block(first, name, columns), *rest]
    return []


def _steps(estimator):
    if isinstance(estimator, Pipeline):
        return [step for _, part in estimator.steps for step in _steps(part)]
    return [] if estimator is None or isinstance(estimator, str) else [estimator]


def _is_embedder(step):
    step = getattr(step, "estimator_", step)
    return hasattr(step, "n_components") and hasattr(step, "inverse_transform")
