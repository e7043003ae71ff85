"""Score the embedders at their defaults on real data, beside chance and plain baselines.

Reads, from the folder that the variable SKLEARN_MUSIC_DATA names, GTZAN's 57 hand-made
features (``gtzan/features_30_sec.csv``, 1,000 tracks of ten genres), and a collection of songs
(``songs/tracks.csv`` with the columns filename, genre, style, language and lyrics,
``songs/audio``), as pooled MFCCs and as spectrograms with lyrics. No label enters a training;
KMeans, with as many clusters as the target has classes, comes behind each embedding, but for
VaDE, which clusters itself.

Usage: SKLEARN_MUSIC_DATA=folder python benchmarks/bench_quality.py
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from joblib import Parallel, delayed
from scipy.stats import t as student_t
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.metrics import accuracy_score, adjusted_rand_score, normalized_mutual_info_score
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, PowerTransformer, StandardScaler
from sklearn.svm import SVC
from sklearn.utils import check_random_state

from sklearn_music import VAE, LyricVectorizer, SpectrogramExtractor, TrackVAE, VaDE
from sklearn_music.datasets import load_tracks
from sklearn_music.features.encoders import MusicNN
from sklearn_music.metrics import (
    CLUSTERING_SCORERS,
    compare_embeddings,
    format_comparison,
    silhouette_scorer,
)
from sklearn_music.pipelines import make_encoder_pipeline, make_track_vae_pipeline

SCALE = [("scale", StandardScaler())]
FILL_AND_SCALE = [("fill", SimpleImputer()), *SCALE]
POWER = [
    ("power", PowerTransformer()),
    ("clip", FunctionTransformer(np.clip, kw_args={"a_min": -5, "a_max": 5})),
]
EMBEDDERS = {
    "VAE()": VAE(),
    "VAE(beta=0.5)": VAE(beta=0.5),
    "VAE(beta=1)": VAE(beta=1),
    "VAE(beta=1, contrastive_weight=0)": VAE(beta=1, contrastive_weight=0),
    "VAE(beta=0.05, kl_warmup=40, contrastive_weight=0)": VAE(
        beta=0.05, kl_warmup=40, contrastive_weight=0
    ),
}
CLUSTERERS = {
    "VaDE()": VaDE(),
    "VaDE(beta=1, contrastive_weight=0)": VaDE(beta=1, contrastive_weight=0),
}


# Of TrackVAE.
SETTINGS = [
    {},
    {"contrastive_weight": 0},
    {"contrastive_weight": 100},
    {"augmentation": 0},
    {"beta": 4},
]


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


def load_tracks_and_targets(folder):
    """Return the songs, and their labels; styles of fewer than five songs are left out."""
    tracks = load_tracks(folder / "songs" / "tracks.csv", folder / "songs" / "audio")
    targets = tracks[["genre", "style", "language"]].copy()
    counts = targets["style"].map(targets["style"].value_counts())
    targets["style"] = targets["style"].where(counts >= 5)
    return tracks, targets


def without(tracks, column, share, value):
    """Return tracks of which some, drawn at random, lack what is in a column."""
    is_missing = np.random.default_rng(0).random(len(tracks)) < share
    return tracks.assign(**{column: tracks[column].mask(is_missing, value)})


def of_audio(*steps):
    """Return the embedding of the audio by some steps."""
    return Pipeline([("features", ColumnTransformer([("audio", Pipeline([*steps]), ["audio"])]))])


def song_embeddings(memory):
    """Return the embeddings of songs by audio and lyrics, by name, and the baseline features.

    `memory` keeps what is computed of the files.
    """
    track_vae = make_track_vae_pipeline(memory=memory)[:-1]
    audio = make_track_vae_pipeline(lyrics_weight=0, memory=memory)[:-1]
    encoder = make_encoder_pipeline(lyrics_weight=0, memory=memory)[:-1]
    late = make_encoder_pipeline(memory=memory)[:-1]
    joint = make_encoder_pipeline(fusion="joint", memory=memory)[:-1]
    embedding = make_encoder_pipeline(encoder=MusicNN(), lyrics_weight=0, memory=memory)[:-1]
    mel = track_vae["features"].transformers[0][1]
    files = {"duration": 30.0, "memory": memory, "on_error": "nan"}
    mfcc = SpectrogramExtractor("mfcc", pooling="stats", **files)
    baseline = of_audio(("mfcc", mfcc), *FILL_AND_SCALE)
    embeddings = {
        "spectrograms, PCA": of_audio(("mel", mel), *FILL_AND_SCALE, ("pca", PCA(128))),
        "lyrics": ColumnTransformer([("lyrics", LyricVectorizer(64), "lyrics")]),
        "TrackVAE": audio,
        "TrackVAE with lyrics": track_vae,
        "TrackVAE with lyrics, lyrics_weight=300": clone(track_vae).set_params(
            embed__auxiliary_weight=300
        ),
        "MusicNN embedding": embedding,
        "MusicNN tags": encoder,
        "MusicNN with lyrics": late,
        "MusicNN with lyrics, joint": joint,
        "MusicNN with lyrics, joint, lyrics_weight=1": clone(joint).set_params(
            features__transformer_weights={"audio": 1.0, "lyrics": 1.0}
        ),
    }
    for column, share, value in (("lyrics", 0.4, None), ("audio", 0.2, "lost")):
        kwargs = {"column": column, "share": share, "value": value}
        lack = ("lack", FunctionTransformer(without, kw_args=kwargs))
        pipes = {"TrackVAE with lyrics": track_vae, "MusicNN with lyrics": late}
        pipes["MusicNN with lyrics, joint"] = joint
        if column == "audio":
            pipes["pooled MFCCs"] = baseline
        for name, pipe in pipes.items():
            embeddings[f"{name}, {share:.0%} without {column}"] = Pipeline([lack, *pipe.steps])
    return embeddings, baseline


def compare_songs(folder, n_seeds, n_jobs, only):
    """Return the scores of the songs by audio and lyrics, with and without some of them."""
    tracks, targets = load_tracks_and_targets(folder)
    with tempfile.TemporaryDirectory() as memory:
        embeddings, baseline = song_embeddings(memory)
        embeddings = {name: pipe for name, pipe in embeddings.items() if only in name}
        return compare_embeddings(
            embeddings,
            tracks[["audio", "lyrics"]],
            targets,
            features=baseline,
            n_seeds=n_seeds,
            n_jobs=n_jobs,
            verbose=1,
        )


def time_songs(folder):
    """Return the processor seconds that embeddings take for all songs, files included.

    They are those of one thread of torch: the time on one core that does nothing else.
    """
    tracks, _ = load_tracks_and_targets(folder)
    torch.set_num_threads(1)
    embeddings, baseline = song_embeddings(None)
    rows = []
    for name, pipe in {"pooled MFCCs": baseline, **embeddings}.items():
        if name in ("pooled MFCCs", "lyrics", "TrackVAE with lyrics", "MusicNN with lyrics"):
            start = time.process_time()
            clone(pipe).fit_transform(tracks)
            seconds = (time.process_time() - start) / len(tracks) * 500
            rows.append({"embedding": name, "seconds for 500 songs": round(seconds)})
    return pd.DataFrame(rows).set_index("embedding")


def compare_lyrics(folder, n_seeds):
    """Return scores of lyrics in English, German and Bangla, by words and by parts of words."""
    _, targets = load_tracks_and_targets(folder)
    songs = pd.read_csv(folder / "songs" / "tracks.csv")
    bangla = pd.read_csv(folder / "bangla_lyrics" / "lyrics.csv")
    sets = {
        "songs": (songs["lyrics"], {name: targets[name] for name in ("genre", "style")}),
        "Bangla": (bangla["lyrics"], {"category": bangla["genre"]}),
    }
    rows = []
    for n_components in (16, 64):
        for parts in (None, (2, 4)):
            vectorizer = LyricVectorizer(n_components, char_ngram_range=parts, random_state=0)
            for name, (lyrics, labels) in sets.items():
                start = time.perf_counter()
                X = vectorizer.fit_transform(lyrics)
                seconds = time.perf_counter() - start
                for target, y in labels.items():
                    known = y.notna()
                    for seed in range(n_seeds):
                        clusters = KMeans(y.nunique(), n_init=10, random_state=seed).fit_predict(X)
                        rows.append(
                            {
                                "lyrics": f"{name}, {target}",
                                "n_components": n_components,
                                "char_ngram_range": str(parts),
                                "NMI": normalized_mutual_info_score(y[known], clusters[known]),
                                "ARI": adjusted_rand_score(y[known], clusters[known]),
                                "seconds": seconds,
                            }
                        )
    return with_intervals(rows, ["lyrics", "n_components", "char_ngram_range"])


def compare_gaps(folder, n_seeds, n_jobs):
    """Return whether missing lyrics make clusters, and what they cost.

    Of the songs, a share drawn anew with each seed lacks its lyrics. "has lyrics" is the
    normalised mutual information between the clusters and whether a song has its lyrics.
    """
    tracks, targets = load_tracks_and_targets(folder)
    n_clusters = targets["genre"].nunique()

    def score(seed, share, memory):
        is_missing = np.random.default_rng(seed).random(len(tracks)) < share
        some = tracks.assign(lyrics=tracks["lyrics"].mask(is_missing, None))
        row = {"share without lyrics": share}
        pipe = make_track_vae_pipeline(n_clusters, memory=memory, random_state=seed)
        clusters = pipe.fit_predict(some)
        for name, labels in {"has lyrics": some["lyrics"].notna(), **targets}.items():
            known = labels.notna()
            row[f"{name}: NMI"] = normalized_mutual_info_score(labels[known], clusters[known])
        row["genre: ARI"] = adjusted_rand_score(targets["genre"], clusters)
        return row

    with tempfile.TemporaryDirectory() as memory:
        pipe = make_track_vae_pipeline(memory=memory, n_jobs=2)
        pipe["features"].fit_transform(tracks)  # into the cache
        rows = Parallel(n_jobs, verbose=10)(
            delayed(score)(seed, share, memory)
            for seed in range(n_seeds)
            for share in (0.0, 0.2, 0.4, 0.6)
        )
    return with_intervals(rows, "share without lyrics")


def spectrograms_and_mfccs(tracks):
    """Return the spectrograms of the recipe, their shape, and pooled MFCCs."""
    mel = make_track_vae_pipeline()["features"].transformers[0][1].set_params(n_jobs=2)
    mfcc = SpectrogramExtractor("mfcc", duration=30.0, pooling="stats", n_jobs=2)
    images, pooled = (step.fit_transform(tracks[["audio"]]) for step in (mel, mfcc))
    return images, mel.image_shape_, pooled


def compare_settings(folder, n_seeds, n_jobs):
    """Return the scores of the songs by audio under some settings of TrackVAE."""
    tracks, targets = load_tracks_and_targets(folder)
    images, image_shape, pooled = spectrograms_and_mfccs(tracks)
    n_pixels = images.shape[1]

    def of_columns(name, columns, *steps):
        part = ColumnTransformer([(name, "passthrough", columns)])
        return Pipeline([("columns", part), *steps])

    vae = TrackVAE(image_shape=image_shape)
    embeddings = {
        ", ".join(f"{name}={value}" for name, value in setting.items()) or "defaults": of_columns(
            "mel", slice(0, n_pixels), ("vae", clone(vae).set_params(**setting))
        )
        for setting in SETTINGS
    }
    return compare_embeddings(
        embeddings,
        np.hstack([images, pooled]),
        targets,
        features=of_columns("mfcc", slice(n_pixels, None), *SCALE),
        n_seeds=n_seeds,
        n_jobs=n_jobs,
        verbose=1,
    )


def classify_songs(folder, n_seeds, n_jobs):
    """Return how well a classifier that is given genres tells those of other artists' songs.

    No clustering can be asked for much more: what the labels do not have in common with the
    audio, it does not find either.
    """
    tracks, targets = load_tracks_and_targets(folder)
    genres, artists = targets["genre"], tracks["artist"]
    images, image_shape, pooled = spectrograms_and_mfccs(tracks)

    def score(seed, name, embed):
        Z = embed(seed)
        folds = StratifiedGroupKFold(5, shuffle=True, random_state=seed)
        told = cross_val_predict(
            Pipeline([*SCALE, ("svc", SVC())]), Z, genres, groups=artists, cv=folds
        )
        return {
            "embedding": name,
            "NMI": normalized_mutual_info_score(genres, told),
            "ARI": adjusted_rand_score(genres, told),
            "accuracy": accuracy_score(genres, told),
        }

    def track_vae(seed):
        return TrackVAE(image_shape=image_shape, random_state=seed).fit_transform(images)

    ways = {"hand features": lambda seed: pooled, "TrackVAE": track_vae}
    rows = Parallel(n_jobs)(
        delayed(score)(seed, name, embed) for name, embed in ways.items() for seed in range(n_seeds)
    )
    return with_intervals(rows, "embedding")


def with_intervals(rows, by):
    """Return the mean of each group of rows, a seed each, and half its 95 % interval."""
    groups = pd.DataFrame(rows).groupby(by)
    width = groups.sem().mul(student_t.ppf(0.975, groups.size() - 1), axis=0)
    return groups.mean().join(width.add_suffix("_ci")).round(3)


def compare_held_out(folder, n_seeds):
    """Return scores of VAE() on GTZAN: of 700 tracks that it is fitted on, of 300 others."""
    X, genres = load_gtzan(folder)
    rows = []
    for seed in range(n_seeds):
        order = np.random.default_rng(seed).permutation(len(X))
        parts = {"fitted": order[:700], "held out": order[700:]}
        pipe = Pipeline(
            [
                *POWER,
                ("vae", VAE(random_state=seed)),
                ("cluster", KMeans(genres.nunique(), n_init=10, random_state=seed)),
            ]
        ).fit(X[parts["fitted"]])
        for name, part in parts.items():
            rows.append({"tracks": name})
            for score, scorer in CLUSTERING_SCORERS.items():
                rows[-1][score] = scorer(pipe, X[part], genres.iloc[part])
    return with_intervals(rows, "tracks")


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10, help="number of seeds")
    parser.add_argument("--jobs", type=int, default=2, help="number of workers")
    parser.add_argument("--only", default="", help="of songs, the rows with this in their name")
    parser.add_argument(
        "--data",
        nargs="*",
        default=["gtzan", "gtzan-held-out", "songs-mfcc", "songs", "songs-gaps"],
        help="which of gtzan, gtzan-held-out, songs-mfcc, songs, songs-gaps, songs-time, "
        "songs-settings, songs-classified, songs-mel and lyrics",
    )
    args = parser.parse_args(argv)
    if "SKLEARN_MUSIC_DATA" not in os.environ:
        sys.exit("Set SKLEARN_MUSIC_DATA to the folder that holds gtzan/ and songs/.")
    folder = Path(os.environ["SKLEARN_MUSIC_DATA"])

    for data in args.data:
        if data == "gtzan-held-out":
            print(
                f"\n{data}, power, VAE()\n\n{compare_held_out(folder, args.seeds).to_string()}",
                flush=True,
            )
            continue
        if data == "songs-time":
            print(f"\n{data}\n\n{time_songs(folder).to_string()}", flush=True)
            continue
        if data == "lyrics":
            table = compare_lyrics(folder, args.seeds)
            print(f"\n{data}, {args.seeds} seeds of KMeans\n\n{table.to_string()}", flush=True)
            continue
        if data == "songs-gaps":
            table = compare_gaps(folder, args.seeds, args.jobs)
            print(
                f"\n{data}, 95 % intervals over {args.seeds} seeds\n\n{table.to_string()}",
                flush=True,
            )
            continue
        if data == "songs-classified":
            table = classify_songs(folder, args.seeds, args.jobs)
            print(
                f"\n{data}, SVC given the genres of other artists' songs\n\n{table.to_string()}",
                flush=True,
            )
            continue
        if data in ("songs", "songs-settings"):
            if data == "songs":
                scores = compare_songs(folder, args.seeds, args.jobs, args.only)
            else:
                scores = compare_settings(folder, args.seeds, args.jobs)
            print(f"\n{data}, mean ± 95 % interval over {args.seeds} seeds\n")
            print(format_comparison(scores), flush=True)
            continue
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
