"""Time a search whose networks are trained together beside scikit-learn's own, fit by fit.

The grid is of 60 fits: four weights of the KL divergence, three seeds, five folds. Before the
embedder is a StandardScaler, behind it KMeans; the score is the ARI of held-out samples.

- GridSearchCV is scikit-learn's, of this library's embedder.
- GridSearchCV, n_jobs=2: the same in two processes, which have been started before.
- GridSearchCV, DataLoader: the same with torch's loader, which is skorch's default.
- BatchedGridSearchCV is this library's, by torch's threads in one process.

They are run in turn, in an order drawn anew for each round, after a short one of each. A ratio is
the median over the rounds of the time over that of GridSearchCV in the same round, with its
range. Measure on an idle machine: where others keep the cores busy, threads wait for one another.

Usage: python benchmarks/bench_grid.py [--device cuda] [--data-loader] [--quick]
"""

import argparse
import time
import warnings

import numpy as np
import torch
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.datasets import make_blobs
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from torch.utils.data import DataLoader, Dataset

from sklearn_music import VAE
from sklearn_music.exceptions import PosteriorCollapseWarning
from sklearn_music.model_selection import BatchedGridSearchCV


class _SampleBySample(Dataset):
    def __init__(self, samples):
        self.samples = samples

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, index):
        x = self.samples.X[index]
        if self.samples.positives is None:
            return (x,), 0
        which = torch.randint(self.samples.positives.shape[1], ())
        return (x, self.samples.X[self.samples.positives[index, which]]), 0


def with_data_loader(embedder):
    """Return the embedder with torch's own loader, of a class derived from its own."""

    class WithDataLoader(type(embedder)):
        __init__ = type(embedder).__init__

        def _initialized_net(self, *args, **kwargs):
            net = super()._initialized_net(*args, **kwargs)
            net.iterator_train = lambda samples, **options: DataLoader(
                _SampleBySample(samples), **options
            )
            return net

    return WithDataLoader(**embedder.get_params())


def search(kind, embedder, **kwargs):
    pipe = Pipeline(
        [
            ("scale", StandardScaler()),
            ("embed", embedder),
            ("cluster", KMeans(10, n_init=1, random_state=0)),
        ]
    )
    grid = {"embed__beta": [0.25, 0.5, 1, 4], "embed__random_state": [0, 1, 2]}
    kwargs |= {"scoring": "adjusted_rand_score", "refit": False, "error_score": "raise"}
    return kind(pipe, grid, cv=5, **kwargs)


def compare(title, X, y, embedder, *, n_rounds, n_jobs, data_loader):
    """Run the searches in turn, and print their table."""
    searches = {"GridSearchCV": search(GridSearchCV, embedder)}
    if n_jobs > 1:
        searches[f"GridSearchCV, n_jobs={n_jobs}"] = search(GridSearchCV, embedder, n_jobs=n_jobs)
    if data_loader:
        searches["GridSearchCV, DataLoader"] = search(GridSearchCV, with_data_loader(embedder))
    searches["BatchedGridSearchCV"] = search(BatchedGridSearchCV, embedder)
    for each in searches.values():
        # Of imports and processes that come with the first one.
        warm_up = {"estimator__embed__max_epochs": 1, "param_grid": {"embed__beta": [1, 2]}}
        clone(each).set_params(**warm_up).fit(X[:100], y[:100])
    rng = np.random.default_rng(0)
    seconds = np.empty((n_rounds, len(searches)))
    for in_round in seconds:
        for i in rng.permutation(len(searches)):
            start = time.perf_counter()
            list(searches.values())[i].fit(X, y)
            in_round[i] = time.perf_counter() - start
    ratios = seconds / seconds[:, :1]
    print(f"{title}: {len(X):,} samples, {X.shape[1]} columns, batches of {embedder.batch_size}\n")
    print("| | seconds | over GridSearchCV's | times as fast |\n|---|---:|---:|---:|")
    for name, times, ratio in zip(searches, seconds.T, ratios.T, strict=True):
        median = np.median(ratio)
        print(
            f"| {name} | {np.median(times):.1f} "
            f"| {median:.2f} ({ratio.min():.2f} to {ratio.max():.2f}) | {1 / median:.1f} |"
        )
    alone, together = (
        np.array([searches[name].cv_results_[f"split{fold}_test_score"] for fold in range(5)])
        for name in ("GridSearchCV", "BatchedGridSearchCV")
    )
    n_others = (np.abs(alone - together) > 0.01).sum()
    print(f"\nScores that differ by more than 0.01: {n_others} of {alone.size}\n", flush=True)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:1")
    parser.add_argument("--threads", type=int, help="torch's own choice by default")
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2, help="processes of a GridSearchCV; 1: none")
    parser.add_argument("--data-loader", action="store_true", help="with torch's loader too")
    parser.add_argument("--quick", action="store_true", help="only to see that it runs")
    args = parser.parse_args(argv)
    if args.quick:
        args.samples, args.epochs, args.rounds = 200, 1, 1
    if args.threads:
        torch.set_num_threads(args.threads)
    # Some epochs are too few to tell samples apart.
    warnings.simplefilter("ignore", PosteriorCollapseWarning)

    print(
        f"60 fits of {args.epochs} epochs, {args.rounds} rounds, device {args.device}, "
        f"torch {torch.__version__}, {torch.get_num_threads()} threads\n"
    )
    X, y = make_blobs(args.samples, 60, centers=10, cluster_std=4, random_state=0)
    compare(
        "VAE, hidden layers of 256 and 256, 16 components",
        X,
        y,
        VAE(16, hidden_layer_sizes=(256, 256), max_epochs=args.epochs, device=args.device),
        n_rounds=args.rounds,
        n_jobs=args.jobs,
        data_loader=args.data_loader,
    )


if __name__ == "__main__":
    main()
