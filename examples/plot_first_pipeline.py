"""
A first pipeline: from audio to clusters
========================================

A table of tracks, a spectrogram of each, a few components of them, clusters: a plain
scikit-learn pipeline. No label enters it.
"""

# %%
# Thirty seconds of a real track
import matplotlib.pyplot as plt
plt.plot([1,2])
