"""A pipeline over a table of tracks that checks first what it can know first."""

from numbers import Integral

from sklearn.base import BaseEstimator, is_clusterer
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.pipeline import Pipeline
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _num_samples

from .._inspection import parts
from ..features import LyricVectorizer, SpectrogramExtractor


def _last_has(*methods):
    def check(self):
        last = self.steps[-1][1]
        passes = last is None or isinstance(last, str)  # "passthrough"
        return ("transform" in methods) if passes else any(hasattr(last, m) for m in methods)

    return check


class TrackPipeline(Pipeline):
    """scikit-learn's Pipeline, with checks before hours of work and a list of what failed.

    Before the first file is decoded, `fit` checks the parameters of all steps, whether the table
    has the columns that the first step asks for, whether any track has lyrics, whether there
    are as many tracks as clusters, and whether the spectrograms have the size that the
    embedder expects. All else is scikit-learn's.

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
    SkipMissing : Gives the label -1 to tracks of which nothing is known.

    Examples
    --------
    >>> from sklearn_music.datasets import make_music
    >>> from sklearn_music.pipelines import make_pca_pipeline
    >>> tracks = make_music(20, duration=1.0, random_state=0).data
    >>> pipe = make_pca_pipeline(30, duration=1.0, random_state=0)
    >>> pipe.fit(tracks)
    Traceback (most recent call last):
        ...
    ValueError: Got n_clusters=30 for 20 tracks: there can't be more than tracks. Use set_params(...
    >>> pipe.set_params(cluster__estimator__n_clusters=3).fit(tracks).failures_
    {}
    """

    def fit(self, X, y=None, **params):
        """Check what can be checked, then fit all steps.

        Parameters
        ----------
        X : DataFrame of length n_tracks
            The table of tracks.
        y : array-like of shape (n_tracks,), default=None
            Passed on to the steps.
        **params : dict
            Passed on to the steps, as in `sklearn.pipeline.Pipeline`.

        Returns
        -------
        self : TrackPipeline
            The fitted pipeline.

        Raises
        ------
        ValueError
            If a parameter, the table or the number of tracks can't work.
        """
        self._check_before_work(X)
        return super().fit(X, y, **params)

    @available_if(_last_has("fit_predict"))
    def fit_predict(self, X, y=None, **params):
        """Check what can be checked, fit all steps, and return the clusters.

        Parameters
        ----------
        X : DataFrame of length n_tracks
            The table of tracks.
        y : array-like of shape (n_tracks,), default=None
            Passed on to the steps.
        **params : dict
            Passed on to the steps, as in `sklearn.pipeline.Pipeline`.

        Returns
        -------
        labels : ndarray of shape (n_tracks,)
            The cluster of each track; -1 where nothing is known of it.

        Raises
        ------
        ValueError
            If a parameter, the table or the number of tracks can't work.
        """
        self._check_before_work(X)
        return super().fit_predict(X, y, **params)

    @available_if(_last_has("fit_transform", "transform"))
    def fit_transform(self, X, y=None, **params):
        """Check what can be checked, fit all steps, and return what the last one makes.

        Parameters
        ----------
        X : DataFrame of length n_tracks
            The table of tracks.
        y : array-like of shape (n_tracks,), default=None
            Passed on to the steps.
        **params : dict
            Passed on to the steps, as in `sklearn.pipeline.Pipeline`.

        Returns
        -------
        X_new : ndarray of shape (n_tracks, n_features)
            NaN where nothing is known of a track.

        Raises
        ------
        ValueError
            If a parameter, the table or the number of tracks can't work.
        """
        self._check_before_work(X)
        return super().fit_transform(X, y, **params)

    @property
    def failures_(self):
        """Why tracks could not be read: a dict of row number to the reason.

        Of the last call of `fit`, `fit_predict`, `predict`, `transform` and so on.
        """
        return {
            row: reason
            for part, _ in parts(self, lambda: None)
            if part is not self
            for row, reason in getattr(part, "failures_", {}).items()
        }

    def _check_before_work(self, X):
        n_tracks = _num_samples(X)
        if n_tracks == 0:
            raise ValueError("The table has no tracks, expected one at least.")
        for name, estimator in self.get_params().items():
            if not isinstance(estimator, BaseEstimator):
                continue
            if hasattr(estimator, "_parameter_constraints"):
                estimator._validate_params()
            if hasattr(estimator, "_check_settings"):
                estimator._check_settings()
            largest = None
            if isinstance(estimator, PCA):
                largest = "n_components"
            elif is_clusterer(estimator):
                largest = "n_clusters"
            size = getattr(estimator, largest, None) if largest else None
            if isinstance(size, Integral) and size > n_tracks:
                raise ValueError(
                    f"Got {largest}={size} for {n_tracks} tracks: there can't be more than tracks. "
                    f"Use set_params({name}__{largest}=...)."
                )
        features = self.steps[0][1]
        if isinstance(features, ColumnTransformer):
            _check_columns(features, X)
            _check_image_shape(features, self.steps[1:])


def _check_columns(features, X):
    """Raise where the table lacks a column that a block asks for, or all of its lyrics."""
    if not hasattr(X, "columns"):
        return
    columns = list(X.columns)
    for _, block, wanted in features.transformers:
        wanted = [wanted] if isinstance(wanted, str) else wanted
        if not isinstance(wanted, list) or not all(isinstance(column, str) for column in wanted):
            continue
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


def _check_image_shape(features, rest):
    """Raise where the embedder expects spectrograms of another size than the first block makes."""
    block = features.transformers[0][1]
    extractor = block.steps[0][1] if isinstance(block, Pipeline) else block
    embedder = rest[0][1] if rest else None
    image_shape = getattr(embedder, "image_shape", None)
    if not isinstance(extractor, SpectrogramExtractor) or image_shape is None:
        return
    made = extractor.planned_image_shape()
    if made is None or all(size in (-1, n) for size, n in zip(image_shape, made, strict=True)):
        return
    raise ValueError(
        f"{type(extractor).__name__} makes spectrograms of shape {made}, but {rest[0][0]!r} has "
        f"image_shape={tuple(image_shape)}. Use set_params({rest[0][0]}__image_shape={made})."
    )
