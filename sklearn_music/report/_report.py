"""The report: a page that opens without a network."""

import html
import io
import os
import secrets
from functools import cached_property
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    StrOptions,
    validate_parameter_constraints,
)
from sklearn.utils.validation import check_is_fitted

from .. import __version__
from .._inspection import fitted_with_labels, is_embedder, iter_estimators
from .._tables import as_pandas, readable
from ..features import SpectrogramExtractor
from ..metrics.reference_space import score_headings
from ..plotting import ReconstructionDisplay, TrainingHistoryDisplay
from ..plotting.projection import Seed, project
from ..plotting.style import import_pyplot
from ._clusters import NOISE, Clustering, check_targets, find_clusters, summarize_clusters
from ._media import as_uri, find_sources, shorten
from ._page import import_page, table_script, write_file
from ._scores import THIS, choose_features, score
from ._tracks import as_page_data, find_similar, tabulate_tracks

_N_RECONSTRUCTIONS = 4
_COLUMNS = ("audio", "lyrics", "title", "track_id", "filename", "artist", "album")
_CONSTRAINTS = {
    "y": ["array-like", dict, None],
    "title": [str],
    "audio": [StrOptions({"link", "embed"})],
    "excerpt_duration": [Interval(Real, 0, None, closed="neither")],
    "max_excerpts": [Interval(Integral, 0, None, closed="left")],
    "features": [HasMethods(["fit_transform"]), None],
    "n_seeds": [Interval(Integral, 1, None, closed="left")],
    "random_state": ["random_state"],
}


class ClusterReport:
    """A page to read and to listen to about the clusters that a fitted pipeline found.

    It holds a map of the tracks, which play on a click, with the songs most like each; a table of
    all tracks, to search, sort, filter and download; scores next to chance and plain baselines; the
    name, labels, words, typical tracks and outliers of each cluster; reconstructions; the training;
    and warnings. It is one file, which needs no network.

    Parameters
    ----------
    pipeline : Pipeline
        A fitted pipeline that takes the table of tracks and ends in a clusterer.
    tracks : DataFrame of length n_tracks
        The tracks. These columns are used if there are any: ``audio`` (paths, or waveforms of
        shape (n_samples,)), ``lyrics``, ``artist``, ``album``, and the first of ``title``,
        ``track_id`` and ``filename`` as the name of a track.
    y : array-like of shape (n_tracks,), or DataFrame or dict of such, default=None
        Labels, by name, to score the clusters against. None marks a missing label.
    title : str, default="Clusters of tracks"
        The heading.
    audio : {"link", "embed"}, default="link"
        What plays: the track's own file, where it is, or an excerpt in MP3 that is part of the
        page, about 80 kB for 10 seconds. Waveforms, which have no file, are always embedded. A
        notebook can't open files, and plays only what is embedded.
    excerpt_duration : float, default=10.0
        Length of an excerpt in seconds, from where the pipeline starts to read a track.
    max_excerpts : int, default=200
        Number of excerpts. The typical tracks and the outliers of each cluster come first. Other
        tracks play from their files, if they have one.
    features : transformer, default=None
        Makes the features that the baselines cluster. None takes the pooled MFCCs of the audio,
        with the settings of the pipeline's SpectrogramExtractor, or the topics of the lyrics if
        there is no audio.
    n_seeds : int, default=5
        Number of seeds of chance and of the baselines.
    random_state : int, RandomState instance or None, default=0
        Determines the seeds and the map.

    Raises
    ------
    NotFittedError
        If the pipeline isn't fitted.
    ImportError
        If Bokeh, itables, Jinja or matplotlib is missing. The error says what to install.
    ValueError
        If the pipeline doesn't end in a clusterer, or the labels don't fit the tracks.

    See Also
    --------
    sklearn_music.metrics.compare_embeddings : Makes the table of scores.
    sklearn_music.plotting : The pictures one by one.

    Notes
    -----
    The name, words, typical tracks and outliers of a cluster are those of
    `sklearn_music.exploration.describe_clusters`. The map is by t-SNE
    [1]_: close tracks are similar, but large distances mean little. Similar songs are those of
    `sklearn_music.exploration.similar_tracks`, in the latent space itself.

    A track has no cluster if it has no latent vector (neither readable audio nor lyrics, for
    example), or one with NaN or infinity. It is listed with the reason, and not on the map. In the
    scores, such tracks count as one more cluster. A warning says if a cluster depends on a
    confounder, such as missing lyrics (see `sklearn_music.metrics.check_confounders`).

    Titles and lyrics are shown as text, whatever they contain. The page's content security policy
    lets it load nothing but the tracks' files.

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

    def __init__(
        self,
        pipeline: Pipeline,
        tracks: Any,
        y: Any = None,
        *,
        title: str = "Clusters of tracks",
        audio: Literal["link", "embed"] = "link",
        excerpt_duration: float = 10.0,
        max_excerpts: int = 200,
        features: Any = None,
        n_seeds: int = 5,
        random_state: Seed = 0,
    ) -> None:
        self.pipeline = pipeline
        self.tracks = as_pandas(tracks)
        self.y = y
        self.title = title
        self.audio = audio
        self.excerpt_duration = excerpt_duration
        self.max_excerpts = max_excerpts
        self.features = features
        self.n_seeds = n_seeds
        self.random_state = random_state
        validate_parameter_constraints(_CONSTRAINTS, vars(self), type(self).__name__)
        _check_pipeline(pipeline)
        _check_table(self.tracks)
        import_page()
        import_pyplot()
        self._targets = check_targets(y, len(self.tracks))

    def to_html(self, path: str | os.PathLike[str]) -> Path:
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
        return write_file(path, self._page)

    def to_frame(self) -> pd.DataFrame:
        """Return a table of all tracks with their clusters, as the page shows it.

        Returns
        -------
        frame : DataFrame of length n_tracks
            One row per track, with the index of `tracks`. Columns: ``title``; ``artist`` and
            ``album``, if the tracks have them; ``cluster``, its number, or -1; ``name``, that of
            the cluster; the labels, by name; ``distance``, the Euclidean distance to the mean of
            the track's cluster in the latent space; ``reason``, why a track has no cluster; and
            ``audio``, the path, if there is audio. A label with the name of another column is
            called ``label <name>``.

        See Also
        --------
        to_csv : Writes this table.
        sklearn_music.exploration.describe_clusters : A table of the clusters.
        """
        return self._frame.copy()

    def to_csv(self, path: str | os.PathLike[str]) -> Path:
        """Write the table of all tracks with their clusters as comma-separated values.

        Parameters
        ----------
        path : str or PathLike
            The file, which is replaced if it exists.

        Returns
        -------
        path : Path
            The file, in UTF-8 with a byte order mark, so that spreadsheets read all scripts.

        See Also
        --------
        to_frame : Returns this table.
        """
        text = self._frame.to_csv(index=False, float_format="%.6g", lineterminator="\n")
        return write_file(path, readable("\ufeff" + text))

    def _repr_html_(self) -> str:
        """Return the page in a frame of its own, for a notebook."""
        title = html.escape(readable(self.title))
        return (
            f'<iframe srcdoc="{html.escape(self._page)}" title="{title}" '
            'sandbox="allow-scripts allow-downloads" '
            'style="width: 100%; height: 800px; border: 0"></iframe>'
        )

    @cached_property
    def _extractor(self) -> SpectrogramExtractor:
        parts = (part.estimator for part in iter_estimators(self.pipeline))
        extractors = (part for part in parts if isinstance(part, SpectrogramExtractor))
        return next(extractors, SpectrogramExtractor())

    @cached_property
    def _found(self) -> Clustering:
        return find_clusters(self.pipeline, self.tracks, self._extractor)

    @cached_property
    def _frame(self) -> pd.DataFrame:
        return tabulate_tracks(self._found, self.tracks, self._targets)

    @cached_property
    def _page(self) -> str:
        environment, _map = import_page()
        tracks, targets, found, extractor = self.tracks, self._targets, self._found, self._extractor
        rng = check_random_state(self.random_state)
        seeds = rng.randint(np.iinfo(np.int32).max, size=2).tolist()
        embedders = [
            part.estimator for part in iter_estimators(self.pipeline) if is_embedder(part.estimator)
        ]
        clusters, about_words = summarize_clusters(found, tracks, targets)
        plain = choose_features(tracks, extractor, self.features) if targets else (None, "")
        kwargs = {"n_seeds": self.n_seeds, "random_state": seeds[0]}
        scores, about_scores = score(self.pipeline[:-1], found, tracks, targets, plain[0], **kwargs)
        legends, colors = _map.color(found, targets)
        titles = self._frame["title"].tolist()
        sources, about_audio = self._find_sources(titles, clusters, extractor)
        data = as_page_data(
            self._frame,
            found,
            lyrics=[shorten(text) for text in tracks.get("lyrics", [""] * len(tracks))],
            sources=sources,
            similar=find_similar(found, tracks),
            legend=legends["cluster"],
        )
        points = np.full((len(tracks), 2), np.nan)
        _, points[found.present] = project(found.Z[found.present], seeds[1])
        notes = [*_about_training(self.pipeline, embedders), *about_scores, *found.notes]
        page = environment.get_template("page.html").render(
            title=self.title,
            version=__version__,
            nonce=secrets.token_urlsafe(16),
            bokeh=_map.scripts(),
            table_script=table_script(),
            map=_map.draw(points, colors),
            data=data,
            notes=[*notes, *about_words, *about_audio],
            titles=titles,
            has_audio=any(sources),
            clusters=clusters,
            noise=NOISE,
            missing=found.missing,
            legends=legends,
            scores=scores,
            headings=score_headings(),
            this=THIS,
            features=plain[1],
            n_seeds=self.n_seeds,
            reconstructions=self._reconstruct(clusters),
            training=[
                (type(part).__name__, _as_png(TrainingHistoryDisplay.from_estimator(part)))
                for part in embedders
            ],
            pipeline=repr(self.pipeline),
        )
        return readable(page)

    def _find_sources(self, titles, clusters, extractor):
        first = [row for cluster in clusters for row in (*cluster.typical, *cluster.outliers)]
        rest = np.setdiff1d(np.arange(len(titles)), first)
        rest = check_random_state(self.random_state).permutation(rest)
        n_excerpts = self.max_excerpts
        settings = {"sample_rate": extractor.sample_rate, "offset": extractor.offset}
        settings |= {"embeds": self.audio == "embed", "duration": self.excerpt_duration}
        return find_sources(self.tracks, titles, [*first, *rest.tolist()], n_excerpts, **settings)

    def _reconstruct(self, clusters):
        """Return a picture of a typical track of each of some clusters, and their rows."""
        rows = {cluster.name: cluster.typical[0] for cluster in clusters if cluster.typical}
        rows = dict(list(rows.items())[:_N_RECONSTRUCTIONS])
        if not rows:
            return None
        some = self.tracks.iloc[list(rows.values())]
        # Without the words: the pictures are small.
        names = [name.partition(":")[0] for name in rows]
        try:
            display = ReconstructionDisplay.from_estimator(self.pipeline[:-1], some, names=names)
        except ValueError:  # nothing in the pipeline decodes spectrograms
            return None
        return {"picture": _as_png(display), "rows": rows}


def _about_training(pipeline, embedders):
    notes = [
        f"{type(embedder).__name__}: {advice}"
        for embedder in embedders
        if (advice := embedder.collapse_advice())
    ]
    if names := fitted_with_labels(pipeline):
        notes.append(f"{', '.join(names)} learnt from labels: these clusters are supervised.")
    return notes


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


def _as_png(display):
    file = io.BytesIO()
    display.figure_.savefig(file, format="png", dpi=90)
    import_pyplot().close(display.figure_)
    return as_uri(file.getvalue(), "image/png")
