"""Measure how often the rules of choose_n_clusters find the number of classes of labelled sets.

The sets: synthetic tracks of three to six genres by pooled MFCCs; scikit-learn's digits and
make_blobs as controls; and, from the folder that the variable SKLEARN_MUSIC_DATA names, GTZAN's 57
hand-made features and the songs by MusicNN and lyrics (see bench_quality.py). No label enters an
embedding.

Usage: SKLEARN_MUSIC_DATA=folder python benchmarks/bench_n_clusters.py
"""

import argparse
import os
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits, make_blobs
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, PowerTransformer, StandardScaler

from sklearn_music import VAE, SpectrogramExtractor
from sklearn_music.datasets import load_tracks, make_music
from sklearn_music.model_selection import choose_n_clusters
from sklearn_music.model_selection._rules import RULES
from sklearn_music.pipelines import make_encoder_pipeline

KINDS = ("synthetic", "controls", "gtzan", "songs")
# Of digits, which have more.
N_TRACKS = 1000


def synthetic_sets():
    """Yield synthetic tracks of three to six genres."""
    for n_genres in range(3, 7):
        for seed in (0, 1):
            music = make_music(200, n_genres=n_genres, duration=3.0, random_state=seed)
            mfcc = SpectrogramExtractor("mfcc", pooling="stats")
            pipe = make_pipeline(mfcc, StandardScaler(), PCA(16, random_state=0))
            yield (
                f"synthetic {n_genres}/{seed}",
                pipe.fit_transform(music.data[["audio"]]),
                music.target,
            )


def control_sets():
    """Yield digits, and blobs of three to twelve clusters that overlap a little."""
    digits = load_digits()
    rows = np.random.default_rng(0).permutation(len(digits.data))[:N_TRACKS]
    yield "digits", PCA(20, random_state=0).fit_transform(digits.data[rows]), digits.target[rows]
    for n_centers in range(3, 13):
        blobs = {"n_features": 10, "cluster_std": 3.0, "random_state": n_centers}
        yield f"blobs {n_centers}", *make_blobs(300, centers=n_centers, **blobs)


def gtzan_sets(folder):
    """Yield GTZAN's features, by PCA and by a VAE."""
    table = pd.read_csv(folder / "gtzan" / "features_30_sec.csv")
    X = table.drop(columns=["filename", "length", "label"]).to_numpy(dtype=np.float32)
    for name, embedder in {"PCA": PCA(16, random_state=0), "VAE": VAE(random_state=0)}.items():
        clip = FunctionTransformer(np.clip, kw_args={"a_min": -5, "a_max": 5})
        pipe = make_pipeline(PowerTransformer(), clip, embedder)
        yield f"gtzan, {name}", pipe.fit_transform(X), table["label"]


def song_sets(folder, memory):
    """Yield the songs by MusicNN's tags, with lyrics and without, by genre and by style."""
    tracks = load_tracks(folder / "songs" / "tracks.csv", folder / "songs" / "audio")
    counts = tracks["style"].map(tracks["style"].value_counts())
    styles = tracks["style"].where(counts >= 5)
    for name, weight in {"tags": 0, "tags and lyrics": 0.7}.items():
        pipe = make_encoder_pipeline(lyrics_weight=weight, memory=memory, n_jobs=2, random_state=0)
        Z = np.asarray(pipe[:-1].fit_transform(tracks[["audio", "lyrics"]]))
        yield f"songs, {name}", Z, {"genre": tracks["genre"], "style": styles}


def measure(name, Z, labels):
    """Return the criteria of a set, with the adjusted Rand index of each number of clusters."""
    targets = labels if isinstance(labels, dict) else {"": labels}
    table = choose_n_clusters(Z).table
    clusterings = [KMeans(k, n_init=10, random_state=0).fit_predict(Z) for k in table["n_clusters"]]
    tables = []
    for target, y in targets.items():
        y = pd.Series(np.asarray(y, dtype=object))
        known = y.notna().to_numpy()
        classes = y[known].astype(str)
        ari = [adjusted_rand_score(classes, clusters[known]) for clusters in clusterings]
        row = {"set": f"{name}, {target}".removesuffix(", "), "n_classes": classes.nunique()}
        tables.append(table.assign(ari=ari, **row))
    return pd.concat(tables)


def apply_rules(tables):
    """Return what each rule chooses for each set, and what that gives."""
    rows = []
    for name, table in tables.groupby("set", sort=False):
        n_classes = int(table["n_classes"].iloc[0])
        ari = table.set_index("n_clusters")["ari"]
        for rule, choose in {**RULES, "always 8": lambda _: 8}.items():
            chosen = choose(table)
            rows.append(
                {
                    "set": name,
                    "classes": n_classes,
                    "rule": rule,
                    "chosen": chosen,
                    "found": chosen == n_classes,
                    "distance": abs(chosen - n_classes),
                    "ari": ari[chosen],
                    "ari_of_classes": ari[n_classes],
                    "best_ari": ari.max(),
                }
            )
    return pd.DataFrame(rows)


def summarise(choices):
    """Return, for each kind of sets and rule, how often it finds the number, and the errors."""
    choices = choices.assign(kind=choices["set"].str.extract(r"^(\w+)")[0])
    groups = choices.groupby(["kind", "rule"], sort=False)
    table = groups.agg(
        sets=("found", "size"),
        found=("found", "sum"),
        distance=("distance", "mean"),
        ari=("ari", "mean"),
        ari_of_classes=("ari_of_classes", "mean"),
    )
    return table.round(2)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=2, help="number of sets at a time")
    parser.add_argument("--sets", nargs="*", default=KINDS, help=f"which of {', '.join(KINDS)}")
    parser.add_argument("--memory", help="folder of a cache for what is computed of the songs")
    parser.add_argument(
        "--tables",
        type=Path,
        help="CSV file of the criteria: written if it is not there, else read, for another rule",
    )
    args = parser.parse_args(argv)
    if args.tables and args.tables.exists():
        tables = pd.read_csv(args.tables)
    else:
        folder = Path(os.environ.get("SKLEARN_MUSIC_DATA", "."))
        makers = (
            synthetic_sets,
            control_sets,
            partial(gtzan_sets, folder),
            partial(song_sets, folder, args.memory),
        )
        sets = [
            each
            for kind, make in zip(KINDS, makers, strict=True)
            if kind in args.sets
            for each in make()
        ]
        tables = pd.concat(Parallel(args.jobs, verbose=5)(delayed(measure)(*each) for each in sets))
        if args.tables:
            tables.to_csv(args.tables, index=False)
    choices = apply_rules(tables)
    by_set = choices.pivot_table(
        index=["set", "classes"], columns="rule", values="chosen", sort=False
    )
    print(f"\nNumber chosen\n\n{by_set.astype(int).to_string()}", flush=True)
    print(f"\nBy kind of set\n\n{summarise(choices).to_string()}", flush=True)


if __name__ == "__main__":
    main()
