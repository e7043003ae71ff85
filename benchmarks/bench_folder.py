"""Time `load_tracks` of a folder of many songs.

The songs are copies of short ones with tags, a sixth each of WAV, FLAC, Ogg Vorbis, Opus and mp3
with constant and with changing bit rates, ten in each folder. Every second one has a file of
lyrics. Longer songs take hardly longer: only headers are read. The cache of the file system is
warm.

Usage: python benchmarks/bench_folder.py [--files 10000] [--jobs 1 2 4 8]
"""

import argparse
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

from sklearn_music.datasets import load_tracks

FORMATS = {
    "wav": {},
    "flac": {},
    "ogg": {},
    "opus": {"format": "OGG", "subtype": "OPUS"},
    "mp3": {"bitrate_mode": "CONSTANT"},
    "vbr.mp3": {"bitrate_mode": "VARIABLE"},
}


def write_songs(folder, n_files):
    """Write the songs, and the lyrics beside them."""
    rng = np.random.default_rng(0)
    noise = rng.uniform(-0.3, 0.3, (48_000, 2))
    sources = []
    for suffix, options in FORMATS.items():
        sources.append(folder / f"source.{suffix}")
        with soundfile.SoundFile(sources[-1], "w", 48_000, 2, **options) as file:
            file.title, file.artist, file.genre = "A title", "Somebody", "Rock"
            file.write(noise)
    for i in range(n_files):
        source = sources[i % len(sources)]
        song = folder / "music" / f"{i // 1000}" / f"{i // 10}" / f"{i}{source.suffix}"
        song.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, song)
        if i % 2:
            song.with_suffix(".lrc").write_text("[00:01.00]row a boat\n" * 30)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=10_000, help="number of songs")
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2, 4, 8], help="threads")
    args = parser.parse_args(argv)

    with tempfile.TemporaryDirectory() as temporary:
        write_songs(Path(temporary), args.files)
        print("| threads | seconds | seconds of the CPU |")
        print("|---:|---:|---:|")
        for n_jobs in args.jobs:
            start, cpu_start = time.perf_counter(), time.process_time()
            load_tracks(Path(temporary, "music"), n_jobs=n_jobs)
            seconds, cpu = time.perf_counter() - start, time.process_time() - cpu_start
            print(f"| {n_jobs} | {seconds:.1f} | {cpu:.1f} |")
    print(f"\n{args.files} files. By default there are 4 threads.")


if __name__ == "__main__":
    main()
