"""
A first pipeline: from audio to clusters
========================================

A plain scikit-learn pipeline turns a table of tracks into spectrograms, a few components and
clusters. It uses no labels. Afterwards, the genres show what the clusters have in common.
"""

# %%
# A table of tracks
# -----------------
# These tracks are synthetic. :func:`~sklearn_music.datasets.load_tracks` reads a table of your
# own; its column ``audio`` then contains paths.

from sklearn_music.datasets import make_music

music = make_music(90, duration=2, random_state=0)
tracks, genres = music.data, music.target
tracks.drop(columns="audio").head()

# %%
# The pipeline
# ------------
# Each track becomes one sample, its mel spectrogram: 32 bands by 44 frames. The columns are
# standardised, reduced to 16 components, and clustered.

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
# On a map by t-SNE, nearby tracks are similar, but large distances mean little. The left map shows
# the clusters, the right one the genres, which the pipeline did not use.

from sklearn_music.plotting import ClusterCompositionDisplay, LatentSpaceDisplay

LatentSpaceDisplay.from_estimator(pipe, tracks[["audio"]], genres)

# %%
# The genres in each cluster
# --------------------------
# Each row is a cluster, each column a genre, each number a number of tracks. In 15 % of the tracks
# the sound is that of another genre, so clusters of sound can't match the genres perfectly.

ClusterCompositionDisplay.from_predictions(genres, clusters)

# %%
# Is that good?
# -------------
# A score means little without a baseline. :func:`~sklearn_music.metrics.compare_embeddings` fits
# the embedding with several seeds, and scores chance and two simple baselines too. The first of
# them are the pooled MFCCs of each track; all silhouettes are computed in their space.

from sklearn_music.metrics import compare_embeddings

scores = compare_embeddings({"mel, PCA": pipe[:-1]}, tracks[["audio"]], genres, n_seeds=3)
scores[["embedding", "purity", "nmi", "ami", "ari", "silhouette"]].round(3)
