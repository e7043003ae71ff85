import os
import unicodedata

import librosa
import numpy as np
import pandas as pd
import pytest
import soundfile as sf
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score
from sklearn.preprocessing import StandardScaler
from tinytag import TinyTag

from sklearn_music.datasets import make_music
from sklearn_music.datasets._composition import COMPOSITIONS, GENRES
from sklearn_music.datasets._lyrics_text import COMMON_NOUNS, GENRE_NOUNS, HOOKS, TEMPLATES
from sklearn_music.datasets._production import PRODUCTIONS
from sklearn_music.datasets._synthesis import render_track


def mfcc_statistics(waveform, sample_rate):
    mfcc = librosa.feature.mfcc(y=waveform, sr=sample_rate)
    return np.concatenate([mfcc.mean(axis=1), mfcc.std(axis=1)])


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_task_is_neither_trivial_nor_hopeless(seed):
    music = make_music(60, random_state=seed)
    features = [mfcc_statistics(waveform, music.sample_rate) for waveform in music.data["audio"]]
    labels = KMeans(6, n_init=10, random_state=0).fit_predict(
        StandardScaler().fit_transform(features)
    )
    assert 0.3 < adjusted_rand_score(music.target, labels) < 0.7


def test_the_bunch():
    music = make_music(60, duration=0.2, sample_rate=8000, random_state=0)
    data = music.data
    assert data.columns.tolist() == ["audio", "lyrics", "genre", "language"]
    assert data.index.equals(pd.RangeIndex(60))
    pd.testing.assert_series_equal(music.target, data["genre"])
    assert music.target_names == sorted(GENRES)
    assert music.sample_rate == 8000
    assert data["genre"].value_counts().to_dict() == dict.fromkeys(GENRES, 10)
    assert data["language"].value_counts().to_dict() == {"en": 30, "bn": 30}
    assert not data["genre"].is_monotonic_increasing
    for waveform in data["audio"]:
        assert waveform.shape == (1600,)
        assert waveform.dtype == np.float32
        assert 0.1 < np.abs(waveform).max() < 1


def test_lyrics():
    data = make_music(300, duration=0.01, random_state=0).data
    is_lost = np.array([text is None for text in data["lyrics"]])
    is_instrumental = (data["lyrics"] == "[Instrumental]").to_numpy()
    assert 0.01 < is_lost.mean() < 0.1
    assert 0.1 < is_instrumental.mean() < 0.2
    written = data[~is_lost & ~is_instrumental]
    for text, language in zip(written["lyrics"], written["language"], strict=True):
        assert unicodedata.is_normalized("NFC", text)
        assert ("BENGALI" in unicodedata.name(text[0])) == (language == "bn")
        assert 8 <= len(text.splitlines()) <= 14
    assert set(data.loc[is_instrumental | is_lost, "language"]) == {"en", "bn"}


@pytest.mark.parametrize("language", ["en", "bn"])
def test_the_words_are_in_the_right_script(language):
    nouns = GENRE_NOUNS[language]
    assert set(nouns) == set(HOOKS) == set(GENRES)
    words = [*COMMON_NOUNS[language], *TEMPLATES[language]]
    words += [word for own in nouns.values() for word in own]
    assert len(set(words)) == len(words)
    for word in words:
        letters = [c for c in word.replace("{a}", "").replace("{b}", "") if c.isalpha()]
        assert all(("BENGALI" in unicodedata.name(c)) == (language == "bn") for c in letters)


def test_every_genre_is_composed_and_produced():
    assert list(COMPOSITIONS) == list(PRODUCTIONS) == sorted(GENRES)
    for composition in COMPOSITIONS.values():
        for part in ("chords", "bass", "lead", "kick", "snare", "hat"):
            for pattern in getattr(composition, part):
                assert len(pattern) == 16
                assert set(pattern) <= set("x-.")


@pytest.mark.parametrize("genre", GENRES)
@pytest.mark.parametrize("sung", [True, False])
@pytest.mark.parametrize("sample_rate", [1000, 8000, 44100])
def test_every_sound_at_every_rate(genre, sung, sample_rate):
    rng = np.random.default_rng(0)
    waveform = render_track(genre, genre, sung, sample_rate, sample_rate, rng)
    assert waveform.shape == (sample_rate,)
    assert waveform.dtype == np.float32
    assert np.isfinite(waveform).all()
    assert 0.3 < np.abs(waveform).max() <= 0.91


def test_crossover_changes_the_sound_alone():
    plain, crossed = (
        make_music(12, duration=0.3, crossover=share, random_state=0).data for share in (0, 0.5)
    )
    pd.testing.assert_frame_equal(plain.drop(columns="audio"), crossed.drop(columns="audio"))
    changed = [
        not np.array_equal(a, b) for a, b in zip(plain["audio"], crossed["audio"], strict=True)
    ]
    assert sum(changed) == 6


@pytest.mark.parametrize("n_tracks", [1, 2, 5, 7])
@pytest.mark.parametrize("n_genres", [1, 2, 6])
def test_few_tracks(n_tracks, n_genres):
    music = make_music(n_tracks, n_genres=n_genres, duration=0.05, random_state=3)
    assert len(music.data) == n_tracks
    assert music.target.nunique() == min(n_tracks, n_genres)
    assert set(music.target) <= set(music.target_names)
    assert len(music.target_names) == n_genres


def test_one_sample():
    assert make_music(1, duration=1e-9, random_state=0).data["audio"][0].shape == (1,)


@pytest.mark.parametrize("format", ["wav", "flac"])
def test_files(tmp_path, format):
    directory = tmp_path / "নতুন" / "গান"
    options = {"duration": 0.3, "sample_rate": 16000, "random_state": 0}
    on_disk = make_music(4, directory=directory, format=format, **options).data
    in_memory = make_music(4, **options).data
    pd.testing.assert_frame_equal(on_disk.drop(columns="audio"), in_memory.drop(columns="audio"))
    names = [f"track_{i:04d}.{format}" for i in range(4)]
    assert on_disk["audio"].tolist() == [str(directory / name) for name in names]
    assert all(type(path) is str for path in on_disk["audio"])
    lyrics = [f"track_{i:04d}.txt" for i in np.flatnonzero(on_disk["lyrics"].notna())]
    assert sorted(os.listdir(directory)) == sorted(names + lyrics)
    tags = [TinyTag.get(path) for path in on_disk["audio"]]
    assert [tag.title for tag in tags] == [f"Track {i}" for i in range(4)]
    assert [tag.genre for tag in tags] == on_disk["genre"].tolist()
    for name, lyric in zip(names, on_disk["lyrics"], strict=True):
        file = (directory / name).with_suffix(".txt")
        assert (file.read_text(encoding="utf-8") if file.exists() else None) == lyric
    for path, waveform in zip(on_disk["audio"], in_memory["audio"], strict=True):
        info = sf.info(path)
        assert (info.format, info.subtype) == (format.upper(), "PCM_16")
        read, sample_rate = sf.read(path, dtype="float32")
        assert sample_rate == 16000
        np.testing.assert_array_equal(read, waveform)


def test_relative_directory_gives_absolute_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    paths = make_music(1, duration=0.1, directory="music", random_state=0).data["audio"]
    assert paths[0] == str(tmp_path / "music" / "track_0000.wav")


def test_a_failed_write_leaves_nothing(tmp_path, monkeypatch):
    make_music(1, duration=0.1, directory=tmp_path, random_state=0)
    before = (tmp_path / "track_0000.wav").read_bytes()

    def fail(file, samples):
        raise OSError("No space left on device")

    monkeypatch.setattr(sf.SoundFile, "write", fail)
    with pytest.raises(OSError, match="No space"):
        make_music(1, duration=0.1, directory=tmp_path, random_state=1)
    assert list(tmp_path.glob("*.wav*")) == [tmp_path / "track_0000.wav"]
    assert (tmp_path / "track_0000.wav").read_bytes() == before


def test_same_seed_same_tracks():
    first, second, other = (
        make_music(8, duration=0.2, random_state=seed) for seed in (5, np.random.RandomState(5), 6)
    )
    pd.testing.assert_frame_equal(first.data, second.data)
    assert not np.array_equal(first.data["audio"][0], other.data["audio"][0])


@pytest.mark.parametrize("random_state", [None, 0])
def test_the_global_random_state_is_left_alone(random_state):
    before = np.random.get_state()
    music = make_music(2, duration=0.1, random_state=random_state)
    after = np.random.get_state()
    assert before[2:] == after[2:]
    np.testing.assert_array_equal(before[1], after[1])
    if random_state is None:
        again = make_music(2, duration=0.1)
        assert not np.array_equal(music.data["audio"][0], again.data["audio"][0])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n_tracks", 0),
        ("n_tracks", 2.5),
        ("n_genres", 7),
        ("n_genres", 0),
        ("duration", 0),
        ("duration", "5s"),
        ("sample_rate", 999),
        ("crossover", 1.5),
        ("directory", 3),
        ("format", "mp3"),
        ("random_state", "0"),
    ],
)
def test_wrong_parameters(name, value):
    with pytest.raises(ValueError, match=f"The '{name}' parameter"):
        make_music(**{"n_tracks": 1, "duration": 0.1, name: value})


def test_directory_that_is_a_file(tmp_path):
    (tmp_path / "music").touch()
    with pytest.raises(FileExistsError, match="music"):
        make_music(1, duration=0.1, directory=tmp_path / "music")
