"""What each cluster is: its name, words, tags and typical tracks."""

from collections.abc import Collection, Sequence
from numbers import Integral
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse
from sklearn.utils import column_or_1d
from sklearn.utils._param_validation import Interval, StrOptions, validate_parameter_constraints
from sklearn.utils.validation import check_consistent_length

from .._inspection import embed_and_cluster, tag_probabilities
from .._tables import as_numbers, as_pandas, is_clustered, is_finite, readable
from ..features.stop_words import BENGALI, ENGLISH, GERMAN
from ._distinctive import find_main_labels, find_tags, find_words
from .names import make_names
from .titles import find_songs, find_titles

_FIXED = ("cluster", "size", "share", "name", "words", "tags", "typical", "outliers")
_COLUMNS = ("lyrics", "title", "track_id", "filename", "audio", "artist")
_METADATA = ("genre", "style", "language", "artist")
# Of fewer tracks, quartiles say little.
_FEWEST_FOR_OUTLIERS = 8
_COUNT = [Interval(Integral, 0, None, closed="left")]
_CONSTRAINTS = {
    "titles": ["array-like", None],
    "metadata": [list, tuple, None],
    "n_words": _COUNT,
    "n_tags": _COUNT,
    "n_typical": _COUNT,
    "n_outliers": _COUNT,
    "stop_words": [StrOptions({"auto"}), list, tuple, set, frozenset],
}


def describe_clusters(
    clusters: Any,
    tracks: Any,
    *,
    embedding: Any = None,
    tags: Any = None,
    titles: Any = None,
    metadata: Sequence[str] | None = None,
    n_words: int = 5,
    n_tags: int = 3,
    n_typical: int = 3,
    n_outliers: int = 3,
    stop_words: Literal["auto"] | Collection[str] = "auto",
) -> pd.DataFrame:
    """Name clusters, and describe each by its tags, words, metadata and typical tracks.

    Parameters
    ----------
    clusters : Pipeline, or array-like of shape (n_tracks,)
        A fitted pipeline of transformers and a clusterer, or the cluster of each track. Tracks with
        a negative number (noise, or missing), None or NaN are in no cluster.
    tracks : DataFrame of length n_tracks
        The tracks. These columns are used if there are any: ``lyrics``, ``title`` and ``artist``,
        and those of `metadata`.
    embedding : array-like of shape (n_tracks, n_components), default=None
        Latent vectors of the tracks. None takes those of the pipeline; without one, no typical
        tracks and outliers are found.
    tags : DataFrame of shape (n_tracks, n_tags), default=None
        How probable each tag is for each track, as ``AudioEncoder(MusicNN(output="tags"))`` returns
        it with ``set_output(transform="pandas")``. Rows with NaN are left out. None takes those of
        the pipeline, if its encoder is a tagger; that is quick if the encoder has a cache.
    titles : array-like of shape (n_tracks,), default=None
        What typical tracks and outliers are called in the table. None is the title, ID or file of
        each, else its label in the index.
    metadata : list of str, default=None
        Columns of `tracks` with labels. None takes those of ``genre``, ``style``, ``language`` and
        ``artist`` that are there.
    n_words : int, default=5
        Number of words of each cluster, at most.
    n_tags : int, default=3
        Number of tags of each cluster, at most.
    n_typical : int, default=3
        Number of typical tracks, the nearest to the cluster's mean; at most half of the cluster.
    n_outliers : int, default=3
        Number of outliers, at most: see Notes.
    stop_words : "auto" or list of str, default="auto"
        Words to leave out. ``"auto"`` is the function words of English, German and Bangla.

    Returns
    -------
    table : DataFrame
        One row per cluster, in the order of the clusters. Columns: ``cluster``; ``size``, its
        number of tracks; ``share``, of all tracks; ``name``, different for each; ``words`` and
        ``tags``, lists with the most distinctive first; for each column of the metadata its most
        frequent label under the name of the column, and the share of it, among the tracks with a
        label, as ``<column>_share``; ``typical`` and ``outliers``, lists of titles, the nearest and
        the farthest first. The last row, ``cluster`` -1 with the name "No cluster", is that of the
        tracks without a cluster, if there are any.

    Raises
    ------
    ValueError
        If `clusters` is an estimator but no fitted pipeline with a clusterer; if the lengths
        differ; if tags are negative or infinite; or if a column of the metadata is missing, stands
        there twice, or has the name of another column of the result.

    See Also
    --------
    similar_tracks : Songs most like a song.
    sklearn_music.report.ClusterReport : Shows this on a page, with sound.
    sklearn_music.metrics.check_confounders : Whether clusters follow the files.

    Notes
    -----
    **Tags** are ranked by their lift: the mean in the cluster over the mean in all tracks. To both,
    the mean of all tags over all tracks is added, so that a rare tag does not win by a tiny
    difference. Only tags with a lift above 1 are shown.

    **Words** are ranked by a class-based TF-IDF [1]_ that counts songs, so that a refrain counts
    once: (c - 1) / n - (C - 1) / N, times the square of log(C / N), where the word is in c of the n
    songs of the cluster that have lyrics, and in C of all N. Due to the 1, it has to be in two
    songs of the cluster. The formula of [1]_ itself ranks function words first, since nearly every
    song has them. Here most vanish in any language, but not where the clusters differ in language:
    pass those of further languages as `stop_words`. Headings in square brackets, such as
    "[Chorus]", are left out.

    **Names** are made of the first two tags, or else of the first three words, or else of the first
    label in the metadata that at least half of the cluster's tracks have, and that is more frequent
    there than elsewhere. Clusters that would share a name get more of these, or a number. Without
    any of these, the name is "Cluster 3", for example.

    **Outliers** are tracks whose distance to the mean of their cluster is above Q3 + 1.5 (Q3 - Q1),
    where Q1 and Q3 are the quartiles of the distances in the cluster [2]_. A cluster of fewer than
    8 songs has none.

    A song that is in the table twice, by title and artist, is listed once among the typical tracks
    and outliers.

    References
    ----------
    .. [1] M. Grootendorst, "BERTopic: Neural topic modeling with a class-based TF-IDF procedure",
       arXiv:2203.05794, 2022.
    .. [2] J. W. Tukey, "Exploratory Data Analysis", Addison-Wesley, 1977.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_music.exploration import describe_clusters
    >>> lyrics = ["the river flows", "a river at night", "my love, so blue", "I love a blue moon"]
    >>> tracks = pd.DataFrame({"lyrics": lyrics, "title": ["Flow", "Night", "Blue", "Moon"]})
    >>> table = describe_clusters([0, 0, 1, 1], tracks, embedding=[[0], [1], [5], [7]])
    >>> table[["cluster", "size", "name", "typical"]]
       cluster  size        name typical
    0        0     2       river  [Flow]
    1        1     2  blue, love  [Blue]
    """
    validate_parameter_constraints(_CONSTRAINTS, locals(), caller_name="describe_clusters")
    given, tracks = tracks, as_pandas(tracks)
    metadata = _check_columns(tracks, metadata)
    if hasattr(clusters, "fit"):
        tags = tag_probabilities(clusters, given) if tags is None else tags
        Z, clusters = embed_and_cluster(clusters, given)
        embedding = Z if embedding is None else embedding
    Z = None if embedding is None else as_numbers(embedding)
    tags = _check_tags(tags, len(tracks))
    titles = find_titles(tracks) if titles is None else list(titles)
    check_consistent_length(tracks, clusters, tags, titles, *([] if Z is None else [Z]))
    labels, members = _group(clusters)
    left_out = [*ENGLISH, *GERMAN, *BENGALI] if stop_words == "auto" else stop_words
    lyrics = tracks["lyrics"] if "lyrics" in tracks else [None] * len(tracks)
    words = find_words(lyrics, members, n_words, left_out)
    shown_tags = find_tags(tags, members, n_tags)
    main = {name: find_main_labels(tracks[name], members) for name in metadata}
    distinctive = [
        [str(found[i].label) for found in main.values() if found[i].is_distinctive]
        for i in range(len(members))
    ]
    table = {
        "cluster": [-1 if label is None else label for label in labels],
        "size": [int(inside.sum()) for inside in members],
        "share": [inside.mean() for inside in members],
        "name": make_names(labels, shown_tags, words, distinctive),
        "words": words,
        "tags": shown_tags,
    }
    for name, found in main.items():
        table[name] = [label for label, _, _ in found]
        table[f"{name}_share"] = [share for _, share, _ in found]
    songs = find_songs(tracks)
    extremes = [
        ([], []) if Z is None or label is None else _typical_and_outliers(Z, inside, songs)
        for label, inside in zip(labels, members, strict=True)
    ]
    table["typical"] = [[titles[row] for row in near[:n_typical]] for near, _ in extremes]
    table["outliers"] = [[titles[row] for row in far[:n_outliers]] for _, far in extremes]
    return pd.DataFrame(table)


def _check_columns(tracks: Any, metadata: Sequence[str] | None) -> list[str]:
    """Raise if the table can't be used, and return the columns of the metadata."""
    if not isinstance(tracks, pd.DataFrame):
        raise ValueError(f"Got a {type(tracks).__name__} as tracks, expected a DataFrame.")
    columns = tracks.columns.tolist()
    if metadata is None:
        found = [name for name in _METADATA if columns.count(name) == 1]
    else:
        found = list(metadata)
    for name in (*_COLUMNS, *found):
        if (n_columns := columns.count(name)) > 1 or (name in found and not n_columns):
            raise ValueError(
                f"Got tracks with {n_columns or 'no'} columns {name!r}, expected one. The columns "
                f"are {columns}."
            )
    names = [*_FIXED, *found, *(f"{name}_share" for name in found)]
    if taken := [name for name in found if names.count(name) > 1]:
        raise ValueError(
            f"Got the metadata {found}, expected other names than those of the other columns of "
            f"the result: rename {taken[0]!r}."
        )
    return found


def _check_tags(tags: Any, n_tracks: int) -> pd.DataFrame:
    """Return the tags as a table of floats, without columns if there are none."""
    tags = pd.DataFrame(index=range(n_tracks)) if tags is None else as_pandas(tags)
    if not isinstance(tags, pd.DataFrame):
        raise ValueError(
            f"Got a {type(tags).__name__} as tags, expected a DataFrame: the names of its columns "
            "are those of the tags."
        )
    values = tags.to_numpy(dtype=np.float64, na_value=np.nan)
    if (values < 0).any() or np.isinf(values).any():
        raise ValueError("Got tags that are negative or infinite, expected probabilities.")
    return pd.DataFrame(values, columns=tags.columns)


def _group(clusters: Any) -> tuple[list[Any], list[NDArray[np.bool_]]]:
    """Return the clusters in order, and which tracks are in each; None and those in none last."""
    clusters = column_or_1d(np.asarray(clusters, dtype=object))
    known = is_clustered(clusters)
    # pandas makes floats of integers where one is missing.
    values = [int(x) if isinstance(x, float) and x.is_integer() else x for x in clusters[known]]
    codes = np.full(len(clusters), -1)
    codes[known], found = pd.factorize(np.array(values, dtype=object), sort=True)
    labels = [readable(label) if isinstance(label, str) else label for label in found]
    members = [codes == code for code in range(len(labels))]
    if not known.all():
        labels.append(None)
        members.append(~known)
    return labels, members


def _typical_and_outliers(
    Z: Any, inside: NDArray[np.bool_], songs: list[Any]
) -> tuple[list[int], list[int]]:
    """Return the rows nearest to the mean of a cluster, and those far from it, each song once."""
    rows = np.flatnonzero(inside & is_finite(Z))
    vectors = Z[rows].toarray() if sparse.issparse(Z) else Z[rows]
    if not len(rows):
        return [], []
    distances = np.linalg.norm(vectors - vectors.mean(axis=0, dtype=np.float64), axis=1)
    nearest: dict[Any, int] = {}  # of the tracks that are one song
    for i in np.argsort(distances, kind="stable").tolist():
        nearest.setdefault(songs[rows[i]], i)
    order = np.array(list(nearest.values()))
    near = order[: max(1, len(order) // 2)]
    far = order[len(near) :][::-1]
    if len(order) < _FEWEST_FOR_OUTLIERS:
        return rows[near].tolist(), []
    q1, q3 = np.quantile(distances[order], [0.25, 0.75])
    return rows[near].tolist(), rows[far[distances[far] > q3 + 1.5 * (q3 - q1)]].tolist()
