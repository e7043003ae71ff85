"""Cluster a collection: a table of tracks and a folder of audio files.

The table is a CSV or TSV file with the columns `filename`, `genre` and `lyrics`, and
any further ones. Prints the scores of several embeddings against the labels, beside
chance, and writes each track's cluster, the scores and the pictures. No label
enters the training.

Usage: python examples/cluster_folder.py --tracks tracks.csv --audio folder
"""

import argparse
from pathlib import Path

import numpy as np
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_music import LyricVectorizer, SpectrogramExtractor, TrackVAE
from sklearn_music.datasets import load_tracks
from sklearn_music.metrics import compare_embeddings, format_comparison
from sklearn_music.plotting import LatentSpaceDisplay, ReconstructionDisplay


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tracks", type=Path, required=True, help="the table")
    parser.add_argument("--audio", type=Path, required=True, help="the folder of audio files")
    parser.add_argument("--output", type=Path, default=Path("results"), help="a folder")
    parser.add_argument("--targets", nargs="*", default=["genre", "language"], help="columns")
    parser.add_argument("--clusters", type=int, help="default: as many as there are genres")
    parser.add_argument("--duration", type=float, default=30.0, help="seconds per track")
    parser.add_argument("--lyrics-weight", type=float, default=3.0, help="that of audio is 1")
    parser.add_argument("--seeds", type=int, default=5, help="number of seeds")
    parser.add_argument("--jobs", type=int, default=2, help="number of workers")
    args = parser.parse_args(argv)
    args.output.mkdir(parents=True, exist_ok=True)

    tracks = load_tracks(args.tracks, args.audio, missing="drop")

    files = {"duration": args.duration, "memory": args.output / "cache"}
    mel = SpectrogramExtractor("mel", n_mels=64, hop_length=2048, **files)
    mfcc = SpectrogramExtractor("mfcc", pooling="stats", **files)
    for extractor in (mel, mfcc):
        extractor = clone(extractor).set_params(n_jobs=args.jobs, verbose=1, on_error="nan")
        is_read = ~np.isnan(extractor.fit_transform(tracks[["audio"]])[:, 0])
        tracks = tracks[is_read].reset_index(drop=True)

    targets = tracks[[name for name in args.targets if name in tracks]]
    n_clusters = args.clusters or tracks["genre"].nunique()

    def audio(*steps):
        return ("audio", Pipeline([*steps]), ["audio"])

    scale, pca = ("scale", StandardScaler()), ("pca", PCA(16))
    vae = audio(("mel", mel), ("vae", TrackVAE(image_shape=(mel.n_mels, -1))))
    lyrics = ("lyrics", LyricVectorizer(16), "lyrics")
    embeddings = {
        "mel, PCA": [audio(("mel", mel), scale, pca)],
        "mel, TrackVAE": [vae],
        "lyrics": [lyrics],
        "mel, TrackVAE + lyrics": [vae, lyrics],
    }
    if tracks["lyrics"].isna().all():
        print("No track has lyrics: clustering by audio alone.")
        embeddings = {name: blocks for name, blocks in embeddings.items() if "lyrics" not in name}
    weights = {"audio": 1.0, "lyrics": args.lyrics_weight}
    embeddings = {
        name: ColumnTransformer(blocks, transformer_weights=weights)
        for name, blocks in embeddings.items()
    }
    scores = compare_embeddings(
        embeddings,
        tracks,
        targets,
        features=ColumnTransformer([audio(("mfcc", mfcc), scale)]),
        n_seeds=args.seeds,
        n_jobs=args.jobs,
        verbose=1,
    )
    table = format_comparison(scores)
    print(f"\n{len(tracks)} tracks, mean ± 95 % interval over {args.seeds} seeds\n\n{table}\n")
    (args.output / "scores.md").write_text(table + "\n", encoding="utf-8")

    embed = embeddings.get("mel, TrackVAE + lyrics", embeddings["mel, TrackVAE"])
    embed = clone(embed).set_params(audio__vae__random_state=0)
    pipe = Pipeline([("embed", embed), ("cluster", KMeans(n_clusters, n_init=10, random_state=0))])
    tracks["cluster"] = pipe.fit_predict(tracks)
    tracks.drop(columns="lyrics").to_csv(args.output / "clusters.csv", index=False)

    latent = LatentSpaceDisplay.from_predictions(
        pipe[:-1].transform(tracks), {"cluster": tracks["cluster"], **targets}
    )
    latent.figure_.savefig(args.output / "latent_space.png", dpi=100)
    some = tracks.drop_duplicates("cluster").index[:5]
    names = tracks.loc[some, "track_id"] if "track_id" in tracks else some
    reconstructions = ReconstructionDisplay.from_estimator(
        pipe["embed"].named_transformers_["audio"], tracks.loc[some, ["audio"]], names=names
    )
    reconstructions.figure_.savefig(args.output / "reconstructions.png", dpi=100)
    print("Written:")
    for name in ("clusters.csv", "scores.md", "latent_space.png", "reconstructions.png"):
        print(f"  {args.output / name}")


if __name__ == "__main__":
    main()
