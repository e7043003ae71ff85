"""
Audio and lyrics, in English and in Bangla
==========================================

Half of the tracks are sung in English, half in Bangla, independent of their genre. The sound
predicts the genre and the words predict the language. Their weights decide which of the two the
clusters follow.
"""

# %%
# Words of any script
# -------------------
# A word is a sequence of letters *and their marks*, so that গল্প stays one word. About a fifth of
# the tracks have no lyrics.

import pandas as pd

from sklearn_music import VAE, LyricVectorizer, SpectrogramExtractor
from sklearn_music.datasets import make_music

music = make_music(120, duration=2, random_state=0)
tracks = music.data
tracks["language"] = tracks["language"].map({"en": "English", "bn": "বাংলা"})
tracks[["lyrics", "genre", "language"]].head()

# %%
# Two blocks, each with a weight
# ------------------------------
# This is late fusion: two blocks side by side. The latent space of the audio has a variance of
# about 1 in each component, the lyrics of a track have length 1. The weights multiply them. Missing
# lyrics are NaN, and are filled with the mean of those of the five tracks that sound most similar.
# Filled with zeros they would all be the same, and with a large weight a cluster of their own.

from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.impute import KNNImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

audio = Pipeline(
    [
        ("mfcc", SpectrogramExtractor("mfcc", pooling="stats")),
        ("scale", StandardScaler()),
        ("vae", VAE(16, random_state=0)),
    ]
)
embed = ColumnTransformer(
    [
        ("audio", audio, ["audio"]),
        ("lyrics", LyricVectorizer(16, fill_value=float("nan")), "lyrics"),
    ],
    transformer_weights={"audio": 1, "lyrics": 1},
)
Z = KNNImputer().fit_transform(embed.fit_transform(tracks))

# %%
# From one extreme to the other
# -----------------------------
# The embedding is fitted once. Each weight then needs only a new clustering.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import adjusted_mutual_info_score

is_lyrics = np.zeros(Z.shape[1], dtype=bool)
is_lyrics[embed.output_indices_["lyrics"]] = True
weights = [0, 1, 2, 4, 8, 16, 32]
clusters = {
    weight: KMeans(6, n_init=10, random_state=0).fit_predict(Z * np.where(is_lyrics, weight, 1))
    for weight in weights
}
figure, panel = plt.subplots(figsize=(6, 3.6), layout="constrained")
for target in ("genre", "language"):
    found = [adjusted_mutual_info_score(tracks[target], clusters[weight]) for weight in weights]
    panel.plot(range(len(weights)), found, "o-", label=target)
panel.set_xticks(range(len(weights)), weights)
panel.set(xlabel="weight of the lyrics", ylabel="adjusted mutual information")
panel.legend(frameon=False)

# %%
# The languages in each cluster
# -----------------------------
# With a weight of 0 the clusters follow the sound, with 32 the words.

from sklearn_music.plotting import ClusterCompositionDisplay, LatentSpaceDisplay

figure, panels = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
for panel, weight in zip(panels, (0, 32), strict=True):
    ClusterCompositionDisplay.from_predictions(tracks["language"], clusters[weight], ax=panel)
    panel.set_title(f"weight of the lyrics: {weight}")

# %%
# The map for a weight of 8, where both matter.

LatentSpaceDisplay.from_predictions(Z * np.where(is_lyrics, 8, 1), tracks[["genre", "language"]])

# %%
# The typical words of each cluster
# ---------------------------------
# The words whose mean TF-IDF in the cluster exceeds their mean in all lyrics the most, as in the
# :class:`~sklearn_music.report.ClusterReport`.

words = LyricVectorizer(stop_words="english")
tfidf = pd.DataFrame.sparse.from_spmatrix(
    words.fit_transform(tracks["lyrics"]), columns=words.vectorizer_.get_feature_names_out()
)
excess = tfidf.groupby(clusters[32]).mean() - tfidf.mean()
pd.Series(
    {name: ", ".join(row.nlargest(8).index) for name, row in excess.iterrows()}, name="words"
).rename_axis("cluster").to_frame()
