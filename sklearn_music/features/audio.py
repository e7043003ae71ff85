"""Decode, mix down, resample: from a file to a mono waveform, or an AudioError that names it."""

import functools
import math
import os
import shutil
import stat
import sys
import tempfile
from contextlib import ExitStack
from typing import Any, NamedTuple

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from ..exceptions import AudioError, AudioNotFoundError
from ._av import AvFile, UnknownFormatError
from ._containers import MP3_TOLERANCE, Contents, check_container, examine
from ._quiet import QUIET

# In Hz. A rate outside is a broken header: no format of music has it.
_RATES = (1_000, 1_000_000)
# No file has so many frames: 18 days at 44.1 kHz, and the largest count of a FLAC header.
_FRAMES_UNKNOWN = 2**36 - 1
# libsndfile can't seek in the subtypes that begin so.
_UNSEEKABLE = ("GSM", "G72", "NMS_ADPCM", "DPCM", "DWVW")
# libsndfile's errors of an unknown format, and of an unknown codec in a known one. The others are
# of files that are damaged.
_UNKNOWN_FORMAT = (1, 4)

# Lower case. Other names are read too, if there is audio in the file.
AUDIO_SUFFIXES = frozenset(
    # Of libsndfile.
    ".aif .aifc .aiff .au .caf .flac .mp2 .mp3 .oga .ogg .opus .rf64 .snd .w64 .wav .wave"
    # Of PyAV.
    " .aac .ac3 .ape .asf .dsf .m4a .m4b .m4r .mka .mp4 .mpc .tta .weba .webm .wma .wv".split()
)

# Lower case. Other names are read too, if there is audio in the file.
AUDIO_SUFFIXES = frozenset(
    # Of libsndfile.
    ".aif .aifc .aiff .au .caf .flac .mp2 .mp3 .oga .ogg .opus .rf64 .snd .w64 .wav .wave"
    # Of PyAV.
    " .aac .ac3 .ape .asf .dsf .m4a .m4b .m4r .mka .mp4 .mpc .tta .weba .webm .wma .wv".split()
)

AnyPath = str | os.PathLike[str]


class FileStamp(NamedTuple):
    """Identifies the content of a file without reading it."""

    path: str
    size: int
    mtime_ns: int


def file_stamp(path: AnyPath) -> FileStamp:
    """Return a file's stamp; raise an AudioError if it is no file, or empty."""
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


class Header(NamedTuple):
    """What a file says of itself."""

    sample_rate: int  # in Hz
    n_channels: int
    format: str  # "MP3"; of files that PyAV reads, the codec: "AAC"


@functools.lru_cache(maxsize=2**16)
def file_header(stamp: FileStamp) -> Header:
    """Return what a file says of itself."""
    with ExitStack() as stack:
        file = _open(stack, stamp.path)
        return Header(file.samplerate, file.channels, file.format)


def decodes_from_start(stamp: FileStamp) -> bool:
    """Return whether a stretch in the middle can only be decoded from the start of the file."""
    with ExitStack() as stack:
        file = _open(stack, stamp.path)
        return isinstance(file, AvFile) and not file.skips


def file_rate(stamp: FileStamp) -> int:
    """Return a file's own sample rate in Hz, by its header."""
    return file_header(stamp).sample_rate


def file_length(path: AnyPath, *, sample_rate: int, offset: float = 0.0) -> int:
    """Return the number of samples at `sample_rate` that `read_audio` gives from `offset` on.

    The file is decoded for that only where its header can't be trusted.
    """
    n_frames, rate = _count_frames(file_stamp(path))
    start = _start(offset, rate, n_frames, path)
    return math.ceil((n_frames - start) * sample_rate / rate)


@functools.lru_cache(maxsize=2**16)
def _count_frames(stamp: FileStamp) -> tuple[float, int]:
    """Return the number of frames of a file, and its rate."""
    path = stamp.path
    with ExitStack() as stack:
        file, contents = _to_its_end(stack, _open(stack, path), path)
        if contents.is_exact:
            return contents.n_frames, file.samplerate
        n_frames = sum(len(block) for block in _blocks(file, path, contents.n_frames))
        if contents.n_frames < math.inf:
            _check_count(n_frames, contents.n_frames, file, path)
        return n_frames, file.samplerate


def read_audio(
    path: AnyPath, *, sample_rate: int, offset: float = 0.0, duration: float | None = None
) -> NDArray[np.float32]:
    """Read a stretch of an audio file as a mono waveform, and decode no more than that.

    `offset` and `duration` are in seconds; None reads to the end, and a file that ends before
    gives a shorter waveform. The samples are those of
    ``librosa.load(path, sr=sample_rate, offset=offset, duration=duration)``. An AudioError says
    that the file can't be read, is cut short, or holds no sample, or NaN or infinite ones.
    """
    with ExitStack() as stack:
        file = _open(stack, path)
        rate = file.samplerate
        stop = math.inf if duration is None else int(offset * rate) + int(duration * rate)
        blocks = None
        if stop <= file.frames < _FRAMES_UNKNOWN:
            try:
                blocks = _stretch(file, path, offset, stop, file.frames)
            except AudioError:
                if "MPEG" not in file.subtype:
                    raise
                # Its count may be an estimate of libsndfile's.
                file = _open(stack, path)
        if blocks is None:
            # Only then does it matter whether the header's count is right.
            file, contents = _to_its_end(stack, file, path)
            blocks = _stretch(file, path, offset, stop, contents.n_frames)
    waveform = np.concatenate(blocks) if blocks else np.empty(0, np.float32)
    if len(waveform) == 0:
        _start(offset, rate, file.frames, path)
        raise AudioError(f"{path!r} holds no sample from {offset} s on.")
    # Checked here, before resampling spreads a NaN.
    check_waveform(waveform, repr(path))
    return resample(waveform, rate, sample_rate)


def resample(waveform: NDArray[np.float32], rate: float, sample_rate: float) -> NDArray[np.float32]:
    """Return a waveform of one rate at another, both in Hz, as `librosa.resample` does."""
    if rate == sample_rate:
        return waveform
    resampled = soxr.resample(waveform, rate, sample_rate, quality="HQ")
    # soxr rounds the length, librosa takes the ceiling.
    n_samples = math.ceil(len(waveform) * sample_rate / rate)
    return np.pad(resampled[:n_samples], (0, max(0, n_samples - len(resampled))))


def check_waveform(waveform: NDArray[Any], name: str) -> None:
    """Raise an AudioError that names the waveform unless it is mono and can be analysed."""
    if waveform.ndim != 1 or waveform.dtype.kind not in "fiu":
        raise AudioError(
            f"{name} is an array of shape {waveform.shape} and dtype {waveform.dtype}; expected "
            "a mono waveform, a 1-D array of numbers. Mix the channels down first."
        )
    is_scaled = waveform.dtype.kind == "f" or waveform.dtype.name in _FULL_SCALE
    # Python's own numbers become int64: small ones are taken as they are.
    if not is_scaled and (waveform.dtype != np.int64 or np.abs(waveform).max(initial=0) > 127):
        raise AudioError(
            f"{name} is an array of dtype {waveform.dtype}, of which the full scale is not known. "
            f"Convert it to the integers that it was recorded in ({', '.join(_FULL_SCALE)}), or "
            "to floating-point numbers within ±1."
        )
    if len(waveform) == 0:
        raise AudioError(f"{name} holds no sample.")
    if waveform.dtype.kind == "f":
        if not np.isfinite(waveform).all():
            raise AudioError(f"{name} contains NaN or infinity (inf) among its samples.")
        # Beyond that the power overflows float32.
        if max(float(waveform.max()), -float(waveform.min())) > 1e12:
            raise AudioError(f"{name} has samples beyond ±1e12; expected a waveform within ±1.")


# As in a file: 8-bit samples of wav are unsigned, with silence at 128. Other types are the result
# of a conversion, and do not show of which type.
_FULL_SCALE = {"int8": 2**7, "uint8": 2**7, "int16": 2**15, "int32": 2**31}


def as_floats(waveform: NDArray[Any]) -> NDArray[Any]:
    """Return a checked waveform within ±1: integers are scaled by the range of their type.

    The samples of a file as integers give what :func:`soundfile.read` gives as float32.
    """
    if waveform.dtype.kind == "f":
        return waveform
    zero = 128 if waveform.dtype.kind == "u" else 0
    centred = waveform.astype(np.float32) - np.float32(zero)
    return centred / np.float32(_FULL_SCALE.get(waveform.dtype.name, 1))


class _SequentialFile(soundfile.SoundFile):
    """A file without soundfile's seek after each block.

    It takes time, hides the gap where a page of an Ogg file is damaged, and fails for DWVW.
    """

    def seekable(self) -> bool:
        return False


_File = Any  # a soundfile.SoundFile, which has no types, or an AvFile


def _open(stack: ExitStack, path: AnyPath, *, name: AnyPath | None = None) -> _File:
    """Open a file until the stack is closed; `name` is the file's in errors."""
    name = path if name is None else name
    stack.enter_context(QUIET)
    # libsndfile says "no such file" for much that is not the reason.
    try:
        os.close(os.open(path, os.O_RDONLY))
        # soundfile encodes a str strictly.
        encoded = path if sys.platform == "win32" else os.fsencode(path)
        file = stack.enter_context(_SequentialFile(encoded))
    except soundfile.LibsndfileError as error:
        if error.code in _UNKNOWN_FORMAT:
            file = _open_with_av(stack, path, name, error.error_string.rstrip("."))
        else:
            reason = error.error_string
            if "does not exist" in reason:
                reason = "no audio was found in it"
            raise _unreadable(name, reason) from error
    except TypeError as error:  # soundfile takes a name in .raw for headerless samples
        raise _unreadable(name, f"its name says that it has no header: {error}") from error
    except (OSError, ValueError) as error:
        raise AudioError(f"{name!r} cannot be opened: {error}.") from error
    if file.frames == 0:
        raise AudioError(
            f"{name!r} holds no sample: its header says 0 frames, and the file has "
            f"{os.path.getsize(path)} bytes."
        )
    if not _RATES[0] <= file.samplerate <= _RATES[1]:
        raise AudioError(
            f"{name!r} is corrupt: its header says a sample rate of {file.samplerate} Hz, "
            f"expected {_RATES[0]} to {_RATES[1]} Hz."
        )
    if not isinstance(file, AvFile):
        check_container(file, path)
    return file


def _open_with_av(stack: ExitStack, path: AnyPath, name: AnyPath, reason: str) -> AvFile:
    try:
        return AvFile(stack, path, name=name)
    except UnknownFormatError as error:
        raise AudioError(
            f"{name!r} is not audio that libsndfile reads ({reason}), nor PyAV ({error}). Expected "
            "wav, flac, ogg, mp3, m4a, wma or another format of FFmpeg; it may be truncated or "
            "corrupt."
        ) from error
    except ImportError as error:
        raise AudioError(
            f"{name!r} is not audio that libsndfile reads ({reason}). Expected wav, flac, ogg, mp3 "
            "or another of soundfile.available_formats(). Other formats (m4a, wma, ...) need PyAV: "
            'pip install "sklearn-music[av]".'
        ) from error
    except AudioError:
        raise
    except OSError as error:  # a folder, for one
        raise AudioError(f"{name!r} cannot be opened: {error}.") from error


def _unreadable(name: AnyPath, reason: str) -> AudioError:
    return AudioError(
        f"{name!r} is not audio that libsndfile reads ({reason.rstrip('.')}). Expected wav, "
        "flac, ogg, mp3 or another of soundfile.available_formats(). It may be truncated or "
        "corrupt; or convert it first, with ffmpeg for example."
    )


def _to_its_end(stack: ExitStack, file: _File, path: AnyPath) -> tuple[_File, Contents]:
    """Return a file that is read to its end, and its contents."""
    if isinstance(file, AvFile):
        return file, Contents()
    contents = examine(file, path)
    if contents.prefix:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        copy = os.path.join(folder, "mended")
        with open(path, "rb") as old, open(copy, "wb") as new:
            new.write(contents.prefix)
            old.seek(contents.skip)
            shutil.copyfileobj(old, new)
        file = _open(stack, copy, name=path)
        if file.format == "MP3":  # only libsndfile knows the delay of its encoder
            contents = contents._replace(n_frames=file.frames)
    return file, contents


def _start(offset, rate, n_frames, path):
    start = int(offset * rate)
    if start >= n_frames:
        raise AudioError(
            f"{path!r} is {n_frames / rate:.2f} s long, so offset={offset} s is past its end."
        )
    return start


def _stretch(file, path, offset, stop, n_frames):
    """Decode from `offset`, in seconds, to frame `stop` or the end, at `n_frames`."""
    start = _start(offset, file.samplerate, n_frames, path)
    # Not beyond: what follows the audio may be tags, which libFLAC can't skip.
    wanted = min(stop, n_frames) - start
    blocks = list(_blocks(file, path, wanted, start=start))
    if n_frames < math.inf:
        _check_count(sum(map(len, blocks)), wanted, file, path)
    return blocks


def _blocks(file, path, n_frames, *, start=0):
    """Decode up to `n_frames`; yield them mixed down, some at a time.

    So what is there bounds the memory that is used, whatever a header says.
    """
    size = max(1, 2**20 // file.channels)
    try:
        if start and file.subtype.startswith(_UNSEEKABLE):
            for _ in _blocks(file, path, start):
                pass
        elif start:
            file.seek(start)
        while n_frames > 0:
            wanted = min(size, n_frames)
            samples = file.read(wanted, dtype="float32", always_2d=True)
            # What samples.mean(axis=1) gives, which takes as long as decoding an mp3 file.
            waveform = samples[:, 0].copy()
            for channel in samples.T[1:]:
                waveform += channel
            waveform /= file.channels
            yield waveform
            if len(samples) < wanted:
                return
            n_frames -= wanted
    except soundfile.LibsndfileError as error:
        raise AudioError(
            f"{path!r} is truncated or corrupt: decoding stopped with {error.error_string!r}."
        ) from error


def _check_count(n_read, expected, file, path):
    tolerance = MP3_TOLERANCE if "MPEG" in file.subtype else 0
    if n_read < expected - tolerance:
        raise AudioError(
            f"{path!r} is truncated or corrupt: {expected} frames were expected, but only "
            f"{n_read} could be decoded."
        )
