"""
A folder of music
=================

From a folder of audio files to clusters, playlists and a report. The command
``sklearn-music cluster FOLDER`` does what this page does, step by step: see :ref:`folder`.
"""

# %%
# A folder
# --------
# :func:`~sklearn_music.datasets.make_music` writes synthetic tracks, with a text file beside each
# that has lyrics. Use a folder of your own in its place.

import tempfile
from pathlib import Path

from sklearn_music.datasets import load_tracks, make_music

folder = Path(tempfile.mkdtemp(), "songs")
make_music(60, duration=3, directory=folder, random_state=0)
(folder / "broken.mp3").write_bytes(b"no music")

tracks = load_tracks(folder)
tracks[["filename", "title", "genre", "duration", "lyrics"]].head()

# %%
# Clusters
# --------
# All steps but the last one embed the tracks: once, whatever the number of clusters. This page
# trains a TrackVAE, which needs no download; on real music, take
# :func:`~sklearn_music.pipelines.make_encoder_pipeline`. The file that can't be read stops nothing.

import warnings

from sklearn_music.model_selection import choose_n_clusters
from sklearn_music.pipelines import make_track_vae_pipeline

pipe = make_track_vae_pipeline(duration=3, random_state=0)
with warnings.catch_warnings():
    warnings.filterwarnings("ignore", "1 of 61 tracks could not be used")
    Z = pipe[:-1].fit_transform(tracks)
print(pipe.failures_)

choice = choose_n_clusters(Z, random_state=0)
print(choice.reason)

# %%

from sklearn_music.plotting import NClustersDisplay

NClustersDisplay.from_choice(choice)

# %%
# Now the last step, with this number.

pipe.set_params(cluster__estimator__n_clusters=choice.n_clusters)
tracks["cluster"] = pipe[-1].fit_predict(Z)

# %%
# What the clusters are
# ---------------------

from sklearn_music.exploration import describe_clusters

clusters = describe_clusters(tracks["cluster"], tracks, embedding=Z)
clusters[["cluster", "size", "name", "genre", "genre_share", "typical"]]

# %%
# Playlists
# ---------
# For any music player.

from sklearn_music.exploration import write_playlists

names = dict(zip(clusters["cluster"], clusters["name"], strict=True))
for path in write_playlists(tracks["cluster"], tracks, folder / "playlists", names=names):
    print(path.name)

# %%
# :class:`~sklearn_music.report.ClusterReport` shows all of this on one page, with sound: see the
# page on the report.
