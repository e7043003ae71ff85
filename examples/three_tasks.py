"""The three tasks of the course project that this library grew out of, on your own collection.

Easy: PCA and a VAE of audio. Medium: a convolutional VAE of audio and lyrics. Hard: a conditional
beta-VAE (beta = 4), twice: with the genre in the encoder too, as in the course project, which is
label leakage, and with the genre in the decoder only. Each model is trained once with a progress
bar, for the pictures, then with several seeds, for the scores, which are compared with those of
chance, pooled MFCCs and their PCA. Only the hard task is trained with labels, the genres.

The table of tracks is a CSV or TSV file with the columns `filename`, `genre` and `lyrics`.

Usage: python examples/three_tasks.py --tracks tracks.csv --audio folder
"""

import argparse
from pathlib import Path

from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.metrics import silhouette_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback
from tqdm.auto import tqdm

from sklearn_music import SpectrogramExtractor
from sklearn_music.datasets import load_tracks
from sklearn_music.metrics import compare_embeddings, format_comparison
from sklearn_music.pipelines import (
    make_beta_cvae_pipeline,
    make_conv_vae_pipeline,
    make_pca_pipeline,
    make_vae_pipeline,
)
from sklearn_music.plotting import LatentSpaceDisplay, ReconstructionDisplay

# What the course project reported, on another collection and with one seed. Each silhouette is
# computed in the model's own latent space.
COURSE_PROJECT = {
    "Easy: PCA": {"own silhouette": 0.1033},
    "Easy: VAE": {"own silhouette": 0.1145},
    "Medium: ConvVAE": {"ari": 0.0471, "own silhouette": 0.0121},
    "Hard: BetaCVAE, genre in the encoder": {"purity": 0.2731, "nmi": 0.0794},
    "chance": {"purity": 0.2014},
}


class EpochBar(Callback):
    """A progress bar over the epochs of a training."""

    def __init__(self, name):
        self.name = name

    def on_train_begin(self, net, **kwargs):
        self.bar_ = tqdm(total=net.max_epochs, desc=self.name, unit="epoch")

    def on_epoch_end(self, net, **kwargs):
        last = net.history[-1]
        self.bar_.set_postfix(loss=f"{last['train_loss']:.0f}", active=last["active_units"])
        self.bar_.update()

    def on_train_end(self, net, **kwargs):
        self.bar_.close()
        del self.bar_


def set_embedder(pipe, **params):
    """Set parameters of a pipeline's embedder, wherever it is; PCA has none of them."""
    for name in pipe.get_params():
        if name.endswith("__max_epochs"):
            prefix = name.removesuffix("max_epochs")
            pipe.set_params(**{prefix + key: value for key, value in params.items()})
    return pipe


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tracks", type=Path, required=True, help="the table")
    parser.add_argument("--audio", type=Path, required=True, help="the folder of audio files")
    parser.add_argument("--output", type=Path, default=Path("results"), help="a folder")
    parser.add_argument("--seeds", type=int, default=5, help="number of seeds")
    parser.add_argument("--jobs", type=int, default=2, help="number of tracks read at a time")
    parser.add_argument("--epochs", type=int, help="default: the pipeline's")
    parser.add_argument(
        "--course-project", action="store_true", help="its sizes: 128 x 640, 128 components"
    )
    args = parser.parse_args(argv)
    args.output.mkdir(parents=True, exist_ok=True)

    tracks = load_tracks(args.tracks, args.audio, missing="drop")
    genres = tracks["genre"]
    settings = {
        "n_clusters": genres.nunique(),
        "course_project": args.course_project,
        "memory": args.output / "cache",
        "n_jobs": args.jobs,
        "random_state": 0,
    }
    hard = make_beta_cvae_pipeline(**settings)
    decoder_only = clone(hard).set_params(embed__encode_condition=False)
    pipelines = {
        "Easy: PCA": make_pca_pipeline(**settings),
        "Easy: VAE": make_vae_pipeline(**settings),
        "Medium: ConvVAE": make_conv_vae_pipeline(**settings),
        "Hard: BetaCVAE, genre in the encoder": hard.set_params(embed__encode_condition=True),
        "Hard: BetaCVAE, genre in the decoder only": decoder_only,
    }
    for pipe in pipelines.values():
        if args.epochs:
            set_embedder(pipe, max_epochs=args.epochs)

    own_silhouettes = {}
    some = tracks.drop_duplicates("genre").index[:5]
    for name, pipe in pipelines.items():
        fitted = set_embedder(clone(pipe), callbacks=[EpochBar(name)]).fit(tracks)
        Z = fitted[:-1].transform(tracks)
        clusters = fitted["cluster"].labels_
        is_readable = clusters >= 0  # a file that can't be read has no latent vector
        own_silhouettes[name] = silhouette_score(Z[is_readable], clusters[is_readable])
        stem = name.lower().replace(": ", "_").replace(", ", "_").replace(" ", "_")
        latent = LatentSpaceDisplay.from_estimator(fitted, tracks, {"genre": genres})
        latent.figure_.savefig(args.output / f"{stem}_latent_space.png", dpi=100)
        reconstructions = ReconstructionDisplay.from_estimator(
            fitted, tracks.loc[some], names=genres[some]
        )
        reconstructions.figure_.savefig(args.output / f"{stem}_reconstructions.png", dpi=100)

    mfcc = SpectrogramExtractor(
        "mfcc",
        duration=30.0,
        pooling="stats",
        memory=args.output / "cache",
        n_jobs=args.jobs,
        on_error="nan",
    )
    steps = [("mfcc", mfcc), ("fill", SimpleImputer()), ("scale", StandardScaler())]
    scores = compare_embeddings(
        {name: pipe[:-1] for name, pipe in pipelines.items()},
        tracks,
        genres,
        features=ColumnTransformer([("audio", Pipeline(steps), ["audio"])]),
        n_seeds=args.seeds,
        verbose=1,
    )
    scores["own silhouette"] = scores["embedding"].map(own_silhouettes)
    scores.to_csv(args.output / "three_tasks.csv", index=False)
    table = format_comparison(scores) + "\n\n" + compared_with_the_course_project(scores)
    (args.output / "three_tasks.md").write_text(table + "\n", encoding="utf-8")
    print(f"\n{len(tracks)} tracks, mean ± 95 % interval over {args.seeds} seeds\n\n{table}\n")
    print(f"Written to {args.output}: three_tasks.csv, three_tasks.md and the pictures.")


def compared_with_the_course_project(scores):
    """Return a Markdown table of our scores and those that the course project reported."""
    lines = [
        "| embedding | score | here | course project |",
        "|---|---|---:|---:|",
    ]
    for _, row in scores.iterrows():
        mark = " ⚠ label leakage" if row["leakage"] else ""
        for score, theirs in COURSE_PROJECT.get(row["embedding"], {}).items():
            ours = row[score]
            lines.append(f"| {row['embedding']}{mark} | {score} | {ours:.4f} | {theirs:.4f} |")
    lines += [
        "",
        "The course project used another collection. An own silhouette is computed in the model's "
        "own latent space, with one seed: those of two models can't be compared.",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
