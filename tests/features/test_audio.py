"""Reading of files that are odd: right or an AudioError, whatever their headers say."""

import contextlib
import os
import struct
import subprocess
import sys
import tracemalloc
import warnings
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile

from sklearn_music import AudioEncoder, SpectrogramExtractor
from sklearn_music.exceptions import AudioError
from sklearn_music.features._containers import _id3_size, _mpeg_frames
from sklearn_music.features._quiet import QUIET, c_stderr
from sklearn_music.features.audio import as_floats, file_length, read_audio
from sklearn_music.report._media import embed

RATE = 22050
N_SAMPLES = 3 * RATE
ID3V2 = b"ID3\x04\0\0\0\0\0\x0a" + bytes(10)
ID3V1 = b"TAG" + bytes(125)


def write(path, *, n_channels=1, n_samples=N_SAMPLES, rate=RATE, **kwargs):
    """Write loud noise, then a soft tone, whose frames of an mp3 file are smaller."""
    samples = 0.3 * np.sin(np.arange(n_samples) / 8)
    n_loud = n_samples // 3
    samples[:n_loud] = 0.2 * np.random.default_rng(0).standard_normal(n_loud)
    soundfile.write(path, np.stack([samples] * n_channels, axis=1), rate, **kwargs)
    return bytearray(Path(path).read_bytes())


def all_formats():
    for name in soundfile.available_formats():
        if name != "RAW":
            for subtype in soundfile.available_subtypes(name):
                yield name, subtype


def write_format(path, name, subtype):
    for rate, n_channels in ((22050, 2), (22050, 1), (48000, 1), (8000, 1)):
        try:
            write(path, n_channels=n_channels, rate=rate, format=name, subtype=subtype)
        except soundfile.LibsndfileError:
            continue
        return soundfile.info(path)
    pytest.skip("libsndfile does not write it")


def outcome(path, rate, **kwargs):
    """The number of samples, or the AudioError; nothing else must be raised."""
    try:
        return len(read_audio(path, sample_rate=rate, **kwargs))
    except AudioError as error:
        result = error
    assert str(path) in str(result)  # the user's file is named, not a mended copy
    return result


@pytest.mark.parametrize(("name", "subtype"), list(all_formats()))
def test_all_formats_are_read_whole_as_librosa_does(tmp_path, name, subtype):
    path = tmp_path / "a"
    info = write_format(path, name, subtype)
    waveform = read_audio(path, sample_rate=info.samplerate)
    assert file_length(path, sample_rate=info.samplerate) == len(waveform) == info.frames
    if name != "MP3":  # of which the first frames lack what earlier ones hold for them
        start = info.samplerate // 2
        end = read_audio(path, sample_rate=info.samplerate, offset=0.5, duration=0.5)
        np.testing.assert_allclose(end, waveform[start : 2 * start], atol=1e-6)
    # After each reading soundfile seeks, which DWVW can't.
    if soundfile.info(path).subtype[:4] != "DWVW" and soundfile.SoundFile(path).seekable():
        expected, _ = librosa.load(path, sr=None)
        np.testing.assert_allclose(waveform, expected, atol=1e-6)


# These have no count in their header, or libsndfile writes none.
COUNTLESS = {"PAF", "PVF", "IRCAM", "XI", "SD2"}


@pytest.mark.parametrize("share", [0.02, 0.6])
@pytest.mark.parametrize(("name", "subtype"), list(all_formats()))
def test_all_formats_cut_short_are_refused(tmp_path, name, subtype, share):
    path = tmp_path / "a"
    info = write_format(path, name, subtype)
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    if (name, subtype) == ("SDS", "PCM_S8"):
        return  # libsndfile makes up what is missing
    result = outcome(path, info.samplerate)
    if name in COUNTLESS:
        assert result == pytest.approx(share * info.frames, abs=3000)
    else:
        assert isinstance(result, AudioError)


@pytest.mark.parametrize("suffix", ["wav", "aiff", "flac", "ogg", "mp3", "au", "caf", "w64", "voc"])
def test_any_damage_of_a_header_gives_an_audio_error_at_worst(tmp_path, suffix):
    """Nor does it take memory for what is not there."""
    rng = np.random.default_rng(0)
    path = tmp_path / f"a.{suffix}"
    data = write(path, n_samples=4000)
    tracemalloc.start()
    for _ in range(60):
        damaged = bytearray(data)
        for place in rng.integers(0, 120, rng.integers(1, 5)):
            damaged[place] = rng.choice([0, 1, 127, 255, rng.integers(256)])
        path.write_bytes(damaged)
        result = outcome(path, RATE)
        assert isinstance(result, AudioError) or result < 30 * 4000
        with contextlib.suppress(AudioError):
            assert file_length(path, sample_rate=RATE) < 30 * 4000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**26


def flac_with_count(data, count):
    data = bytearray(data)
    data[21] = data[21] & 0xF0 | count >> 32
    data[22:26] = struct.pack(">I", count & 0xFFFFFFFF)
    return data


@pytest.mark.parametrize("count", [0, 1, 1000, N_SAMPLES - 1, N_SAMPLES, 2**36 - 1])
def test_flac_of_an_unknown_or_too_small_count_is_read_whole(tmp_path, count):
    path = tmp_path / "a.flac"
    data = write(path)
    expected = read_audio(path, sample_rate=RATE)
    path.write_bytes(flac_with_count(data, count) + ID3V1)
    np.testing.assert_array_equal(read_audio(path, sample_rate=RATE), expected)
    np.testing.assert_array_equal(read_audio(path, sample_rate=RATE, duration=60), expected)
    assert file_length(path, sample_rate=RATE) == N_SAMPLES
    end = read_audio(path, sample_rate=RATE, offset=2.5)
    np.testing.assert_array_equal(end, expected[int(2.5 * RATE) :])


@pytest.mark.parametrize("count", [N_SAMPLES + 1, 3600 * RATE, 2**36 - 2])
def test_flac_that_promises_more_than_it_holds_is_refused(tmp_path, count):
    """And it does not set the width of the other rows."""
    good, bad = tmp_path / "good.flac", tmp_path / "bad.flac"
    data = write(good)
    bad.write_bytes(flac_with_count(data, count))
    for function in (read_audio, file_length):
        with pytest.raises(AudioError, match="truncated or corrupt"):
            function(bad, sample_rate=RATE)
    extractor = SpectrogramExtractor(n_mels=8, on_error="nan")
    with pytest.warns(UserWarning, match="1 of 2"):
        rows = extractor.fit_transform([good, bad])
    assert extractor.n_samples_ == N_SAMPLES
    assert np.isnan(rows[1]).all()
    # What is there can be read.
    assert len(read_audio(bad, sample_rate=RATE, duration=2)) == 2 * RATE


@pytest.mark.parametrize("n_samples", [4096, 32769, 32770, 36000])
def test_flac_with_a_tiny_last_frame(tmp_path, n_samples):
    path = tmp_path / "a.flac"
    samples = 0.1 * np.random.default_rng(0).standard_normal(n_samples)
    samples[30000:] = 0
    soundfile.write(path, samples, RATE)
    data = bytearray(path.read_bytes())
    for count in (n_samples, 0):
        path.write_bytes(flac_with_count(data, count))
        assert outcome(path, RATE) == n_samples == file_length(path, sample_rate=RATE)


@pytest.mark.parametrize("number", [b"\xfe" + 6 * b"\xbf", b"\0"])
def test_flac_with_chance_bytes_like_the_header_of_a_frame(tmp_path, number):
    path = tmp_path / "a.flac"
    samples = np.random.default_rng(0).integers(-(2**15), 2**15, RATE, dtype=np.int16)
    header = b"\xff\xf8\xc9\x08" + number
    checksum = 0
    for byte in header:
        checksum ^= byte
        for _ in range(8):
            checksum = checksum << 1 ^ (0x107 if checksum & 0x80 else 0)
    header += bytes([checksum])
    samples[-100 : -100 + len(header) // 2] = np.frombuffer(header, ">i2")
    soundfile.write(path, samples, RATE, subtype="PCM_16")
    data = bytearray(path.read_bytes())
    assert header in data
    for count in (RATE, 0, 1000):
        path.write_bytes(flac_with_count(data, count))
        assert file_length(path, sample_rate=RATE) == RATE
        np.testing.assert_array_equal(read_audio(path, sample_rate=RATE), as_floats(samples))
    extractor = SpectrogramExtractor(n_mels=8, on_error="nan")
    assert np.isfinite(extractor.fit_transform([np.ones(3000), path])).all()


def mp3_parts(data):
    """Where the encoder's header is, and where the first frame of audio begins."""
    frames = [position for position, _ in _mpeg_frames(data, _id3_size(data))]
    return max(data.find(b"Xing"), data.find(b"Info")), frames[1]


def mp3_with_count(data, count):
    tag, _ = mp3_parts(data)
    return data[: tag + 8] + struct.pack(">I", count) + data[tag + 12 :]


@pytest.mark.parametrize("mode", ["VARIABLE", "CONSTANT"])
@pytest.mark.parametrize(("rate", "n_channels"), [(44100, 2), (44100, 1), (22050, 1), (8000, 2)])
def test_mp3_without_a_count_is_read_whole(tmp_path, mode, rate, n_channels):
    path, bare = tmp_path / "a.mp3", tmp_path / "bare.mp3"
    data = write(path, rate=rate, n_channels=n_channels, bitrate_mode=mode, compression_level=0.3)
    whole = read_audio(path, sample_rate=rate)
    _, audio = mp3_parts(data)
    bare.write_bytes(ID3V2 + data[audio:] + ID3V1)
    waveform = read_audio(bare, sample_rate=rate)
    assert file_length(bare, sample_rate=rate) == len(waveform)
    # The encoder's delay, of which the header says how long it is, is part of it.
    delay = len(waveform) - len(whole)
    assert 0 <= delay < 3 * 1152
    half = len(whole) // 2
    shift = max(
        range(delay + 1), key=lambda n: whole[half:] @ waveform[half + n :][: len(whole) - half]
    )
    np.testing.assert_allclose(waveform[shift:][half : 2 * half], whole[half : 2 * half], atol=0.01)
    # Where decoding begins in the middle, the first frames lack what earlier ones hold for them.
    start = 8 * 1152
    end = read_audio(bare, sample_rate=rate, offset=1.5)[start:]
    np.testing.assert_allclose(end, waveform[int(1.5 * rate) + start :], atol=0.01)


@pytest.mark.parametrize("mode", ["VARIABLE", "CONSTANT"])
def test_mp3_with_a_wrong_count(tmp_path, mode):
    path = tmp_path / "a.mp3"
    data = write(path, bitrate_mode=mode, compression_level=0.3)
    tag, _ = mp3_parts(data)
    count = struct.unpack(">I", data[tag + 8 : tag + 12])[0]
    expected = read_audio(path, sample_rate=RATE)
    for wrong in (0, count // 2, count - 1, 2**32 - 1):
        path.write_bytes(mp3_with_count(data, wrong))
        np.testing.assert_array_equal(read_audio(path, sample_rate=RATE), expected)
        assert file_length(path, sample_rate=RATE) == len(expected)
    path.write_bytes(mp3_with_count(data, count + 1))  # itself
    waveform = read_audio(path, sample_rate=RATE)
    np.testing.assert_array_equal(waveform[: len(expected)], expected)
    assert len(waveform) < len(expected) + 1152
    assert file_length(path, sample_rate=RATE) == len(waveform)
    for wrong in (count + 2, 2 * count, 10**6, 2**31 - 1):
        path.write_bytes(mp3_with_count(data, wrong))
        assert "truncated or corrupt" in str(outcome(path, RATE))


def write_quiet_first(path):
    """Write 19 s, of which libsndfile, by the first frames alone, would expect 30 s and more."""
    samples = 0.1 * np.random.default_rng(0).standard_normal(19 * 44100)
    samples[:44100] = 0
    soundfile.write(path, samples, 44100, bitrate_mode="VARIABLE")
    return bytearray(Path(path).read_bytes())


def test_mp3_of_which_libsndfile_expects_too_much(tmp_path):
    path = tmp_path / "a.mp3"
    data = write_quiet_first(path)
    path.write_bytes(data[mp3_parts(data)[1] :])
    assert soundfile.info(path).duration > 31
    n_samples = file_length(path, sample_rate=44100)
    assert n_samples == pytest.approx(19 * 44100, abs=4 * 1152)
    for duration in (20, 30, 60, None):
        assert outcome(path, 44100, duration=duration) == n_samples
        expected = n_samples - 10 * 44100
        assert outcome(path, 44100, offset=10, duration=duration) == expected
        assert "past its end" in str(outcome(path, 44100, offset=25, duration=duration))
    assert outcome(path, 44100, offset=2, duration=10) == 10 * 44100
    assert "past its end" in str(outcome(path, 44100, offset=25, duration=1))


@pytest.mark.parametrize("flags", [0, 2, 14])
@pytest.mark.parametrize("make", [write, write_quiet_first])
def test_mp3_whose_header_lacks_the_count(tmp_path, make, flags):
    path = tmp_path / "a.mp3"
    data = make(path)
    info = soundfile.info(path)
    data[mp3_parts(data)[0] + 7] = flags
    path.write_bytes(data)
    waveform = read_audio(path, sample_rate=info.samplerate)
    assert len(waveform) == pytest.approx(info.frames, abs=3 * 1152)
    assert file_length(path, sample_rate=info.samplerate) == len(waveform)


@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
def test_mp3_within_wav(tmp_path, mode):
    audio = write(tmp_path / "a.mp3", bitrate_mode=mode, compression_level=0.3)
    audio = audio[mp3_parts(audio)[1] :]
    codec = struct.pack("<HHIIHHHHIHHH", 0x55, 1, RATE, 8000, 1, 0, 12, 1, 2, 1152, 1, 0)
    # What ffmpeg counts, with the encoder's delay.
    fact = struct.pack("<I", N_SAMPLES + 1105)
    chunks = b""
    for name, body in ((b"fmt ", codec), (b"fact", fact), (b"data", audio)):
        chunks += name + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)
    path = tmp_path / "a.wav"
    path.write_bytes(b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks)
    if mode == "VARIABLE":  # of which libsndfile would read a part
        assert isinstance(outcome(path, RATE), AudioError)
    else:
        assert outcome(path, RATE) == file_length(path, sample_rate=RATE)
        assert outcome(path, RATE) == pytest.approx(N_SAMPLES, abs=4 * 576)


def test_several_files_in_one(tmp_path):
    """All of them are read, or none."""
    path = tmp_path / "a.mp3"
    data = write(path)
    path.write_bytes(ID3V2 + data + ID3V1 + ID3V2 + data)
    assert outcome(path, RATE) == pytest.approx(2 * N_SAMPLES, abs=4 * 1152)
    other = write(tmp_path / "b.mp3", rate=44100)
    path.write_bytes(data + other)
    assert isinstance(outcome(path, RATE), AudioError)
    for suffix, subtype in (("flac", None), ("ogg", "VORBIS"), ("ogg", "OPUS")):
        path = tmp_path / f"c.{suffix}"
        data = write(path, rate=48000, subtype=subtype)
        path.write_bytes(data + data)
        assert "one after the other" in str(outcome(path, 48000))


def ogg_with_last_page(data, *, granule=None, flags=None):
    data = bytearray(data)
    page = data.rfind(b"OggS")
    if granule is not None:
        data[page + 6 : page + 14] = struct.pack("<q", granule)
    if flags is not None:
        data[page + 5] = flags
    data[page + 22 : page + 26] = bytes(4)
    checksum = 0
    for byte in data[page:]:
        checksum ^= byte << 24
        for _ in range(8):
            checksum = checksum << 1 ^ (0x104C11DB7 if checksum & 0x80000000 else 0)
    data[page + 22 : page + 26] = struct.pack("<I", checksum)
    return data


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_ogg_with_a_wrong_count_is_refused(tmp_path, subtype):
    path = tmp_path / "a.ogg"
    data = write(path, rate=48000, subtype=subtype)
    for granule in (0, 100, -1, N_SAMPLES + 5000, 2**50, 2**63 - 1):
        path.write_bytes(ogg_with_last_page(data, granule=granule))
        assert isinstance(outcome(path, 48000), AudioError)
        assert isinstance(outcome(path, 48000, duration=60), AudioError)


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_ogg_without_the_flag_of_the_last_page(tmp_path, subtype):
    path = tmp_path / "a.ogg"
    n_samples = 100 * 960 - 312  # whole packets of Opus, which are not cut to length then
    data = write(path, rate=48000, n_samples=n_samples, subtype=subtype)
    path.write_bytes(ogg_with_last_page(data, flags=0))
    assert outcome(path, 48000) == n_samples == file_length(path, sample_rate=48000)
    path.write_bytes(ogg_with_last_page(data, flags=0)[:-1])
    assert "truncated" in str(outcome(path, 48000))


N_BYTES = 2 * N_SAMPLES
# In which format, behind which bytes, as what the size of the samples is written.
SIZES = {
    "WAV": (b"data", 4, "<I"),
    "AIFF": (b"SSND", 4, ">I"),
    "AU": (b".snd", 8, ">I"),
    "RF64": (b"ds64", 16, "<Q"),
}


@pytest.mark.parametrize(
    ("name", "sizes", "reason"),
    [
        ("WAV", [0x7FFFF000, 2**31 - 1, 2**31, 2**32 - 1], None),  # written to a pipe
        ("AIFF", [0, 0x7F000000, 0x7F000008, 2**32 - 1], None),
        ("AU", [2**32 - 1], None),
        ("RF64", [2**50, 2**63], None),
        ("WAV", [N_BYTES + 2, N_BYTES + 8, N_BYTES + 44], None),  # with the header
        ("WAV", [N_BYTES + 1000, 2 * N_BYTES], "truncated"),
        ("AIFF", [N_BYTES + 1000, 2 * N_BYTES], "truncated"),
        ("AU", [N_BYTES + 1000, 2 * N_BYTES], "truncated"),
        ("WAV", [0, N_BYTES // 2], "holds"),
        ("AIFF", [N_BYTES // 2], "truncated"),
        ("AU", [0, N_BYTES // 2], "holds"),
        ("RF64", [0, N_BYTES // 2], "holds|truncated"),
    ],
)
def test_sizes_in_headers(tmp_path, name, sizes, reason):
    path = tmp_path / "a"
    data = write(path, format=name, subtype="PCM_16")
    marker, place, code = SIZES[name]
    for size in sizes:
        struct.pack_into(code, data, data.find(marker) + place, size)
        path.write_bytes(data)
        if reason is None:
            assert outcome(path, RATE) == N_SAMPLES == file_length(path, sample_rate=RATE)
        else:
            with pytest.raises(AudioError, match=reason):
                read_audio(path, sample_rate=RATE)


@pytest.mark.parametrize("rate", [0, 1, 999, 1_000_001, 2**31 - 1, 4 * 10**9, 2**32 - 1])
def test_a_sample_rate_that_no_audio_has(tmp_path, rate):
    good, bad = tmp_path / "good.wav", tmp_path / "bad.wav"
    data = write(good)
    struct.pack_into("<I", data, 24, rate)
    bad.write_bytes(data)
    extractor = SpectrogramExtractor(n_mels=8, on_error="nan")
    with pytest.warns(UserWarning, match="1 of 2"):
        extractor.fit_transform([good, bad])
    assert extractor.n_samples_ == N_SAMPLES


@pytest.mark.parametrize("tail", [ID3V1, bytes(3000), b"LIST" + struct.pack("<I", 20000)])
@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
def test_what_follows_the_audio_is_no_damage(tmp_path, suffix, tail):
    path = tmp_path / f"a.{suffix}"
    data = write(path)
    path.write_bytes(data + tail.ljust(20008 if b"LIST" in tail else 0, b"x"))
    assert outcome(path, RATE) == N_SAMPLES == file_length(path, sample_rate=RATE)


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
def test_a_whole_file_is_not_decoded_for_its_length(tmp_path, suffix, monkeypatch):
    path = tmp_path / f"a.{suffix}"
    write(path, n_samples=20 * RATE)
    monkeypatch.setattr(soundfile.SoundFile, "read", None)
    assert file_length(path, sample_rate=RATE) == 20 * RATE


def odd_names(folder):
    yield os.path.join(folder, "a\0b.wav")
    yield os.path.join(folder, 300 * "x" + ".wav")
    yield os.path.join(folder, "half an emoji \ud83d.wav")
    yield os.path.join(folder, "not there \udce9.wav")
    data = write(os.path.join(folder, "good.wav"))
    names = ["samples.raw", "dollar $a$ 100%.wav", "no suffix", "গান.mp3", " .wav", "new\nline.wav"]
    if sys.platform == "linux":
        names.append(os.fsdecode(b"caf\xe9.wav"))
    for name in names:
        path = os.path.join(folder, name)
        with open(path, "wb") as file:
            file.write(data)
        yield path


def test_odd_names_of_files(tmp_path):
    """Each is read, or refused with an AudioError, wherever tracks are taken."""
    paths = list(odd_names(str(tmp_path)))
    good = str(tmp_path / "good.wav")
    for make in (
        lambda **kwargs: SpectrogramExtractor(n_mels=8, **kwargs),
        lambda **kwargs: AudioEncoder(lambda waveform, _: [waveform.std()], model_id="a", **kwargs),
    ):
        for memory in (None, str(tmp_path / "cache")):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)
                rows = make(on_error="nan", memory=memory).fit_transform([good, *paths])
            for row in rows[[0, *range(6, len(rows))]]:
                np.testing.assert_array_equal(row, rows[0])
            assert np.isnan(rows[1:5]).all()
    for path in paths:
        if paths.index(path) > 4:
            embed(path, sample_rate=RATE, offset=0, duration=1)
        else:
            with pytest.raises(AudioError):
                embed(path, sample_rate=RATE, offset=0, duration=1)


# How many bits to shift the samples of 16 bits by, and where zero is.
INTEGERS = {"int8": (-8, 0), "uint8": (-8, 128), "int16": (0, 0), ">i2": (0, 0), "int32": (16, 0)}


def as_integers(samples, dtype):
    shift, zero = INTEGERS[dtype]
    wide = samples.astype(np.int64)
    return ((wide << shift if shift > 0 else wide >> -shift) + zero).astype(dtype)


@pytest.mark.parametrize("dtype", list(INTEGERS))
def test_integers_are_scaled_by_the_range_of_their_type(tmp_path, dtype):
    path = tmp_path / "a.wav"
    write(path, subtype="PCM_U8" if dtype.endswith("int8") else "PCM_16")
    samples = as_integers(soundfile.read(path, dtype="int16")[0], dtype)
    of_file = read_audio(path, sample_rate=RATE)
    np.testing.assert_array_equal(as_floats(samples), of_file)
    for transformer in (
        SpectrogramExtractor("mfcc", duration=1, offset=0.5),
        AudioEncoder(lambda waveform, rate: [waveform.min(), waveform.std()]),
    ):
        expected = transformer.fit_transform([path])
        np.testing.assert_array_equal(transformer.fit_transform([samples]), expected)
        np.testing.assert_array_equal(transformer.fit_transform(samples[None]), expected)
    expected = embed(of_file, sample_rate=RATE, offset=0, duration=1)
    assert embed(samples, sample_rate=RATE, offset=0, duration=1) == expected


@pytest.mark.parametrize("dtype", ["uint16", "uint32", "uint64", "int64", "bool", "complex64"])
def test_types_of_no_known_range_are_refused(dtype):
    waveform = (1000 * np.sin(np.arange(RATE))).astype("int64").astype(dtype)
    with pytest.raises(AudioError, match=f"Row 0: the waveform .* dtype {dtype}"):
        SpectrogramExtractor().fit([waveform])
    with pytest.raises(AudioError, match=f"dtype {dtype}"):
        embed(waveform, sample_rate=RATE, offset=0, duration=1)


@pytest.mark.parametrize("dtype", ["float16", "float64", ">f4", "longdouble"])
def test_floating_point_numbers_are_taken_as_they_are(dtype):
    waveform = (0.1 * np.sin(np.arange(RATE))).astype("float16")
    extractor = SpectrogramExtractor("mfcc")
    np.testing.assert_array_equal(
        extractor.fit_transform([waveform.astype(dtype)]),
        extractor.fit_transform([waveform.astype("float32")]),
    )


def test_an_mp3_file_without_a_frame_is_called_that(tmp_path):
    path = tmp_path / "a.mp3"
    path.write_bytes(b"\xff\xfb\x90\x44" + np.random.default_rng(0).bytes(100_000))
    with pytest.raises(AudioError, match="no audio was found in it") as info:
        read_audio(path, sample_rate=RATE)
    assert "does not exist" not in str(info.value)


@pytest.mark.skipif(c_stderr()[0] is None, reason="C's stderr can't be set here")
def test_libmpg123_is_silent_and_python_is_not(tmp_path):
    data = write(tmp_path / "a.mp3", bitrate_mode="VARIABLE")
    path = tmp_path / "b.mp3"
    noise = np.random.default_rng(0).bytes(70_000)
    path.write_bytes(data[:5000] + noise + data[5000:])
    plain = (
        "import sys, soundfile\n"
        "try: soundfile.read(sys.argv[1])\n"
        "except soundfile.LibsndfileError: pass\n"
    )
    ours = (
        "import sys\n"
        "from sklearn_music import SpectrogramExtractor\n"
        "extractor = SpectrogramExtractor(on_error='nan', n_jobs=2, verbose=1)\n"
        "extractor.fit_transform(2 * sys.argv[1:])\n"
    )

    def errors(script):
        command = [sys.executable, "-c", script, str(path), str(tmp_path / "a.mp3")]
        run = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=True)
        return run.stderr

    assert "MPEG" in errors(plain)  # else this test tests nothing
    text = errors(ours)
    assert "4/4" in text
    assert "2 of 4 tracks could not be used" in text
    assert "src/libmpg123" not in text
    assert "MPEG" not in text


@pytest.mark.skipif(c_stderr()[0] is None, reason="C's stderr can't be set here")
def test_c_gets_its_stderr_back(tmp_path):
    stream, _ = c_stderr()
    before = stream.value
    with QUIET, QUIET:
        assert stream.value != before
    assert stream.value == before
    with pytest.raises(AudioError):
        read_audio(tmp_path / "not there.wav", sample_rate=RATE)
    assert stream.value == before
