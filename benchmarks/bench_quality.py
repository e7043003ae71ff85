"""Score the embedders at their defaults on real data, beside chance and plain baselines.

Reads, from the folder that the variable SKLEARN_MUSIC_DATA names, GTZAN's 57 hand-made
features (``gtzan/features_30_sec.csv``, 1,000 tracks of ten genres), and a collection of songs
(``songs/tracks.csv`` with the columns filename and genre, ``songs/audio``), as pooled MFCCs
and as spectrograms. No label enters a training; KMeans, with as many clusters as genres,
comes behind each embedding.

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

from sklearn_music import VAE, SpectrogramExtractor
from sklearn_music.datasets import load_tracks
from sklearn_music.metrics import compare_embeddings, format_comparison

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


def behind(steps, prefix):
    """Return a pipeline of the steps and each embedder, by name."""
    return {
        f"{prefix}, {name}": Pipeline([*steps, ("vae", vae)]) for name, vae in EMBEDDERS.items()
    }


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
        embeddings = behind(SCALE, "scaled")
        if data == "gtzan":
            X, genres = load_gtzan(folder)
            embeddings |= {
                "unscaled": "passthrough",
                "power": Pipeline(POWER),
                "power, PCA": Pipeline([*POWER, ("pca", PCA(16))]),
                **behind(POWER, "power"),
            }
        elif data == "songs-mfcc":
            X, genres = load_songs(folder, "mfcc", pooling="stats")
        else:
            X, genres = load_songs(folder, "mel", n_mels=64, hop_length=2048)
        scores = compare_embeddings(
            embeddings, X, genres, n_seeds=args.seeds, n_jobs=args.jobs, verbose=1
        )
        size = f"{X.shape[0]:,} x {X.shape[1]:,}"
        print(f"\n{data}, {size}, mean ± 95 % interval over {args.seeds} seeds\n")
        print(format_comparison(scores), flush=True)


if __name__ == "__main__":
    main()
