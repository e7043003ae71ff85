"""What the page quotes of a track: its title, the start of its lyrics, some of its sound."""

import base64
import io
import os
import reprlib
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
import soxr

from ..exceptions import AudioError
from ..features.audio import as_floats, check_waveform, file_stamp, read_audio

# A rate that MP3 knows; half that of a CD is enough to tell what a track is.
_SAMPLE_RATE = 22050
_N_CHARACTERS = 160
_TITLE_COLUMNS = ("title", "track_id", "filename")


def find_titles(tracks):
    """Return what each track is called: its title, ID or file, else its place in the table."""
    titles = pd.Series([f"track {label}" for label in tracks.index], dtype=object)
    if "audio" in tracks:
        titles = _over(titles, [_stem(audio) for audio in tracks["audio"]])
    for name in reversed(_TITLE_COLUMNS):
        if name in tracks:
            titles = _over(titles, tracks[name])
    return titles.tolist()


def _over(titles, better):
    better = pd.Series(list(better), dtype=object)
    better = better.where(better.isna(), better.astype(str).str.strip()).replace("", None)
    return better.where(better.notna(), titles)


def _stem(audio):
    return Path(audio).stem if isinstance(audio, (str, os.PathLike)) else None


def shorten(text):
    """Return the start of a lyric in one line, cut between words."""
    lines = (" ".join(line.split()) for line in str(text).splitlines())
    line = " / ".join(filter(None, lines))
    if len(line) <= _N_CHARACTERS:
        return line
    start, space, _ = line[:_N_CHARACTERS].rpartition(" ")
    # A script without spaces has to be cut within the line.
    return (start if space else line[:_N_CHARACTERS]) + " …"


def link(audio):
    """Return the file's URI.

    Raises
    ------
    AudioError
        If there is no such file.
    """
    return Path(file_stamp(audio).path).as_uri()


def scaled(audio):
    """Return a cell of the column ``audio``, integer samples scaled to floats within ±1.

    Raises
    ------
    AudioError
        If it is an array that is no waveform.
    """
    if isinstance(audio, np.ndarray):
        check_waveform(audio, "the waveform")
        return as_floats(audio)
    return audio


def embed(audio, *, sample_rate, offset, duration):
    """Return a stretch of a track as a data URI, in MP3, which all browsers play.

    Parameters
    ----------
    audio : str, PathLike or ndarray of shape (n_samples,)
        A file, or a waveform of floats at `sample_rate`, as `scaled` returns it.
    sample_rate : int
        That of a waveform, in Hz.
    offset, duration : float
        Where the stretch begins and how long it is, in seconds.

    Raises
    ------
    AudioError
        If the track can't be read, or is a waveform of integers.
    """
    if isinstance(audio, (str, os.PathLike)):
        waveform = read_audio(audio, sample_rate=_SAMPLE_RATE, offset=offset, duration=duration)
    elif isinstance(audio, np.ndarray):
        if audio.dtype.kind != "f":
            # Clipped at ±1, they would be a square wave at full scale.
            raise AudioError(f"got a waveform of {audio.dtype}, expected floats within ±1.")
        start = int(offset * sample_rate)
        stretch = audio[start : start + int(duration * sample_rate)]
        check_waveform(stretch, "the waveform")
        waveform = soxr.resample(stretch.astype(np.float32), sample_rate, _SAMPLE_RATE)
    else:
        raise AudioError(f"got {reprlib.repr(audio)}, expected a path or a 1-D array of samples.")
    file = io.BytesIO()
    soundfile.write(file, np.clip(waveform, -1, 1), _SAMPLE_RATE, format="MP3")
    return as_uri(file.getvalue(), "audio/mpeg")


def as_uri(data, media_type):
    """Return bytes as a data URI."""
    return f"data:{media_type};base64,{base64.b64encode(data).decode('ascii')}"
