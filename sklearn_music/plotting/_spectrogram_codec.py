"""From tracks to the latent space of a fitted pipeline, and back to mel spectrograms."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline

from .._inspection import Part, flat_steps, iter_estimators
from .._tables import is_present
from ..features import SpectrogramExtractor


class SpectrogramCodec:
    """Encodes tracks with a fitted pipeline, up to its last embedder, and decodes spectrograms."""

    def __init__(self, pipeline: Any):
        parts = {id(part.estimator): part for part in iter_estimators(pipeline)}
        links = next(filter(None, map(_links, parts.values())), [])
        if not links:
            raise ValueError(
                f"Got {pipeline!r}, expected a fitted Pipeline that begins with a "
                'SpectrogramExtractor (feature="mel", pooling=None), or with a ColumnTransformer '
                "that has a block which does."
            )
        embedders = [i for i, link in enumerate(links) if _as_embedder(link)]
        if not embedders:
            raise ValueError(
                f"Got {pipeline!r}, in which no embedder follows the SpectrogramExtractor: a step "
                "with n_components and inverse_transform, such as a VAE or PCA."
            )
        self._links = links[: embedders[-1] + 1]
        self._first, self._last = (parts[id(link)] for link in (links[0], self._links[-1]))
        self._embedder = _as_embedder(self._links[-1])
        self.extractor = links[0]
        for link in self._links[1:]:
            if not hasattr(link, "inverse_transform"):
                raise ValueError(
                    f"Got a pipeline with {link!r} before its embedder, which has no "
                    "inverse_transform: latent vectors can't be decoded to spectrograms."
                )

    @property
    def axes(self) -> dict[str, Any]:
        """The parameters of the axes of a display."""
        names = ("sample_rate", "hop_length", "fmin")
        params = {name: getattr(self.extractor, name) for name in names}
        return params | {"fmax": self.extractor.fmax_}

    def spectrograms(self, X: Any) -> NDArray[Any]:
        """Return the spectrograms of tracks, of shape (n_tracks, n_bands, n_frames)."""
        return self._as_images(self.extractor.transform(self._first.get_input(X)))

    def encode(self, X: Any) -> tuple[NDArray[Any], dict[str, Any]]:
        """Return latent vectors, and what else the decoder takes, by name; NaN where missing."""
        X = self._last.get_input(X)
        known = {}
        if hasattr(self._embedder, "condition_columns_"):
            known["condition"] = np.asarray(X)[:, self._embedder.condition_columns_]
        if hasattr(self._embedder, "levels"):
            known["level"] = self._embedder.levels(X)
        return np.asarray(self._last.estimator.transform(X)), known

    def decode(self, Z: NDArray[Any], **known: Any) -> NDArray[Any]:
        """Return the spectrograms of latent vectors."""
        X = self._embedder.inverse_transform(Z, **known)
        for link in reversed(self._links[1:-1]):
            X = link.inverse_transform(np.asarray(X))
        return self._as_images(X)

    def reconstruct(self, X: Any) -> NDArray[Any]:
        """Return the reconstructions of tracks; NaN for those that have no latent vector."""
        Z, known = self.encode(X)
        present = is_present(Z)
        if not present.any():
            raise ValueError(
                f"All {len(Z)} tracks are missing (they have no latent vector): show tracks of "
                "which something is known."
            )
        known = {name: values[present] for name, values in known.items()}
        images = np.full((len(Z), *self.extractor.image_shape_), np.nan, dtype=np.float32)
        images[present] = self.decode(Z[present], **known)
        return images

    def _as_images(self, X: Any) -> NDArray[Any]:
        return np.asarray(X).reshape(-1, *self.extractor.image_shape_)


class _Block(NamedTuple):
    """The way back from the columns of a ColumnTransformer to those of one of its blocks."""

    transformer: ColumnTransformer
    name: str

    def inverse_transform(self, X):
        weight = (self.transformer.transformer_weights or {}).get(self.name, 1)
        if weight == 0:
            raise ValueError(
                f"Got a ColumnTransformer whose block {self.name!r} has the weight 0, expected "
                "another: its columns can't be restored."
            )
        return X[:, self.transformer.output_indices_[self.name]] / weight


def _links(part: Part) -> list[Any]:
    """Return a SpectrogramExtractor at the start of a pipeline and all steps after it, or none."""
    first = part.estimator
    if not isinstance(first, SpectrogramExtractor) or (first.feature, first.pooling) != (
        "mel",
        None,
    ):
        return []
    links: list[Any] = [first]
    for parent, where in reversed(part.path):
        if isinstance(parent, ColumnTransformer):
            links.append(_Block(parent, where[0]))
        elif isinstance(parent, Pipeline) and not flat_steps(parent[:where]):
            links += flat_steps(parent[where + 1 :])
        else:
            return []
    return links


def _as_embedder(step: Any) -> Any:
    """Return an embedder, or the one that a step such as SkipMissing wraps, else None."""
    step = getattr(step, "estimator_", step)
    return step if hasattr(step, "n_components") and hasattr(step, "inverse_transform") else None
