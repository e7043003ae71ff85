"""
Searching beta and the latent size, without labels
==================================================

What a ``GridSearchCV`` can find out about an embedding without knowing the genres, and what it
can't.
"""

# %%
# How likely are tracks that the model has not seen?
# --------------------------------------------------
# :func:`~sklearn_music.metrics.elbo_scorer` scores held-out tracks by their evidence lower bound
# (ELBO). It needs neither labels nor clusters. Pooled MFCCs are few features, on which a network
# trains in a second.

import pandas as pd
from sklearn.cluster import KMeans
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_music import VAE, SpectrogramExtractor
from sklearn_music.datasets import make_music
from sklearn_music.metrics import elbo_scorer

music = make_music(150, duration=2, random_state=0)
mfcc = SpectrogramExtractor("mfcc", pooling="stats").fit_transform(music.data[["audio"]])

pipe = Pipeline(
    [
        ("scale", StandardScaler()),
        ("embed", VAE(contrastive_weight=0, max_epochs=40, random_state=0)),
        ("cluster", KMeans(n_clusters=6, n_init=10, random_state=0)),
    ]
)
grid = {"embed__beta": [0.25, 1, 2], "embed__n_components": [2, 4, 8]}
by_elbo = GridSearchCV(pipe, grid, scoring=elbo_scorer, cv=3).fit(mfcc)
print(by_elbo.best_params_)

# %%
# Are the clusters well separated?
# --------------------------------
# If there will be no new tracks, nothing needs to be held out:
# :class:`~sklearn_music.model_selection.NoSplit` is one fold, of all tracks. The silhouettes are
# computed in the scaled MFCCs, one space for all candidates. The adjusted Rand index shows what
# the two scores without labels have missed: it alone uses ``music.target``.

from sklearn_music.metrics import CLUSTERING_SCORERS, silhouette_scorer
from sklearn_music.model_selection import NoSplit

scoring = {"silhouette": silhouette_scorer(), "ari": CLUSTERING_SCORERS["ari"]}
by_clusters = GridSearchCV(pipe, grid, scoring=scoring, cv=NoSplit(), refit=False).fit(
    mfcc, music.target
)

# %%
# The three scores
# ----------------

import matplotlib.pyplot as plt
import numpy as np


def table(search, score):
    results = pd.DataFrame(search.cv_results_)
    results.columns = [name.removeprefix("param_embed__") for name in results]
    return results.pivot_table(f"mean_test_{score}", "beta", "n_components")


tables = {
    "ELBO of held-out tracks (nats)": table(by_elbo, "score"),
    "silhouette in the scaled MFCCs": table(by_clusters, "silhouette"),
    "adjusted Rand index with the genres": table(by_clusters, "ari"),
}
figure, panels = plt.subplots(1, 3, figsize=(12, 3.6), layout="constrained")
for panel, (title, values) in zip(panels, tables.items(), strict=True):
    numbers = values.to_numpy()
    panel.imshow(numbers, cmap="cividis")
    for (i, j), number in np.ndenumerate(numbers):
        color = "black" if 2 * number > numbers.min() + numbers.max() else "white"
        panel.text(j, i, f"{number:#.3g}", ha="center", va="center", color=color)
    panel.set(title=title, xlabel="n_components", ylabel="beta")
    panel.set_xticks(range(3), values.columns)
    panel.set_yticks(range(3), values.index)

# %%
# The ELBO prefers ``beta=1``, which is what the ELBO is trained with, and few components: it
# measures how well a model describes the tracks, not whether they fall into groups. Use it to find
# a model that neither underfits nor overfits, and choose among the good ones by what the clusters
# are for. Each cell comes from one seed: check a difference with
# :func:`~sklearn_music.metrics.compare_embeddings`.
