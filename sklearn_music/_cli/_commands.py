"""What each command does, by the public functions of the library."""

import argparse
import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from ..datasets import load_tracks
from ..exploration import similar_tracks
from ..features import SpectrogramExtractor
from ..metrics import format_comparison
from ..metrics.reference_space import pooled_mfccs
from ..model_selection import NClustersChoice, choose_n_clusters
from ..report import ClusterReport
from ._console import Say, describe_tracks, find_song, list_left_out, names_of, sayer, summarize
from ._pipelines import make_pipeline
from ._results import Results, drop_unusable, set_running, with_clusters

# With fewer lyrics, there is little to compare the others with.
_FEW_LYRICS = 20
# To choose the number of clusters: the fewest songs, and the largest number that is tried. Without
# a limit, a small collection falls into clusters of a song each.
_FEWEST = 4
_SONGS_IN_A_CLUSTER = 8  # on average
_MOST_CLUSTERS = 20
# Of the features that the baselines cluster, in seconds.
_DURATION = 30.0
_NEEDED = ("bokeh", "itables", "jinja2", "matplotlib", "skops", "tomli_w")


def cluster(arguments: argparse.Namespace) -> None:
    """Cluster a folder or a table, and write what was found."""
    _check_installed()
    say = sayer(arguments)
    results = Results(arguments.output)
    # Whatever can be wrong with the arguments, before the files are read.
    make_pipeline(arguments, results.cache, has_lyrics=True)
    tracks, lost = _read(arguments)
    for name in arguments.labels:
        if name not in tracks:
            raise ValueError(
                f"Got --labels {name}, but there is no such column. The columns are "
                f"{', '.join(map(str, tracks.columns))}."
            )
    _check_number(arguments, len(tracks))
    settings = {name: _as_setting(value) for name, value in vars(arguments).items()}
    results.begin(settings)
    describe_tracks(tracks, lost, say)
    pipe, choice = _fit(arguments, results, tracks, say)
    if choice is not None:
        settings |= {"n_clusters": choice.n_clusters, "reason": choice.reason}
        results.write_curve(choice.table)
    saved = results.save_pipeline(pipe)
    results.write_settings(settings)
    report = _make_report(results, pipe, tracks, settings, arguments.jobs, choice)
    frame = report.to_frame()
    written = with_clusters(
        tracks,
        cluster=frame["cluster"].to_numpy(),
        cluster_name=frame["name"].to_numpy(),
        distance=frame["distance"].to_numpy(),
        reason=_reasons(pipe, len(tracks)),
    )
    written = _add_lost(written, lost)
    results.write_clusters(written)
    say(f"Writing {results.report} ...")
    report.to_html(results.report)
    summarize(report.describe(), say)
    scores = report.scores()
    if len(scores):
        say(f"\n{format_comparison(scores)}")
    list_left_out(written, say)
    say(f"\nWritten to {results.folder}:")
    for path, what in (
        (results.report, "the clusters, to read and to listen to"),
        (results.clusters, "each song with its cluster"),
        (results.playlists, "a playlist for each cluster"),
        (saved, "the fitted pipeline"),
        (results.settings, "settings and versions"),
    ):
        say(f"  {path.name:16}{what}")
    if saved.suffix == ".joblib":
        say("pipeline.joblib runs code when it is loaded: open only files that you trust.")


def predict(arguments: argparse.Namespace) -> None:
    """Find the clusters of new songs, and add them to the results."""
    say = sayer(arguments)
    results = Results(arguments.results)
    settings, old = results.read_settings(), results.read_clusters()
    pipe = results.load_pipeline(arguments.jobs, 0 if arguments.quiet else 1)
    if not hasattr(pipe, "predict"):
        raise ValueError(
            f"The clusters were found by {settings['clusterer']}, which can't add songs: cluster "
            "all songs together, or with --clusterer kmeans."
        )
    tracks, lost = _read(arguments)
    describe_tracks(tracks, lost, say)
    found = pipe.predict(tracks)
    in_cluster = old[old["cluster"] >= 0]
    named = dict(zip(in_cluster["cluster"], in_cluster["cluster_name"], strict=True))
    new = with_clusters(
        tracks,
        cluster=found,
        cluster_name=[named.get(label) for label in found],
        distance=np.nan,
        reason=_reasons(pipe, len(tracks)),
    )
    new = _add_lost(new, lost)
    # Songs that have a cluster keep it, with all that is known of them.
    kept = old[(old["cluster"] >= 0) | ~old["audio"].isin(new["audio"])]
    added = new[~new["audio"].isin(kept["audio"])]
    results.write_clusters(pd.concat([kept, added], ignore_index=True))
    for song, label in zip(names_of(new), new["cluster"], strict=True):
        say(f"{label if label >= 0 else '-':>7}  {named.get(label, 'in no cluster'):30}  {song}")
    list_left_out(new, say)
    say(f"\nAdded to {results.clusters} and to the playlists. The report with the new songs:")
    say(f"  sklearn-music report {results.folder}")


def similar(arguments: argparse.Namespace) -> None:
    """Print the songs most like a song."""
    results = Results(arguments.results)
    tracks, n_gone = results.read_tracks()
    if n_gone and not arguments.quiet:
        print(f"Warning: {n_gone} songs are not where they were: left out.", file=sys.stderr)
    pipe = results.load_pipeline(arguments.jobs, 0)
    query = find_song(arguments.song, tracks)
    if isinstance(query, pd.DataFrame):
        query = query.reindex(columns=tracks.columns).astype(object).where(query.notna(), None)
    found = similar_tracks(pipe, tracks, query, n_neighbors=arguments.number)
    if found.empty:
        raise ValueError(
            f"{arguments.song} can't be compared: {next(iter(pipe.failures_.values()), 'no audio')}"
        )
    songs = names_of(tracks)
    for row, distance, label in found[["track", "distance", "cluster"]].itertuples(index=False):
        print(f"{distance:.3f}", label, songs[row], tracks["audio"].iloc[row], sep="\t")


def report(arguments: argparse.Namespace) -> None:
    """Write the report again."""
    _check_installed()
    say = sayer(arguments)
    results = Results(arguments.results)
    settings = results.read_settings()
    pipe = results.load_pipeline(arguments.jobs, 0 if arguments.quiet else 1)
    tracks, n_gone = results.read_tracks()
    if n_gone:
        say(f"{n_gone} songs are not where they were: left out.")
    table, choice = results.read_curve(), None
    if table is not None and "reason" in settings:
        choice = NClustersChoice(
            settings["n_clusters"], "auto", settings["reason"], table, {}, np.empty((0, 0))
        )
    page = _make_report(results, pipe, tracks, settings, arguments.jobs, choice)
    page.audio = "embed" if arguments.embed_audio else "link"
    page.to_html(results.report)
    say(f"Written: {results.report}")


def _fit(
    arguments: argparse.Namespace, results: Results, tracks: pd.DataFrame, say: Say
) -> tuple[Pipeline, NClustersChoice | None]:
    """Return the fitted pipeline, and how its number of clusters was chosen."""
    n_lyrics = int(tracks["lyrics"].notna().sum())
    has_lyrics = n_lyrics >= _FEW_LYRICS if arguments.lyrics_weight is None else n_lyrics > 0
    if not has_lyrics and arguments.lyrics_weight != 0:
        say("Clustering by audio alone: too few songs have lyrics.")
    pipe, choice = make_pipeline(arguments, results.cache, has_lyrics=has_lyrics), None
    Z = pipe[:-1].fit_transform(tracks)
    if arguments.clusters == "auto" and arguments.clusterer != "hdbscan":
        most = min(_MOST_CLUSTERS, max(_FEWEST, len(tracks) // _SONGS_IN_A_CLUSTER))
        choice = choose_n_clusters(
            Z,
            n_clusters=range(2, most + 1),
            clusterer=pipe[-1].estimator,
            random_state=arguments.seed,
        )
        size = "n_components" if arguments.clusterer == "gmm" else "n_clusters"
        pipe.set_params(**{f"cluster__estimator__{size}": choice.n_clusters})
        say(choice.reason)
    pipe[-1].fit_predict(Z)
    return pipe, choice


def _check_installed() -> None:
    if missing := [name for name in _NEEDED if find_spec(name) is None]:
        raise ImportError(
            f"{', '.join(missing)} missing, which the command needs. Install them with: "
            'pip install "sklearn-music[cli]"'
        )


def _check_number(arguments: argparse.Namespace, n_tracks: int) -> None:
    """Raise, before the files are decoded, where there are too few for the clusters."""
    if arguments.clusters != "auto" and arguments.clusters > n_tracks:
        raise ValueError(
            f"Got --clusters {arguments.clusters} for {n_tracks} songs, expected no more clusters "
            "than songs."
        )
    if arguments.clusters == "auto" and n_tracks < _FEWEST:
        raise ValueError(
            f"Got {n_tracks} songs, expected at least {_FEWEST} to choose the number of clusters: "
            "pass it by --clusters."
        )


def _as_setting(value: Any) -> Any:
    if isinstance(value, Path):
        return os.path.abspath(value)
    return [_as_setting(x) for x in value] if isinstance(value, (list, tuple)) else value


def _read(arguments: argparse.Namespace) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return the tracks, and why other files can't be used."""
    path = arguments.tracks.expanduser()
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist, expected a folder or a table.")
    if path.is_dir():
        tracks = load_tracks(path, n_jobs=arguments.jobs)
    else:
        columns = dict(getattr(arguments, "columns", ()))
        audio = getattr(arguments, "audio", None)
        tracks = load_tracks(path, audio, columns=columns or None, missing="drop")
    return drop_unusable(tracks)


def _reasons(pipe: Any, n_tracks: int) -> list[str | None]:
    failures = pipe.failures_
    return [failures.get(row) for row in range(n_tracks)]


def _add_lost(table: pd.DataFrame, lost: dict[str, str]) -> pd.DataFrame:
    """Return the table with a row for each file that could not be used."""
    if not lost:
        return table
    rows = pd.DataFrame({"audio": list(lost), "cluster": -1, "reason": list(lost.values())})
    return pd.concat([table.astype({"reason": object}), rows], ignore_index=True)


def _make_report(
    results: Results,
    pipe: Pipeline,
    tracks: pd.DataFrame,
    settings: dict[str, Any],
    n_jobs: int,
    choice: NClustersChoice | None,
) -> ClusterReport:
    set_running(pipe, verbose=0)
    labels = {name: tracks[name] for name in settings["labels"] if tracks[name].notna().any()}
    extractor = SpectrogramExtractor(
        duration=settings.get("duration", _DURATION), memory=str(results.cache), n_jobs=n_jobs
    )
    shown = ("tracks", "clusters", "encoder", "clusterer", "lyrics_weight", "duration", "seed")
    return ClusterReport(
        pipe,
        tracks,
        labels or None,
        title=f"Clusters of {Path(settings['tracks']).name}",
        features=pooled_mfccs(extractor),
        n_clusters_choice=choice,
        settings={name: settings[name] for name in shown if name in settings},
        random_state=settings["seed"],
    )
