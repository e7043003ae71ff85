"""
A first pipeline: from audio to clusters
========================================

Spectrograms, a few components of them, clusters: a plain scikit-learn pipeline over a table of
tracks. No label enters it. The labels that the tracks have tell afterwards what was found.
"""

# %%
# A table of tracks
# -----------------
# These are made up. :func:`~sklearn_music.datasets.load_tracks` reads a table of your own; its
# column ``audio`` then holds paths.

from sklearn_music.datasets import make_music

music = make_music(90, duration=2, random_state=0)
tracks, genres = music.data, music.target
tracks.drop(columns="audio").head()

# %%
# The pipeline
# ------------
# Each track becomes one row, its mel spectrogram: 32 bands by 44 frames. The columns are brought
# to one scale, reduced to 16 components, and clustered.

from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_music import SpectrogramExtractor

pipe = Pipeline(
    [
        ("mel", SpectrogramExtractor("mel", n_mels=32, hop_length=1024)),
        ("scale", StandardScaler()),
        ("embed", PCA(16)),
        ("cluster", KMeans(n_clusters=6, n_init=10, random_state=0)),
    ]
)
clusters = pipe.fit_predict(tracks[["audio"]])
pipe

# %%
# The map
# -------
# Near is alike, far says little: that is t-SNE's way. On the left the clusters, on the right the
# genres, which the pipeline was not told.

from sklearn_music.plotting import ClusterCompositionDisplay, LatentSpaceDisplay

LatentSpaceDisplay.from_estimator(pipe, tracks[["audio"]], genres)

# %%
# What the clusters are made of
# -----------------------------
# Rows are clusters, columns genres, numbers tracks. In 15 % of the tracks the sound is that of
# another genre, so no clustering of sound can be perfect.

ClusterCompositionDisplay.from_predictions(genres, clusters)

# %%
# Is that good?
# -------------
# A score alone doesn't tell. :func:`~sklearn_music.metrics.compare_embeddings` fits the embedding
# with several seeds, and puts chance and two plain baselines beside it. The raw features are the
# pooled MFCCs of each track, and all silhouettes are taken in their space.

from sklearn_music.metrics import compare_embeddings

scores = compare_embeddings({"mel, PCA": pipe[:-1]}, tracks[["audio"]], genres, n_seeds=3)
scores[["embedding", "purity", "nmi", "ami", "ari", "silhouette"]].round(3)
