"""Cluster a collection: a table of tracks and a folder of audio files.

The table is a CSV or TSV file with the column `filename` and, if they are known, `lyrics` and
labels such as `genre`; it may have further columns. The program writes the cluster of each track
and pictures. If there are labels, it also writes how well several embeddings, and chance, agree
with them. The training uses no labels.

Usage: python examples/cluster_folder.py --tracks tracks.csv --audio folder
"""

import argparse
from pathlib import Path

import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_music import SpectrogramExtractor
from sklearn_music.datasets import load_tracks
from sklearn_music.metrics import check_confounders, compare_embeddings, format_comparison
from sklearn_music.pipelines import make_pca_pipeline, make_track_vae_pipeline
from sklearn_music.plotting import LatentSpaceDisplay, ReconstructionDisplay


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tracks", type=Path, required=True, help="the table")
    parser.add_argument("--audio", type=Path, required=True, help="the folder of audio files")
    parser.add_argument("--output", type=Path, default=Path("results"), help="a folder")
    parser.add_argument("--targets", nargs="*", default=["genre", "language"], help="columns")
    parser.add_argument("--clusters", type=int, help="default: as many as genres, else 8")
    parser.add_argument("--duration", type=float, default=30.0, help="seconds per track")
    parser.add_argument("--lyrics-weight", type=float, default=30.0, help="that of audio is 1")
    parser.add_argument("--epochs", type=int, default=80, help="of the training")
    parser.add_argument("--seeds", type=int, default=5, help="number of seeds")
    parser.add_argument("--jobs", type=int, default=2, help="number of workers")
    args = parser.parse_args(argv)
    args.output.mkdir(parents=True, exist_ok=True)

    tracks = load_tracks(args.tracks, args.audio, missing="drop")
    # Scores need at least two different labels.
    targets = {name: tracks[name] for name in args.targets if name in tracks}
    targets = {
        name: labels for name, labels in targets.items() if len(labels.dropna().unique()) > 1
    }
    n_clusters = args.clusters or (targets["genre"].nunique() if "genre" in targets else 8)
    lyrics_weight = args.lyrics_weight
    if tracks["lyrics"].isna().all():
        print("No track has lyrics: clustering by audio alone.")
        lyrics_weight = 0

    files = {"duration": args.duration, "memory": args.output / "cache"}
    pipe = make_track_vae_pipeline(
        n_clusters, lyrics_weight=lyrics_weight, n_jobs=args.jobs, random_state=0, **files
    )
    pipe.set_params(embed__max_epochs=args.epochs, features__audio__verbose=1)
    clusters = pipe.fit_predict(tracks)
    failures = dict(pipe.failures_)
    reasons = [str(failures.get(row, "")) for row in range(len(tracks))]
    print(f"\n{len(tracks)} tracks in {n_clusters} clusters, {(clusters == -1).sum()} in none.")
    for reason in filter(None, reasons):
        print(f"Not readable: {reason}")
    confounders = check_confounders(tracks, clusters, n_jobs=args.jobs)
    for message in confounders.loc[confounders["is_strong"], "message"]:
        print(f"Warning: {message}")

    gone = tracks.attrs["missing_files"]
    table = tracks.drop(columns="lyrics").assign(cluster=clusters, reason=reasons)
    lost = pd.DataFrame({"audio": gone, "cluster": -1, "reason": "There is no such file."})
    text = pd.concat([table, lost] if gone else [table]).to_csv(index=False, lineterminator="\n")
    # The name of a file may contain half a character, which UTF-8 can't encode.
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    (args.output / "clusters.csv").write_text(text, encoding="utf-8")

    latent = LatentSpaceDisplay.from_predictions(
        pipe[:-1].transform(tracks), {"cluster": clusters, **targets}
    )
    latent.figure_.savefig(args.output / "latent_space.png", dpi=100)
    readable = tracks.assign(cluster=clusters)[[not reason for reason in reasons]]
    some = readable.drop_duplicates("cluster")[:5]
    reconstructions = ReconstructionDisplay.from_estimator(
        pipe[:-1], some, names=[f"cluster {cluster}" for cluster in some["cluster"]]
    )
    reconstructions.figure_.savefig(args.output / "reconstructions.png", dpi=100)
    written = ["clusters.csv", "latent_space.png", "reconstructions.png"]

    if targets:
        mfcc = SpectrogramExtractor("mfcc", pooling="stats", on_error="nan", **files)
        audio = make_track_vae_pipeline(n_clusters, lyrics_weight=0, **files)
        audio.set_params(embed__max_epochs=args.epochs)
        embeddings = {"PCA of spectrograms": make_pca_pipeline(**files)[:-1]}
        embeddings["TrackVAE of audio"] = audio[:-1]
        if lyrics_weight:
            embeddings["TrackVAE of audio and lyrics"] = pipe[:-1]
        scores = compare_embeddings(
            embeddings,
            tracks,
            targets,
            features=make_pipeline(
                ColumnTransformer([("mfcc", mfcc, ["audio"])]), StandardScaler()
            ),
            n_seeds=args.seeds,
            n_jobs=args.jobs,
            verbose=1,
        )
        scores = format_comparison(scores)
        print(f"\n{scores}\n")
        (args.output / "scores.md").write_text(scores + "\n", encoding="utf-8")
        written.append("scores.md")
    print("Written:")
    for name in written:
        print(f"  {args.output / name}")


if __name__ == "__main__":
    main()
