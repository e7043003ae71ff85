"""Decode, mix down, resample: from a file on disk to a mono waveform.

Every reason why a file can't be used is found here, and raised as an
:class:`~sklearn_music.exceptions.AudioError` that names the file.
"""

import functools
import math
import os
import re
import stat
from typing import NamedTuple

import numpy as np
import soundfile
import soxr

from ..exceptions import AudioError, AudioNotFoundError

# A chunk size that a writer to a pipe leaves in the header, since it can't go back to fill it in.
_SIZE_UNKNOWN = 2**31 - 2**16


class FileStamp(NamedTuple):
    """What tells one content of a file from another without reading it."""

    path: str
    size: int
    mtime_ns: int


@functools.lru_cache(maxsize=2**16)
def file_rate(stamp):
    """Return a file's own sample rate in Hz, by its header."""
    with _open(stamp.path) as file:
        return file.samplerate


def file_stamp(path):
    """Return the identity of a file's content.

    Raises
    ------
    AudioError
        If there is no such file, or it is a directory, or empty.
    """
    if not os.fspath(path):
        raise AudioError("the path is empty, expected that of an audio file.")
    path = os.path.abspath(os.fspath(path))
    try:
        status = os.stat(path)
    except FileNotFoundError:
        raise AudioNotFoundError(f"{path!r} does not exist.") from None
    except (OSError, ValueError) as error:
        raise AudioError(f"{path!r} cannot be opened: {error}.") from error
    if not stat.S_ISREG(status.st_mode):
        what = "a directory" if stat.S_ISDIR(status.st_mode) else "not a regular file"
        raise AudioError(f"{path!r} is {what}, expected an audio file.")
    if status.st_size == 0:
        raise AudioError(f"{path!r} is empty (0 bytes).")
    return FileStamp(path, status.st_size, status.st_mtime_ns)


def file_length(path, *, sample_rate, offset=0.0):
    """Return the number of samples at `sample_rate` from `offset` to the end, by the header."""
    with _open(path) as file:
        start = _start(file, path, offset)
        return math.ceil((file.frames - start) * sample_rate / file.samplerate)


def read_audio(path, *, sample_rate, offset=0.0, duration=None):
    """Read a stretch of an audio file as a mono waveform.

    Only the wanted stretch is decoded. The samples are those of
    ``librosa.load(path, sr=sample_rate, offset=offset, duration=duration)``.

    Parameters
    ----------
    path : str or PathLike
        A file that libsndfile reads: wav, flac, ogg, mp3, ...
    sample_rate : int
        The rate of the result, in Hz.
    offset : float, default=0.0
        Where the stretch begins, in seconds.
    duration : float, default=None
        How long it is, in seconds; None reads to the end.

    Returns
    -------
    waveform : ndarray of shape (n_samples,), float32
        Shorter than `duration` where the file ends before.

    Raises
    ------
    AudioError
        If the file can't be read, is cut short, or holds no sample, NaN or
        infinite ones, or none after `offset`.
    """
    with _open(path) as file:
        start = _start(file, path, offset)
        wanted = file.frames - start
        if duration is not None:
            wanted = min(wanted, int(duration * file.samplerate))
        rate = file.samplerate
        length_is_known = file.format != "MP3" or _mp3_states_length(path)
        try:
            file.seek(start)
            samples = file.read(wanted, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            raise AudioError(
                f"{path!r} is truncated or corrupt: decoding stopped with {str(error)!r}."
            ) from error
    if len(samples) < wanted and length_is_known:
        raise AudioError(
            f"{path!r} is truncated or corrupt: its header promises {wanted} frames from "
            f"frame {start} on, but only {len(samples)} could be decoded."
        )
    if len(samples) == 0:
        raise AudioError(f"{path!r} holds no sample from {offset} s on.")
    waveform = check_waveform(_mix_down(samples), repr(path))
    if rate == sample_rate:
        return waveform
    resampled = soxr.resample(waveform, rate, sample_rate, quality="HQ")
    # soxr rounds the length, librosa takes the ceiling.
    return fit_length(resampled, math.ceil(len(waveform) * sample_rate / rate))


def check_waveform(waveform, name):
    """Return `waveform` as it is, if it is a mono one that can be analysed."""
    if waveform.ndim != 1 or waveform.dtype.kind not in "fiu":
        raise AudioError(
            f"{name} is an array of shape {waveform.shape} and dtype {waveform.dtype}; expected "
            "a mono waveform, a 1-D array of numbers. Mix the channels down first."
        )
    if len(waveform) == 0:
        raise AudioError(f"{name} holds no sample.")
    if not np.isfinite(waveform).all():
        raise AudioError(f"{name} contains NaN or infinity (inf) among its samples.")
    # Beyond that the power overflows float32.
    if max(float(waveform.max()), -float(waveform.min())) > 1e12:
        raise AudioError(f"{name} has samples beyond ±1e12; expected a waveform within ±1.")
    return waveform


def fit_length(waveform, n_samples):
    """Crop a waveform to `n_samples`, or pad it with silence."""
    return np.pad(waveform[:n_samples], (0, max(0, n_samples - len(waveform))))


def _mix_down(samples):
    # What samples.mean(axis=1) gives, which takes as long as decoding an mp3 file.
    waveform = samples[:, 0].copy()
    for channel in samples.T[1:]:
        waveform += channel
    waveform /= samples.shape[1]
    return waveform


def _open(path):
    try:
        file = soundfile.SoundFile(path)
    except (soundfile.LibsndfileError, TypeError) as error:
        # A TypeError: soundfile takes a name in .raw for headerless samples.
        raise AudioError(
            f"{path!r} is not audio that libsndfile reads ({error}). Expected wav, "
            "flac, ogg, mp3 or another of soundfile.available_formats(); convert other formats "
            "(m4a, wma, ...) first, with ffmpeg for example."
        ) from error
    reason = None
    if file.frames == 0:
        reason = "holds no sample (0 frames)"
    elif _is_cut_short(file, path):
        reason = "is truncated: it ends before its header or its last page says"
    if reason is not None:
        file.close()
        raise AudioError(f"{path!r} {reason}.")
    return file


def _start(file, path, offset):
    start = int(offset * file.samplerate)
    if start >= file.frames:
        raise AudioError(
            f"{path!r} is {file.frames / file.samplerate:.2f} s long, so offset={offset} s is "
            "past its end."
        )
    return start


def _is_cut_short(file, path):
    """Tell whether the container itself shows that its end is missing.

    libsndfile reads such files without a word, as if they were shorter.
    """
    if file.format == "OGG":
        with open(path, "rb") as raw:
            # A page has at most 65,307 bytes, so the last one's header is in reach.
            raw.seek(max(0, os.path.getsize(path) - 2**16))
            tail = raw.read()
        # RFC 3533, section 6: a header of 27 bytes, the last of which counts the segments,
        # then a byte with the size of each, then the segments.
        header = tail[tail.rfind(b"OggS") :]
        n_segments = header[26] if len(header) > 26 else 0
        end_of_stream = 4
        return (
            n_segments == 0
            or not header[5] & end_of_stream
            or len(header) < 27 + n_segments + sum(header[27 : 27 + n_segments])
        )
    # libsndfile's log holds "data : 882000 (should be 529182)" (wav), "SSND : ..." (aiff),
    # "riff : ..." (w64), "Data Size   : ..." (au), and for rf64 a sentence.
    log = re.search(r"(?:data|SSND|riff|Data Size) *: (\d+) \(should be (\d+)\)", file.extra_info)
    if log is None:
        return "does not match value from 'ds64' chunk" in file.extra_info
    return int(log[2]) < int(log[1]) < _SIZE_UNKNOWN


def _mp3_states_length(path):
    """Tell whether an mp3 file has a Xing or Info header; without one its length is a guess."""
    with open(path, "rb") as raw:
        head = raw.read(10)
        tag_size = 0
        if head[:3] == b"ID3":
            # Four bytes of seven bits each: ID3v2.4, section 3.1.
            a, b, c, d = head[6:]
            tag_size = 10 + (a << 21 | b << 14 | c << 7 | d)
        raw.seek(tag_size)
        first_frame = raw.read(256)
    return b"Xing" in first_frame or b"Info" in first_frame
