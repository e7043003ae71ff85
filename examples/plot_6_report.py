"""
Reading the report
==================

:class:`~sklearn_music.report.ClusterReport` writes what is to be known of a clustering on one page,
which opens without a network: to read, and to listen to.
"""

# %%
# A clustering
# ------------
# The pipeline to begin with: :func:`~sklearn_music.pipelines.make_track_vae_pipeline` embeds sound
# and words in one latent space. A fifth of these tracks have no lyrics.

from sklearn_music.datasets import make_music
from sklearn_music.pipelines import make_track_vae_pipeline

music = make_music(60, duration=3, random_state=0)
tracks = music.data
pipe = make_track_vae_pipeline(6, duration=3, random_state=0).fit(tracks)

# %%
# The page
# --------
# Click a point to hear its track. In a notebook the last line of a cell shows the page, as it does
# here; ``report.to_html("report.html")`` writes it to a file.

from sklearn_music.report import ClusterReport

report = ClusterReport(pipe, tracks, tracks[["genre", "language"]], excerpt_duration=3)
report

# %%
# How to read it
# --------------
# - **Warnings** come first. Labels that leaked into the model, or a latent space that has
#   collapsed, make all that follows worthless.
# - **Scores** stand beside chance and two plain baselines. A score that chance reaches too says
#   nothing, whatever its size; see :ref:`silhouettes` and :ref:`choosing_k`.
# - **The map** is t-SNE's: near is alike, far says little.
# - **Each cluster** has its labels, its telling words, its typical tracks and its outliers. Listen
#   to the typical ones first: what do they share? Then to the outliers: what put them there?
# - **Reconstructions** show what the latent space keeps of a track. A TrackVAE keeps the mean
#   spectrum, so it draws stripes: compare those of several tracks. If they are all the same, it has
#   kept nothing.
#
# The pictures can be had one by one too:

from sklearn_music.plotting import ClusterCompositionDisplay

ClusterCompositionDisplay.from_estimator(pipe, tracks, tracks["genre"])
