"""Descriptions of parameters and results that several functions share."""

TEXTS = {
    "labels": """
labels_true : array-like of shape (n_samples,)
    The labels: strings or integers.
labels_pred : array-like of shape (n_samples,)
    The clusters. The label -1 (noise, or a missing track) counts as one cluster, and so does
    NaN.
""",
    "labels_raises": """
ValueError
    If there are no labels, some are missing, or the lengths differ. As for scikit-learn's
    scores, drop the tracks without a label first. `CLUSTERING_SCORERS`, `compare_embeddings`
    and `ClusterReport` do so themselves.
""",
    "factors": """
factors : array-like of shape (n_samples,) or (n_samples, n_factors)
    The known factors: labels, or numbers. Floats that are not whole make a factor continuous.
Z : array-like of shape (n_samples, n_components)
    The latent vectors, such as `transform` returns.
""",
    "factors_raises": """
ValueError
    If a factor has a missing or infinite value, or only one value.
""",
    "samples": """
X : array-like or DataFrame of length n_samples
    The samples, as the estimator takes them.
y : None
    Ignored.
""",
    "n_seeds": """
n_seeds : int, default=10
    Number of fits, each with a seed of its own.
""",
    "random_state": """
random_state : int, RandomState instance or None, default=0
    Determines every random step.
""",
    "n_jobs": """
n_jobs : int, default=None
    Number of fits that run at a time. The scores don't depend on it.
""",
    "stability_notes": """
The scheme is that of Ben-Hur et al. [1]_, with the adjusted Rand index as its similarity; see
[2]_ for its limits. A single cluster is perfectly stable, so search for the number of clusters
from 2 up. Read it together with another score: a stable clustering need not be a good one. As a
scorer, it fits copies of the candidate to the scored samples;
``functools.partial(stability_score, n_seeds=5)`` is a scorer with other options.

References
----------
.. [1] A. Ben-Hur, A. Elisseeff and I. Guyon, "A stability based method for discovering
   structure in clustered data", Pacific Symposium on Biocomputing, 2002.
.. [2] U. von Luxburg, "Clustering Stability: An Overview", Foundations and Trends in
   Machine Learning 2(3), 2010.
""",
    "confounders": """
table : DataFrame
    One row per cluster, property and value. Columns: ``cluster``, ``property``, ``value``;
    ``share_inside`` and ``share_outside``, the shares of tracks with this value in the cluster
    and elsewhere; ``p_value`` of the difference (Fisher's exact test; for durations, the
    Mann-Whitney test); ``is_strong``; and ``message``, a sentence if it is strong, else empty.
""",
    "confounders_notes": """
A dependence is strong if the share in the cluster exceeds that elsewhere by at least .5, and
its p-value is below .01 after Bonferroni's correction for all rows of the table: random labels
give a warning in one table of a hundred at most. For durations, the value is the threshold that
separates the cluster best, and a strong one needs medians that differ by at least a fifth.

Lyrics are missing as in :class:`~sklearn_music.LyricVectorizer`, which includes
"[Instrumental]" and text without a word. A track is silent if no sample of 10 seconds exceeds
-60 dB of full scale. Tracks are left out of the shares of a property that is not known of them.
""",
    "features": """
features : transformer or "passthrough", default=None
    Makes the plain features of X: the input of the baselines, and the one space in which all
    silhouettes are measured. None scales the columns of a table of numbers
    (StandardScaler), and takes the scaled pooled MFCCs of the files in the column ``audio`` of
    a table of tracks (SpectrogramExtractor, ``pooling="stats"``). Random steps without a
    ``random_state`` get 0.
""",
    "comparison": """
estimators : dict of str to transformer
    The embeddings by name: a transformer or a pipeline of them, or ``"passthrough"`` for X.
X : array-like or DataFrame of length n_tracks
    The tracks, as all of the estimators take them.
targets : array-like of shape (n_tracks,), or DataFrame or dict of such
    Labels by name. Tracks whose label is missing (None, NaN) are clustered, but not scored.
""",
    "comparison_results": """
Returns
-------
scores : DataFrame
    One row per embedding and target. Columns: ``embedding``, ``target``, ``leakage``,
    ``n_clusters``, ``n_tracks`` (with a label), ``n_missing`` (tracks without a latent vector);
    the means over the seeds of
    {names_of_scores}
    and ``silhouette``, and as ``purity_ci`` and so on half the width of their 95 % intervals
    (Student's t); ``n_seeds``; and ``silhouette_space``, the name of the plain features.

Raises
------
ValueError
    If features is None and X is neither numbers nor has a column ``audio``, if the features
    are not finite, if a target has only one class, if there are more clusters than tracks, or
    if an estimator is no transformer, has an invalid parameter, or reads a column that X lacks.
    Wrong estimators are found before anything is fitted.

See Also
--------
format_comparison : The result as a Markdown table.
silhouette_scorer : The silhouette for a search.

Notes
-----
``leakage`` above 0 means that the scores measure label leakage. It is the normalised mutual
information of the target with what the embedding was given, where that is above .5. This
covers the condition of a `BetaCVAE` with ``encode_condition=True``, and columns of X that change
the embedding: a column of labels, or the columns of a one-hot block. If X has such columns, pass
`features` without them. Labels in the lyrics, in a file's name or in the index are not found, nor
what a transformer reads only in `fit`.

A track is missing if its latent vector is all NaN, as for a file that can't be read. It gets
the label -1, which counts as one more cluster, and is left out of the silhouette. The same
holds for the baselines where the plain features are missing.

The silhouette is 0 if all tracks are in one cluster. Of more than 2,000 tracks, the same 2,000
random ones are used each time.
""",
}
