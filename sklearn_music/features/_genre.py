"""Genre labels to a multi-hot block."""

import re
from collections import Counter
from collections.abc import Collection
from numbers import Integral, Number, Real
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.utils import check_array
from sklearn.utils._param_validation import Interval, RealNotInt, StrOptions
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted, validate_data

from .._tables import as_objects, is_missing
from .text import fold

_OTHER = "other"

# White space, underscore, and every hyphen and dash.
_GAPS = re.compile(r"[\s_\-\u2010-\u2015\u2212\ufe58\ufe63\uff0d]+")


class GenreEncoder(TransformerMixin, BaseEstimator):
    """Encode genre labels, one or several a track, as zeros and ones.

    Spellings that differ in case, Unicode form, white space, hyphens or underscores are one
    genre: "hip hop", "Hip-Hop" and "HIP_HOP".

    Parameters
    ----------
    separator : str, default="|"
        The text between the genres of one track, as in "Rock|Pop". None takes every string
        for one genre.
    categories : "auto" or list of str, default="auto"
        The genres. "auto" takes those seen in `fit`, sorted. A list keeps its order, and labels
        outside it are encoded as zeros.
    min_frequency : int or float, default=None
        Genres of fewer tracks than this count, or share of the tracks that have a genre, are
        gathered in one last column "other". None keeps every genre.

    Attributes
    ----------
    categories_ : ndarray of str objects, of shape (n_categories,)
        The genre of each output column, folded: lower case, with single spaces.
    infrequent_categories_ : ndarray of str objects
        The genres that were gathered in "other".
    n_features_in_ : int
        Number of input columns.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the input columns, where they are all strings.

    See Also
    --------
    sklearn.preprocessing.OneHotEncoder : One column a category, one category a cell.
    sklearn.preprocessing.MultiLabelBinarizer : Encodes lists of labels, as a target.
    sklearn_music.LyricVectorizer : Encodes lyrics.

    Notes
    -----
    The genres of several columns are joined: a track has those of all its columns. None, NaN, NA
    and strings of only white space and hyphens are no genre. A genre that is itself called
    "other" shares the column of the rare ones. A genre not seen in `fit` is encoded as zeros,
    never as "other", which means the rare genres that `fit` saw. Numbers are labels too, and 3.0
    is the label "3".

    Examples
    --------
    >>> from sklearn_music import GenreEncoder
    >>> encoder = GenreEncoder().fit(["Rock|Pop", "Hip-Hop", "hip hop", None])
    >>> encoder.get_feature_names_out()
    array(['genreencoder_hip hop', 'genreencoder_pop', 'genreencoder_rock'], dtype=object)
    >>> block = encoder.transform(["HIP  HOP", "Pop|Rock", "Polka"])
    >>> block
    array([[1., 0., 0.],
           [0., 1., 1.],
           [0., 0., 0.]], dtype=float32)
    >>> encoder.inverse_transform(block)
    array(['hip hop', 'pop|rock', None], dtype=object)
    """

    _parameter_constraints: dict = {
        "separator": [str, None],
        "categories": [StrOptions({"auto"}), "array-like"],
        "min_frequency": [
            Interval(Integral, 1, None, closed="left"),
            Interval(RealNotInt, 0, 1, closed="neither"),
            None,
        ],
    }

    def __init__(
        self,
        separator: str | None = "|",
        *,
        categories: str | Collection[str] = "auto",
        min_frequency: float | None = None,
    ) -> None:
        self.separator = separator
        self.categories = categories
        self.min_frequency = min_frequency

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the genres.

        Parameters
        ----------
        X : array-like of str, of shape (n_tracks,) or (n_tracks, n_columns)
            The labels; None, NaN, NA and "" are missing ones.
        y : None
            Ignored.

        Returns
        -------
        self : GenreEncoder
            The fitted encoder.
        """
        if self.separator == "":
            raise ValueError("Got separator='', expected a string such as '|', or None.")
        tracks = self._check_genres(X, reset=True)
        counts = Counter(genre for genres in tracks for genre in genres)
        if not isinstance(self.categories, str):
            known = self._check_categories()
        elif counts:
            known = sorted(counts)
        else:
            raise ValueError(
                f"None of the {len(tracks)} tracks has a genre, so there is nothing to learn: fit "
                "on tracks some of which have one, or pass the genres as categories."
            )

        least = self.min_frequency or 0
        if isinstance(least, float | np.floating):
            least *= sum(map(bool, tracks))
        rare = [genre for genre in known if counts[genre] < least and genre != _OTHER]
        if rare:
            known = [genre for genre in known if genre not in {*rare, _OTHER}] + [_OTHER]
        self.categories_ = np.array(known, dtype=object)
        self.infrequent_categories_ = np.array(rare, dtype=object)
        return self

    def transform(self, X: Any) -> NDArray[np.float32]:
        """Return the genres as zeros and ones.

        Parameters
        ----------
        X : array-like of str, of shape (n_tracks,) or (n_tracks, n_columns)
            As in `fit`.

        Returns
        -------
        block : ndarray of shape (n_tracks, n_categories), float32
            1 where the track has the genre; only zeros where it has no known genre.
        """
        check_is_fitted(self)
        tracks = self._check_genres(X, reset=False)
        column = {genre: j for j, genre in enumerate(self.categories_)}
        for genre in self.infrequent_categories_:
            column[genre] = column[_OTHER]
        block = np.zeros((len(tracks), len(self.categories_)), dtype=np.float32)
        for row, genres in zip(block, tracks, strict=True):
            row[[column[genre] for genre in genres if genre in column]] = 1
        return block

    def inverse_transform(self, X: Any) -> NDArray[np.object_]:
        """Return the labels of a block, the genres of a track joined by the separator.

        Parameters
        ----------
        X : array-like of shape (n_tracks, n_categories)
            Zeros and ones, or scores such as a decoder's: a track has the genres above 0.5.

        Returns
        -------
        labels : ndarray of shape (n_tracks,)
            Folded labels, joined by "|" where `separator` is None; None for a track without one.
        """
        check_is_fitted(self)
        block = check_array(X, input_name="X")
        if block.shape[1] != len(self.categories_):
            raise ValueError(
                f"Got X of shape {block.shape}, expected {len(self.categories_)} columns, one for "
                "each of categories_: pass the columns that transform made, in their order."
            )
        separator = "|" if self.separator is None else self.separator
        labels = np.empty(len(block), dtype=object)
        for i, row in enumerate(block > 0.5):
            labels[i] = separator.join(self.categories_[row]) or None
        return labels

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Return the names of the output columns.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the input columns; where they were known in `fit`, they must be the same.

        Returns
        -------
        names : ndarray of str objects
            Input column and genre, "genre_hip hop"; "genreencoder_hip hop" where the input has
            no column names or several columns.
        """
        check_is_fitted(self)
        names = _check_feature_names_in(self, input_features, generate_names=False)
        prefix = names[0] if names is not None and len(names) == 1 else "genreencoder"
        return np.array([f"{prefix}_{genre}" for genre in self.categories_], dtype=object)

    def _check_genres(self, X: Any, *, reset: bool) -> list[set[str]]:
        """Return the genres of every track."""
        if hasattr(X, "to_frame"):
            # A series keeps its name: a column and a table of one column are the same input.
            X = X.to_frame() if X.name else as_objects(X).reshape(-1, 1)
        as_is = isinstance(X, np.ndarray) or sparse.issparse(X)
        values = check_array(
            X if as_is else as_objects(X),
            dtype=None,
            ensure_2d=False,
            ensure_all_finite=False,
            input_name="X",
            estimator=self,
        ).astype(object)
        present = ~is_missing(values)
        if values.ndim == 1:
            if present.any() and all(isinstance(value, Number) for value in values[present]):
                # One track or one column? Let scikit-learn's error ask.
                check_array(values, dtype=None, input_name="X", estimator=self)
            values, present = values.reshape(-1, 1), present.reshape(-1, 1)
        validate_data(
            self, X if hasattr(X, "columns") else values, reset=reset, skip_check_array=True
        )
        tracks: list[set[str]] = [set() for _ in values]
        for row, column in np.argwhere(present):
            tracks[row].update(self._split(values[row, column], f"row {row} of X"))
        return tracks

    def _check_categories(self) -> list[str]:
        values = as_objects(self.categories)
        known: list[str] = []
        for value, missing in zip(values, is_missing(values), strict=True):
            genres = [] if missing else self._split(value, "categories")
            if len(genres) != 1:
                raise ValueError(
                    f"Got {value!r} in categories, expected one genre each: leave out missing "
                    f"ones, and list what separator={self.separator!r} would split one by one."
                )
            known += genres
        if not known:
            raise ValueError("Got no categories, expected one genre at least: list some or 'auto'.")
        repeated = [genre for genre, count in Counter(known).items() if count > 1]
        if repeated:
            raise ValueError(
                f"Got {repeated} more than once in categories, where case, white space and hyphens "
                "don't count: name each genre once."
            )
        return known

    def _split(self, value: Any, where: str) -> list[str]:
        """Return the folded genres that a cell holds."""
        if isinstance(value, Real):
            # Not folded: the minus sign is no hyphen.
            whole = isinstance(value, Integral) or float(value).is_integer()
            return [f"{value:.0f}" if whole else str(value)]
        if not isinstance(value, str):
            raise ValueError(
                f"Got {value!r} ({type(value).__name__}) in {where}, expected a genre as text or "
                "a number, or a missing value: join several genres of a track with separator."
            )
        text = fold(value)
        if self.separator is None:
            parts = [_close_gaps(text)]
        else:
            separator = fold(self.separator)
            # Closing the gaps can make a separator such as " ". A genre that holds one could not
            # be read back.
            parts = [
                genre.strip()
                for part in text.split(separator)
                for genre in _close_gaps(part).split(separator)
            ]
        return [part for part in parts if part]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = []
        return tags


def _close_gaps(text: str) -> str:
    return _GAPS.sub(" ", text).strip()
