"""`make_music`: synthetic tracks with audio, lyrics, genre and language."""

import os
from numbers import Integral, Real
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import soundfile as sf
from numpy.typing import NDArray
from sklearn.utils import Bunch, check_random_state
from sklearn.utils._param_validation import Interval, StrOptions, validate_parameter_constraints

from .._docstrings import shared
from .._files import replace_file
from ._composition import GENRES
from ._docstrings import TEXTS
from ._lyrics_text import write_lyrics
from ._synthesis import render_track

INSTRUMENTAL_SHARE = 0.15
LOST_SHARE = 0.05
LANGUAGES = ("en", "bn")

DESCR = """\
Synthetic tracks: each is composed (tempo, chords, rhythm, lyrics) in the style of its genre, and
produced (instruments, drum kit, mix, room) in that style or, for a share `crossover` of the
tracks, in that of another genre. Language and genre are independent.
"""

_CONSTRAINTS = {
    "n_tracks": [Interval(Integral, 1, None, closed="left")],
    "n_genres": [Interval(Integral, 1, len(GENRES), closed="both")],
    "duration": [Interval(Real, 0, None, closed="neither")],
    "sample_rate": [Interval(Integral, 1000, None, closed="left")],
    "crossover": [Interval(Real, 0, 1, closed="both")],
    "directory": [str, os.PathLike, None],
    "format": [StrOptions({"flac", "wav"})],
    "random_state": ["random_state"],
}


@shared(TEXTS)
def make_music(
    n_tracks: int = 120,
    *,
    n_genres: int = 6,
    duration: float = 5.0,
    sample_rate: int = 22050,
    crossover: float = 0.15,
    directory: str | os.PathLike[str] | None = None,
    format: Literal["flac", "wav"] = "wav",
    random_state: int | np.random.RandomState | None = None,
) -> Bunch:
    """Make synthetic tracks: audio, lyrics, genre and language.

    {about}

    Parameters
    ----------
    {synthesis}

    Returns
    -------
    {music}

    Notes
    -----
    {difficulty}

    Examples
    --------
    >>> from sklearn_music.datasets import make_music
    >>> music = make_music(6, duration=0.5, random_state=0)
    >>> music.data.columns.tolist()
    ['audio', 'lyrics', 'genre', 'language']
    >>> music.target_names
    ['classical', 'electronic', 'folk', 'hip hop', 'pop', 'rock']
    >>> music.data["audio"][0].shape
    (11025,)
    """
    validate_parameter_constraints(_CONSTRAINTS, locals(), caller_name="make_music")
    seed = _draw_seed(random_state)
    if directory is not None:
        directory = Path(os.path.abspath(directory))
        directory.mkdir(parents=True, exist_ok=True)
    n_samples = max(1, round(duration * sample_rate))

    def make_track(row: int, genre: str, sound: str, language: str) -> tuple:
        rng = np.random.default_rng([seed, row])
        lyric, sung = _make_lyrics(genre, language, rng)
        waveform = render_track(genre, sound, sung, n_samples, sample_rate, rng)
        # Rounded to 16 bits, as in a file.
        samples = np.round(waveform * 32767).astype(np.int16)
        if directory is None:
            return samples.astype(np.float32) / np.float32(32768), lyric, genre, language
        path = directory / f"track_{row:04d}.{format}"
        _write_audio(path, samples, sample_rate, {"title": f"Track {row}", "genre": genre})
        if lyric is not None:
            replace_file(path.with_suffix(".txt"), lyric.encode())
        return str(path), lyric, genre, language

    labels = _draw_labels(n_tracks, n_genres, crossover, seed)
    tracks = [make_track(row, *label) for row, label in enumerate(labels)]
    data = pd.DataFrame(tracks, columns=["audio", "lyrics", "genre", "language"])
    # As objects: pandas' own text type would turn None into NaN.
    data["lyrics"] = pd.Series([lyrics for _, lyrics, *_ in tracks], dtype=object)
    target, names = data["genre"].copy(), list(GENRES[:n_genres])
    return Bunch(data=data, target=target, target_names=names, sample_rate=sample_rate, DESCR=DESCR)


def _draw_seed(random_state: int | np.random.RandomState | None) -> int:
    if random_state is None:
        # check_random_state(None) would draw from, and so advance, the global state.
        random_state = np.random.RandomState(np.random.MT19937())
    return int(check_random_state(random_state).randint(2**31 - 1))


def _draw_labels(
    n_tracks: int, n_genres: int, crossover: float, seed: int
) -> list[tuple[str, str, str]]:
    """Return of each track the genre, the genre that it sounds like, and the language."""
    rng = np.random.default_rng(seed)
    genres = rng.permutation(n_tracks) % n_genres
    languages = rng.permutation(n_tracks) % len(LANGUAGES)
    # Another genre is 1 to n_genres - 1 further on.
    others = (genres + 1 + rng.integers(max(1, n_genres - 1), size=n_tracks)) % n_genres
    is_crossover = rng.permutation(n_tracks) < round(crossover * n_tracks)
    indices = zip(genres, np.where(is_crossover, others, genres), languages, strict=True)
    return [(GENRES[i], GENRES[j], LANGUAGES[k]) for i, j, k in indices]


def _make_lyrics(genre: str, language: str, rng: np.random.Generator) -> tuple[str | None, bool]:
    """Return the lyric, if the track has one, and whether it is sung."""
    chance = rng.random()
    if chance < INSTRUMENTAL_SHARE:
        return "[Instrumental]", False
    lyric = write_lyrics(genre, language, rng)
    # The lyrics of some tracks that are sung are lost.
    return (None if chance < INSTRUMENTAL_SHARE + LOST_SHARE else lyric), True


def _write_audio(
    path: Path, samples: NDArray[np.int16], sample_rate: int, tags: dict[str, str]
) -> None:
    """Write a file, or none if the program is stopped half-way."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with sf.SoundFile(
            str(part), "w", sample_rate, 1, "PCM_16", format=path.suffix[1:].upper()
        ) as file:
            for name, text in tags.items():
                setattr(file, name, text)
            file.write(samples)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
