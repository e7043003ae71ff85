"""`make_music`: synthetic tracks with audio, lyrics, genre and language."""

import os
from numbers import Integral, Real
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile as sf
from sklearn.utils import Bunch, check_random_state
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

from ._lyrics_text import write_lyrics
from ._synthesis import GENRES, render_track

INSTRUMENTAL_SHARE = 0.15
LOST_SHARE = 0.05
LANGUAGES = ("en", "bn")

DESCR = """\
Synthetic tracks: each is composed (tempo, chords, rhythm, lyrics) in the manner of its genre and
produced (instruments, drum kit, mix, room) in the manner of that genre or, for the share of
tracks given by `crossover`, of another. Genre and language are independent. See
sklearn_music.datasets.make_music.
"""


@validate_params(
    {
        "n_tracks": [Interval(Integral, 1, None, closed="left")],
        "n_genres": [Interval(Integral, 1, len(GENRES), closed="both")],
        "duration": [Interval(Real, 0, None, closed="neither")],
        "sample_rate": [Interval(Integral, 1000, None, closed="left")],
        "crossover": [Interval(Real, 0, 1, closed="both")],
        "directory": [str, os.PathLike, None],
        "format": [StrOptions({"flac", "wav"})],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_music(
    n_tracks=120,
    *,
    n_genres=6,
    duration=5.0,
    sample_rate=22050,
    crossover=0.15,
    directory=None,
    format="wav",
    random_state=None,
):
    """Make synthetic tracks: audio, lyrics, genre and language.

    Tempo, chords, drum patterns, instruments and mix differ by genre, and from track to track.
    Genres overlap: some tracks sound like another genre than the one they are written in, and
    lyrics hint at the genre without giving it away. It is a stand-in for a music collection, in
    tests and examples that must run offline; results on it say nothing about real music.

    Parameters
    ----------
    n_tracks : int, default=120
        Number of tracks.
    n_genres : int, default=6
        Number of genres, the first ones of "classical", "electronic", "folk", "hip hop", "pop"
        and "rock". Each has the same number of tracks, to within one.
    duration : float, default=5.0
        Length of a track, in seconds.
    sample_rate : int, default=22050
        Samples per second, at least 1000.
    crossover : float, default=0.15
        Share of the tracks that are produced in the manner of another genre, between 0 and 1: the
        difficulty of the task. Their tempo, chords, rhythm and lyrics remain those of their own
        genre.
    directory : str or os.PathLike, default=None
        Folder that the audio files are written to. It is created if needed; files of the same
        names in it are replaced. If None, the waveforms stay in memory.
    format : {"wav", "flac"}, default="wav"
        Format of the files. Both hold the same 16-bit samples.
    random_state : int, RandomState instance or None, default=None
        Seed of everything random. An int gives the same tracks every time; None gives new ones,
        and leaves NumPy's global state alone.

    Returns
    -------
    music : :class:`~sklearn.utils.Bunch`
        Dictionary-like object, with these attributes:

        data : DataFrame of shape (n_tracks, 4)
            Columns `audio` (the path of a file, or without `directory` a float32 array of shape
            (n_samples,) between -1 and 1), `lyrics` (str; "[Instrumental]" for about 15 % of the
            tracks, None for about 5 %), `genre` (str) and `language` ("en" or "bn").
        target : Series of shape (n_tracks,)
            The genre.
        target_names : list of str
            The genres that were asked for, sorted.
        sample_rate : int
            Samples per second.
        DESCR : str
            A description of the data.

    See Also
    --------
    load_tracks : Read a table of tracks of your own.

    Notes
    -----
    Lyrics are in English or Bangla, each for half of the tracks, whatever the genre. A track
    without lyrics has a language all the same: that of the band.

    With the defaults, `KMeans(6, n_init=10)` on the scaled mean and standard deviation of 20 MFCC
    reaches an adjusted Rand index of .5 to .6, and between .3 and .7 from seed to seed, for 60 to
    300 tracks of 3 to 15 seconds.

    Samples are rounded to 16 bits, as in most music files, so that the waveforms in memory and
    those read back from the files are the same.

    Examples
    --------
    >>> from sklearn_music.datasets import make_music
    >>> music = make_music(6, duration=0.5, random_state=0)
    >>> music.data.columns.tolist()
    ['audio', 'lyrics', 'genre', 'language']
    >>> sorted(music.target)
    ['classical', 'electronic', 'folk', 'hip hop', 'pop', 'rock']
    >>> music.data["audio"][0].shape
    (11025,)
    """
    if random_state is None:
        # check_random_state(None) would draw from, and so advance, the global state.
        random_state = np.random.RandomState(np.random.MT19937())
    seed = int(check_random_state(random_state).randint(2**31 - 1))
    rng = np.random.default_rng(seed)

    genres = rng.permutation(n_tracks) % n_genres
    languages = rng.permutation(n_tracks) % len(LANGUAGES)
    # Another genre: 1 to n_genres - 1 places further on.
    others = (genres + 1 + rng.integers(max(1, n_genres - 1), size=n_tracks)) % n_genres
    is_crossover = rng.permutation(n_tracks) < round(crossover * n_tracks)
    sounds = np.where(is_crossover, others, genres)

    n_samples = max(1, round(duration * sample_rate))
    if directory is not None:
        directory = Path(os.path.abspath(directory))
        directory.mkdir(parents=True, exist_ok=True)

    audio: list[np.ndarray | str] = []
    lyrics: list[str | None] = []
    for row in range(n_tracks):
        track_rng = np.random.default_rng([seed, row])
        genre, language = GENRES[genres[row]], LANGUAGES[languages[row]]
        lyric, sung = _make_lyrics(genre, language, track_rng)
        lyrics.append(lyric)
        waveform = render_track(
            genre,
            GENRES[sounds[row]],
            sung=sung,
            n_samples=n_samples,
            sample_rate=sample_rate,
            rng=track_rng,
        )
        samples = np.round(waveform * 32767).astype(np.int16)
        if directory is None:
            audio.append(samples.astype(np.float32) / 32768)
        else:
            path = str(directory / f"track_{row:04d}.{format}")
            _write(path, samples, sample_rate, format)
            audio.append(path)

    data = pd.DataFrame(
        {
            "audio": audio,
            # pandas' own text type would turn None into NaN.
            "lyrics": pd.Series(lyrics, dtype=object),
            "genre": [GENRES[i] for i in genres],
            "language": [LANGUAGES[i] for i in languages],
        }
    )
    return Bunch(
        data=data,
        target=data["genre"].copy(),
        target_names=list(GENRES[:n_genres]),
        sample_rate=sample_rate,
        DESCR=DESCR,
    )


def _make_lyrics(genre, language, rng):
    """Return the lyric, if it has one, and whether the track is sung."""
    chance = rng.random()
    if chance < INSTRUMENTAL_SHARE:
        return "[Instrumental]", False
    lyrics = write_lyrics(genre, language, rng)
    # Sung, but nobody wrote the words down.
    return (None if chance < INSTRUMENTAL_SHARE + LOST_SHARE else lyrics), True


def _write(path, samples, sample_rate, format):
    """Write a whole file or none, should the program be stopped half-way."""
    part = f"{path}.{os.getpid()}.part"
    try:
        sf.write(part, samples, sample_rate, format=format.upper(), subtype="PCM_16")
        os.replace(part, path)
    finally:
        Path(part).unlink(missing_ok=True)
