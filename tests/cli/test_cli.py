"""The command, in this process; `test_cli_process.py` runs it as a process."""

import os
import shutil
import tomllib
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import skops.io

from sklearn_music._cli import main
from sklearn_music.datasets import load_tracks, make_music

N_TRACKS = 24


@pytest.fixture(scope="module")
def music(tmp_path_factory):
    """Return a folder as users have them: nested, with odd names and bad files."""
    folder = tmp_path_factory.mktemp("music")
    make_music(N_TRACKS, duration=1, directory=folder, random_state=0)
    for name in ("album", "গান", ".hidden"):
        (folder / name).mkdir()
    for row in (0, 1):
        os.rename(folder / f"track_{row:04d}.wav", folder / "album" / f'#{row} a, "b".wav')
    shutil.copy(folder / "track_0002.wav", folder / "গান" / "বাংলা.wav")
    shutil.copy(folder / "track_0002.wav", folder / ".hidden" / "hidden.wav")
    (folder / "corrupt.mp3").write_bytes(b"not music" * 100)
    (folder / "empty.ogg").touch()
    (folder / "notes.pdf").write_bytes(b"%PDF")
    return folder


@pytest.fixture(scope="module")
def fast(encoder):
    return ("--encoder", encoder, "--jobs", 1)


@pytest.fixture(scope="module")
def results(music, fast, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "results"
    words = ["--clusters", 3, "--labels", "genre"]
    assert run("cluster", music, "--output", folder, *fast, *words) == 0
    return folder


def run(*words):
    return main([str(word) for word in words])


def clusters_of(folder):
    table = pd.read_csv(folder / "clusters.csv", encoding="utf-8-sig")
    return table.set_index(table["audio"].map(lambda path: Path(path).name))


def in_playlists(folder):
    return sorted(
        os.path.normpath(playlist.parent / line)
        for playlist in (folder / "playlists").glob("*.m3u8")
        for line in playlist.read_text(encoding="utf-8").splitlines()
        if not line.startswith("#")
    )


def test_every_file_is_in_a_cluster_or_in_a_list_with_its_reason(music, results):
    table = clusters_of(results)
    audio = {p.name for p in music.rglob("*") if p.suffix in {".wav", ".mp3", ".ogg"}}
    assert set(table.index) == audio - {"hidden.wav"}
    bad = ["corrupt.mp3", "empty.ogg"]
    assert table.index[table["reason"].notna()].tolist() == bad
    assert table.loc[bad, "cluster"].eq(-1).all()
    good = table.drop(bad)
    assert set(good["cluster"]) == {0, 1, 2}
    assert good["distance"].between(0, np.inf).all()
    assert in_playlists(results) == sorted(good["audio"])
    assert good.loc["বাংলা.wav", "cluster"] == good.loc["track_0002.wav", "cluster"]


def test_the_table_can_be_clustered_again(results, fast, tmp_path):
    again = tmp_path / "again"
    code = run("cluster", results / "clusters.csv", "--output", again, "--clusters", 3, *fast)
    assert code == 0
    first, second = clusters_of(results), clusters_of(again)
    # The same songs, in the same order: but for a file that load_tracks leaves out of a folder.
    pd.testing.assert_series_equal(first["cluster"], second["cluster"])
    assert second.columns.tolist().count("cluster") == 1


def test_the_settings_say_how_it_was_made(music, results):
    settings = tomllib.loads((results / "settings.toml").read_text(encoding="utf-8"))
    assert settings["run"]["tracks"] == str(music)
    assert settings["run"]["seed"] == 0
    assert settings["run"]["labels"] == ["genre"]
    assert {"python", "torch", "sklearn-music"} <= set(settings["versions"])


def test_the_pipeline_loads_and_gives_the_same_clusters(music, results, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = results / "pipeline.skops"
    types = skops.io.get_untrusted_types(file=path)
    assert all(name.startswith("sklearn_music.") for name in types)
    pipe = skops.io.load(path, trusted=types)
    tracks = load_tracks(music / "album")
    assert (
        pipe.predict(tracks).tolist()
        == clusters_of(results)
        .loc[[Path(audio).name for audio in tracks["audio"]], "cluster"]
        .tolist()
    )
    assert os.listdir(tmp_path) == []  # it makes no cache where it is used


@pytest.fixture
def copy(results, tmp_path):
    """Return results that a test may change."""
    return shutil.copytree(results, tmp_path / "results")


def test_predict_adds_new_songs(copy, music, tmp_path, capsys):
    new = tmp_path / "new"
    new.mkdir()
    shutil.copy(music / "track_0005.wav", new / "again.wav")
    (new / "bad.flac").write_bytes(b"fLaC")
    before = clusters_of(copy)
    for _ in range(2):  # a second time changes nothing
        assert run("predict", copy, new, "--jobs", 1) == 0
        table = clusters_of(copy)
        assert len(table) == len(before) + 2
        assert table.loc["again.wav", "cluster"] == before.loc["track_0005.wav", "cluster"]
        assert table.loc["bad.flac", "cluster"] == -1
        assert "bad.flac" in table.loc["bad.flac", "reason"]
    assert str(new / "again.wav") in in_playlists(copy)
    assert "Track 5" in capsys.readouterr().out
    assert run("report", copy, "--jobs", 1) == 0
    assert str(new / "again.wav") in (copy / "report.html").read_text(encoding="utf-8")


def test_similar_songs(copy, music, tmp_path, capsys):
    def similar(song):
        assert run("similar", copy, song, "-n", 3, "--jobs", 1) == 0
        lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
        assert [len(line) for line in lines] == [4, 4, 4]
        return [line[-1] for line in lines], [float(line[0]) for line in lines]

    own, distances = similar(music / "track_0002.wav")
    assert own[0] == str(music / "গান" / "বাংলা.wav")  # its copy
    assert distances == sorted(distances)
    by_title, _ = similar("track 3")
    assert by_title == similar("track_0003.wav")[0]
    shutil.copy(music / "track_0003.wav", tmp_path / "unknown.wav")
    new, _ = similar(tmp_path / "unknown.wav")
    assert new[0] == str(music / "track_0003.wav")


def test_songs_that_moved_are_left_out_of_a_report(copy, capsys):
    table = clusters_of(copy)
    table.loc["track_0010.wav", "audio"] = "/nowhere/track_0010.wav"
    table.to_csv(copy / "clusters.csv", index=False)
    assert run("report", copy, "--jobs", 1) == 0
    assert "1 songs are not where they were" in capsys.readouterr().out


@pytest.mark.skipif(find_spec("musicnn") is None, reason="the weights of MusicNN are missing")
def test_auto_with_musicnn_and_lyrics(music, tmp_path, capsys):
    assert run("cluster", music, "--output", tmp_path / "out", "--jobs", 1) == 0
    printed = capsys.readouterr()
    settings = tomllib.loads((tmp_path / "out" / "settings.toml").read_text(encoding="utf-8"))
    n_clusters = settings["run"]["n_clusters"]
    assert f"{n_clusters} clusters: " in printed.out
    assert len(list((tmp_path / "out" / "playlists").iterdir())) == n_clusters
    assert "AudioEncoder: 100%" in printed.err
    curve = pd.read_csv(tmp_path / "out" / "n_clusters.csv")
    assert n_clusters in curve["n_clusters"].tolist()
    assert run("report", tmp_path / "out", "--jobs", 1, "--embed-audio") == 0
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert page.count("data:audio/mpeg") > 10


@pytest.mark.parametrize("clusterer", ["gmm", "agglomerative", "spectral", "hdbscan"])
def test_other_clusterers(music, fast, tmp_path, capsys, clusterer):
    out = tmp_path / "out"
    words = ("--clusterer", clusterer, "--lyrics-weight", 0)
    assert run("cluster", music, "--output", out, *fast, *words) == 0
    assert list(out.glob("pipeline.*"))
    assert run("report", out, "--jobs", 1) == 0
    capsys.readouterr()
    code = run("predict", out, music / "album", "--jobs", 1)
    assert code == (0 if clusterer == "gmm" else 1)
    if code:
        assert f"found by {clusterer}" in capsys.readouterr().err


def test_without_an_encoder_a_network_is_trained(music, tmp_path, capsys):
    few = tmp_path / "few"
    few.mkdir()
    for path in [*sorted(music.glob("track_*.wav"))[:6], music / "corrupt.mp3"]:
        shutil.copy(path, few)
    words = ("--encoder", "none", "--duration", 1, "--jobs", 1, "--clusters", 2)
    assert run("cluster", few, "--output", tmp_path / "out", *words) == 0
    assert "Training: 100%" in capsys.readouterr().err
    assert clusters_of(tmp_path / "out")["cluster"].isin([-1, 0, 1]).all()


def test_quiet_prints_nothing(music, fast, tmp_path, capsys):
    words = ("--clusters", 2, "--lyrics-weight", 0, "--quiet")
    assert run("cluster", music, "--output", tmp_path / "out", *fast, *words) == 0
    assert capsys.readouterr() == ("", "")


def test_a_table_with_columns_of_other_names(music, fast, tmp_path, capsys):
    paths = sorted(music.glob("track_*.wav"))
    table = pd.DataFrame({"File": [p.name for p in paths], "mood": ["calm", "loud"] * 11})
    table.loc[3, "File"] = "gone.wav"
    table.to_csv(tmp_path / "songs.csv", index=False, sep=";")
    words = ("--audio", music, "--columns", "filename=File", "--labels", "mood", "--clusters", 2)
    out = tmp_path / "out"
    assert run("cluster", tmp_path / "songs.csv", "--output", out, *words, *fast) == 0
    table = clusters_of(out)
    assert table.loc["gone.wav", "reason"] == "There is no such file."
    assert table["mood"].notna().sum() == 21
    assert "mood" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["cluster", "nowhere"], "nowhere does not exist"),
        (["cluster", "empty"], "No audio file"),
        (["cluster", "music", "--labels", "mood"], "no such column"),
        (["cluster", "music", "--clusters", "50"], "--clusters 50 for 26 songs"),
        (["cluster", "album"], "Got 2 songs, expected at least 4"),
        (["cluster", "music", "--clusterer", "hdbscan", "--clusters", "3"], "leave --clusters out"),
        (["cluster", "music", "--encoder", "no_file.onnx"], "no_file.onnx"),
        (["cluster", "music", "--output", "full"], "holds other files"),
        (["cluster", "music", "--output", "file"], "is a file"),
        (["predict", "full", "music"], "no folder of results"),
        (["similar", "results", "no such song"], "is no file, and in no title"),
        (["similar", "results", "track"], "matches 2"),
        (["report", "empty"], "no folder of results"),
    ],
    ids=range(13),
)
def test_mistakes_are_one_line_and_no_traceback(
    music, results, tmp_path, monkeypatch, capsys, words, error
):
    monkeypatch.chdir(tmp_path)
    for name in ("empty", "full"):
        Path(name).mkdir()
    Path("full", "thesis.txt").touch()
    Path("file").touch()
    os.symlink(music, "music")
    os.symlink(music / "album", "album")
    os.symlink(results, "results")
    if words[0] == "cluster" and "--encoder" not in words:
        words = [*words, "--encoder", "none"]
    assert main(words) == 1
    printed = capsys.readouterr()
    assert printed.err.startswith("sklearn-music: error: ")
    assert error in printed.err
    assert "Traceback" not in printed.err
    assert sorted(os.listdir("full")) == ["thesis.txt"]


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["cluster"],
        ["cluster", "x", "--clusters", "many"],
        ["cluster", "x", "--duration", "0"],
        ["cluster", "x", "--lyrics-weight", "-1"],
        ["cluster", "x", "--lyrics-weight", "nan"],
        ["cluster", "x", "--columns", "lyrics"],
        ["similar", "x", "y", "-n", "0"],
        ["cluster", "x", "--jobs", "0"],
        ["cluster", "x", "--seed", "-1"],
    ],
    ids=range(10),
)
def test_wrong_arguments_exit_with_2(words, capsys):
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2
    assert "usage: sklearn-music" in capsys.readouterr().err


def test_no_song_that_can_be_read(fast, tmp_path, capsys):
    folder = tmp_path / "music"
    folder.mkdir()
    (folder / "corrupt.mp3").write_bytes(b"not music" * 100)
    assert run("cluster", folder, "--output", tmp_path / "out", *fast, "--clusters", 1) == 1
    assert "corrupt.mp3" in capsys.readouterr().err
