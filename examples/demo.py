"""From audio files to clusters, with scores and pictures, on synthetic tracks.

Writes synthetic tracks as wav files, clusters the latent space of a TrackVAE of their mel
spectrograms, and compares it with chance, pooled MFCCs, PCA, a VAE and, if its weights are
installed, the pretrained encoder MusicNN.

Usage: python examples/demo.py --output results
"""

import argparse
import time
from pathlib import Path

from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_music import VAE, AudioEncoder, SpectrogramExtractor, TrackVAE
from sklearn_music.datasets import make_music
from sklearn_music.features.encoders import MusicNN
from sklearn_music.metrics import compare_embeddings, format_comparison
from sklearn_music.plotting import LatentSpaceDisplay, ReconstructionDisplay


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("results"), help="a folder")
    parser.add_argument("--tracks", type=int, default=150, help="number of tracks")
    parser.add_argument("--duration", type=float, default=5.0, help="seconds per track")
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds")
    args = parser.parse_args(argv)
    start = time.perf_counter()

    audio = args.output / "audio"
    print(f"Writing {args.tracks} tracks of {args.duration:g} s to {audio} ...")
    music = make_music(args.tracks, duration=args.duration, directory=audio, random_state=0)
    tracks, genres = music.data[["audio"]], music.target

    files = {"memory": args.output / "cache", "n_jobs": 2, "verbose": 1}
    mel = SpectrogramExtractor("mel", n_mels=40, duration=args.duration, **files)
    mfcc = SpectrogramExtractor("mfcc", duration=args.duration, pooling="stats", **files)
    for extractor in (mel, mfcc):
        clone(extractor).fit_transform(tracks)  # fills the cache, with a progress bar
        extractor.set_params(verbose=0)

    embeddings = {}
    try:
        tags = AudioEncoder(MusicNN(output="tags"), windows=1, **files)
        tags.fit_transform(tracks)
        embeddings["MusicNN tags"] = Pipeline([("encoder", tags.set_params(verbose=0))])
    except ImportError as error:
        print(f"Without MusicNN: {error}")

    image_shape = mel.fit(tracks).image_shape_
    print(f"\nFitting each embedding with {args.seeds} seeds, without the labels ...")
    scale = ("scale", StandardScaler())
    scores = compare_embeddings(
        {
            "mel, PCA": Pipeline([("mel", mel), scale, ("pca", PCA(16))]),
            "mel, VAE": Pipeline([("mel", mel), scale, ("vae", VAE(16))]),
            "mel, TrackVAE": Pipeline([("mel", mel), ("vae", TrackVAE(image_shape=image_shape))]),
            **embeddings,
        },
        tracks,
        genres,
        features=Pipeline([("mfcc", mfcc), scale]),
        n_seeds=args.seeds,
        n_jobs=2,
        verbose=1,
    )
    table = format_comparison(scores)
    print(f"\n{table}\n")

    pipe = Pipeline(
        [
            ("mel", mel),
            ("vae", TrackVAE(image_shape=image_shape, random_state=0)),
            ("cluster", KMeans(n_clusters=genres.nunique(), n_init=10, random_state=0)),
        ]
    ).fit(tracks)
    (args.output / "scores.md").write_text(table + "\n", encoding="utf-8")
    latent = LatentSpaceDisplay.from_predictions(
        pipe[:-1].transform(tracks), {"cluster": pipe["cluster"].labels_, "genre": genres}
    )
    latent.figure_.savefig(args.output / "latent_space.png", dpi=100)
    some = genres.drop_duplicates().index[:4]
    reconstructions = ReconstructionDisplay.from_estimator(
        pipe[:-1], tracks.loc[some], names=genres[some]
    )
    reconstructions.figure_.savefig(args.output / "reconstructions.png", dpi=100)

    print(f"Took {time.perf_counter() - start:.0f} s. Written:")
    for name in ("scores.md", "latent_space.png", "reconstructions.png"):
        print(f"  {args.output / name}")


if __name__ == "__main__":
    main()
