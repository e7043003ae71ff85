"""Files that libsndfile can't read (m4a, WMA, WebM, ...), decoded by PyAV, which is FFmpeg.

Decoding begins at the start of a file, and what is before the wanted stretch is thrown away. A
seek would not give the same samples: FFmpeg's AAC decoder draws noise (perceptual noise
substitution) from a generator whose state depends on all earlier packets; Opus and WMA need an
unknown number of packets until they converge; Matroska and ASF give times in ms only. In codecs
whose packets stand alone (ALAC, FLAC, ...) earlier packets are read but not decoded.
"""

import errno
import io
import math
import os
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..exceptions import AudioError

# FFmpeg's formats that hold music. Without such a list it takes some text for a film of
# typewriting, opens files that a playlist names, and takes nearly anything for mp3 in the end.
_FORMATS = (
    "aac,aax,ac3,aiff,amr,ape,asf,avi,caf,dsf,dts,dtshd,eac3,flv,iff,loas,matroska,mov,mpc,mpc8,"
    "mpeg,mpegts,ogg,oma,rm,shn,tak,truehd,tta,voc,vqf,w64,wav,wtv,wv,xwma"
)
# Their headers say how long they are. The length of others is estimated by the bit rate.
_PROMISING = {"ape", "asf", "dsf", "matroska,webm", "mov,mp4,m4a,3gp,3g2,mj2", "mpc8", "tta", "wv"}
_TOLERANCE = 0.1  # seconds; a header may count the delay of the decoder
# Each packet is decoded by itself, and these formats count in frames how much is in it.
_INDEPENDENT = {"ALAC", "FLAC", "TTA", "WAVPACK"}
_COUNTING = {"mov,mp4,m4a,3gp,3g2,mj2", "tta", "wv"}


class UnknownFormatError(Exception):
    """FFmpeg does not recognise a file either; the reason is in FFmpeg's words."""


class _Reader(io.FileIO):
    """A file of which FFmpeg sees no more than the suffix of its name.

    So any name will do, and none is taken for an address.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(path)
        suffix = os.path.splitext(os.fsdecode(path))[1]
        self.name = "audio" + suffix.encode("ascii", "replace").decode()

    def seek(self, *args: int) -> int:
        try:
            return super().seek(*args)
        except (OSError, OverflowError):
            # An exception would be printed, and raised later. FFmpeg knows a negative number.
            return -errno.EINVAL


class AvFile:
    """An open file, with what `audio.py` uses of `soundfile.SoundFile`.

    Parameters
    ----------
    stack : ExitStack
        Closes the file.
    path : str or PathLike
        The file.
    name : str or PathLike
        What the file is called in errors.

    Raises
    ------
    AudioError
        If FFmpeg knows the format, but can't decode audio from the file; later also by `read`.
    UnknownFormatError
        If it doesn't know the format.
    ImportError
        If PyAV is not installed.
    """

    frames: float = math.inf  # known when the end was reached

    def __init__(self, stack: ExitStack, path: str | os.PathLike[str], *, name: Any) -> None:
        import av

        self._error: Any = av.error.FFmpegError
        self._name = name
        file = stack.enter_context(_Reader(path))
        options = {"format_whitelist": _FORMATS}
        try:
            self._container: Any = stack.enter_context(
                av.open(file, metadata_errors="replace", container_options=options)
            )
        except self._error as error:
            raise UnknownFormatError(error.strerror) from error
        self._stream = self._find_stream()
        codec = self._stream.codec_context
        codec.thread_count = 1
        self.format = self.subtype = codec.codec.canonical_name.upper()
        if self.format in _INDEPENDENT:  # which have checksums
            codec.options = {"err_detect": "crccheck+explode"}
        self._start = 0  # where reading begins
        self._skips = False  # whether packets before that need not be decoded
        self._queue: Any = av.AudioFifo()
        self._n_fed = 0  # frames up to the end of the queue
        self._n_last = 0  # frames of the queue that may be beyond the end of the track
        self._last_time: float | None = None  # where the last frame begins, in seconds
        self._begin: float | None = None  # of the first frame
        self._end = 0.0  # of the last packet, in seconds
        self._last_end = 0.0  # of the packet that ends last, of any stream
        self._frames = self._decode()
        self._first: Any = None
        if not self._feed():
            raise AudioError(f"{name!r} holds no sample: its {self.format} stream is empty.")
        # The header of HE-AAC may state half the rate that the decoder gives.
        self.samplerate: int = self._first.sample_rate
        self.channels: int = self._first.layout.nb_channels

    def seek(self, start: int) -> None:
        """Set where reading begins, before anything was read."""
        self._start = start
        is_exact = self._stream.time_base * self.samplerate == 1
        self._skips = (
            is_exact and self.format in _INDEPENDENT and self._container.format.name in _COUNTING
        )
        if self._skips and start >= self._n_fed:
            self._queue.read(partial=True)
            self._n_last = 0
            self._feed()
        while (n_before := self._start - self._n_fed + self._queue.samples) > 0:
            if len(self._take(min(n_before, 2**16))) == 0:
                return

    def read(self, n_frames: int, **_: object) -> NDArray[np.float32]:
        """Return the next frames, of shape (n_frames, n_channels); fewer at the end."""
        return self._take(n_frames)

    def _take(self, n_frames: int) -> NDArray[np.float32]:
        while self._queue.samples - self._n_last < n_frames and self._feed():
            pass
        n_frames = min(n_frames, self._queue.samples - self._n_last)
        if n_frames <= 0:
            return np.empty((0, self.channels), np.float32)
        frame = self._queue.read(n_frames)
        samples = frame.to_ndarray()
        if not frame.format.is_planar:
            samples = samples.reshape(-1, self.channels).T
        kind, size = samples.dtype.kind, samples.dtype.itemsize
        if kind == "u":
            samples = samples.astype(np.float32) - np.float32(128)
        scale = 1 if kind == "f" else 2 ** (8 * size - 1)
        return samples.T.astype(np.float32) / np.float32(scale)

    def _feed(self) -> bool:
        """Decode a frame to the queue; return False at the end of the track."""
        if self.frames < math.inf:
            return False
        try:
            frame = next(self._frames, None)
        except self._error as error:
            raise self._corrupt(f"decoding stopped with {error.strerror!r}") from error
        if frame is None:
            if self._first is not None:
                self._finish()
            return False
        time = None if frame.pts is None else float(frame.pts * frame.time_base)
        if self._first is None:
            self._first, self._begin = frame, time
        found, first = ((f.sample_rate, f.layout.name, f.format.name) for f in (frame, self._first))
        if found != first:
            raise self._corrupt(f"the audio changes from {first} to {found}")
        self._last_time = time
        frame.pts = None
        self._queue.write(frame)
        self._n_fed += frame.samples
        self._n_last = frame.samples
        return True

    def _decode(self) -> Iterator[Any]:
        stream = self._stream
        # Where the header does not say how long the audio is, another stream may be longer.
        streams = [stream] if stream.duration is not None else list(self._container.streams)
        for packet in self._container.demux(streams):
            if packet.pts is not None:
                end = float((packet.pts + (packet.duration or 0)) * packet.time_base)
                self._last_end = max(self._last_end, end)
                if packet.stream is stream:
                    self._end = end
            if packet.stream is not stream:
                continue
            if packet.is_corrupt:
                raise self._corrupt("a packet is not whole")
            n_frames = 0 if packet.is_discard else packet.duration or 0
            is_before = self._n_fed + n_frames <= self._start and not self._queue.samples
            if self._skips and n_frames and is_before:
                self._n_fed += n_frames
                continue
            yield from packet.decode()

    def _finish(self) -> None:
        """Count the frames, now that the end is reached; raise an error if some are missing."""
        stream, container = self._stream, self._container
        if container.format.name in _PROMISING:
            promised = self._promised()
            if promised is not None and self._last_end < promised - _TOLERANCE:
                raise self._corrupt(
                    f"its header says {promised:.2f} s, but it ends after {self._last_end:.2f} s"
                )
            n_seconds = self._n_fed / self.samplerate
            expected = self._end - (self._begin or 0)
            if n_seconds < expected - _TOLERANCE:
                raise self._corrupt(
                    f"{expected:.2f} s were expected, but only {n_seconds:.2f} s could be decoded"
                )
        # The last packet is filled up with silence. Only since version 9 FFmpeg cuts it off, where
        # the mp4 file lists all packets (stream.frames), and never for Opus.
        is_listed = container.format.name.startswith("mov") and stream.frames
        n_excess = 0
        if is_listed and stream.duration and self._last_time is not None and self.format != "OPUS":
            end = min(float(stream.duration * stream.time_base), self._end)
            n_excess = self._n_last - round((end - self._last_time) * self.samplerate)
        self._n_last = n_excess if 0 < n_excess < self._n_last else 0
        self.frames = self._n_fed - self._n_last

    def _promised(self) -> float | None:
        """Return how many seconds the header promises."""
        stream, container = self._stream, self._container
        if stream.duration is not None:
            promised = float(stream.duration * stream.time_base)
        elif container.duration is not None:
            promised = container.duration / 1e6
        else:
            return None
        # FFmpeg estimates so where the header says nothing.
        estimate = 8 * container.size / stream.bit_rate if stream.bit_rate else math.inf
        return None if abs(estimate - promised) < 0.01 * promised else promised

    def _find_stream(self) -> Any:
        streams = self._container.streams
        stream = streams.best("audio")
        if stream is not None and stream.codec_context is not None:
            return stream
        kinds = sorted({stream.type for stream in streams})
        found = "audio of an unknown codec" if "audio" in kinds else "no audio"
        raise AudioError(
            f"{self._name!r} holds {found} (its streams: {', '.join(kinds) or 'none'}). Expected "
            "an audio file, or a video with sound."
        )

    def _corrupt(self, reason: str) -> AudioError:
        return AudioError(f"{self._name!r} is truncated or corrupt: {reason}.")
