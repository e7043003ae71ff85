"""The folder of results: what a run writes, and what later ones read of it."""

import os
import platform
import tomllib
import zipfile
from collections.abc import Mapping
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import joblib
import pandas as pd
from sklearn.pipeline import Pipeline

from .._files import replace_file
from .._inspection import iter_estimators, named_estimators
from .._tables import readable
from ..datasets import load_tracks
from ..exceptions import AudioError
from ..exploration import write_playlists
from ..features import AudioEncoder, SpectrogramExtractor
from ..features.audio import file_stamp

# What is added to the table of tracks.
_ADDED = ("cluster", "cluster_name", "distance", "reason")
_FIRST = ("cluster", "cluster_name", "title", "artist", "album")
_LAST = ("distance", "reason", "audio", "lyrics")
_PACKAGES = ("sklearn-music", "scikit-learn", "numpy", "pandas", "torch", "librosa")


class Results:
    """A folder of results."""

    def __init__(self, folder: Path):
        self.folder = folder.expanduser()
        self.cache = self.folder.absolute() / "cache"
        self.clusters = self.folder / "clusters.csv"
        self.playlists = self.folder / "playlists"
        self.report = self.folder / "report.html"
        self.settings = self.folder / "settings.toml"
        self.curve = self.folder / "n_clusters.csv"

    def begin(self, settings: Mapping[str, Any]) -> None:
        """Make the folder, and write the settings of the run that begins."""
        if self.folder.exists() and not self.folder.is_dir():
            raise NotADirectoryError(f"{self.folder} is a file, expected a folder.")
        if self.folder.exists() and not self.settings.exists() and any(self.folder.iterdir()):
            raise FileExistsError(
                f"{self.folder} holds other files, and none of an earlier run: choose an empty or "
                "new folder with --output."
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        self.write_settings(settings)

    def write_settings(self, settings: Mapping[str, Any]) -> None:
        """Write what a run was given, and what it ran with."""
        import tomli_w

        table = {
            "run": {name: value for name, value in settings.items() if value is not None},
            "versions": {
                "python": platform.python_version(),
                **{package: version(package) for package in _PACKAGES},
            },
        }
        table["run"]["date"] = datetime.now().astimezone().replace(microsecond=0)
        replace_file(self.settings, tomli_w.dumps(table).encode("utf-8", "replace"))

    def read_settings(self) -> dict[str, Any]:
        """Return the settings of the run that wrote the folder."""
        if not self.settings.is_file():
            raise FileNotFoundError(
                f"{self.folder} is no folder of results: it has no settings.toml. Expected one "
                "that 'sklearn-music cluster' has written."
            )
        return tomllib.loads(self.settings.read_text(encoding="utf-8"))["run"]

    def save_pipeline(self, pipe: Pipeline) -> Path:
        """Write the fitted pipeline, if possible in a format that runs no code when loaded."""
        import skops.io

        before = {id(part): (part, part.memory) for part in _extractors(pipe)}
        set_running(pipe, memory=None)  # a path of this machine
        try:
            path = self.folder / "pipeline.skops"
            content = skops.io.dumps(pipe, compression=zipfile.ZIP_DEFLATED)
            if _others(skops.io.get_untrusted_types(data=content)):
                path = path.with_suffix(".joblib")
                unfinished = self.folder / ".pipeline.tmp"
                joblib.dump(pipe, unfinished)
                os.replace(unfinished, path)
            else:
                replace_file(path, content)
        finally:
            for part, memory in before.values():
                part.memory = memory
        for other in {".skops", ".joblib"} - {path.suffix}:
            path.with_suffix(other).unlink(missing_ok=True)
        return path

    def load_pipeline(self, n_jobs: int, verbose: int) -> Pipeline:
        """Return the fitted pipeline."""
        self.read_settings()
        path = self.folder / "pipeline.skops"
        if path.is_file():
            import skops.io

            types = skops.io.get_untrusted_types(file=path)
            if others := _others(types):
                raise ValueError(f"{path} holds {others}, which this command has not written.")
            pipe = skops.io.load(path, trusted=types)
        elif path.with_suffix(".joblib").is_file():
            pipe = joblib.load(path.with_suffix(".joblib"))
        else:
            raise FileNotFoundError(
                f"{self.folder} holds no fitted pipeline: the run that began there was stopped. "
                "Run 'sklearn-music cluster' again, and it goes on."
            )
        set_running(pipe, memory=str(self.cache), n_jobs=n_jobs, verbose=verbose)
        return pipe

    def write_clusters(self, table: pd.DataFrame) -> list[Path]:
        """Write the table of tracks with their clusters, and the playlists."""
        names = [*_FIRST, *table.columns.drop([*_FIRST, *_LAST], errors="ignore"), *_LAST]
        table = table[[name for name in names if name in table]]
        text = readable(table.to_csv(index=False, lineterminator="\n"))
        # With a mark at its start, by which Excel knows that it is UTF-8.
        replace_file(self.clusters, text.encode("utf-8-sig"))
        in_cluster = table[(table["cluster"] >= 0) & table["reason"].isna()]
        in_cluster = in_cluster.sort_values("distance", kind="stable")
        named = dict(zip(in_cluster["cluster"], in_cluster["cluster_name"], strict=True))
        return write_playlists(in_cluster["cluster"], in_cluster, self.playlists, names=named)

    def write_curve(self, table: pd.DataFrame) -> None:
        """Write the scores of each number of clusters."""
        replace_file(self.curve, table.to_csv(index=False, lineterminator="\n").encode())

    def read_curve(self) -> pd.DataFrame | None:
        """Return the scores of each number of clusters, if it was chosen by them."""
        return pd.read_csv(self.curve) if self.curve.is_file() else None

    def read_clusters(self) -> pd.DataFrame:
        """Return the table of tracks with their clusters, also of files that are gone."""
        self.read_settings()
        if not self.clusters.is_file():
            raise FileNotFoundError(
                f"{self.clusters} is missing: the run that began there was stopped. Run "
                "'sklearn-music cluster' again, and it goes on."
            )
        return pd.read_csv(self.clusters, encoding="utf-8-sig", dtype={"reason": object})

    def read_tracks(self) -> tuple[pd.DataFrame, int]:
        """Return the tracks that were clustered, and how many are gone since."""
        before = self.read_clusters()
        tracks, _ = drop_unusable(load_tracks(self.clusters, missing="drop"))
        # Others could not be used then, and are no news.
        known = set(before["audio"][before["reason"].isna()])
        return tracks, len(known - set(tracks["audio"]))


def drop_unusable(tracks: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return the tracks whose files can be opened, and why the others can't.

    So a pipeline is given the same tracks each time, whether they come from a folder, a table, or
    the results. What can't be decoded is found out by the pipeline.
    """
    lost = dict.fromkeys(tracks.attrs["missing_files"], "There is no such file.")
    lost |= tracks.attrs["unreadable_files"]
    for audio in tracks["audio"]:
        try:
            file_stamp(audio)
        except AudioError as error:
            lost[audio] = str(error)
    return tracks[~tracks["audio"].isin(list(lost))].reset_index(drop=True), lost


def with_clusters(tracks: pd.DataFrame, **added: Any) -> pd.DataFrame:
    """Return the tracks with what is known of their clusters."""
    return tracks.drop(columns=list(_ADDED), errors="ignore").assign(**added)


def set_running(pipe: Pipeline, **params: Any) -> None:
    """Set cache, workers or progress of what reads files in a pipeline, fitted or not."""
    for part in _extractors(pipe):
        part.set_params(**params)


def _extractors(pipe: Pipeline) -> list[Any]:
    found = [*named_estimators(pipe).values(), *(part for part, _ in iter_estimators(pipe))]
    return [part for part in found if isinstance(part, (AudioEncoder, SpectrogramExtractor))]


def _others(types: list[str]) -> list[str]:
    return [name for name in types if not name.startswith("sklearn_music.")]
