"""
Conditional generation: a track under another genre
===================================================

:class:`~sklearn_music.BetaCVAE` tells its decoder a condition, here the genre. What the condition
says need not stand in the latent space, so the same place can be decoded under another genre.
"""

# %%
# Spectrograms, and a block of genres
# -----------------------------------
# The embedder finds the condition by the names of its columns, so the features come as a
# DataFrame. Only the decoder is told the genre: an encoder that is told too would copy it into the
# latent space (see :ref:`leakage`).

import numpy as np
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_music import BetaCVAE, GenreEncoder, SpectrogramExtractor
from sklearn_music.datasets import make_music

music = make_music(240, duration=2, random_state=0)
tracks, genres = music.data[["audio", "genre"]], music.target

mel = SpectrogramExtractor("mel", n_mels=32, hop_length=1024)
features = ColumnTransformer(
    [
        ("audio", Pipeline([("mel", mel), ("scale", StandardScaler())]), ["audio"]),
        ("genre", GenreEncoder(), ["genre"]),
    ]
).set_output(transform="pandas")
X = features.fit_transform(tracks)

# %%
# How much beta it takes
# ----------------------
# For each track and each genre, decode the track under that genre, and look whether the result is
# nearer to the mean spectrogram of that genre than to any other's. With a small beta the latent
# space has room for all of the sound, and the decoder does without the condition. With a large one
# room is dear, and what the condition tells for nothing is left to it.

is_audio = ~X.columns.str.startswith("genre__")
names = music.target_names
means = X.loc[:, is_audio].groupby(genres).mean().to_numpy()
conditions = np.eye(len(names))

cvaes, obeys = {}, {}
for beta in (4, 32, 128):
    cvae = BetaCVAE(
        8, beta=beta, condition_features=make_column_selector(pattern="^genre__"), random_state=0
    ).fit(X)
    Z = cvae.transform(X)
    nearest = [
        np.square(cvae.inverse_transform(Z, condition=one)[:, None, is_audio] - means)
        .sum(axis=2)
        .argmin(axis=1)
        for one in conditions
    ]
    cvaes[beta] = cvae
    obeys[beta] = np.mean(np.array(nearest) == np.arange(len(names))[:, None])
print({beta: f"{share:.0%} follow the genre" for beta, share in obeys.items()})

# %%
# One track, three genres
# -----------------------
# The place of a folk track in the latent space, decoded under its own genre and under two others.
# What that beta has kept of the track itself is little: the price of a decoder that obeys.

from sklearn_music.plotting import ReconstructionDisplay


def spectrograms(rows):
    """Bring scaled columns back to decibels, and to pictures."""
    audio = features.named_transformers_["audio"]
    decibels = audio["scale"].inverse_transform(rows[:, is_audio])
    return decibels.reshape(-1, *audio["mel"].image_shape_)


genre_of_row = ["folk", "classical", "electronic"]
track = X[genres == "folk"].iloc[[0, 0, 0]]
decoded = cvaes[128].inverse_transform(
    cvaes[128].transform(track), condition=conditions[[names.index(name) for name in genre_of_row]]
)
ReconstructionDisplay(
    spectrograms(track.to_numpy()), spectrograms(decoded), names=genre_of_row, hop_length=1024
).plot()
