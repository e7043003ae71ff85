"""Descriptions that several displays share."""

_AX = """
ax : matplotlib.axes.Axes, or array of them in the shape of `ax_`, default=None
    Where to draw. None makes a figure.

Returns
-------
self : object
    The display, drawn.
"""

TEXTS = {
    "tracks": """
pipeline : Pipeline
    Fitted transformers, then a clusterer. A clusterer without `predict`, such as DBSCAN, has
    clusters only for the tracks that it was fitted to.
X : array-like of length n_tracks
    The tracks, as the pipeline takes them.
""",
    "not_clustered": """
Raises
------
ValueError
    If the pipeline does not end in a clusterer, or has no clusters for these tracks.
""",
    "projection": """
method : {"tsne", "pca", "umap"}, default="tsne"
    The projection to two dimensions. t-SNE and UMAP keep neighbours together, but distances
    between groups mean little. PCA keeps the directions of largest variance. UMAP needs the
    package umap-learn.
random_state : int, RandomState instance or None, default=0
    Seed of t-SNE and UMAP.
""",
    "decoder": """
pipeline : Pipeline
    A fitted pipeline: a SpectrogramExtractor of mel spectrograms, then an embedder such as a VAE
    or PCA, and between them only steps that have `inverse_transform`. The extractor may be in a
    block of a ColumnTransformer, with the embedder in the block or behind it. Steps after the
    embedder are left out. A `BetaCVAE` decodes each track under its own condition, a `TrackVAE`
    at its own level.
X : array-like of length n_tracks
    The tracks, as the pipeline takes them.
""",
    "decoder_example": """
>>> from sklearn.decomposition import PCA
>>> from sklearn.pipeline import make_pipeline
>>> from sklearn_music import SpectrogramExtractor
>>> from sklearn_music.datasets import make_music
>>> tracks = make_music(4, duration=0.5, random_state=0).data[["audio"]]
>>> pipe = make_pipeline(SpectrogramExtractor(n_mels=20), PCA(2)).fit(tracks)
""",
    "mel_axes": """
sample_rate : int, default=22050
    Sample rate in Hz.
hop_length : int, default=512
    Step from one frame to the next, in samples.
fmin : float, default=0.0
    Lowest frequency of the mel bands, in Hz.
fmax : float, default=None
    Highest frequency of the mel bands, in Hz. None is half of the sample rate.
""",
    "figure": """
figure_ : matplotlib.figure.Figure
    The figure, after `plot`.
""",
    "ax": _AX,
    "plot": f"""
Parameters
----------
{_AX.strip()}
""",
}
