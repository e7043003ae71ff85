"""The report: a page that opens without a network."""

import html
import io
import os
import secrets
import warnings
from functools import cached_property
from numbers import Integral, Real
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions, validate_params
from sklearn.utils.validation import check_is_fitted

from .. import __version__
from .._inspection import (
    embed_and_cluster,
    find_embedders,
    find_failures,
    fitted_with_labels,
    iter_estimators,
)
from .._tables import as_numbers, as_pandas, is_finite, is_present, readable
from ..exceptions import AudioError
from ..features import SpectrogramExtractor
from ..metrics import check_confounders
from ..plotting import ReconstructionDisplay, TrainingHistoryDisplay
from ..plotting._latent_space import project
from ..plotting.style import import_pyplot
from ._clusters import NOISE, check_targets, count, describe_clusters, name_clusters, top_words
from ._media import as_uri, embed, find_titles, link, scaled, shorten
from ._scores import THIS, choose_features, score_table

_N_RECONSTRUCTIONS = 4
_NO_CLUSTER = "no cluster"
_COLUMNS = ("audio", "lyrics", "title", "track_id", "filename")
_UNKNOWN = "nothing is known of it, neither audio nor lyrics."
_NOT_FINITE = "its latent vector holds NaN or infinity: impute what is missing of it."
_N_NAMED = 3  # of the tracks that a warning is about


class ClusterReport:
    """A page about the clusters that a fitted pipeline found, to read and to listen to.

    It holds a map of the tracks, which play on a click, the scores beside chance and plain
    baselines, each cluster with its labels, words, typical tracks and outliers, what the
    decoder makes of tracks, the training, and what to be wary of. All of it is in one file,
    which needs no network.

    Parameters
    ----------
    pipeline : Pipeline
        A fitted pipeline over the table of tracks that ends in a clusterer.
    tracks : DataFrame of length n_tracks
        The tracks. These columns are used where they are there: ``audio`` (paths, or
        waveforms of shape (n_samples,)), ``lyrics``, and the first of ``title``,
        ``track_id`` and ``filename`` as the name of a track.
    y : array-like of shape (n_tracks,), or DataFrame or dict of such, default=None
        Labels, by name, to score the clusters against; None where one isn't known.
    title : str, default="Clusters of tracks"
        The heading.
    audio : {"link", "embed"}, default="link"
        What plays: the track's own file, from where it is, or an excerpt in MP3 that is part
        of the page, about 80 kB for 10 seconds. A waveform has no file: it is embedded either
        way. A notebook can't open files, and plays what is embedded.
    excerpt_duration : float, default=10.0
        Length of an excerpt, in seconds, from where the pipeline starts to listen.
    max_excerpts : int, default=200
        Number of excerpts, the typical tracks and the outliers of each cluster first. A track
        beyond it plays from its file, or not at all where it has none.
    features : transformer, default=None
        Makes the features that the baselines cluster of the table. None takes the pooled MFCCs
        of the audio, as the pipeline hears it, or the topics of the lyrics if there is no audio.
    n_seeds : int, default=5
        Number of seeds of chance and of the baselines.
    random_state : int, RandomState instance or None, default=0
        Determines the seeds and the map.

    Raises
    ------
    NotFittedError
        If the pipeline isn't fitted.
    ImportError
        If Bokeh, Jinja or matplotlib are missing; it says what to install.
    ValueError
        If the pipeline doesn't end in a clusterer, or the labels don't fit the tracks.

    See Also
    --------
    sklearn_music.metrics.compare_embeddings : Makes the table of scores.
    sklearn_music.plotting : The pictures one by one.

    Notes
    -----
    A typical track is near the mean of its cluster in the space that was clustered, an outlier
    far from it. The words of a cluster are those whose mean TF-IDF in it exceeds that in all
    lyrics the most. The map is t-SNE's [1]_: near is alike, far says little.

    A track that the pipeline has no latent vector of (neither readable audio nor lyrics, say), or
    one that holds NaN or infinity, has no cluster: it is not on the map, and is listed with the
    reason. In the scores, such tracks
    count as one more cluster. Where a cluster depends on what should not matter, such as
    missing lyrics or the sample rate of the files, a warning says so (see
    `sklearn_music.metrics.check_confounders`).

    Titles and lyrics are shown as text, whatever is in them, and the page's content security
    policy keeps it from loading anything but the tracks' files.

    References
    ----------
    .. [1] L. van der Maaten and G. Hinton, "Visualizing Data using t-SNE",
       JMLR 9, 2008.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearn.cluster import KMeans
    >>> from sklearn.decomposition import PCA
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn_music import SpectrogramExtractor
    >>> from sklearn_music.datasets import make_music
    >>> from sklearn_music.report import ClusterReport
    >>> tracks = make_music(8, duration=0.5, random_state=0).data[["audio"]]
    >>> pipe = make_pipeline(SpectrogramExtractor(n_mels=16), PCA(2), KMeans(2, n_init=3))
    >>> report = ClusterReport(pipe.fit(tracks), tracks)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = report.to_html(Path(folder, "report.html"))
    ...     path.stat().st_size > 1_000_000  # most of which is Bokeh
    True
    """

    @validate_params(
        {
            "pipeline": "no_validation",
            "tracks": "no_validation",
            "y": ["array-like", dict, None],
            "title": [str],
            "audio": [StrOptions({"link", "embed"})],
            "excerpt_duration": [Interval(Real, 0, None, closed="neither")],
            "max_excerpts": [Interval(Integral, 0, None, closed="left")],
            "features": [HasMethods(["fit_transform"]), None],
            "n_seeds": [Interval(Integral, 1, None, closed="left")],
            "random_state": ["random_state"],
        },
        prefer_skip_nested_validation=True,
    )
    def __init__(
        self,
        pipeline,
        tracks,
        y=None,
        *,
        title="Clusters of tracks",
        audio="link",
        excerpt_duration=10.0,
        max_excerpts=200,
        features=None,
        n_seeds=5,
        random_state=0,
    ):
        _check_pipeline(pipeline)
        tracks = as_pandas(tracks)
        _check_table(tracks)
        _import_page()
        import_pyplot()
        self.pipeline = pipeline
        self.tracks = tracks
        self.y = y
        self.title = title
        self.audio = audio
        self.excerpt_duration = excerpt_duration
        self.max_excerpts = max_excerpts
        self.features = features
        self.n_seeds = n_seeds
        self.random_state = random_state
        self._targets = check_targets(y, len(tracks))

    def to_html(self, path):
        """Write the page.

        Parameters
        ----------
        path : str or PathLike
            The file, which is replaced if it exists.

        Returns
        -------
        path : Path
            The file.
        """
        path = Path(path)
        page = self._page
        # Under another name at first, so that no reader finds half of a page.
        unfinished = path.with_name(f".{secrets.token_hex(8)}.tmp")
        try:
            unfinished.write_text(page, encoding="utf-8")
            os.replace(unfinished, path)
        finally:
            unfinished.unlink(missing_ok=True)
        return path

    def _repr_html_(self):
        """Return the page in a frame of its own, for a notebook."""
        title = html.escape(readable(self.title))
        return (
            f'<iframe srcdoc="{html.escape(self._page)}" title="{title}" '
            'sandbox="allow-scripts" style="width: 100%; height: 800px; border: 0"></iframe>'
        )

    @cached_property
    def _page(self):
        environment, _map = _import_page()
        tracks, targets = self.tracks, self._targets
        rng = check_random_state(self.random_state)
        seeds = rng.randint(np.iinfo(np.int32).max, size=2).tolist()
        embedding = self.pipeline[:-1]

        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            Z, labels = embed_and_cluster(self.pipeline, tracks)
        notes = [str(w.message) for w in caught if issubclass(w.category, UserWarning)]
        Z = as_numbers(Z)
        failures = find_failures(self.pipeline)
        present, labels = is_finite(Z), np.asarray(labels)
        in_part = is_present(Z) & ~present
        if not present.any():
            raise ValueError(
                f"The pipeline has no latent vector of any of the {len(tracks)} tracks: pass some "
                "that can be read."
            )
        clusters, order = name_clusters(labels, present)
        if len(order) == 1:
            notes.append(f"All tracks are in one cluster, {order[0]}.")
        if not present.all():
            notes.append(
                f"{np.sum(~present)} of {len(tracks)} tracks have no cluster: they are listed "
                "below."
            )
        notes += self._about_confounders(np.where(present, labels.astype(object), -1))

        words = {}
        if "lyrics" in tracks:
            try:
                words, n_missing = top_words(tracks["lyrics"], clusters, order)
            except ValueError as error:
                notes.append(f"No words are shown: {error}")
            else:
                if n_missing:
                    notes.append(f"{n_missing} of {len(tracks)} tracks have no lyrics.")
        described = describe_clusters(Z, clusters, order, targets, words)

        scores = about_features = None
        if targets:
            features, about_features = choose_features(tracks, self._extractor, self.features)
            try:
                scores = score_table(
                    embedding,
                    clusters,
                    tracks,
                    targets,
                    features=features,
                    n_seeds=self.n_seeds,
                    random_state=seeds[0],
                )
            except AudioError as error:  # none of the files can be read
                notes.append(f"No scores are shown: {error}")
            told = {}
            if scores is not None:
                this = scores[scores["embedding"] == THIS]
                told = dict(zip(this["target"], this["leakage"], strict=True))
            notes[:0] = [_about_target(name, y, told.get(name, 0)) for name, y in targets.items()]

        if names := fitted_with_labels(self.pipeline):
            notes.insert(
                0, f"{', '.join(names)} learnt from labels: these clusters are supervised."
            )
        embedders = [part.estimator for part in find_embedders(self.pipeline)]
        notes[:0] = [embedder.collapse_advice() for embedder in embedders]
        first = [row for cluster in described for row in (*cluster.typical, *cluster.outliers)]
        titles = find_titles(_readable_names(tracks))
        sources, about_audio = self._sources(titles, first)
        colorings = {"cluster": (clusters, order)} | {
            name: (y, list(count(y))) for name, y in targets.items()
        }
        legends, columns = _color(colorings, _map.looks)
        columns |= {
            "title": titles,
            "cluster": [_NO_CLUSTER if cluster is None else cluster for cluster in clusters],
            "lyrics": [
                "" if pd.isna(text) else shorten(text)
                for text in tracks.get("lyrics", [None] * len(tracks))
            ],
            "audio": sources,
        }
        points = np.full((len(tracks), 2), np.nan)
        _, points[present] = project(Z[present], seeds[1])
        nonce = secrets.token_urlsafe(16)
        page = environment.get_template("page.html").render(
            title=self.title,
            version=__version__,
            nonce=nonce,
            bokeh=_map.scripts(),
            map=_map.draw(points, columns),
            notes=[note for note in [*notes, *about_audio] if note],
            n_tracks=len(tracks),
            titles=titles,
            has_audio=any(sources),
            clusters=described,
            noise=NOISE,
            missing={
                row: failures.get(row, _NOT_FINITE if in_part[row] else _UNKNOWN)
                for row in np.flatnonzero(~present).tolist()
            },
            legends=legends,
            scores=scores,
            this=THIS,
            features=about_features,
            n_seeds=self.n_seeds,
            reconstructions=self._reconstructions(embedding, described),
            training=[
                (type(part).__name__, _as_png(TrainingHistoryDisplay(part.history_).plot().figure_))
                for part in embedders
            ],
            pipeline=repr(self.pipeline),
        )
        return readable(page)

    def _about_confounders(self, labels):
        """Return a sentence for each property of the files that a cluster depends on."""
        extractor = self._extractor or SpectrogramExtractor()
        table = check_confounders(
            self.tracks,
            labels,
            sample_rate=extractor.sample_rate,
            offset=extractor.offset,
            n_jobs=extractor.n_jobs,
        )
        found = table.loc[table["is_strong"], "message"].tolist()
        if found:
            found.append(
                "So these clusters may follow what is known of the tracks, or how they were "
                "recorded, rather than the music."
            )
        return found

    @property
    def _extractor(self):
        parts = (part.estimator for part in iter_estimators(self.pipeline))
        return next((part for part in parts if isinstance(part, SpectrogramExtractor)), None)

    def _sources(self, titles, first):
        """Return what plays each track, empty where nothing does, and what to say about it."""
        sources = [""] * len(self.tracks)
        if "audio" not in self.tracks:
            return sources, ["The table has no column 'audio', so that no track can be played."]
        rest = np.setdiff1d(np.arange(len(sources)), first)
        rest = check_random_state(self.random_state).permutation(rest).tolist()
        extractor = self._extractor or SpectrogramExtractor()
        stretch = {
            "sample_rate": extractor.sample_rate,
            "offset": extractor.offset,
            "duration": self.excerpt_duration,
        }
        n_excerpts, silent, failures = 0, 0, []
        for row in [*first, *rest]:
            audio = self.tracks["audio"].iloc[row]
            is_path = isinstance(audio, (str, os.PathLike))
            embeds = self.audio == "embed" or not is_path
            try:
                if embeds and n_excerpts < self.max_excerpts:
                    sources[row] = embed(scaled(audio), **stretch)
                    n_excerpts += 1
                elif is_path:
                    sources[row] = link(audio)
                else:
                    silent += 1
            except AudioError as error:
                failures.append(f"{titles[row]}: {error}")
        notes = []
        if failures:
            notes.append(
                f"{len(failures)} of {len(sources)} tracks can't be played. "
                + " ".join(failures[:_N_NAMED])
                + (f" And {len(failures) - _N_NAMED} more." if len(failures) > _N_NAMED else "")
            )
        if silent:
            notes.append(
                f"{silent} tracks have no sound here: they are waveforms, of which "
                f"{self.max_excerpts} are part of the page (max_excerpts)."
            )
        return sources, notes

    def _reconstructions(self, embedding, described):
        """Return a picture of a typical track of each of some clusters, and their rows."""
        rows = [cluster.typical[0] for cluster in described if cluster.typical]
        rows = rows[:_N_RECONSTRUCTIONS]
        if not rows:
            return None
        names = [cluster.name for cluster in described if cluster.typical][: len(rows)]
        try:
            display = ReconstructionDisplay.from_estimator(
                embedding, self.tracks.iloc[rows], names=names
            )
        except ValueError:  # nothing in it decodes spectrograms
            return None
        return {"picture": _as_png(display.figure_), "rows": dict(zip(names, rows, strict=True))}


def _check_pipeline(pipeline):
    expected = "expected a fitted Pipeline of transformers that ends in a clusterer"
    if not isinstance(pipeline, Pipeline):
        raise ValueError(
            f"Got a {type(pipeline).__name__}, {expected}; of a search that is its best_estimator_."
        )
    last = pipeline.steps[-1][1]
    if len(pipeline) < 2 or not (hasattr(last, "predict") or hasattr(last, "fit_predict")):
        raise ValueError(f"Got a Pipeline that is {pipeline!r}, {expected}, such as KMeans.")
    check_is_fitted(pipeline)


def _import_page():
    """Return the environment of the page's template and the module that draws the map."""
    try:
        import jinja2

        from . import _map
    except ImportError as error:
        raise ImportError(
            "The report needs Bokeh, Jinja and matplotlib. Install them with: "
            'pip install "sklearn-music[report]"'
        ) from error
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(__package__, "page"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    # Bangla as it is has half the length of its escapes.
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False}
    return environment, _map


def _check_table(tracks):
    if not isinstance(tracks, pd.DataFrame):
        raise ValueError(
            f"Got a {type(tracks).__name__} as the 'tracks' parameter, expected a DataFrame."
        )
    for name in _COLUMNS:
        if (n_columns := tracks.columns.tolist().count(name)) > 1:
            raise ValueError(
                f"Got a table with {n_columns} columns {name!r}, expected one: rename the others."
            )


def _readable_names(tracks):
    """Return the columns that name tracks, as texts that can be written."""
    names = {
        name: [readable(cell) if isinstance(cell, (str, os.PathLike)) else cell for cell in column]
        for name, column in tracks.items()
        if name in _COLUMNS and name != "lyrics"
    }
    return pd.DataFrame({k: pd.Series(v, dtype=object) for k, v in names.items()}).set_axis(
        tracks.index
    )


def _color(colorings, looks):
    """Return the legend of each colouring, and the columns that the map draws it from."""
    legends, columns = {}, {}
    for i, (name, (groups, order)) in enumerate(colorings.items()):
        look = looks(order)
        counts = count(groups)
        legends[name] = [(group, *look[group], counts[group]) for group in order]
        unknown = ("#b0b0b0", "circle", "●")
        if n_unknown := len(groups) - sum(counts.values()):
            entry = _NO_CLUSTER if name == "cluster" else "no label"
            legends[name].append((entry, *unknown, n_unknown))
        drawn = [look.get(group, unknown) for group in groups]
        columns[f"color_{i}"] = [color for color, _, _ in drawn]
        columns[f"marker_{i}"] = [marker for _, marker, _ in drawn]
    columns["color"], columns["marker"] = columns["color_0"], columns["marker_0"]
    return legends, columns


def _about_target(name, labels, leakage):
    if leakage:
        return (
            f"The embedding was told the label {name!r}: a column of the table that it reads tells "
            f"it (normalised mutual information {leakage:.2f}). The scores against {name!r} "
            "measure this leak, not what was found."
        )
    if labels.isna().any():
        return f"{labels.isna().sum()} of {len(labels)} tracks have no {name!r}: not scored by it."
    return None


def _as_png(figure):
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=90)
    import_pyplot().close(figure)
    return as_uri(file.getvalue(), "image/png")
