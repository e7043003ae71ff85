"""How much audio a file really holds, by its own frames and pages.

libsndfile believes the count in a header, whether more follows or less. These rules separate an
unknown count from a file that is cut short:

- A writer to a pipe leaves a count of 0 or of all ones, or a size just below 2**31 or 2**32 or
  beyond 2**62 bytes. Such a count means nothing.
- A writer that counts the header too gives a count that is too large by it (64 bytes, or one MP3
  frame). Nothing was lost.
- Any other count that is larger than the content belongs to a file that was cut short.
- With a count that is too small, the rest of the audio would be lost without notice. MP3 and
  FLAC files are then read to their end; others raise an error.
"""

import functools
import math
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import soundfile

from ..exceptions import AudioError

# An MP3 frame has 1,152 samples. A file that lacks less than two of them is not truncated.
MP3_TOLERANCE = 2 * 1152 - 1
_OWN_HEADER = 64
# Trailing bytes that are no chunk: more than this are lost audio, less are padding.
_STRAY_BYTES = 8192
# Of the subtypes whose samples all have the same size.
_BYTES_PER_SAMPLE = {
    **{"PCM_S8": 1, "PCM_U8": 1, "PCM_16": 2, "PCM_24": 3, "PCM_32": 4},
    **{"ULAW": 1, "ALAW": 1, "FLOAT": 4, "DOUBLE": 8},
}


class Contents(NamedTuple):
    """What a file holds."""

    n_frames: float = math.inf  # where only decoding shows it
    is_exact: bool = False  # whether decoding would give just n_frames
    # What to decode in place of the file: these bytes, then its own from `skip` on.
    prefix: bytes = b""
    skip: int = 0


def examine(file: soundfile.SoundFile, path: str | os.PathLike[str]) -> Contents:
    """Return the contents of an open file; raise an AudioError if its end is missing or unread."""
    if file.format == "MP3":
        return _examine_mp3(file, path)
    if file.format == "FLAC":
        return _examine_flac(file, path)
    if file.format == "OGG":
        return _examine_ogg(file, path)
    if "MPEG" in file.subtype:  # within WAV; libsndfile estimates the count by the first frame
        fact = re.search(r"\nfact : 4\n  frames  : (\d+)", file.extra_info)
        count = int(fact[1]) if fact else 0
        return Contents(count) if count and not _is_unknown(count) else Contents()
    size = _BYTES_PER_SAMPLE.get(file.subtype, 0) * file.channels * file.frames
    is_exact = 0 < size <= os.path.getsize(path) and file.format not in ("PAF", "SDS")
    return Contents(file.frames, is_exact)


def check_container(file: soundfile.SoundFile, path: str | os.PathLike[str]) -> None:
    """Raise an AudioError where libsndfile's log shows that samples are missing or left over."""
    log = file.extra_info
    if file.format == "NIST":
        log += Path(path).read_bytes()[:1024].decode("latin-1")
    width = _BYTES_PER_SAMPLE.get(file.subtype, 1) * file.channels
    # As in "data : 882000 (should be 529182)" (wav), "SSND : ..." (aiff), "riff : ..." (w64),
    # "BODY : ..." (svx), "Data Size   : ..." (au).
    sizes = re.findall(r"(?:data|SSND|riff|BODY|Data Size) *: (\d+) \(should be (\d+)\)", log)
    promises = [(int(promised), int(there)) for promised, there in sizes]
    # The counts of frames of aiff, avr, mpc2k, rf64, wve, of Matlab's and of NIST's files.
    counts = re.findall(r"(?:Frames *: |Cols *: |Data length |sample_count -i )(\d+)", log)
    promises += [(int(count) * width, file.frames * width) for count in counts[-1:]]
    if file.format not in ("FLAC", "OGG", "MP3") and file.subtype in _BYTES_PER_SAMPLE:
        promises.append((file.frames * width, os.path.getsize(path)))
    # Not "data chunk seems to be truncated", which it says of each wav file with GSM 6.10.
    if re.search("File seems to be truncated|Seems to be a truncated file", log) or any(
        promised > there + _OWN_HEADER and not _is_unknown(promised) for promised, there in promises
    ):
        raise AudioError(f"{path!r} is truncated: it ends before its header says.")
    # Where a chunk should begin there is none, or there can't be one.
    has_strays = file.format == "AU" or re.search(
        r"[Uu]nknown (?:chunk )?marker|> file length|Should be >= 0", log
    )
    stray = os.path.getsize(path) - file.frames * width
    if has_strays and file.subtype in _BYTES_PER_SAMPLE and stray > _STRAY_BYTES:
        raise AudioError(
            f"{path!r} holds more audio than its header says, so that its end would be lost. "
            "Write it anew, with ffmpeg for example."
        )


def _is_unknown(size: int) -> bool:
    """Return whether a writer to a pipe left this size: it can't go back to fill it in."""
    # 0x7F000000 (sox, aiff), 0x7FFFF000 (sox, wav), 0x80000000, 0xFFFFFFFF (ffmpeg), 2**64 - 1.
    margin = 2**24 + 2**16
    return size >= 2**62 or any(0 <= limit - size <= margin for limit in (2**31, 2**32))


def _id3_size(data: bytes) -> int:
    """Return where the ID3v2 tags at the start end."""
    size = 0
    while data[size : size + 3] == b"ID3" and len(data) >= size + 10:
        # Four bytes of seven bits each: ID3v2.4, section 3.1.
        a, b, c, d = data[size + 6 : size + 10]
        size += 10 + (a << 21 | b << 14 | c << 7 | d)
    return size


# MP3: ISO/IEC 11172-3, section 2.4.1.3, and 13818-3. In kbit/s, by version and layer.
_BITRATES = {
    (1, 1): [32 * i for i in range(1, 15)],
    (1, 2): [32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
    (1, 3): [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
    (2, 1): [32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256],
    (2, 2): [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
}
_BITRATES[2, 3] = _BITRATES[2, 2]


@functools.cache
def _mpeg_frame(second, third):
    """Return a frame's bytes and samples by the bytes 2 and 3 of its header, or None."""
    version, layer = second >> 3 & 3, 4 - (second >> 1 & 3)
    bitrate, rate = third >> 4, third >> 2 & 3
    if second < 0xE0 or version == 1 or layer == 4 or bitrate in (0, 15) or rate == 3:
        return None
    hertz = (44100, 48000, 32000)[rate] >> (3 - version if version else 2)
    low_rate = version != 3
    n_samples = {1: 384, 2: 1152, 3: 576 if low_rate else 1152}[layer]
    slot = 4 if layer == 1 else 1
    kbits = _BITRATES[1 + low_rate, layer][bitrate - 1]
    n_slots = n_samples // 8 // slot * 1000 * kbits // hertz + (third >> 1 & 1)
    return n_slots * slot, n_samples


def _mpeg_frames(data: bytes, position: int) -> Iterator[tuple[int, int]]:
    """Yield the position and the number of samples of each whole frame."""
    end = len(data) - 3
    is_in_sync = True
    while position < end:
        frame = _mpeg_frame(data[position + 1], data[position + 2])
        if data[position] == 0xFF and frame and (is_in_sync or _is_start(data, position)):
            is_in_sync = True
            if position + frame[0] <= len(data):
                yield position, frame[1]
            position += frame[0]
        else:
            is_in_sync = False
            position = data.find(b"\xff", position + 1)
            if position < 0:
                return


def _is_start(data: bytes, position: int) -> bool:
    """Return whether three frames of one kind follow each other, which is no chance."""
    second, rate = data[position + 1], data[position + 2] & 0x0C
    for _ in range(3):
        header = data[position : position + 3]
        if len(header) < 3 or header[:2] != bytes([0xFF, second]) or header[2] & 0x0C != rate:
            return False
        frame = _mpeg_frame(*header[1:])
        if frame is None:
            return False
        position += frame[0]
    return True


def _examine_mp3(file, path) -> Contents:
    data = Path(path).read_bytes()
    frames = list(_mpeg_frames(data, _id3_size(data)))
    if not frames:  # of a free bit rate
        return Contents(file.frames)
    start = frames[0][0]
    # The encoder's own header is in the first frame, behind at most 36 bytes.
    tag = max(data.find(name, start, start + 44) for name in (b"Xing", b"Info"))
    has_count = tag > 0 and data[tag + 7] & 1
    count = int.from_bytes(data[tag + 8 : tag + 12]) if has_count else 0
    if tag > 0:
        frames = frames[1:]
    n_there = len(frames)
    if 0 < count < 2**31:
        if n_there < count - 1:
            raise AudioError(
                f"{path!r} is truncated or corrupt: its header promises {count} frames of MP3, "
                f"but it holds {n_there}."
            )
        if n_there <= count:
            return Contents(file.frames, n_there == count)
    if has_count:
        return Contents(math.inf, False, data[: tag + 8] + n_there.to_bytes(4), tag + 12)
    n_samples = sum(n for _, n in frames)
    if file.frames >= n_samples:
        return Contents(n_samples)
    start, per_frame = frames[0]
    # Without a count, libsndfile takes all frames to be as large as the first. Give it a count,
    # in a frame of its own: that of the first, without a checksum, at the highest bit rate.
    header = bytes([0xFF, data[start + 1] | 1, data[start + 2] & 0x0C | 0xE0, data[start + 3]])
    size = _mpeg_frame(*header[1:3])[0]
    low_rate, is_mono = per_frame == 576, data[start + 3] >> 6 == 3
    side = {(0, 0): 32, (0, 1): 17, (1, 0): 17, (1, 1): 9}[low_rate, is_mono]
    prefix = header + bytes(side) + b"Xing\0\0\0\1" + len(frames).to_bytes(4)
    return Contents(n_samples, False, prefix.ljust(size, b"\0"), start)


def _examine_flac(file, path) -> Contents:
    """Compare the count in the header with the position of the last frame: RFC 9639."""
    data = Path(path).read_bytes()
    start = data.find(b"fLaC", _id3_size(data))
    if start < 0:
        return Contents(file.frames)
    if data.find(b"fLaC" + data[start + 4 : start + 8], start + 8) >= 0:
        raise AudioError(
            f"{path!r} holds several FLAC files, one after the other, of which only the first "
            "would be read. Make them one, with ffmpeg for example."
        )
    block_size = int.from_bytes(data[start + 8 : start + 10])
    packed = int.from_bytes(data[start + 21 : start + 26])
    count = packed & (2**36 - 1)
    there = _flac_end(data, start, block_size, file.channels)
    if count in (0, 2**36 - 1):
        return Contents() if there is None else Contents(there)
    if there is not None and there > count:
        # As unknown; the four bits in front of the count are something else's.
        prefix = data[: start + 21] + (packed - count).to_bytes(5)
        return Contents(there, False, prefix, start + 26)
    return Contents(count, there == count)


def _flac_end(data: bytes, start: int, block_size: int, n_channels: int) -> int | None:
    """Return the number of the sample at which the last frame ends, or None.

    Other bytes may look like a frame's header. A frame begins at the sample at which another one
    ends, or at the first sample.
    """
    position = len(data)
    ends: dict[int, int] = {}  # by the sample at which the frame begins
    while (position := data.rfind(b"\xff", start, position)) >= 0:
        # The last frame may be shorter than the longest header.
        header = data[position : position + 16].ljust(16, b"\0")
        frame = _flac_frame(header, block_size, n_channels)
        if frame is not None:
            first, end = frame
            if end in ends:
                return ends[end]
            ends.setdefault(first, end)
    return ends.get(0)


def _flac_frame(header: bytes, block_size: int, n_channels: int) -> tuple[int, int] | None:
    """Return where a frame begins and ends, in samples, or None if it is none: section 9.1."""
    if header[1] not in (0xF8, 0xF9):
        return None
    size_code, rate_code = header[2] >> 4, header[2] & 15
    channels, reserved = header[3] >> 4, header[3] & 1
    if size_code == 0 or rate_code == 15 or reserved:
        return None
    if (channels + 1 if channels < 8 else 2) != n_channels:
        return None
    # The number is coded as UTF-8 is, in up to seven bytes.
    ones = 8 - (header[4] ^ 0xFF).bit_length()
    if ones in (1, 8):
        return None
    number, position = header[4] & (0x7F >> ones), 5
    for byte in header[5 : 4 + max(1, ones)]:
        number, position = number << 6 | byte & 0x3F, position + 1
    extra = {6: 1, 7: 2}.get(size_code, 0)
    coded = int.from_bytes(header[position : position + extra]) + 1
    position += extra + {12: 1, 13: 2, 14: 2}.get(rate_code, 0)
    checksum = 0
    for byte in header[: position + 1]:
        checksum ^= byte
        for _ in range(8):
            checksum = checksum << 1 ^ (0x107 if checksum & 0x80 else 0)
    if checksum:
        return None
    if extra:
        n_samples = coded
    elif size_code == 1:
        n_samples = 192
    else:
        n_samples = 576 << size_code - 2 if size_code < 6 else 256 << size_code - 8
    # With blocks of one size (0xF8) the frames are numbered, else the samples.
    first = number * (block_size if header[1] == 0xF8 else 1)
    return first, first + n_samples


class _Page(NamedTuple):
    end: int
    flags: int
    granule: int
    serial: bytes


def _ogg_pages(data: bytes) -> Iterator[_Page]:
    """Yield the pages: RFC 3533, section 6."""
    position = data.find(b"OggS")
    while position >= 0:
        # A header of 27 bytes, the last of which counts the segments, then a byte with the size
        # of each, then the segments.
        header = data[position : position + 27]
        n_segments = header[26] if len(header) == 27 else 0
        sizes = data[position + 27 : position + 27 + n_segments]
        end = position + 27 + n_segments + sum(sizes)
        if len(header) < 27 or len(sizes) < n_segments:
            end = len(data) + 1
        granule = int.from_bytes(header[6:14], "little", signed=True)
        yield _Page(end, header[5] if len(header) > 5 else 0, granule, header[14:18])
        position = data.find(b"OggS", end if data[end : end + 4] == b"OggS" else position + 4)


def _examine_ogg(file, path) -> Contents:
    data = Path(path).read_bytes()
    pages = list(_ogg_pages(data))
    if not pages:
        return Contents(file.frames)
    last = pages[-1]
    # Some writers leave out the flag of the last page, so a whole page is enough. One without a
    # granule position ends within a packet.
    if last.end > len(data) or last.granule == -1:
        raise AudioError(f"{path!r} is truncated: its last page is not whole.")
    first_of_stream = 2
    flags = [page.flags & first_of_stream for page in pages]
    if any(flags[flags.index(0) :] if 0 in flags else []):
        raise AudioError(
            f"{path!r} holds several streams, one after the other, of which only the first would "
            "be read. Make them one, with ffmpeg for example."
        )
    granules = [p.granule for p in pages if p.serial == last.serial and p.granule != -1]
    steps = [after - before for before, after in zip([0, *granules], granules, strict=False)]
    if min(steps) < 0:
        raise AudioError(f"{path!r} is truncated or corrupt: its pages are out of order.")
    # Pages are much alike, and the last is no longer than the others.
    return Contents(file.frames, steps[-1] <= max(steps[:-1], default=0))
