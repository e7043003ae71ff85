"""Measure the memory that fitting rows on disk takes: a sparse file, larger than memory.

Each fit runs in a process of its own, whose peak of resident memory is shown beside that of
one that only imports the library. The file takes no room on the disk and reads as zeros.

Usage: python benchmarks/bench_memory.py --gib 10
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from sklearn_music import VAE, TrackVAE

EMBEDDERS = {
    "import only": None,
    "VAE(contrastive_weight=0)": VAE(contrastive_weight=0),
    "VAE()": VAE(),
    "TrackVAE()": TrackVAE(image_shape=(64, -1)),
}


def fit(name, path, n_columns):
    X = np.memmap(path, np.float32, mode="r").reshape(-1, n_columns)
    embedder = EMBEDDERS[name]
    start = time.perf_counter()
    if embedder is not None:
        embedder.set_params(max_epochs=1, random_state=0).fit(X)
        embedder.transform(X)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # Linux gives KiB
    print(f"| {name} | {seconds:.0f} | {peak:.2f} |")


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gib", type=float, default=1.0, help="size of the file")
    parser.add_argument("--columns", type=int, default=64 * 323, help="of a row")
    parser.add_argument("--embedders", nargs="*", default=list(EMBEDDERS), help="by name")
    parser.add_argument("--fit", help=argparse.SUPPRESS)
    parser.add_argument("--path", help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.fit:
        fit(args.fit, args.path, args.columns)
        return

    n_rows = round(args.gib * 2**30 / (4 * args.columns))
    print(f"{n_rows:,} rows of {args.columns:,} columns, {args.gib:g} GiB; one epoch, transform\n")
    print("| embedder | s | peak of resident memory, GiB |\n|---|---:|---:|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows"
        with open(path, "wb") as file:
            file.truncate(4 * n_rows * args.columns)
        for name in args.embedders:
            command = [sys.executable, __file__, "--columns", str(args.columns)]
            command += ["--fit", name, "--path", str(path)]
            subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
