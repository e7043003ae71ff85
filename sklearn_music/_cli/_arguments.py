"""The arguments of the command line."""

import argparse
import os
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

CLUSTERERS = ("kmeans", "gmm", "agglomerative", "spectral", "hdbscan")

_ABOUT = "Cluster music: a folder of songs in; clusters, playlists and a report out."
_EXAMPLES = """\
examples:
  sklearn-music cluster ~/Music                    clusters, playlists and a report in results/
  sklearn-music cluster songs.csv --labels genre   a table, scored against a column of it
  sklearn-music predict results new_songs          which clusters do new songs belong to?
  sklearn-music similar results song.mp3 -n 5      the five songs most like one
  sklearn-music report results --embed-audio       one file to send, with sound
"""


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the arguments; print what is wrong with them, and exit with 2."""
    parser = argparse.ArgumentParser(
        "sklearn-music",
        description=_ABOUT,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--version", action="version", version=f"sklearn-music {version('sklearn-music')}"
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for add in (_add_cluster, _add_predict, _add_similar, _add_report):
        command = add(commands)
        command.add_argument("--quiet", action="store_true", help="print errors only")
        command.add_argument(
            "--traceback", action="store_true", help="show where in the code an error was raised"
        )
    return parser.parse_args(argv)


def _add_cluster(commands) -> argparse.ArgumentParser:
    command = commands.add_parser(
        "cluster",
        help="cluster a folder of music, or a table of tracks",
        description="Cluster a folder of music, or a table of tracks. A run that was stopped goes "
        "on where it was, with the same command.",
    )
    command.add_argument(
        "tracks",
        type=Path,
        metavar="FOLDER_OR_TABLE",
        help="a folder of audio files, read with all folders in it; or a CSV or TSV file with the "
        "column 'filename', and 'lyrics', 'title', 'artist' and labels if they are known",
    )
    command.add_argument(
        "--output", type=Path, default=Path("results"), metavar="DIR", help="default: results"
    )
    command.add_argument(
        "--clusters",
        type=_n_clusters,
        default="auto",
        metavar="K",
        help="number of clusters; default: auto, see the report for how it was chosen",
    )
    command.add_argument(
        "--encoder",
        default="musicnn",
        metavar="NAME",
        help="musicnn (default), a pretrained encoder; an ONNX file (*.onnx); a model of Hugging "
        "Face, by name or folder; or none, which trains a TrackVAE on your songs",
    )
    command.add_argument(
        "--clusterer", choices=CLUSTERERS, default="kmeans", help="default: kmeans"
    )
    command.add_argument(
        "--lyrics-weight",
        type=_not_negative,
        metavar="W",
        help="weight of the lyrics; 0 leaves them out. Default: 0.7 (30 with --encoder none), or "
        "0 if fewer than 20 songs have lyrics",
    )
    _add_table(command)
    command.add_argument(
        "--duration",
        type=_positive,
        metavar="S",
        help="use the first S seconds of each song; default: all of it (30 with --encoder none)",
    )
    command.add_argument("--seed", type=_seed, default=0, metavar="N", help="default: 0")
    _add_jobs(command)
    return command


def _add_table(command: argparse.ArgumentParser) -> None:
    """Add what only matters for a table, or for columns of tags."""
    command.add_argument(
        "--labels",
        nargs="+",
        default=[],
        metavar="COLUMN",
        help="labels to score the clusters against, such as genre. They are not used otherwise",
    )
    command.add_argument(
        "--audio",
        type=Path,
        metavar="DIR",
        help="where a table's files are; default: beside it",
    )
    command.add_argument(
        "--columns",
        nargs="+",
        default=[],
        type=_column,
        metavar="NAME=COLUMN",
        help='what columns of a table are called there, such as lyrics="Lyrics Text"',
    )


def _add_predict(commands) -> argparse.ArgumentParser:
    command = commands.add_parser(
        "predict",
        help="find the clusters of new songs",
        description="Find the clusters of new songs, and add them to clusters.csv and to the "
        "playlists.",
    )
    _add_results(command)
    command.add_argument("tracks", type=Path, metavar="FOLDER_OR_TABLE", help="the new songs")
    _add_jobs(command)
    return command


def _add_similar(commands) -> argparse.ArgumentParser:
    command = commands.add_parser(
        "similar",
        help="find the songs most like a song",
        description="Find the songs most like a song. Prints a line per song: distance, cluster, "
        "artist, title and file, with tabs between them.",
    )
    _add_results(command)
    command.add_argument(
        "song", metavar="SONG", help="an audio file, or words in the title, artist or file name"
    )
    command.add_argument("-n", "--number", type=_count, default=10, metavar="N", help="default: 10")
    _add_jobs(command)
    return command


def _add_report(commands) -> argparse.ArgumentParser:
    command = commands.add_parser(
        "report",
        help="write the report again, with new songs or with sound",
        description="Write report.html again, with all songs of clusters.csv.",
    )
    _add_results(command)
    command.add_argument(
        "--embed-audio",
        action="store_true",
        help="put excerpts of the songs into the page, so that it can be sent to others: about "
        "80 kB for each song, 200 songs at most",
    )
    _add_jobs(command)
    return command


def _add_results(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "results", type=Path, metavar="RESULTS", help="the folder that 'cluster' has written"
    )


def _add_jobs(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--jobs",
        type=_count,
        default=os.cpu_count(),
        metavar="N",
        help="number of files that are read at a time; default: one per processor core",
    )


def _n_clusters(text: str) -> int | str:
    if text == "auto":
        return text
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"got {text!r}, expected auto or a number from 1 on")
    return int(text)


def _seed(text: str) -> int:
    if not text.isdecimal() or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(f"got {text!r}, expected a number from 0 to 2**32 - 1")
    return int(text)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"got {text!r}, expected a number from 1 on")
    return int(text)


def _not_negative(text: str) -> float:
    return _number(text, lambda value: value >= 0, "0 or more")


def _positive(text: str) -> float:
    return _number(text, lambda value: value > 0, "more than 0")


def _number(text, is_right, expected) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not is_right(value) or value == float("inf"):
        raise argparse.ArgumentTypeError(f"got {text!r}, expected a number, {expected}")
    return value


def _column(text: str) -> tuple[str, str]:
    name, equals, column = text.partition("=")
    if not (name and equals and column):
        raise argparse.ArgumentTypeError(
            f'got {text!r}, expected NAME=COLUMN, such as lyrics="Lyrics Text"'
        )
    return name, column
