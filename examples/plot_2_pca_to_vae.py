"""
Swapping PCA for a VAE
======================

:class:`~sklearn_music.VAE` takes PCA's place in a pipeline. It can do what PCA can, ``transform``
and ``inverse_transform``, and it can generate new samples.
"""

# %%
# One step changes
# ----------------
# The spectrograms of the files are cached in the folder ``memory``: each file is decoded once.

from tempfile import TemporaryDirectory

from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_music import VAE, SpectrogramExtractor
from sklearn_music.datasets import make_music

folder = TemporaryDirectory()
music = make_music(90, duration=2, directory=folder.name, random_state=0)
tracks, genres = music.data[["audio"]], music.target

with_pca = Pipeline(
    [
        ("mel", SpectrogramExtractor("mel", n_mels=32, hop_length=1024, memory=folder.name)),
        ("scale", StandardScaler()),
        ("embed", PCA(16)),
        ("cluster", KMeans(n_clusters=6, n_init=10, random_state=0)),
    ]
)
with_vae = clone(with_pca).set_params(embed=VAE(16, random_state=0))
with_pca.fit(tracks)
with_vae.fit(tracks)

# %%
# The training
# ------------
# The loss falls. The active units are the components that differ between tracks. If there were
# hardly any, the fit would warn of posterior collapse.

from sklearn_music.plotting import (
    LatentSpaceDisplay,
    LatentTraversalDisplay,
    ReconstructionDisplay,
    TrainingHistoryDisplay,
)

TrainingHistoryDisplay.from_estimator(with_vae)

# %%
# The two latent spaces
# ---------------------

LatentSpaceDisplay.from_estimator(with_pca, tracks, genres)

# %%

LatentSpaceDisplay.from_estimator(with_vae, tracks, genres)

# %%
# Reconstructions
# ---------------
# First PCA, then the VAE. If the reconstructions of all tracks are the same, the model has only
# learnt the mean spectrogram.

# sphinx_gallery_thumbnail_number = 5
some = genres.drop_duplicates().index[:2]
ReconstructionDisplay.from_estimator(with_pca[:-1], tracks.loc[some], names=genres[some])

# %%

ReconstructionDisplay.from_estimator(with_vae[:-1], tracks.loc[some], names=genres[some])

# %%
# A walk through the latent space
# -------------------------------
# Decoded latent vectors on a line through the mean of all tracks, along the two components in
# which the tracks differ most.

import numpy as np

widest = np.argsort(-with_vae[:-1].transform(tracks).std(axis=0))[:2]
LatentTraversalDisplay.from_estimator(with_vae[:-1], tracks, components=widest)

# %%
# Which is better?
# ----------------
# Three seeds on synthetic tracks don't answer that: a difference smaller than the intervals
# (``ari_ci``) is no difference. Read :ref:`what was measured on real data <defaults>` before you
# choose.

from sklearn_music.metrics import compare_embeddings

scores = compare_embeddings(
    {"mel, PCA": with_pca[:-1], "mel, VAE": with_vae[:-1]}, tracks, genres, n_seeds=3
)
folder.cleanup()
scores[["embedding", "purity", "nmi", "ari", "ari_ci", "silhouette"]].round(3)
