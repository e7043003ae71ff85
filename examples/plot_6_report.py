"""
Reading the report
==================

:class:`~sklearn_music.report.ClusterReport` describes a clustering on one page with text, pictures
and sound. It opens without a network connection.
"""

# %%
# A clustering
# ------------
# :func:`~sklearn_music.pipelines.make_track_vae_pipeline` is the pipeline to begin with. It embeds
# audio and lyrics in one latent space. About a fifth of these tracks have no lyrics.

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
# - **Warnings** come first. With label leakage or posterior collapse, the scores and clusters mean
#   nothing.
# - **Separation and stability** need no labels. A cluster that does not come out again when a part
#   of the tracks is clustered with another seed is not to be trusted.
# - **Scores against labels** come with those of chance and two simple baselines. A score no better
#   than chance means nothing; see :ref:`silhouettes` and :ref:`choosing_k`.
# - **The map** is by t-SNE: nearby tracks are similar, but large distances mean little.
# - **Each cluster** has its labels, typical words, typical tracks and outliers. Listen to the
#   typical tracks first: what do they have in common? Then listen to the outliers: why are they in
#   this cluster?
# - **Reconstructions** show what the latent space contains of a track. Those of a TrackVAE show its
#   mean spectrum, as stripes. If they are the same for all tracks, it contains nothing.
# - **How this page was made** lists versions, seeds, settings and the pipeline, for your report.
#
# The clusters as a table, with their silhouettes and stability:

report.describe()

# %%
# Each picture is also available by itself:

from sklearn_music.plotting import ClusterCompositionDisplay

ClusterCompositionDisplay.from_estimator(pipe, tracks, tracks["genre"])
