"""Score the embedders at their defaults on real data, beside chance and plain baselines.

Reads, from the folder that the variable SKLEARN_MUSIC_DATA names, GTZAN's 57 hand-made
features (``gtzan/features_30_sec.csv``, 1,000 tracks of ten genres), and a collection of songs
(``songs/tracks.csv`` with the columns filename and genre, ``songs/audio``), as pooled MFCCs
and as spectrograms. No label enters a training; KMeans, with as many clusters as genres,
comes behind each embedding, but for VaDE, which clusters itself.

Usage: SKLEARN_MUSIC_DATA=folder python benchmarks/bench_quality.py
"""

import argparse
import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from scipy.stats import t as student_t
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, PowerTransformer, StandardScaler
from sklearn.utils import check_random_state

from sklearn_music import VAE, SpectrogramExtractor, VaDE
from sklearn_music.datasets import load_tracks
from sklearn_music.metrics import (
    CLUSTERING_SCORERS,
    compare_embeddings,
    format_comparison,
    silhouette_scorer,
)

SCALE = [("scale", StandardScaler())]
POWER = [
    ("power", PowerTransformer()),
    ("clip", FunctionTransformer(np.clip, kw_args={"a_min": -5, "a_max": 5})),
]
EMBEDDERS = {
    "VAE()": VAE(),
    "VAE(beta=0.5)": VAE(beta=0.5),
    "VAE(beta=1)": VAE(beta=1),
    "VAE(beta=1, consistency=0)": VAE(beta=1, consistency=0),
    "VAE(beta=0.05, kl_warmup=40, consistency=0)": VAE(beta=0.05, kl_warmup=40, consistency=0),
}
CLUSTERERS = {
    "VaDE()": VaDE(),
    "VaDE(beta=1, consistency=0)": VaDE(beta=1, consistency=0),
}


def behind(steps, prefix, estimators):
    """Return a pipeline of the steps and each estimator, by name."""
    return {
        f"{prefix}, {name}": Pipeline([*steps, ("last", last)]) for name, last in estimators.items()
    }


def score_clusterer(pipe, X, labels, seed):
    """Return the scores of a pipeline's own clusters with one seed."""
    pipe = clone(pipe).set_params(last__n_clusters=labels.nunique(), last__random_state=seed)
    pipe.fit(X)
    scorers = CLUSTERING_SCORERS | {"silhouette": silhouette_scorer()}
    return {name: scorer(pipe, X, labels) for name, scorer in scorers.items()}


def compare_clusterers(pipes, X, labels, scores, n_jobs):
    """Return rows of clusterers like those that `compare_embeddings` returned, same seeds."""
    n_seeds = int(scores["n_seeds"].max())
    seeds = check_random_state(0).randint(np.iinfo(np.int32).max, size=n_seeds)
    rows = []
    for name, pipe in pipes.items():
        by_seed = pd.DataFrame(
            Parallel(n_jobs)(delayed(score_clusterer)(pipe, X, labels, seed) for seed in seeds)
        )
        half_widths = by_seed.sem() * student_t.ppf(0.975, max(1, n_seeds - 1))
        rows.append(
            {**scores.iloc[0], "embedding": name, **by_seed.mean(), **half_widths.add_suffix("_ci")}
        )
    return pd.DataFrame(rows)


def load_gtzan(folder):
    table = pd.read_csv(folder / "gtzan" / "features_30_sec.csv")
    X = table.drop(columns=["filename", "length", "label"]).to_numpy()
    return X, table["label"].rename("genre")


def load_songs(folder, feature, **params):
    tracks = load_tracks(folder / "songs" / "tracks.csv", folder / "songs" / "audio")
    extractor = SpectrogramExtractor(feature, duration=30.0, n_jobs=2, verbose=1, **params)
    return extractor.fit_transform(tracks[["audio"]]), tracks["genre"]


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10, help="number of seeds")
    parser.add_argument("--jobs", type=int, default=2, help="number of workers")
    parser.add_argument(
        "--data",
        nargs="*",
        default=["gtzan", "songs-mfcc", "songs-mel"],
        help="which of gtzan, songs-mfcc and songs-mel",
    )
    args = parser.parse_args(argv)
    if "SKLEARN_MUSIC_DATA" not in os.environ:
        sys.exit("Set SKLEARN_MUSIC_DATA to the folder that holds gtzan/ and songs/.")
    folder = Path(os.environ["SKLEARN_MUSIC_DATA"])

    for data in args.data:
        embeddings = behind(SCALE, "scaled", EMBEDDERS)
        clusterers = behind(SCALE, "scaled", CLUSTERERS)
        if data == "gtzan":
            X, genres = load_gtzan(folder)
            embeddings |= {
                "unscaled": "passthrough",
                "power": Pipeline(POWER),
                "power, PCA": Pipeline([*POWER, ("pca", PCA(16))]),
                **behind(POWER, "power", EMBEDDERS),
            }
            clusterers |= behind(POWER, "power", CLUSTERERS)
        elif data == "songs-mfcc":
            X, genres = load_songs(folder, "mfcc", pooling="stats")
        else:
            X, genres = load_songs(folder, "mel", n_mels=64, hop_length=2048)
        scores = compare_embeddings(
            embeddings, X, genres, n_seeds=args.seeds, n_jobs=args.jobs, verbose=1
        )
        if data != "songs-mel":
            rows = compare_clusterers(clusterers, X, genres, scores, args.jobs)
            scores = pd.concat([scores, rows], ignore_index=True)
        size = f"{X.shape[0]:,} x {X.shape[1]:,}"
        print(f"\n{data}, {size}, mean ± 95 % interval over {args.seeds} seeds\n")
        print(format_comparison(scores), flush=True)


if __name__ == "__main__":
    main()
