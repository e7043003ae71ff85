import numpy as np
import pandas as pd
import pytest
import soundfile

from sklearn_music import LyricVectorizer
from sklearn_music.metrics import check_confounders


def strong(table):
    return table.loc[table["is_strong"], ["cluster", "property", "value"]].to_numpy().tolist()


@pytest.fixture
def folder(tmp_path):
    """A table of 48 files: two sample rates, two formats, mono and stereo, lyrics with gaps."""
    rng = np.random.default_rng(0)
    rows = []
    for i in range(48):
        rate, channels = (8000, 22050)[i % 2], 1 + i // 2 % 2
        path = tmp_path / f"{i}.{('wav', 'flac')[i // 4 % 2]}"
        soundfile.write(path, rng.uniform(-0.3, 0.3, (rate // 2, channels)), rate)
        lyrics = [None, "row a boat", " ", "the river sings"][i // 8 % 4]
        rows.append({"audio": str(path), "lyrics": lyrics})
    return pd.DataFrame(rows, index=rng.permutation(48))


@pytest.mark.parametrize(
    ("name", "labels", "value"),
    [
        ("sample rate", lambda i: i % 2, 8000),
        ("channels", lambda i: i // 2 % 2, 1),
        ("format", lambda i: i // 4 % 2, "WAV"),
        ("lyrics", lambda i: i // 8 % 2, "missing"),
    ],
)
def test_what_a_cluster_is_made_of(folder, name, labels, value):
    labels = labels(np.arange(48))
    found = strong(check_confounders(folder, labels))
    assert [0, name, value] in found
    assert {property for _, property, _ in found} == {name}
    # One cluster of several, with a few tracks of another kind in it.
    labels = np.where(labels == 0, 0, 1 + np.arange(48) // 3 % 3)
    labels[np.flatnonzero(labels > 0)[:2]] = 0
    table = check_confounders(folder, labels, n_jobs=2)
    assert strong(table) == [[0, name, value]]
    message = table.loc[table["is_strong"], "message"].item()
    assert message.startswith("Cluster 0: 24 of its 26 tracks ")
    assert message.endswith("(92 %); elsewhere 0 of 22 (0 %).")


def test_random_labels_are_no_artefact(folder):
    n_warned = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        labels = rng.integers(rng.integers(2, 9), size=48)
        n_warned += bool(strong(check_confounders(folder[["lyrics"]], labels)))
    assert n_warned <= 1
    for seed in range(3):
        labels = np.random.default_rng(seed).integers(4, size=48)
        assert not strong(check_confounders(folder, labels))


def test_few_tracks_are_no_proof(folder):
    assert not strong(check_confounders(folder[:4], [0, 1, 0, 1]))
    assert check_confounders(folder[:1], [0]).empty
    assert not strong(check_confounders(folder, np.zeros(48)))


def waveforms(lengths, level=0.3):
    return [level * np.sin(np.arange(length) / 8) for length in lengths]


def test_duration_and_silence_of_waveforms(rng):
    lengths = rng.integers(20_000, 22_000, size=40)
    labels = np.arange(40) // 10
    tracks = pd.DataFrame({"audio": waveforms(lengths)})
    assert not strong(check_confounders(tracks, labels))
    # The tracks of a cluster are cut a little shorter, which makes no difference; or a lot.
    tracks["audio"] = waveforms(np.where(labels == 2, 19_000, lengths))
    assert not strong(check_confounders(tracks, labels))
    tracks["audio"] = waveforms(np.where(labels == 2, 9_000, lengths))
    assert strong(check_confounders(tracks, labels, sample_rate=10_000)) == [
        [2, "duration", "at most 0.9 s"]
    ]
    tracks["audio"] = waveforms(np.where(labels == 2, 90_000, lengths))
    assert strong(check_confounders(tracks, labels, sample_rate=10_000)) == [
        [2, "duration", "at least 9 s"]
    ]
    tracks["audio"] = waveforms(lengths[:10], 1e-4) + waveforms(lengths[10:])
    assert strong(check_confounders(tracks, labels)) == [[0, "silence", "silent"]]


def test_what_cannot_be_read_is_a_property_too(folder, tmp_path):
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    audio = folder["audio"].astype(object).to_list()
    audio[:12] = [str(tmp_path / "gone.wav"), str(tmp_path / "broken.wav"), None, 7] * 3
    tracks = pd.DataFrame({"audio": audio})
    assert strong(check_confounders(tracks, np.arange(48) // 12)) == [[0, "audio", "unreadable"]]


def test_tracks_without_a_cluster_are_left_out(folder):
    labels = np.where(np.arange(48) % 2, np.arange(48) // 16, -1)
    expected = check_confounders(folder[1::2], labels[1::2])
    pd.testing.assert_frame_equal(check_confounders(folder, labels), expected)
    assert check_confounders(folder, np.full(48, -1)).empty


@pytest.mark.parametrize("package", ["polars", "pyarrow"])
def test_other_tables_and_labels_of_any_text(folder, package):
    module = pytest.importorskip(package)
    table = {name: folder[name].astype(object).replace(np.nan, None).tolist() for name in folder}
    other = module.DataFrame(table) if package == "polars" else module.table(table)
    labels = np.array(["\ud83d", "b"], dtype=object)[np.arange(48) % 2]
    found = check_confounders(other, labels)
    assert ["b", "sample rate", 22050] in strong(found)
    "".join(found["message"]).encode()
    with pytest.raises(ValueError, match="expected a DataFrame"):
        check_confounders([1, 2], [0, 1])


MISSING = [None, float("nan"), "", " ", "[Instrumental]", "...", "N/A", "\u200b", "♪ ♪"]


@pytest.mark.parametrize("text", MISSING)
def test_missing_lyrics_are_those_of_the_vectorizer(text):
    lyrics = [text] * 15 + ["row a boat"] * 15
    assert LyricVectorizer().fit(lyrics).n_missing_ == 15
    table = check_confounders(pd.DataFrame({"lyrics": lyrics}), [0] * 15 + [1] * 15)
    assert [0, "lyrics", "missing"] in strong(table)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32"])
def test_silence_in_any_type_of_samples(rng, dtype):
    silence, noise = np.zeros(3000), rng.uniform(-0.9, 0.9, 3000)
    if dtype == "uint8":
        silence, noise = silence + 128, noise * 127 + 128
    elif dtype == "int16":
        noise = noise * 32767
    audio = [silence.astype(dtype)] * 10 + [noise.astype(dtype)] * 10
    table = check_confounders(pd.DataFrame({"audio": audio}), [0] * 10 + [1] * 10)
    assert [0, "silence", "silent"] in strong(table)


def test_labels_of_several_types_and_negative_ones():
    tracks = pd.DataFrame({"lyrics": [None] * 15 + ["row a boat"] * 15 + ["a"] * 3})
    labels = [0] * 15 + ["a"] * 15 + [-1, -2, -3]
    assert strong(check_confounders(tracks, labels)) == [
        [0, "lyrics", "missing"],
        ["a", "lyrics", "present"],
    ]
    with pytest.raises(ValueError, match="2 columns 'lyrics', expected one"):
        check_confounders(pd.concat([tracks, tracks], axis=1), labels)
