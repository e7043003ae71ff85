"""Time MusicNN's way from mp3 files to vectors, part by part.

The tracks are those of bench_extraction.py. With one thread of torch, four windows a track:

- decoding and resampling the windows, their mel spectrograms, and the network, each alone,
- the whole pass of `AudioEncoder`, in which two threads decode while the network runs,
- a pass from the cache, beside one of `SpectrogramExtractor`.

It needs the weights: pip install --no-deps musicnn==0.1.0

Usage: python benchmarks/bench_encoder.py [--tracks 12] [--rounds 5] [--batch-size 8]
"""

import argparse
import shutil
import tempfile
import time

import numpy as np
import torch
from bench_extraction import write_tracks

from sklearn_music import AudioEncoder, SpectrogramExtractor
from sklearn_music.features._track_windows import read_windows
from sklearn_music.features.audio import file_stamp
from sklearn_music.features.encoders import MusicNN

N_WINDOWS = 4


def timed(function):
    """Return the seconds that a call takes, and its result."""
    start = time.perf_counter()
    result = function()
    return time.perf_counter() - start, result


def time_parts(paths, batch_size):
    """Return the seconds of each part and of the whole pass, by its name."""
    encoder, device = MusicNN(), torch.device("cpu")

    def decode():
        return [
            window
            for path in paths
            for window in read_windows(
                path,
                file_stamp(path),
                waveform_rate=encoder.sample_rate,
                sample_rate=encoder.sample_rate,
                window_length=encoder.window_length,
                n_windows=N_WINDOWS,
                offset=0.0,
                duration=None,
            )
        ]

    def run(inputs):
        for start in range(0, len(inputs), batch_size):
            encoder.encode(np.stack(inputs[start : start + batch_size]), device)

    seconds = {}
    seconds["decoding"], windows = timed(decode)
    seconds["mel spectrograms"], inputs = timed(lambda: list(map(encoder.preprocess, windows)))
    seconds["network"], _ = timed(lambda: run(inputs))
    whole = AudioEncoder(encoder, windows=N_WINDOWS, batch_size=batch_size)
    seconds["AudioEncoder"], _ = timed(lambda: whole.fit_transform(paths))
    return seconds


def copies(paths, n_copies):
    """Return copies of each file: a cache knows them apart."""
    return [shutil.copy(path, f"{path}.{i}.mp3") for path in paths for i in range(n_copies)]


def time_cache(transformer, paths, n_rounds):
    """Return the lowest seconds of a pass from the cache."""
    with tempfile.TemporaryDirectory() as folder:
        transformer.set_params(memory=folder).fit_transform(paths)
        return min(timed(lambda: transformer.transform(paths))[0] for _ in range(n_rounds))


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tracks", type=int, default=12, help="number of tracks")
    parser.add_argument("--rounds", type=int, default=5, help="number of rounds")
    parser.add_argument("--batch-size", type=int, default=8, help="windows at a time")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)

    with tempfile.TemporaryDirectory() as folder:
        paths = write_tracks(folder, args.tracks)
        AudioEncoder(MusicNN()).fit_transform(paths[:1])  # loads the weights
        rounds = [time_parts(paths, args.batch_size) for _ in range(args.rounds)]
        many = copies(paths, 10)
        from_cache = {
            "AudioEncoder": time_cache(AudioEncoder(MusicNN(), windows=1), many, args.rounds),
            "SpectrogramExtractor": time_cache(
                SpectrogramExtractor(duration=1.0, pooling="stats"), many, args.rounds
            ),
        }
    print(
        f"{args.tracks} tracks of 30 s, {N_WINDOWS} windows each, {args.rounds} rounds, one thread"
    )
    print("\n| | seconds a track | share of the pass |\n|---|---:|---:|")
    for name in rounds[0]:
        seconds = np.median([times[name] for times in rounds]) / args.tracks
        share = np.median([times[name] / times["AudioEncoder"] for times in rounds])
        print(f"| {name} | {seconds:.3f} | {share:.2f} |")
    print("\n| from the cache | ms a track |\n|---|---:|")
    for name, seconds in from_cache.items():
        print(f"| {name} | {1000 * seconds / len(many):.2f} |")


if __name__ == "__main__":
    main()
