"""
Conditional generation: a track under another genre
===================================================

The decoder of :class:`~sklearn_music.BetaCVAE` is conditioned on labels, here the genre. The latent
vector of a track then need not contain its genre, and can be decoded under another one.
"""

# %%
# Spectrograms, and a block of genres
# -----------------------------------
# The embedder finds the condition by the names of its columns, so the features are a DataFrame.
# Only the decoder is conditioned on the genre: an encoder conditioned on it could copy it into the
# latent space, which is label leakage (see :ref:`leakage`).

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
# The effect of beta
# ------------------
# Decode each track under each genre, and count how often the result is nearer to the mean
# spectrogram of that genre than to that of any other. With a small beta the latent space contains
# all of the sound, and the decoder can ignore the condition. With a large beta the latent space
# contains less, and the decoder takes the genre from the condition.

is_audio = ~X.columns.str.startswith("genre__")
names = music.target_names
means = X.loc[:, is_audio].groupby(genres).mean().to_numpy()
conditions = np.eye(len(names))

cvaes, followed = {}, {}
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
    followed[beta] = np.mean(np.array(nearest) == np.arange(len(names))[:, None])
print({beta: f"{share:.0%} follow the genre" for beta, share in followed.items()})

# %%
# One track, three genres
# -----------------------
# The latent vector of a folk track, decoded under its own genre and under two others. With this
# beta, little of the track itself is left.

from sklearn_music.plotting import ReconstructionDisplay


def spectrograms(rows):
    """Turn scaled columns back into spectrograms in decibels."""
    audio = features.named_transformers_["audio"]
    decibels = audio["scale"].inverse_transform(rows[:, is_audio])
    return decibels.reshape(-1, *audio["mel"].image_shape_)


targets = ["folk", "classical", "electronic"]
track = X[genres == "folk"].iloc[[0, 0, 0]]
decoded = cvaes[128].inverse_transform(
    cvaes[128].transform(track),
    condition=conditions[[names.index(name) for name in targets]],
)
ReconstructionDisplay(
    spectrograms(track.to_numpy()), spectrograms(decoded), names=targets, hop_length=1024
).plot()
