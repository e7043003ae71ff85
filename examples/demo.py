"""The command `sklearn-music cluster`, on a folder of synthetic tracks.

Usage: python examples/demo.py --music demo_music --output results
"""

import argparse
import shlex
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from sklearn_music.datasets import make_music


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--music", type=Path, default=Path("demo_music"), help="a folder")
    parser.add_argument("--output", type=Path, default=Path("results"), help="a folder")
    parser.add_argument("--tracks", type=int, default=150, help="number of tracks")
    parser.add_argument("--duration", type=float, default=5.0, help="seconds per track")
    args = parser.parse_args(argv)

    print(f"Writing {args.tracks} synthetic tracks of {args.duration:g} s to {args.music} ...")
    make_music(args.tracks, duration=args.duration, directory=args.music, random_state=0)
    # Without the weights of MusicNN, a TrackVAE is trained on the tracks.
    encoder = "musicnn" if find_spec("musicnn") else "none"
    words = ["cluster", args.music, "--output", args.output, "--labels", "genre"]
    words = [*map(str, words), "--encoder", encoder]
    print(f"\n$ sklearn-music {shlex.join(words)}", flush=True)
    return subprocess.run([sys.executable, "-m", "sklearn_music", *words], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
