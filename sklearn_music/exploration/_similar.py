"""The tracks that are most like a track."""

from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors
from sklearn.utils._param_validation import Interval, validate_parameter_constraints
from sklearn.utils.validation import _num_samples, check_consistent_length

from .._inspection import embed_and_cluster
from .._tables import as_numbers, is_finite

_CONSTRAINTS = {
    "n_neighbors": [Interval(Integral, 1, None, closed="left")],
    "metric": [str, callable],
}


def similar_tracks(
    embedding: Any,
    tracks: Any,
    queries: Any = None,
    *,
    n_neighbors: int = 10,
    metric: Any = "euclidean",
) -> pd.DataFrame:
    """Find the songs most like some songs: the nearest neighbours in an embedding.

    The search is exact: each track is compared with all others.

    Parameters
    ----------
    embedding : Pipeline, or array-like of shape (n_tracks, n_components)
        A fitted pipeline of transformers and a clusterer, in whose latent space the tracks are
        compared; or their latent vectors.
    tracks : DataFrame or array-like of length n_tracks
        The collection, as the pipeline takes it. Beside latent vectors, only its index is used.
    queries : label, list of labels, DataFrame or array of shape (n_queries, ...), default=None
        The tracks whose neighbours are searched. Labels are those of the index of `tracks`, or row
        numbers if it has none. A table or a 2-D array holds new tracks, as the pipeline takes them,
        or their latent vectors if `embedding` is an array. None searches for each track of the
        collection.
    n_neighbors : int, default=10
        Number of tracks to find for each query, or all where there are fewer.
    metric : str or callable, default="euclidean"
        Distance, as in `sklearn.neighbors.NearestNeighbors`: ``"cosine"``, for example.

    Returns
    -------
    table : DataFrame
        One row per query and neighbour, the nearest first. Columns: ``query``, the label of the
        query; ``rank``, from 1; ``track``, the label of the neighbour; ``distance``; and, if
        `embedding` is a pipeline, ``cluster``, that of the neighbour.

    Raises
    ------
    ValueError
        If a label is not in the index, if `embedding` is an estimator but no fitted pipeline with a
        clusterer, or if there are not as many latent vectors as tracks.

    See Also
    --------
    describe_clusters : What each cluster is.

    Notes
    -----
    A track of the collection is not its own neighbour; its copies are. A track without a usable
    latent vector (NaN) is no neighbour of any, and has no rows as a query. Of several tracks with
    the same label in the index, each is a query.

    Examples
    --------
    >>> from sklearn_music.datasets import make_music
    >>> from sklearn_music.exploration import similar_tracks
    >>> from sklearn_music.pipelines import make_pca_pipeline
    >>> tracks = make_music(20, duration=1, random_state=0).data
    >>> pipe = make_pca_pipeline(n_clusters=3, duration=1, random_state=0).fit(tracks)
    >>> table = similar_tracks(pipe, tracks, 7, n_neighbors=3)
    >>> table["rank"].tolist(), table.columns.tolist()
    ([1, 2, 3], ['query', 'rank', 'track', 'distance', 'cluster'])
    """
    validate_parameter_constraints(_CONSTRAINTS, locals(), caller_name="similar_tracks")
    clusters = None
    is_pipeline = hasattr(embedding, "fit")
    if is_pipeline:
        Z, clusters = embed_and_cluster(embedding, tracks)
        Z = as_numbers(Z)
    else:
        Z = _check_vectors(embedding)
        check_consistent_length(Z, tracks)
    labels = _labels_of(tracks)
    if _is_table(queries):
        new = as_numbers(embedding[:-1].transform(queries)) if is_pipeline else queries
        query_vectors, query_labels, own = _check_vectors(new), _labels_of(queries), None
    else:
        own = _find_rows(queries, labels)
        query_vectors, query_labels = Z[own], labels[own]
    asked, ranks, rows, distances = _search(Z, query_vectors, own, n_neighbors, metric)
    table = {"query": query_labels[asked], "rank": ranks, "track": labels[rows]}
    table |= {"distance": distances}
    if clusters is not None:
        table["cluster"] = np.asarray(clusters)[rows]
    return pd.DataFrame(table)


def _is_table(queries: Any) -> bool:
    return hasattr(queries, "columns") or getattr(queries, "ndim", 0) == 2


def _labels_of(tracks: Any) -> pd.Index:
    if isinstance(tracks, (pd.DataFrame, pd.Series)):
        return tracks.index.to_flat_index()
    return pd.RangeIndex(_num_samples(tracks))


def _check_vectors(Z: Any) -> Any:
    Z = as_numbers(Z)
    if Z.ndim != 2:
        raise ValueError(
            f"Got latent vectors of shape {Z.shape}, expected (n_tracks, n_components)."
        )
    return Z


def _find_rows(queries: Any, labels: pd.Index) -> NDArray[np.intp]:
    """Return the row numbers of the tracks with some labels, in the order of these."""
    if queries is None:
        return np.arange(len(labels))
    is_one = isinstance(queries, (str, tuple)) or np.ndim(queries) == 0
    wanted = pd.Index([queries] if is_one else list(queries), dtype=object, tupleize_cols=False)
    if wanted.inferred_type == "boolean" and labels.inferred_type != "boolean":
        raise ValueError("Got a mask as queries, expected labels: pass tracks.index[mask].")
    rows, gone = labels.astype(object).get_indexer_non_unique(wanted)
    if len(gone):
        raise ValueError(
            f"Got the query {wanted[gone[0]]!r}, expected a label of the index of tracks, such as "
            f"{labels[0]!r}: to search by a column, use tracks.set_index(column)."
            if len(labels)
            else "The table has no tracks, expected at least one."
        )
    return rows


def _search(Z, queries, own, n_neighbors, metric):
    """Return the queries, ranks, rows and distances of the neighbours, one after another.

    `own` are the rows of the queries, if they are among the tracks.
    """
    present = np.flatnonzero(is_finite(Z))
    asked = np.flatnonzero(is_finite(queries))
    # One more: the track itself.
    n_found = min(n_neighbors + (own is not None), len(present))
    if not n_found or not len(asked):
        return np.empty((0,), int), np.empty((0,), int), np.empty((0,), int), np.empty((0,))
    search = NearestNeighbors(n_neighbors=n_found, metric=metric).fit(Z[present])
    distances, found = search.kneighbors(queries[asked])
    rows = present[found]
    # The nearest first, and of equally near ones the first in the table.
    order = np.lexsort((rows, distances))
    rows, distances = (np.take_along_axis(x, order, axis=1) for x in (rows, distances))
    keep = np.ones(rows.shape, dtype=bool)
    if own is not None:
        keep = rows != own[asked][:, None]
        # Among many copies, a track may not be found itself.
        keep[keep.all(axis=1), -1] = False
    ranks = keep.cumsum(axis=1)
    asked = np.repeat(asked, keep.sum(axis=1))
    return asked, ranks[keep], rows[keep], distances[keep]
