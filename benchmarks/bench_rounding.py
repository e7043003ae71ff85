"""Measure how far the rounding of float32 takes two trainings of one network apart.

One VAE is trained three times from the same seed on the spectrograms of two thirds of the tracks:

- separately, by its own fit: the reference, which a second fit repeats to the bit;
- together with another network, as BatchedGridSearchCV does, which rounds sums in another order;
- separately, on spectrograms whose values differ by a relative 1e-7, their last digit.

For each number of epochs, the table has the relative difference of the latent vectors from those
of the reference, and the adjusted Rand index between the clusters (KMeans, 4 of them) and the
reference's.

Usage: python benchmarks/bench_rounding.py [--tracks tracks.csv --audio FOLDER] [--quick]
"""

import argparse
import warnings
from unittest import mock

import numpy as np
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score
from sklearn.preprocessing import StandardScaler

from sklearn_music import VAE, SpectrogramExtractor
from sklearn_music.datasets import load_tracks, make_music
from sklearn_music.embedding.training import VmappedFits, _vmap
from sklearn_music.exceptions import PosteriorCollapseWarning


def fit_together(vae, X):
    """Fit a VAE beside one of another beta, however wide they are."""
    fits = VmappedFits()
    with mock.patch.object(_vmap, "_SMALL_STEP", np.inf):
        reasons = [fits.add(each, X) for each in (vae, clone(vae).set_params(beta=2))]
    assert reasons == [None, None], reasons
    with fits.offered():
        return clone(vae).fit(X)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tracks", help="a CSV file for load_tracks; synthetic tracks by default")
    parser.add_argument("--audio", help="its folder of audio files")
    parser.add_argument("--n-tracks", type=int, default=61, help="of the table, evenly spaced")
    parser.add_argument("--quick", action="store_true", help="only to see that it runs")
    args = parser.parse_args(argv)
    # Some epochs are too few to tell tracks apart.
    warnings.simplefilter("ignore", PosteriorCollapseWarning)

    if args.tracks:
        audio = load_tracks(args.tracks, args.audio)["audio"]
        audio = audio.iloc[:: max(1, len(audio) // args.n_tracks)][: args.n_tracks]
    else:
        audio = make_music(12 if args.quick else args.n_tracks, random_state=0).data["audio"]
    mel = SpectrogramExtractor(n_mels=64, hop_length=2048, duration=30)
    X = mel.fit_transform(audio)
    X = StandardScaler().fit_transform(X[len(X) // 3 :])
    noise = np.random.default_rng(0).standard_normal(X.shape, dtype=np.float32)

    print(f"{len(X)} tracks, {X.shape[1]:,} columns\n")
    print("| beta | epochs | together | clusters | values + 1e-7 | clusters |")
    print("|---:|---:|---:|---:|---:|---:|")
    for beta in (0.5, 4):
        for n_epochs in (1, 2) if args.quick else (1, 5, 20, 60):
            vae = VAE(8, beta=beta, max_epochs=n_epochs, random_state=0)
            fits = clone(vae).fit(X), fit_together(vae, X), clone(vae).fit(X * (1 + 1e-7 * noise))
            Z = [fit.transform(X) for fit in fits]
            clusters = [KMeans(4, n_init=10, random_state=0).fit_predict(each) for each in Z]
            cells = [
                f"{np.linalg.norm(Z[i] - Z[0]) / np.linalg.norm(Z[0]):.0e} | "
                f"{adjusted_rand_score(clusters[0], clusters[i]):.2f}"
                for i in (1, 2)
            ]
            print(f"| {beta} | {n_epochs} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
