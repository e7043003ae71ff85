"""Score the embedders at their defaults on real data, beside chance and plain baselines.

Reads GTZAN's 57 hand-made features (``gtzan/features_30_sec.csv``, 1,000 tracks of ten
genres) from the folder that the variable SKLEARN_MUSIC_DATA names. No label enters a
training; KMeans, with as many clusters as genres, comes behind each embedding.

Usage: SKLEARN_MUSIC_DATA=folder python benchmarks/bench_quality.py
"""

import argparse
import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, PowerTransformer, StandardScaler

from sklearn_music import VAE
from sklearn_music.metrics import compare_embeddings, format_comparison


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10, help="number of seeds")
    parser.add_argument("--jobs", type=int, default=2, help="number of workers")
    args = parser.parse_args(argv)
    if "SKLEARN_MUSIC_DATA" not in os.environ:
        sys.exit("Set SKLEARN_MUSIC_DATA to the folder that holds gtzan/features_30_sec.csv.")

    table = pd.read_csv(Path(os.environ["SKLEARN_MUSIC_DATA"]) / "gtzan" / "features_30_sec.csv")
    genres = table["label"].rename("genre")
    X = table.drop(columns=["filename", "length", "label"]).to_numpy()

    scale = [("scale", StandardScaler())]
    power = [
        ("power", PowerTransformer()),
        ("clip", FunctionTransformer(np.clip, kw_args={"a_min": -5, "a_max": 5})),
    ]
    vae, plain_vae = [("vae", VAE())], [("vae", VAE(beta=1, consistency=0))]
    embeddings = {
        "unscaled": "passthrough",
        "scaled, VAE()": Pipeline(scale + vae),
        "scaled, VAE(beta=1, consistency=0)": Pipeline(scale + plain_vae),
        "power": Pipeline(power),
        "power, PCA(16)": Pipeline([*power, ("pca", PCA(16))]),
        "power, VAE()": Pipeline(power + vae),
        "power, VAE(beta=1, consistency=0)": Pipeline(power + plain_vae),
    }
    scores = compare_embeddings(
        embeddings, X, genres, n_seeds=args.seeds, n_jobs=args.jobs, verbose=1
    )
    print(f"\nGTZAN, {X.shape[0]} x {X.shape[1]}, mean ± 95 % interval over {args.seeds} seeds\n")
    print(format_comparison(scores))


if __name__ == "__main__":
    main()
