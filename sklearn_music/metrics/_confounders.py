"""Whether clusters follow the files rather than the music."""

import os
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
import soundfile
from joblib import Parallel, delayed
from scipy.stats import fisher_exact, mannwhitneyu
from sklearn.utils import column_or_1d
from sklearn.utils._param_validation import Interval, validate_params
from sklearn.utils.validation import check_consistent_length

from .._tables import as_objects, as_pandas, is_clustered, readable
from ..features.audio import as_floats, check_waveform, file_length, read_audio
from ..features.text import why_no_lyrics

# A property is strong in a cluster where its share exceeds that elsewhere by so much, ...
_DIFFERENCE = 0.5
# ... and where chance makes any such difference in a table as rarely as this.
_ALPHA = 0.01
# Durations that differ by less make no difference to the features: files are cut by encoders.
_RATIO = 1.2

_SECONDS = 10.0
_SILENCE = 1e-3  # -60 dB
_SAMPLE_RATE = 22050


@validate_params(
    {
        "tracks": "no_validation",
        "labels": ["array-like"],
        "sample_rate": [Interval(Integral, 1, None, closed="left")],
        "offset": [Interval(Real, 0, None, closed="left")],
        "n_jobs": [Integral, None],
    },
    prefer_skip_nested_validation=True,
)
def check_confounders(tracks, labels, *, sample_rate=22050, offset=0.0, n_jobs=None):
    """Check whether clusters depend on confounders: on the files, not on the music.

    It compares each cluster with all other tracks by properties that should not matter:
    missing lyrics, audio that can't be read, and of files their sample rate, number of channels,
    format, duration and silence. A cluster in which such a property is much more frequent than
    elsewhere is likely an artefact.

    Parameters
    ----------
    tracks : DataFrame of length n_tracks
        The tracks. The columns ``audio`` (paths or waveforms) and ``lyrics`` are used where they
        are there.
    labels : array-like of shape (n_tracks,)
        The cluster of each track. Tracks without one are left out: those with a negative
        number (noise, or missing), None or NaN.
    sample_rate : int, default=22050
        Sample rate of waveforms, in Hz. Of a waveform, only duration and silence are known.
    offset : float, default=0.0
        Where the 10 seconds begin in which silence is looked for, in seconds.
    n_jobs : int, default=None
        Number of files that are read at a time.

    Returns
    -------
    table : DataFrame
        One row per cluster, property and value: ``cluster``, ``property``, ``value``;
        ``share_inside`` and ``share_outside``, the share of tracks with this value in the cluster
        and elsewhere; ``p_value``, how likely as large a difference is by chance (Fisher's exact
        test; for durations, the Mann-Whitney test); ``is_strong``; and ``message``, a sentence
        where it is strong, else empty.

    See Also
    --------
    sklearn_music.report.ClusterReport : Shows the strong ones among its warnings.

    Notes
    -----
    A dependence is strong if the share in the cluster exceeds that elsewhere by at least .5, and
    its p-value is below .01 after Bonferroni's correction for all comparisons in the table: so
    random labels give a warning in one table of a hundred at most. For durations, the value is
    the threshold that tells the cluster from the rest best, and a strong one needs medians that
    differ by a fifth at least.

    Lyrics are missing as in :class:`~sklearn_music.LyricVectorizer`: "[Instrumental]" or text
    without a word, too. A track is silent if no sample of 10 seconds exceeds -60 dB of full
    scale. Tracks of which a property is not known are left out of its shares.

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
    labels = np.asarray(labels, dtype=object)[known]
    codes, clusters = pd.factorize(labels, sort=True)
    properties = _properties(tracks[known], sample_rate, offset, n_jobs)
    rows = [
        {"cluster": cluster, "property": name, **found}
        for i, cluster in enumerate(clusters)
        for name, values in properties.items()
        for found in _compare(name, values, codes == i)
    ]
    columns = ["cluster", "property", "value", "share_inside", "share_outside", "p_value"]
    table = pd.DataFrame(rows, columns=[*columns, "is_strong", "message"])
    table["is_strong"] = table["is_strong"].astype(bool) & (table["p_value"] * len(table) < _ALPHA)
    table["message"] = [
        f"Cluster {cluster}: {message}" if is_strong else ""
        for cluster, message, is_strong in zip(
            table["cluster"], table["message"], table["is_strong"], strict=True
        )
    ]
    return table


def _compare(name, values, inside):
    """Yield what tells the tracks inside a cluster from those outside, value by value."""
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
                f"{k_in} of its {n_in} tracks {_WORDS[name](value)} ({share_in:.0%}); elsewhere "
                f"{k_out} of {n_out} ({share_out:.0%})."
            ).replace("%", " %"),
        }


def _best_threshold(values, inside):
    """Return the side of the threshold of a number that is the most of the cluster's own."""
    medians = np.median(values[inside]), np.median(values[~inside])
    if max(medians) < _RATIO * min(medians):
        return []
    # Of the cluster's own values, and those just beyond.
    is_less = medians[0] < medians[1]
    signed = values if is_less else -values
    order = np.unique(signed)
    within = np.searchsorted(np.sort(signed[inside]), order, side="right") / inside.sum()
    beyond = np.searchsorted(np.sort(signed[~inside]), order, side="right") / (~inside).sum()
    limit = order[np.argmax(within - beyond)]
    value = f"{'at most' if is_less else 'at least'} {abs(limit):.3g} s"
    return [(value, signed <= limit, mannwhitneyu(values[inside], values[~inside]).pvalue)]


_WORDS = {
    "lyrics": lambda value: "have no lyrics" if value == "missing" else "have lyrics",
    "audio": lambda value: f"have {'no ' if value == 'unreadable' else ''}readable audio",
    "sample rate": lambda value: f"have a sample rate of {value} Hz",
    "channels": lambda value: f"have {value} channel{'s' if value > 1 else ''}",
    "format": lambda value: "are waveforms" if value == "waveform" else f"are {value} files",
    "duration": lambda value: f"last {value}",
    "silence": lambda value: f"are {value}",
}


def _properties(tracks, sample_rate, offset, n_jobs):
    """Return each property of the tracks, a Series; None where it isn't known."""
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


def _of_track(track, sample_rate, offset):
    try:
        if isinstance(track, (str, os.PathLike)):
            stretch = read_audio(track, sample_rate=_SAMPLE_RATE, offset=offset, duration=_SECONDS)
            found: dict[str, Any] = {"duration": file_length(track, sample_rate=1000) / 1000}
            # Opened here, so that any name of a file will do.
            with open(track, "rb") as file:
                info = soundfile.info(file)
            found |= {
                "sample rate": info.samplerate,
                "channels": info.channels,
                "format": info.format,
            }
        elif isinstance(track, np.ndarray):
            check_waveform(track, "the waveform")
            start = int(offset * sample_rate)
            stretch = as_floats(track[start : start + int(_SECONDS * sample_rate)])
            found = {"duration": len(track) / sample_rate, "format": "waveform"}
        else:
            return {"audio": "unreadable"}
    except (OSError, ValueError, RuntimeError):  # AudioError, a name no file has, soundfile's own
        return {"audio": "unreadable"}
    is_silent = not np.any(np.abs(stretch) > _SILENCE)
    return {"audio": "readable", "silence": "silent" if is_silent else "not silent", **found}
