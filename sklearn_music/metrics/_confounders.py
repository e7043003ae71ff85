"""Confounders: whether clusters follow the files rather than the music."""

import os
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from numpy.typing import NDArray
from scipy.stats import fisher_exact, mannwhitneyu
from sklearn.utils import column_or_1d
from sklearn.utils._param_validation import Interval, validate_parameter_constraints
from sklearn.utils.validation import check_consistent_length

from .._docstrings import shared
from .._tables import as_objects, as_pandas, is_clustered, readable
from ..exceptions import AudioError
from ..features.audio import (
    as_floats,
    check_waveform,
    file_header,
    file_length,
    file_stamp,
    read_audio,
)
from ..features.text import why_no_lyrics
from ._docstrings import TEXTS

# A property is strong in a cluster if its share exceeds that elsewhere by this much, ...
_DIFFERENCE = 0.5
# ... and if chance makes any such difference in a table at most this often.
_ALPHA = 0.01
# A smaller ratio of durations makes no difference to the features: encoders cut files.
_RATIO = 1.2

_SECONDS = 10.0
_SILENCE = 1e-3  # -60 dB
_SAMPLE_RATE = 22050

_CONSTRAINTS = {
    "labels": ["array-like"],
    "sample_rate": [Interval(Integral, 1, None, closed="left")],
    "offset": [Interval(Real, 0, None, closed="left")],
    "n_jobs": [Integral, None],
}


@shared(TEXTS)
def check_confounders(
    tracks: Any,
    labels: Any,
    *,
    sample_rate: int = 22050,
    offset: float = 0.0,
    n_jobs: int | None = None,
) -> pd.DataFrame:
    """Check whether clusters depend on confounders: on the files, not on the music.

    It compares each cluster with all other tracks by properties that should not matter: missing
    lyrics, unreadable audio, and the sample rate, number of channels, format, duration and
    silence of files. A cluster in which such a property is much more frequent is likely an
    artefact.

    Parameters
    ----------
    tracks : DataFrame of length n_tracks
        The tracks. The columns ``audio`` (paths or waveforms) and ``lyrics`` are used, if there.
    labels : array-like of shape (n_tracks,)
        The cluster of each track. Tracks with a negative number (noise, or missing), None or NaN
        are left out.
    sample_rate : int, default=22050
        Sample rate of waveforms, in Hz. Of a waveform, only duration and silence are known.
    offset : float, default=0.0
        Start of the 10 seconds that are checked for silence, in seconds.
    n_jobs : int, default=None
        Number of files that are read at a time.

    Returns
    -------
    {confounders}

    See Also
    --------
    sklearn_music.report.ClusterReport : Shows the strong ones among its warnings.

    Notes
    -----
    {confounders_notes}

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_music.metrics import check_confounders
    >>> tracks = pd.DataFrame({"lyrics": [None] * 10 + ["row a boat"] * 20})
    >>> table = check_confounders(tracks, [1] * 9 + [0] * 21)
    >>> for message in table.loc[table["is_strong"], "message"]:
    ...     print(message)
    Cluster 0: 20 of its 21 tracks have lyrics (95 %); elsewhere 0 of 9 (0 %).
    Cluster 1: 9 of its 9 tracks have no lyrics (100 %); elsewhere 1 of 21 (5 %).
    """
    validate_parameter_constraints(_CONSTRAINTS, locals(), caller_name="check_confounders")
    tracks, labels = _check(tracks, labels)
    return _tabulate(_properties(tracks, sample_rate, offset, n_jobs), labels)


def _check(tracks: Any, labels: Any) -> tuple[pd.DataFrame, NDArray[np.object_]]:
    """Return the tracks that have a cluster, and their labels."""
    tracks = as_pandas(tracks)
    if not isinstance(tracks, pd.DataFrame):
        raise ValueError(f"Got a {type(tracks).__name__} as tracks, expected a DataFrame.")
    labels = column_or_1d(np.asarray(labels, dtype=object))
    check_consistent_length(tracks, labels)
    for name in ("audio", "lyrics"):
        if (n_columns := tracks.columns.tolist().count(name)) > 1:
            raise ValueError(
                f"Got tracks with {n_columns} columns {name!r}, expected one: rename the others."
            )
    known = is_clustered(labels)
    labels = [readable(label) if isinstance(label, str) else label for label in labels]
    return tracks[known], np.asarray(labels, dtype=object)[known]


def _tabulate(properties, labels):
    codes, clusters = pd.factorize(labels, sort=True)
    rows = [
        {"cluster": cluster, "property": name, **found}
        for i, cluster in enumerate(clusters)
        for name, values in properties.items()
        for found in _compare(cluster, name, values, codes == i)
    ]
    columns = ["cluster", "property", "value", "share_inside", "share_outside", "p_value"]
    table = pd.DataFrame(rows, columns=[*columns, "is_strong", "message"])
    table["is_strong"] = table["is_strong"].astype(bool) & (table["p_value"] * len(table) < _ALPHA)
    table["message"] = table["message"].where(table["is_strong"], "")
    return table


def _compare(cluster, name, values, inside):
    """Yield how the tracks inside a cluster differ from those outside, value by value."""
    known = values.notna().to_numpy()
    inside, values = inside[known], values[known]
    if not inside.any() or inside.all():
        return
    if name == "duration":
        candidates = _best_threshold(values.to_numpy(np.float64), inside)
    else:
        candidates = [(value, (values == value).to_numpy(), None) for value in values.unique()]
        if len(candidates) < 2:
            return
    for value, has_value, p_value in candidates:
        n_in, n_out = int(inside.sum()), int((~inside).sum())
        k_in, k_out = int(has_value[inside].sum()), int(has_value[~inside].sum())
        share_in, share_out = k_in / n_in, k_out / n_out
        if p_value is None:
            p_value = fisher_exact([[k_in, n_in - k_in], [k_out, n_out - k_out]])[1]
        yield {
            "value": value,
            "share_inside": share_in,
            "share_outside": share_out,
            "p_value": float(p_value),
            "is_strong": share_in - share_out >= _DIFFERENCE,
            "message": (
                f"Cluster {cluster}: {k_in} of its {n_in} tracks {_WORDS[name](value)} "
                f"({100 * share_in:.0f} %); elsewhere {k_out} of {n_out} ({100 * share_out:.0f} %)."
            ),
        }


def _best_threshold(values, inside):
    """Return the threshold that separates a cluster best: its name, its tracks, its p-value."""
    medians = np.median(values[inside]), np.median(values[~inside])
    if max(medians) < _RATIO * min(medians):
        return []
    is_less = medians[0] < medians[1]
    signed = values if is_less else -values
    order = np.unique(signed)
    within = np.searchsorted(np.sort(signed[inside]), order, side="right") / inside.sum()
    beyond = np.searchsorted(np.sort(signed[~inside]), order, side="right") / (~inside).sum()
    limit = order[np.argmax(within - beyond)]
    value = f"{'at most' if is_less else 'at least'} {abs(limit):.3g} s"
    return [(value, signed <= limit, mannwhitneyu(values[inside], values[~inside]).pvalue)]


_WORDS: dict[str, Any] = {
    "lyrics": lambda value: "have no lyrics" if value == "missing" else "have lyrics",
    "audio": lambda value: f"have {'no ' if value == 'unreadable' else ''}readable audio",
    "sample rate": lambda value: f"have a sample rate of {value} Hz",
    "channels": lambda value: f"have {value} channel{'s' if value > 1 else ''}",
    "format": lambda value: "are waveforms" if value == "waveform" else f"are {value} files",
    "duration": lambda value: f"last {value}",
    "silence": lambda value: f"are {value}",
}


def _properties(tracks, sample_rate, offset, n_jobs):
    """Return each property of the tracks, None where it isn't known."""
    properties: dict[str, list] = {}
    if "lyrics" in tracks and len(tracks):
        reasons = map(why_no_lyrics, as_objects(tracks["lyrics"]))
        properties["lyrics"] = ["present" if reason is None else "missing" for reason in reasons]
    if "audio" in tracks:
        audio = Parallel(n_jobs=n_jobs, prefer="threads")(
            delayed(_of_track)(track, sample_rate, offset) for track in tracks["audio"]
        )
        properties |= {name: [found.get(name) for found in audio] for name in list(_WORDS)[1:]}
    return {name: pd.Series(values, dtype=object) for name, values in properties.items()}


def _of_track(track: Any, sample_rate: int, offset: float) -> dict[str, Any]:
    try:
        if isinstance(track, (str, os.PathLike)):
            stretch = read_audio(track, sample_rate=_SAMPLE_RATE, offset=offset, duration=_SECONDS)
            found: dict[str, Any] = {"duration": file_length(track, sample_rate=1000) / 1000}
            header = file_header(file_stamp(track))
            found["sample rate"] = header.sample_rate
            found |= {"channels": header.n_channels, "format": header.format}
        elif isinstance(track, np.ndarray):
            check_waveform(track, "the waveform")
            start = int(offset * sample_rate)
            stretch = as_floats(track[start : start + int(_SECONDS * sample_rate)])
            found = {"duration": len(track) / sample_rate, "format": "waveform"}
        else:
            return {"audio": "unreadable"}
    except AudioError:
        return {"audio": "unreadable"}
    is_silent = not np.any(np.abs(stretch) > _SILENCE)
    return {"audio": "readable", "silence": "silent" if is_silent else "not silent", **found}
