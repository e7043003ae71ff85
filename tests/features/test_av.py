"""Files that libsndfile can't read, decoded by PyAV: as the ffmpeg program decodes them."""

import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pandas as pd
import pytest
import soundfile
from joblib import Parallel, delayed

from sklearn_music import AudioEncoder, SpectrogramExtractor
from sklearn_music.exceptions import AudioError
from sklearn_music.features import measure_bandwidth
from sklearn_music.features.audio import (
    AUDIO_SUFFIXES,
    decodes_from_start,
    file_header,
    file_length,
    file_stamp,
    read_audio,
)
from sklearn_music.metrics import check_confounders
from sklearn_music.report._media import embed

RATE = 44100
VIDEO = ["-f", "lavfi", "-i", "testsrc=duration=4:size=64x64:rate=10"]
PICTURE = ["-f", "lavfi", "-i", "testsrc=duration=0.1:size=64x64:rate=10"]
COVER = "-map 1 -map 0 -c:v png -disposition:v attached_pic".split()

# By name of the file: arguments of ffmpeg, behind those of the input.
FILES = {
    "aac.m4a": ["-c:a", "aac"],
    "mono.m4a": ["-c:a", "aac", "-ac", "1", "-ar", "22050"],
    "surround.m4a": ["-c:a", "aac", "-ac", "6"],
    "timescale.m4a": ["-c:a", "aac", "-movie_timescale", "1000"],
    "no edit list.m4a": ["-c:a", "aac", "-use_editlist", "0"],
    "faststart.m4a": ["-c:a", "aac", "-movflags", "faststart"],
    "fragments.mp4": ["-c:a", "aac", "-movflags", "frag_keyframe+empty_moov"],
    "mp3.mp4": ["-c:a", "libmp3lame"],
    "opus.mp4": ["-c:a", "libopus"],
    "alac.m4a": ["-c:a", "alac"],
    "alac24.m4a": ["-c:a", "alac", "-sample_fmt", "s32p"],
    "flac.mp4": ["-c:a", "flac", "-strict", "-2"],
    "adts.aac": ["-c:a", "aac"],
    "wma2.wma": ["-c:a", "wmav2"],
    "wma1.wma": ["-c:a", "wmav1"],
    "opus.webm": ["-c:a", "libopus"],
    "vorbis.webm": ["-c:a", "libvorbis"],
    "u8.mka": ["-c:a", "pcm_u8"],
    "s16.mka": ["-c:a", "pcm_s16le"],
    "s24.mka": ["-c:a", "pcm_s24le"],
    "f32.mka": ["-c:a", "pcm_f32le"],
    "f64.mka": ["-c:a", "pcm_f64le"],
    "a.wv": ["-c:a", "wavpack"],
    "a.tta": ["-c:a", "tta"],
    "a.ac3": ["-c:a", "ac3"],
    "a.caf": ["-c:a", "alac"],
    "video.mp4": [*VIDEO, "-c:v", "mpeg4", "-c:a", "aac"],
    "video.webm": [*VIDEO, "-c:v", "libvpx", "-c:a", "libopus"],
    "cover.m4a": [*PICTURE, *COVER, "-c:a", "alac"],
}


def ffmpeg(*args):
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *map(str, args)]
    return subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with each of the files once it was asked for, and their source."""
    folder = tmp_path_factory.mktemp("av")
    seconds = np.arange(4 * RATE + 777) / RATE
    rng = np.random.default_rng(0)
    left = 0.3 * np.sin(2 * np.pi * (440 + 50 * seconds) * seconds)
    right = 0.3 * np.sin(2 * np.pi * 660 * seconds)
    samples = np.stack([left, right], axis=1) + 0.05 * rng.standard_normal((len(seconds), 2))
    soundfile.write(folder / "source.wav", samples, RATE)
    return folder


def write(folder, name):
    path = folder / name
    if not path.exists():
        args = FILES[name]
        # Inputs come before what is said of the output.
        n_inputs = len(VIDEO) if args[0] == "-f" else 0
        ffmpeg(*args[:n_inputs], "-i", folder / "source.wav", *args[n_inputs:], path)
    return path


def by_ffmpeg(path, n_channels):
    raw = ffmpeg("-i", path, "-map", "0:a:0", "-f", "f32le", "-")
    return np.frombuffer(raw, "<f4").reshape(-1, n_channels).mean(axis=1)


@pytest.mark.parametrize("name", list(FILES))
def test_the_samples_are_those_of_the_ffmpeg_program(folder, name):
    path = write(folder, name)
    with pytest.raises(soundfile.LibsndfileError):
        soundfile.info(path)
    rate, n_channels, _ = file_header(file_stamp(path))
    assert n_channels == {"mono.m4a": 1, "surround.m4a": 6}.get(name, 2)
    waveform = read_audio(path, sample_rate=rate)
    assert waveform.dtype == np.float32
    expected = by_ffmpeg(path, n_channels)
    assert len(waveform) == len(expected) == file_length(path, sample_rate=rate)
    np.testing.assert_allclose(waveform, expected, atol=1e-4)
    assert np.abs(expected).max() > 0.1


@pytest.mark.parametrize("name", list(FILES))
def test_a_stretch_is_a_slice_of_the_whole(folder, name):
    path = write(folder, name)
    rate = file_header(file_stamp(path)).sample_rate
    waveform = read_audio(path, sample_rate=rate)
    for offset, duration in ((0, 1.5), (0.01, 0.02), (1.234, 0.5), (2.5, None), (3.9, 10)):
        start = int(offset * rate)
        stop = None if duration is None else start + int(duration * rate)
        part = read_audio(path, sample_rate=rate, offset=offset, duration=duration)
        np.testing.assert_allclose(part, waveform[start:stop], atol=1e-4)
        assert file_length(path, sample_rate=rate, offset=offset) == len(waveform) - start
    for function in (read_audio, file_length):
        with pytest.raises(AudioError, match=r"is [34]\.\d\d s long, so offset=9 s is past"):
            function(path, sample_rate=rate, offset=9)


@pytest.mark.parametrize("name", ["aac.m4a", "alac.m4a", "opus.webm"])
def test_a_lossless_or_good_copy_of_the_source(folder, name):
    """So the delay of the encoder is cut off."""
    source = read_audio(folder / "source.wav", sample_rate=16000)
    waveform = read_audio(write(folder, name), sample_rate=16000)
    assert file_length(folder / name, sample_rate=16000) == len(waveform) == len(source)
    assert np.corrcoef(waveform, source)[0, 1] > 0.98


@pytest.mark.parametrize(
    ("name", "from_start"),
    [
        ("aac.m4a", True),
        ("opus.webm", True),
        ("alac.m4a", False),
        ("a.wv", False),
        ("a.tta", False),
    ],
)
def test_what_is_before_a_stretch_is_decoded_only_where_it_must_be(folder, name, from_start):
    stamp = file_stamp(write(folder, name))
    assert decodes_from_start(stamp) is from_start
    assert not decodes_from_start(file_stamp(folder / "source.wav"))


def cut(data, share):
    return data[: int(share * len(data))]


def damage(data, _):
    middle = len(data) // 2
    noise = np.random.default_rng(0).bytes(len(data) // 8)
    return data[:middle] + noise + data[middle + len(noise) :]


TRUNCATED = [
    *(("faststart.m4a", cut, share) for share in (0.1, 0.6, 0.99)),
    *(("aac.m4a", cut, share) for share in (0.01, 0.6, 0.99)),  # its index is at its end
    *(("opus.webm", cut, share) for share in (0.1, 0.6, 0.9)),
    *(("video.webm", cut, share) for share in (0.1, 0.6, 0.9)),
    *(("wma2.wma", cut, share) for share in (0.6, 0.9)),
    *(("a.wv", cut, share) for share in (0.1, 0.6, 0.99)),
    *(("a.tta", cut, share) for share in (0.6, 0.99)),
]
DAMAGED = ["aac.m4a", "alac.m4a", "wma2.wma", "opus.webm", "adts.aac", "a.wv", "a.tta", "flac.mp4"]


@pytest.mark.parametrize(
    ("name", "change", "share"), [*TRUNCATED, *((name, damage, None) for name in DAMAGED)]
)
def test_a_truncated_or_corrupt_file_is_refused(folder, tmp_path, name, change, share):
    path = tmp_path / name
    path.write_bytes(change(write(folder, name).read_bytes(), share))
    for function in (read_audio, file_length):
        with pytest.raises(AudioError, match="truncated or corrupt") as info:
            function(path, sample_rate=RATE)
        assert str(path) in str(info.value)


def test_what_is_there_of_a_truncated_file_can_be_read(folder, tmp_path):
    path = tmp_path / "a.m4a"
    path.write_bytes(cut(write(folder, "faststart.m4a").read_bytes(), 0.6))
    assert len(read_audio(path, sample_rate=RATE, duration=1)) == RATE


@pytest.mark.parametrize("codec", ["libopus", "libvorbis", "aac", "flac"])
def test_a_file_written_to_a_pipe_has_no_length_and_is_read_whole(folder, tmp_path, codec):
    path = tmp_path / "a.mka"
    path.write_bytes(ffmpeg("-i", folder / "source.wav", "-c:a", codec, "-f", "matroska", "-"))
    rate = file_header(file_stamp(path)).sample_rate
    waveform = read_audio(path, sample_rate=rate)
    assert len(waveform) == len(by_ffmpeg(path, 2)) == file_length(path, sample_rate=rate)


def test_wma_of_unknown_length_is_read_whole(folder, tmp_path):
    path = tmp_path / "a.wma"
    path.write_bytes(ffmpeg("-i", folder / "source.wav", "-c:a", "wmav2", "-f", "asf", "-"))
    assert len(read_audio(path, sample_rate=RATE)) == len(by_ffmpeg(path, 2))


@pytest.mark.parametrize("suffix", ["m4a", "wma", "webm", "aac", "txt", "m3u8"])
@pytest.mark.parametrize("content", ["text", "noise", "playlist"])
def test_no_audio_in_it(tmp_path, suffix, content):
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(
        {
            "text": 200 * b"not audio\n",
            "noise": np.random.default_rng(1).bytes(50_000),
            "playlist": b"#EXTM3U\n#EXTINF:4,\nhttp://localhost/a.aac\n",
        }[content]
    )
    with pytest.raises(AudioError, match="truncated or corrupt") as info:
        read_audio(path, sample_rate=RATE)
    assert str(path) in str(info.value)


def test_a_video_without_sound(tmp_path):
    path = tmp_path / "silent.mp4"
    ffmpeg(*VIDEO, "-c:v", "mpeg4", path)
    with pytest.raises(AudioError, match=r"silent\.mp4.* holds no audio \(its streams: video\)"):
        read_audio(path, sample_rate=RATE)


def test_an_empty_file(tmp_path):
    path = tmp_path / "a.m4a"
    path.touch()
    with pytest.raises(AudioError, match="is empty"):
        file_length(path, sample_rate=RATE)


@pytest.mark.parametrize("name", ["faststart.m4a", "alac.m4a", "wma2.wma", "opus.webm", "adts.aac"])
def test_any_damage_gives_an_audio_error_at_worst(folder, tmp_path, name, capfd):
    """Nor is anything printed, nor memory taken for what is not there."""
    data = write(folder, name).read_bytes()
    path = tmp_path / name
    rng = np.random.default_rng(0)
    errors = []
    tracemalloc.start()
    for _ in range(12):
        damaged = bytearray(data[: 2 ** rng.integers(9, 18)])
        for place in rng.integers(0, min(len(damaged), 3000), rng.integers(1, 9)):
            damaged[place] = rng.choice([0, 1, 127, 255, rng.integers(256)])
        path.write_bytes(damaged)
        try:
            assert len(read_audio(path, sample_rate=RATE, offset=0.1)) < 30 * RATE
        except AudioError as error:
            errors.append(str(error))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert errors
    assert all(str(path) in error for error in errors)
    assert peak < 2**26
    assert capfd.readouterr() == ("", "")


def test_memory_is_bounded_by_blocks(folder, tmp_path):
    path = tmp_path / "long.m4a"
    ffmpeg("-stream_loop", "9", "-i", write(folder, "aac.m4a"), "-c", "copy", path)
    tracemalloc.start()
    assert file_length(path, sample_rate=RATE) == pytest.approx(10 * (4 * RATE + 777), abs=RATE)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**25


def test_several_files_at_once(folder):
    names = ["aac.m4a", "wma2.wma", "opus.webm", "alac.m4a"]
    paths = [write(folder, name) for name in names]
    expected = [read_audio(path, sample_rate=RATE) for path in paths]
    got = Parallel(n_jobs=4, prefer="threads")(
        delayed(read_audio)(path, sample_rate=RATE) for path in 4 * paths
    )
    for a, b in zip(got, 4 * expected, strict=True):
        np.testing.assert_array_equal(a, b)


def test_odd_names(folder, tmp_path):
    data = write(folder, "aac.m4a").read_bytes()
    names = ["no suffix", "গান.m4a", "http:a.m4a", "dollar $a$ 100%.m4a", "half an emoji.\u1234"]
    if sys.platform == "linux":
        names.append(os.fsdecode(b"caf\xe9.m\xe94a"))
    expected = read_audio(folder / "aac.m4a", sample_rate=RATE)
    for name in names:
        path = tmp_path / name
        path.write_bytes(data)
        np.testing.assert_array_equal(read_audio(path, sample_rate=RATE), expected)


@pytest.mark.parametrize("name", ["aac.m4a", "alac.m4a"])
def test_transformers_take_it_as_a_wav_file_of_the_same_samples(folder, tmp_path, name):
    path = write(folder, name)
    wav = tmp_path / "a.wav"
    ffmpeg("-i", path, "-c:a", "pcm_f32le", wav)
    assert measure_bandwidth(path) == measure_bandwidth(wav)
    for transformer in (
        SpectrogramExtractor("mfcc", offset=0.5, duration=2),
        AudioEncoder(
            lambda waveform, _: [waveform.min(), waveform.std()], model_id="a", duration=3
        ),
    ):
        expected = transformer.fit_transform([str(wav)])
        np.testing.assert_allclose(transformer.fit_transform([str(path)]), expected, atol=1e-3)
    assert embed(str(path), sample_rate=RATE, offset=0, duration=1).startswith("data:audio")


def test_confounders_know_the_codec(folder):
    names = ["aac.m4a", "wma2.wma"]
    tracks = pd.DataFrame({"audio": [str(write(folder, name)) for name in names for _ in range(6)]})
    warnings = check_confounders(tracks, np.repeat([0, 1], 6))
    assert "AAC" in str(warnings)
    assert "WMAV2" in str(warnings)


def test_without_pyav_the_error_says_what_to_install(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    path = write(folder, "aac.m4a")
    with pytest.raises(AudioError, match=r'pip install "sklearn-music\[av\]"') as info:
        read_audio(path, sample_rate=RATE)
    assert str(path) in str(info.value)


def test_pyav_is_loaded_when_it_is_used(folder):
    script = (
        "import sys\n"
        "from sklearn_music.features.audio import read_audio\n"
        "read_audio(sys.argv[1], sample_rate=22050)\n"
        "assert 'av' not in sys.modules\n"
        "read_audio(sys.argv[2], sample_rate=22050)\n"
        "assert 'av' in sys.modules\n"
    )
    paths = [folder / "source.wav", write(folder, "aac.m4a")]
    subprocess.run([sys.executable, "-c", script, *map(str, paths)], check=True)


def test_the_suffixes_of_all_files_are_listed():
    assert {Path(name).suffix for name in FILES} <= AUDIO_SUFFIXES
    assert all(suffix == suffix.lower() and suffix[0] == "." for suffix in AUDIO_SUFFIXES)
