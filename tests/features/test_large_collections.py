"""Results larger than memory, and runs that are killed."""

import gc
import json
import os
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile
from joblib import Memory
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_music import SpectrogramExtractor
from sklearn_music.exceptions import AudioError
from sklearn_music.features import _large_results, _track_transformer

SMALL = {"n_mels": 4, "n_fft": 256, "duration": 0.02}


@pytest.fixture
def on_disk(monkeypatch):
    """As if any result were larger than memory."""
    monkeypatch.setattr(_track_transformer, "_SHARE_OF_MEMORY", 0)


def write_noise(folder, n_tracks, n_samples=441):
    rng = np.random.default_rng(0)
    paths = [str(folder / f"{i}.wav") for i in range(n_tracks)]
    for path in paths:
        soundfile.write(path, rng.uniform(-1, 1, n_samples), 22050)
    return paths


def mapped_files(cache):
    return [path.name for path in cache.rglob("*.npy")]


@pytest.mark.parametrize("dtype", ["float32", "float16", np.float16])
def test_a_result_larger_than_memory_is_mapped(tmp_path, on_disk, count_decoded, dtype):
    paths = write_noise(tmp_path, 5)
    expected = SpectrogramExtractor(**SMALL, dtype=dtype).fit_transform(paths)
    assert type(expected) is np.ndarray
    assert expected.dtype == dtype
    count_decoded.clear()
    cache = tmp_path / "cache"
    extractor = SpectrogramExtractor(**SMALL, dtype=dtype, memory=cache).fit(paths)
    rows = extractor.transform(paths)
    assert isinstance(rows, np.memmap)
    assert not rows.flags.writeable
    np.testing.assert_array_equal(rows, expected, strict=True)
    assert cache in Path(rows.filename).parents
    # The same rows are the same file; others, as in a fold, are another of the same entries.
    assert extractor.transform(paths).filename == rows.filename
    fold = extractor.transform(paths[:3])
    assert fold.filename != rows.filename
    np.testing.assert_array_equal(fold, expected[:3])
    assert mapped_files(cache) == ["rows.npy"] * 2
    assert len(count_decoded) == 5


def test_the_type_of_the_result_decodes_nothing_again(tmp_path, on_disk, count_decoded):
    paths = write_noise(tmp_path, 3)
    extractor = SpectrogramExtractor(**SMALL, memory=tmp_path / "cache").fit(paths)
    single = extractor.transform(paths)
    half = extractor.set_params(dtype="float16").transform(paths)
    assert half.dtype == np.float16
    np.testing.assert_allclose(half, single, atol=0.032)  # half of the step between 64 and 128
    assert len(count_decoded) == 3


def test_who_has_no_cache_folder_gets_an_array(tmp_path, on_disk):
    paths = write_noise(tmp_path, 2)
    for memory in (None, Memory(None)):
        rows = SpectrogramExtractor(**SMALL, memory=memory).fit_transform(paths)
        assert type(rows) is np.ndarray


def test_a_result_that_fits_is_an_array(tmp_path):
    paths = write_noise(tmp_path, 2)
    rows = SpectrogramExtractor(**SMALL, memory=tmp_path / "cache").fit_transform(paths)
    assert type(rows) is np.ndarray


def test_the_memory_of_the_machine():
    assert 2**26 < _large_results.machine_memory() < 2**50


def test_waveforms_are_mapped_by_their_content(tmp_path, on_disk, rng):
    waveforms = list(rng.standard_normal((3, 500)))
    extractor = SpectrogramExtractor(**SMALL, memory=tmp_path).fit(waveforms)
    expected = SpectrogramExtractor(**SMALL).fit_transform(waveforms)
    rows = extractor.transform(waveforms)
    np.testing.assert_array_equal(rows, expected)
    waveforms[1] = 0.5 * waveforms[0]
    assert extractor.transform(waveforms).filename != rows.filename


def test_joblib_knows_the_mapped_files(tmp_path, on_disk):
    paths = write_noise(tmp_path, 2)
    cache = tmp_path / "cache"
    memory = Memory(str(cache), verbose=0)
    extractor = SpectrogramExtractor(**SMALL, memory=memory).fit(paths)
    expected = np.array(extractor.transform(paths))
    for clear in (lambda: memory.reduce_size(bytes_limit=0), lambda: memory.clear(warn=False)):
        assert mapped_files(cache) == ["rows.npy"]
        clear()
        assert mapped_files(cache) == []
        np.testing.assert_array_equal(extractor.transform(paths), expected)


def test_a_bad_track_is_tried_again(tmp_path, on_disk, count_decoded):
    paths = write_noise(tmp_path, 3)
    Path(paths[1]).write_text("not audio")
    cache = tmp_path / "cache"
    extractor = SpectrogramExtractor(**SMALL, memory=cache, on_error="nan").fit(paths)
    for _ in range(2):
        with pytest.warns(UserWarning, match=r"(?s)1 of 3 tracks.*Row 1"):
            rows = extractor.transform(paths)
        assert isinstance(rows, np.memmap)
        assert np.isnan(rows[:, 0]).tolist() == [False, True, False]
    assert count_decoded == ["0.wav", "1.wav", "2.wav", "1.wav"]
    with pytest.raises(AudioError, match="Row 1"):
        extractor.set_params(on_error="raise").transform(paths)


def test_a_result_with_failures_lasts_as_long_as_it_is_used(tmp_path, on_disk):
    paths = write_noise(tmp_path, 3)
    Path(paths[1]).write_text("not audio")
    cache = tmp_path / "cache"
    extractor = SpectrogramExtractor(**SMALL, memory=cache, on_error="nan").fit(paths)
    with pytest.warns(UserWarning, match="1 of 3"):
        one, other = extractor.transform(paths), extractor.transform(paths)
    assert one.filename != other.filename
    assert len(mapped_files(cache)) == 2
    np.testing.assert_array_equal(one, other)
    last = one[2:]
    del one, other
    gc.collect()
    assert len(mapped_files(cache)) == 1
    assert np.isfinite(last).all()
    del last
    gc.collect()
    assert mapped_files(cache) == []
    with pytest.raises(AudioError, match="Row 1"):
        extractor.set_params(on_error="raise").transform(paths)
    gc.collect()
    assert mapped_files(cache) == []


def test_what_killed_runs_left_is_removed(tmp_path):
    abandoned = [tmp_path / f"unfinished{end}.npy" for end in ("", "-1", "-2")]
    for path in abandoned:
        path.write_bytes(b"some rows")
        os.utime(path, (1e9, 1e9))
    with _large_results.new_file(tmp_path) as in_use:
        _large_results.remove_abandoned(tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == [Path(in_use.name).name]
        in_use.write(b"rows")
    assert Path(in_use.name).read_bytes() == b"rows"


def test_a_pipeline_takes_the_mapped_rows(tmp_path, on_disk):
    paths = write_noise(tmp_path, 3)
    pipe = make_pipeline(SpectrogramExtractor(**SMALL, memory=tmp_path / "c"), StandardScaler())
    expected = make_pipeline(SpectrogramExtractor(**SMALL), StandardScaler()).fit_transform(paths)
    np.testing.assert_array_equal(pipe.fit_transform(paths), expected)
    frame = pipe[:1].set_output(transform="pandas").transform(paths)
    assert frame.shape == expected.shape


def test_peak_memory_does_not_grow_with_the_collection(tmp_path, monkeypatch):
    paths = write_noise(tmp_path, 200, n_samples=2000)
    large_rows = {"n_mels": 16, "n_fft": 512, "hop_length": 4, "duration": 0.09}  # 32 kB

    def peak(n_tracks, share, cache):
        monkeypatch.setattr(_track_transformer, "_SHARE_OF_MEMORY", share)
        extractor = SpectrogramExtractor(**large_rows, memory=tmp_path / cache, n_jobs=2)
        extractor.fit(paths[:1]).transform(paths[:1])
        tracemalloc.start()
        extractor.transform(paths[:n_tracks])
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak / 2**20

    growth = {share: peak(200, share, "all") - peak(70, share, "some") for share in (0, 0.25)}
    assert growth[0.25] > 3  # 130 rows
    assert growth[0] < 1


def test_workers_do_not_run_ahead_of_a_slow_disk(tmp_path, count_decoded):
    paths = write_noise(tmp_path, 200)
    extractor = SpectrogramExtractor(**SMALL, n_jobs=2).fit(paths)
    tracks, stamps = extractor._check_tracks(paths, reset=False)
    rows = extractor._outcomes(tracks, stamps, extractor._row_function())
    next(rows)
    time.sleep(0.5)
    assert len(count_decoded) <= 2 * 32
    assert len(list(rows)) == 199


# Each round forks a run, and kills it after some tracks more.
SCRIPT = """
import os, random, signal, sys, time
import numpy as np
from sklearn_music import SpectrogramExtractor
from sklearn_music.features import _track_transformer

folder, n_rounds = sys.argv[1], int(sys.argv[2])
_track_transformer._SHARE_OF_MEMORY = 0
paths = [f"{folder}/{i}.wav" for i in range(300)]
extractor = SpectrogramExtractor(n_mels=4, n_fft=256, duration=0.02, memory=f"{folder}/other")
extractor.fit_transform(paths[:1])  # imports what a first run does, once for all
extractor.set_params(memory=f"{folder}/cache")
log = os.open(f"{folder}/log", os.O_CREAT | os.O_APPEND | os.O_RDWR)
read_audio = _track_transformer.read_audio

def counted(path, **kwargs):
    os.write(log, b"x")
    return read_audio(path, **kwargs)

_track_transformer.read_audio = counted

def start():
    pid = os.fork()
    if not pid:
        extractor.transform(paths)
        os._exit(0)
    return pid

rng = random.Random(0)
n_killed = 0
for _ in range(n_rounds):
    pid = start()
    enough = os.fstat(log).st_size + rng.randint(1, 20)
    while os.fstat(log).st_size < enough:
        assert not os.waitpid(pid, os.WNOHANG)[0], "ended before it was killed"
        time.sleep(1e-4)
    time.sleep(rng.uniform(0, 2e-3))
    os.kill(pid, signal.SIGKILL)
    n_killed += os.waitpid(pid, 0)[1] == signal.SIGKILL
rows = extractor.transform(paths)
print(n_killed, os.fstat(log).st_size)
np.save(f"{folder}/resumed.npy", rows)
os.unlink(rows.filename)
pids = [start(), start()]  # at the same time
assert [os.waitpid(pid, 0)[1] for pid in pids] == [0, 0]
np.save(f"{folder}/by_two.npy", extractor.transform(paths))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the script forks")
def test_killed_runs_end_as_an_uninterrupted_one(tmp_path):
    paths = write_noise(tmp_path, 300)
    n_rounds = 10
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path), str(n_rounds)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=120,
    )
    n_killed, n_decoded = map(int, run.stdout.split())
    assert n_killed == n_rounds
    # A kill costs no more than the track that was being worked on.
    assert 300 <= n_decoded <= 300 + n_killed
    expected = SpectrogramExtractor(**SMALL).fit_transform(paths)
    for name in ("resumed.npy", "by_two.npy"):
        np.testing.assert_array_equal(np.load(tmp_path / name), expected)
    assert mapped_files(tmp_path / "cache") == ["rows.npy"]


# The one fails at its last track when the other has published the file that both were writing.
FAILS_HALF_WAY = """
import json, os, sys, time, warnings
import numpy as np
from sklearn_music import AudioEncoder
from sklearn_music.features import _track_transformer

folder, role = sys.argv[1:]
_track_transformer._SHARE_OF_MEMORY = 0
warnings.simplefilter("ignore")
paths = [os.path.join(folder, f"{i}.wav") for i in range(5)]

def has(name):
    return os.path.exists(os.path.join(folder, name))

def wait_for(name):
    end = time.monotonic() + 60
    while not has(name):
        assert time.monotonic() < end, f"no {name}"
        time.sleep(0.01)

def say(name):
    open(os.path.join(folder, name), "w").close()

def model(waveform, sample_rate):
    if len(waveform) == 445 and sys.argv[2] == "fails" and not has("failed"):
        say("half-way")
        wait_for("published")
        say("failed")
        raise RuntimeError("CUDA out of memory")
    return waveform[:3]

cache = os.path.join(folder, "cache")
encoder = AudioEncoder(model, memory=cache, model_id="fails once", on_error="nan")
encoder.fit(paths)
if role == "succeeds":
    wait_for("half-way")
failures, finite = [], []
for _ in range(2):
    rows = encoder.transform(paths)
    finite.append(bool(np.isfinite(rows).all()))
    failures.append(encoder.failures_)
    if role == "succeeds" and not has("published"):
        say("published")
        wait_for("failed")
print(json.dumps([failures, finite, os.path.basename(rows.filename)]))
"""


def test_a_run_that_fails_half_way_spoils_no_other(tmp_path):
    write_noise(tmp_path, 5, n_samples=445)
    write_noise(tmp_path, 4)
    runs = {
        role: subprocess.Popen(
            [sys.executable, "-c", FAILS_HALF_WAY, str(tmp_path), role],
            stdout=subprocess.PIPE,
            text=True,
        )
        for role in ("fails", "succeeds")
    }
    results = {role: json.loads(run.communicate(timeout=120)[0]) for role, run in runs.items()}
    assert all(run.returncode == 0 for run in runs.values())
    assert results["succeeds"] == [[{}, {}], [True, True], "rows.npy"]
    failures, finite, name = results["fails"]
    assert list(failures[0]) == ["4"]
    assert "CUDA out of memory" in failures[0]["4"]
    assert failures[1] == {}
    assert finite == [False, True]
    assert name == "rows.npy"
    (published,) = (tmp_path / "cache").rglob("*.npy")
    assert published.name == "rows.npy"
    assert np.isfinite(np.load(published)).all()
