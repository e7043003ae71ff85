"""Time the way from mp3 files to mel spectrograms beside what a user would write.

The tracks are made up: chords, a beat and noise, 30 s at 44.1 kHz in stereo, as mp3 files of
about 140 kbit/s. The ways are

- decoding alone, with soundfile: no extraction can be faster, so it is the floor,
- the plain loop: `librosa.load`, `melspectrogram`, `power_to_db`,
- `SpectrogramExtractor` with one worker and with two, without a cache,
- the same with a cache: a first pass that fills it, a second one that reads it,
- essentia and nnAudio (on the CPU), where they are installed.

They are run in turn, in an order drawn anew for each round. A ratio is the median over the rounds
of the ratios within a round, with its quartiles: on a machine that others use too, it means more
than a time. Where others keep the cores busy, a second worker finds none: its milliseconds of the
CPU tell that it costs no more.

The second table has the highest resident memory of a process that transforms many short tracks with
large rows: once to an array, once to a memory-mapped file, as if memory were small. Linux only.

Usage: python benchmarks/bench_extraction.py [--tracks 12] [--rounds 5] [--quick]
"""

import argparse
import functools
import importlib.metadata
import platform
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import librosa
import numpy as np
import soundfile
import torch

from sklearn_music import SpectrogramExtractor
from sklearn_music.features import _track_transformer

RATE, SECONDS = 44100, 30
LARGE_ROWS = {"n_mels": 64, "n_fft": 1024, "hop_length": 32, "duration": 0.5}  # 88 kB each


def write_tracks(folder, n_tracks):
    """Write tracks of chords, a beat and noise, and return their paths."""
    rng = np.random.default_rng(0)
    time_ = np.arange(RATE * SECONDS) / RATE
    paths = []
    for i in range(n_tracks):
        samples = 0.02 * rng.standard_normal((len(time_), 2))
        for frequency in rng.uniform(80, 4000, 8):
            phases = rng.uniform(0, 2 * np.pi, 2)
            samples += 0.08 * np.sin(2 * np.pi * frequency * time_[:, None] + phases)
        samples *= 0.5 + 0.5 * np.exp(-8 * (time_ * rng.uniform(1.5, 3) % 1))[:, None]
        paths.append(str(Path(folder, f"{i}.mp3")))
        soundfile.write(paths[-1], samples, RATE)
    return paths


def decode(paths):
    for path in paths:
        soundfile.read(path, dtype="float32")


def plain_loop(paths):
    for path in paths:
        waveform, rate = librosa.load(path)
        librosa.power_to_db(librosa.feature.melspectrogram(y=waveform, sr=rate), ref=np.max)


def extract(paths, **params):
    SpectrogramExtractor(duration=SECONDS, **params).fit_transform(paths)


def essentia(paths):
    import essentia.standard as es

    window, spectrum = es.Windowing(type="hann", size=2048), es.Spectrum(size=2048)
    bands = es.MelBands(
        numberBands=128, inputSize=1025, sampleRate=22050, highFrequencyBound=11025, type="power"
    )
    for path in paths:
        waveform = es.MonoLoader(filename=path, sampleRate=22050)()
        frames = es.FrameGenerator(waveform, frameSize=2048, hopSize=512)
        mel = np.array([bands(spectrum(window(frame))) for frame in frames]).T
        librosa.power_to_db(mel, ref=np.max)


@functools.cache
def nnaudio_layer():
    from nnAudio.features.mel import MelSpectrogram

    return MelSpectrogram(sr=22050, n_fft=2048, n_mels=128, hop_length=512, verbose=False)


def nnaudio(paths):
    layer = nnaudio_layer()
    for path in paths:
        waveform, _ = librosa.load(path)
        with torch.no_grad():
            mel = layer(torch.from_numpy(waveform))[0].numpy()
        librosa.power_to_db(mel, ref=np.max)


def is_installed(peer, paths):
    try:
        peer(paths[:1])
    except ImportError:
        return False
    return True


def time_in_turn(ways, *, n_rounds):
    """Return the seconds of each way in each round, and of the CPU: (2, n_rounds, n_ways)."""
    rng = np.random.default_rng(0)
    seconds = np.empty((2, n_rounds, len(ways)))
    for k in range(n_rounds):
        for i in rng.permutation(len(ways)):
            start = time.perf_counter(), time.process_time()
            ways[i]()
            seconds[:, k, i] = time.perf_counter() - start[0], time.process_time() - start[1]
    return seconds


def with_cache(paths):
    """Return the seconds of a pass that fills a cache and of the next one."""
    with tempfile.TemporaryDirectory() as cache:
        seconds = []
        for _ in range(2):
            start = time.perf_counter()
            extract(paths, memory=cache)
            seconds.append(time.perf_counter() - start)
        return seconds


def compare(paths, *, n_rounds):
    """Time all ways, and print their table."""
    ways = {
        "decoding alone (the floor)": functools.partial(decode, paths),
        "plain librosa loop": functools.partial(plain_loop, paths),
        "SpectrogramExtractor, one worker": functools.partial(extract, paths, n_jobs=1),
        "SpectrogramExtractor, two workers": functools.partial(extract, paths, n_jobs=2),
    }
    missing = []
    for peer in (essentia, nnaudio):
        if is_installed(peer, paths):
            ways[peer.__name__] = functools.partial(peer, paths)
        else:
            missing.append(peer.__name__)
    for way in ways.values():
        way()  # what a first call imports and compiles is not part of it
    seconds, cpu_seconds = time_in_turn(list(ways.values()), n_rounds=n_rounds)
    cached = np.array([with_cache(paths) for _ in range(n_rounds)])
    floor, plain, one, two = seconds.T[:4]

    print("| | ms a track | of the CPU | times the floor | times as fast as the plain loop |")
    print("|---|---:|---:|---:|---:|")
    for label, column, cpu in zip(ways, seconds.T, cpu_seconds.T, strict=True):
        ms, cpu_ms = (1000 * np.median(times) / len(paths) for times in (column, cpu))
        print(
            f"| {label} | {ms:.1f} | {cpu_ms:.1f} "
            f"| {spread(column / floor)} | {spread(plain / column)} |"
        )
    for label, column in zip(("filling a cache", "from the cache"), cached.T, strict=True):
        print(f"| one worker, {label} | {1000 * np.median(column) / len(paths):.2f} | | | |")
    for peer in missing:
        print(f"| {peer} | not installed | | | |")
    print(f"\nTwo workers are {spread(one / two)} times as fast as one.")
    ratios = spread(cached[:, 0] / cached[:, 1])
    print(f"A pass from the cache is {ratios} times as fast as the first.\n")


def spread(ratios):
    low, median, high = np.quantile(ratios, [0.25, 0.5, 0.75])
    return f"{median:.2f} ({low:.2f} to {high:.2f})"


def peak_memory(folder, n_tracks, *, mapped):
    """Print the highest resident memory of this process, in MiB, after a transform."""
    paths = [f"{folder}/{i}.wav" for i in range(n_tracks)]
    cache = tempfile.mkdtemp(dir=folder)
    extractor = SpectrogramExtractor(**LARGE_ROWS, memory=cache).fit(paths)
    _track_transformer._SHARE_OF_MEMORY = 0 if mapped else 1
    rows = extractor.transform(paths)
    # Not resource's ru_maxrss, which a process inherits from the one that starts it.
    peak = int(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) / 2**10
    print(f"| {n_tracks:,} | {rows.nbytes / 2**20:.0f} | {type(rows).__name__} | {peak:.0f} |")


def compare_memory(n_tracks):
    """Measure the peaks for some tracks and for four times as many, and print their table."""
    print("| tracks | result, MiB | as | peak of the process, MiB |\n|---:|---:|---|---:|")
    with tempfile.TemporaryDirectory() as folder:
        rng = np.random.default_rng(0)
        for i in range(4 * n_tracks):
            soundfile.write(f"{folder}/{i}.wav", rng.uniform(-1, 1, 11025), 22050)
        for mapped in ("", "--mapped"):
            for n in (n_tracks, 4 * n_tracks):
                sys.stdout.flush()
                script = [sys.executable, __file__, "--peak", folder, "--tracks", str(n)]
                subprocess.run([*script, *mapped.split()], check=True)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tracks", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--memory-tracks", type=int, default=500, help="and four times as many")
    parser.add_argument("--quick", action="store_true", help="only to see that it runs")
    parser.add_argument("--peak", metavar="FOLDER", help=argparse.SUPPRESS)
    parser.add_argument("--mapped", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.peak:
        peak_memory(args.peak, args.tracks, mapped=args.mapped)
        return
    if args.quick:
        args.tracks, args.rounds, args.memory_tracks = 4, 2, 50
    versions = ", ".join(
        f"{name} {importlib.metadata.version(name)}"
        for name in ("librosa", "soundfile", "soxr", "scipy", "numpy")
    )
    print(f"Python {platform.python_version()}, {versions}")
    print(f"{args.tracks} tracks of {SECONDS} s, {args.rounds} rounds\n", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        compare(write_tracks(folder, args.tracks), n_rounds=args.rounds)
    if sys.platform == "linux":
        compare_memory(args.memory_tracks)


if __name__ == "__main__":
    main()
