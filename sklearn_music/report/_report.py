"""The report: a page that opens without a network."""

import html
import os
import secrets
from collections.abc import Mapping
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

from .._inspection import find_embedders, iter_estimators
from .._tables import as_pandas, readable
from ..features import SpectrogramExtractor
from ..metrics.reference_space import score_headings
from ..model_selection import NClustersChoice
from ..plotting.projection import Seed, project
from ..plotting.style import import_pyplot
from ._about import check_training, describe_run
from ._clusters import (
    NOISE,
    Cluster,
    Clustering,
    check_pipeline,
    check_table,
    check_targets,
    find_clusters,
    summarize_clusters,
)
from ._media import find_sources, shorten
from ._page import import_page, table_script, write_file
from ._pictures import draw_curve, draw_reconstructions, draw_training
from ._quality import Quality, measure_quality, tabulate_clusters
from ._scores import THIS, choose_features, score
from ._tracks import as_page_data, find_similar, tabulate_tracks

_CONSTRAINTS = {
    "y": ["array-like", dict, None],
    "title": [str],
    "audio": [StrOptions({"link", "embed"})],
    "excerpt_duration": [Interval(Real, 0, None, closed="neither")],
    "max_excerpts": [Interval(Integral, 0, None, closed="left")],
    "features": [HasMethods(["fit_transform"]), None],
    "n_seeds": [Interval(Integral, 1, None, closed="left")],
    "n_clusters_choice": [NClustersChoice, None],
    "settings": [Mapping, None],
    "random_state": ["random_state"],
}


class ClusterReport:
    """A page to read and to listen to about the clusters that a fitted pipeline found.

    It holds a map of the tracks, which play on a click, with the songs most like each; a table of
    all tracks, to search, sort, filter and download; silhouette and stability of each cluster;
    scores against labels next to chance and plain baselines; the name, tags, words, labels, typical
    tracks and outliers of each cluster; reconstructions; the training; warnings; and how it was
    made. It is one file, which needs no network. `describe`, `scores` and `to_frame` return the
    same as tables.

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
    n_clusters_choice : NClustersChoice, default=None
        What :func:`~sklearn_music.model_selection.choose_n_clusters` returned: the page then shows
        the criteria for each number of clusters.
    settings : dict, default=None
        What the foot of the page lists beside versions, seeds and the pipeline, by name. None among
        the values is left out.
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
    The name, tags, words, typical tracks and outliers of a cluster are those of
    `sklearn_music.exploration.describe_clusters`. Silhouettes and stability of the clusters are
    measured in the latent space, on 2,000 tracks at most; the stability by fitting copies of the
    clusterer to parts of them (see `sklearn_music.metrics.cluster_stability_scores`), unless it
    trains a network. The map is by t-SNE [1]_: close tracks are similar, but large distances mean
    little. Similar songs are those of `sklearn_music.exploration.similar_tracks`, in the latent
    space itself.

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
        n_clusters_choice: NClustersChoice | None = None,
        settings: Mapping[str, Any] | None = None,
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
        self.n_clusters_choice = n_clusters_choice
        self.settings = settings
        self.random_state = random_state
        validate_parameter_constraints(_CONSTRAINTS, vars(self), type(self).__name__)
        check_pipeline(pipeline)
        check_table(self.tracks)
        import_page()
        import_pyplot()
        self._targets = check_targets(y, len(self.tracks))

    def __repr__(self) -> str:
        text = f"ClusterReport of {len(self.tracks)} tracks"
        if "_found" not in vars(self):  # to find the clusters takes long
            return text
        n_clusters = sum(name != NOISE for name in self._found.order)
        return f"{text} in {n_clusters} cluster{'s' * (n_clusters != 1)}"

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

    def describe(self) -> pd.DataFrame:
        """Return a table of the clusters, as the page shows them.

        Returns
        -------
        table : DataFrame
            One row per cluster, as from :func:`~sklearn_music.exploration.describe_clusters`, with
            the columns ``silhouette`` and ``stability``, which need no labels; NaN where they can't
            be measured. For each of the labels `y`, its most frequent one under its name, and the
            share of that as ``<name>_share``; with ``label`` before the name if another column has
            that name. ``table.attrs`` has the ``silhouette`` and ``stability`` of all clusters, and
            ``chance``, the silhouette of random clusters of the same sizes.

        See Also
        --------
        scores : Scores against labels.
        sklearn_music.metrics.cluster_stability_scores : The stability of each cluster.
        """
        return tabulate_clusters(self._found, self._clusters[0], self._quality, self._frame)

    def scores(self) -> pd.DataFrame:
        """Return the scores of the clusters against the labels, next to chance and baselines.

        Returns
        -------
        scores : DataFrame
            As from :func:`~sklearn_music.metrics.compare_embeddings`, with a row of this pipeline
            for each of the labels; no rows without labels.
        """
        scores = self._scores[0]
        return pd.DataFrame() if scores is None else scores.copy()

    def to_frame(self) -> pd.DataFrame:
        """Return a table of all tracks with their clusters, as the page shows it.

        Returns
        -------
        frame : DataFrame of length n_tracks
            One row per track, with the index of `tracks`. Columns: ``title``; ``artist`` and
            ``album``, if they are known; ``cluster``, its number, or -1; ``name``, that of
            the cluster; the labels, by name; ``distance``, the Euclidean distance to the mean of
            the track's cluster in the latent space; ``reason``, why a track has no cluster; and
            ``audio``, the path, if there is audio. A label with the name of another column is
            called ``label <name>``.

        See Also
        --------
        to_csv : Writes this table.
        describe : A table of the clusters.
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
    def _seeds(self) -> list[int]:
        rng = check_random_state(self.random_state)
        return rng.randint(np.iinfo(np.int32).max, size=3).tolist()

    @cached_property
    def _clusters(self) -> tuple[list[Cluster], list[str]]:
        return summarize_clusters(self._found, self.tracks, self._targets)

    @cached_property
    def _quality(self) -> Quality:
        return measure_quality(self._found, self.pipeline[-1], self._seeds[2])

    @cached_property
    def _scores(self) -> tuple[pd.DataFrame | None, list[str], str]:
        """The scores against labels, notes about them, and what the baselines cluster."""
        tracks, targets, features = self.tracks, self._targets, (None, "")
        if targets:
            features = choose_features(tracks, self._extractor, self.features)
        seeds = {"n_seeds": self.n_seeds, "random_state": self._seeds[0]}
        return *score(self.pipeline[:-1], self._found, tracks, targets, features[0], **seeds), (
            features[1]
        )

    @cached_property
    def _frame(self) -> pd.DataFrame:
        return tabulate_tracks(self._found, self.tracks, self._targets)

    @cached_property
    def _page(self) -> str:
        environment, _map = import_page()
        tracks, targets, found, extractor = self.tracks, self._targets, self._found, self._extractor
        embedders = [part.estimator for part in find_embedders(self.pipeline)]
        clusters, about_words = self._clusters
        scores, about_scores, features = self._scores
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
        _, points[found.present] = project(found.Z[found.present], self._seeds[1])
        notes = [*check_training(self.pipeline, embedders), *about_scores, *found.notes]
        page = environment.get_template("page.html").render(
            title=self.title,
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
            features=features,
            quality=self._quality,
            n_seeds=self.n_seeds,
            reconstructions=draw_reconstructions(self.pipeline[:-1], tracks, clusters),
            training=[(type(part).__name__, draw_training(part)) for part in embedders],
            curve=draw_curve(self.n_clusters_choice),
            about=describe_run(self.pipeline, self.settings, self.random_state),
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
