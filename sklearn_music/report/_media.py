"""What the page shows of a track: the start of its lyrics, some of its sound."""

import base64
import io
import os
import reprlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..exceptions import AudioError
from ..features.audio import as_floats, check_waveform, file_stamp, read_audio

# MP3 supports this rate. Half the rate of a CD is enough to recognise a track.
_SAMPLE_RATE = 22050
_N_CHARACTERS = 160
_N_NAMED = 3  # of the tracks that a note is about


def shorten(text: Any) -> str:
    """Return the start of a lyric in one line, cut between words; empty where it is missing."""
    if pd.isna(text):
        return ""
    lines = (" ".join(line.split()) for line in str(text).splitlines())
    line = " / ".join(filter(None, lines))
    if len(line) <= _N_CHARACTERS:
        return line
    start, space, _ = line[:_N_CHARACTERS].rpartition(" ")
    # A script without spaces has to be cut within the line.
    return (start if space else line[:_N_CHARACTERS]) + " …"


def find_sources(tracks, titles, order, max_excerpts, *, embeds, **settings):
    """Return the URI that plays each track, empty where there is none, and notes about them.

    The first tracks in `order` get an excerpt, if `embeds` or if they have no file.
    """
    sources = [""] * len(tracks)
    if "audio" not in tracks:
        return sources, ["The table has no column 'audio', so that no track can be played."]
    n_excerpts, n_silent, failures = 0, 0, []
    for row in order:
        audio = tracks["audio"].iloc[row]
        try:
            if (embeds or not _is_path(audio)) and n_excerpts < max_excerpts:
                sources[row] = embed(audio, **settings)
                n_excerpts += 1
            elif _is_path(audio):
                sources[row] = Path(file_stamp(audio).path).as_uri()
            else:
                n_silent += 1
        except AudioError as error:
            failures.append(f"{titles[row]}: {error}")
    notes = []
    if n := len(failures):
        more = f" And {n - _N_NAMED} more." if n > _N_NAMED else ""
        failed = " ".join(failures[:_N_NAMED])
        notes.append(f"{n} of {len(sources)} tracks can't be played. {failed}{more}")
    if n_silent:
        notes.append(
            f"{n_silent} tracks can't be played here: they are waveforms, and the page holds "
            f"{max_excerpts} excerpts (max_excerpts)."
        )
    return sources, notes


def _is_path(audio):
    return isinstance(audio, (str, os.PathLike))


def embed(audio: Any, *, sample_rate: int, offset: float, duration: float) -> str:
    """Return an excerpt of a track as a data URI, in MP3, which all browsers play.

    `offset` and `duration` are in seconds, `sample_rate` is that of a waveform. Raises AudioError
    if the track can't be read.
    """
    import soundfile
    import soxr

    if _is_path(audio):
        waveform = read_audio(audio, sample_rate=_SAMPLE_RATE, offset=offset, duration=duration)
    elif isinstance(audio, np.ndarray):
        check_waveform(audio, "the waveform")
        start = int(offset * sample_rate)
        stretch = as_floats(audio)[start : start + int(duration * sample_rate)]
        check_waveform(stretch, "the waveform")
        waveform = soxr.resample(stretch.astype(np.float32), sample_rate, _SAMPLE_RATE)
    else:
        raise AudioError(f"got {reprlib.repr(audio)}, expected a path or a 1-D array of samples.")
    file = io.BytesIO()
    soundfile.write(file, np.clip(waveform, -1, 1), _SAMPLE_RATE, format="MP3")
    return as_uri(file.getvalue(), "audio/mpeg")


def as_uri(data: bytes, media_type: str) -> str:
    """Return bytes as a data URI."""
    return f"data:{media_type};base64,{base64.b64encode(data).decode('ascii')}"
