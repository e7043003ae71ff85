"""A pipeline over a table of tracks that finds mistakes before the work begins."""

from numbers import Integral
from typing import Any

from sklearn.base import BaseEstimator, is_clusterer
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import _num_samples

from .._inspection import find_failures, named_estimators
from ..features import LyricVectorizer, SpectrogramExtractor


class TrackPipeline(Pipeline):
    """Pipeline over a table of tracks that checks it before hours of work, and lists failed tracks.

    Before the first file is decoded, `fit` checks the parameters of all steps, the columns of the
    table, whether any track has lyrics, whether there are as many tracks as clusters, and whether
    the spectrograms have the size that the embedder expects. Everything else is scikit-learn's.

    Parameters
    ----------
    steps : list of tuple of (str, estimator)
        The steps, as in `sklearn.pipeline.Pipeline`.
    transform_input : list of str, default=None
        As in `sklearn.pipeline.Pipeline`.
    memory : str or joblib.Memory, default=None
        As in `sklearn.pipeline.Pipeline`.
    verbose : bool, default=False
        As in `sklearn.pipeline.Pipeline`.

    See Also
    --------
    SkipMissing : Gives the label -1 to tracks without usable data.

    Examples
    --------
    >>> from sklearn_music.datasets import make_music
    >>> from sklearn_music.pipelines import make_pca_pipeline
    >>> tracks = make_music(20, duration=1.0, random_state=0).data
    >>> pipe = make_pca_pipeline(30, duration=1.0, random_state=0)
    >>> pipe.fit(tracks)
    Traceback (most recent call last):
        ...
    ValueError: Got n_clusters=30 for 20 tracks, expected at most 20. Use set_params(...
    >>> pipe.set_params(cluster__estimator__n_clusters=3).fit(tracks).failures_
    {}
    """

    @property
    def failures_(self) -> dict[int, str]:
        """Tracks that could not be read in the last call of `fit`, `predict`, `transform`, ...

        A dict of row number to the reason.
        """
        return find_failures(self)

    def _fit(self, X: Any, *args: Any, **kwargs: Any) -> Any:
        # fit, fit_predict and fit_transform of scikit-learn's Pipeline all begin with this method.
        n_tracks = _num_samples(X)
        if n_tracks == 0:
            raise ValueError("The table has no tracks, expected at least one.")
        for name, estimator in named_estimators(self).items():
            if isinstance(estimator, BaseEstimator):
                _check_parameters(estimator, name, n_tracks)
        features = self.steps[0][1]
        if isinstance(features, ColumnTransformer):
            _check_columns(features, X)
            if len(self.steps) > 1:
                _check_image_shape(features, *self.steps[1])
        return super()._fit(X, *args, **kwargs)


def _check_parameters(estimator: Any, name: str, n_tracks: int) -> None:
    """Raise where a parameter can't work, or there are fewer tracks than clusters."""
    if hasattr(estimator, "_parameter_constraints"):
        estimator._validate_params()
    if hasattr(estimator, "check_settings"):
        estimator.check_settings()
    limited = {"n_components": isinstance(estimator, PCA), "n_clusters": is_clusterer(estimator)}
    for parameter in filter(limited.get, limited):
        size = getattr(estimator, parameter, None)
        if isinstance(size, Integral) and int(size) > n_tracks:
            raise ValueError(
                f"Got {parameter}={size} for {n_tracks} tracks, expected at most {n_tracks}. Use "
                f"set_params({name}__{parameter}=...)."
            )


def _check_columns(features: ColumnTransformer, X: Any) -> None:
    """Raise where the table lacks a column that a block uses, or all of its lyrics."""
    if not hasattr(X, "columns"):
        return
    columns = list(X.columns)
    for _, block, wanted in features.transformers:
        wanted = [wanted] if isinstance(wanted, str) else wanted
        if not isinstance(wanted, list) or not all(isinstance(column, str) for column in wanted):
            continue
        block = _first_step(block)
        is_lyrics = isinstance(block, LyricVectorizer)
        remedy = "To cluster by audio alone, make the pipeline with lyrics_weight=0."
        for column in wanted:
            if columns.count(column) != 1:
                raise ValueError(
                    f"The table has {columns.count(column) or 'no'} columns {column!r}, expected "
                    f"one. Got the columns {columns}: rename what is meant. " + remedy * is_lyrics
                )
        if is_lyrics:
            try:
                block.check_lyrics(X[wanted[0]])
            except ValueError as error:
                raise ValueError(f"{error} {remedy}") from error


def _first_step(block: Any) -> Any:
    return block.steps[0][1] if isinstance(block, Pipeline) else block


def _check_image_shape(features: ColumnTransformer, name: str, embedder: Any) -> None:
    """Raise where the embedder expects spectrograms of another size than the first block makes."""
    extractor = _first_step(features.transformers[0][1])
    image_shape = getattr(embedder, "image_shape", None)
    if not isinstance(extractor, SpectrogramExtractor) or image_shape is None:
        return
    made = extractor.planned_image_shape()
    if made is None or all(size in (-1, n) for size, n in zip(image_shape, made, strict=True)):
        return
    raise ValueError(
        f"{type(extractor).__name__} makes spectrograms of shape {made}, but {name!r} has "
        f"image_shape={tuple(image_shape)}. Use set_params({name}__image_shape={made})."
    )
