import os

import numpy as np
import pandas as pd
import pytest

from sklearn_music.exploration import write_playlists


def entries(path):
    """Return the paths in a playlist, as a player that knows no extension reads them."""
    lines = path.read_bytes().decode("utf-8", "surrogateescape").splitlines()
    return [line for line in lines if not line.startswith("#")]


def tracks_in(folder, *names):
    audio = []
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        audio.append(str(path))
    return pd.DataFrame({"audio": audio})


def test_the_paths_lead_from_the_playlist_to_the_files(tmp_path):
    names = ["a.mp3", "sub folder/বাংলা গান.flac", "#1 hit.ogg", "ü+ö & 100%.wav"]
    tracks = tracks_in(tmp_path / "songs", *names)
    paths = write_playlists([1, 0, 1, 0], tracks, tmp_path / "results" / "playlists")
    assert [path.name for path in paths] == ["0 cluster.m3u8", "1 cluster.m3u8"]
    for path, rows in zip(paths, ([1, 3], [0, 2]), strict=True):
        found = [os.path.normpath(path.parent / entry) for entry in entries(path)]
        assert found == tracks["audio"].iloc[rows].tolist()
        assert not any(os.path.isabs(entry) for entry in entries(path))


def test_a_comment_sign_at_the_start_of_a_path_is_no_comment(tmp_path):
    tracks = tracks_in(tmp_path, "#1 hit.ogg")
    (path,) = write_playlists([0], tracks, tmp_path)
    assert entries(path) == ["./#1 hit.ogg"]


def test_titles_artists_and_durations(tmp_path):
    tracks = tracks_in(tmp_path, "a.mp3", "b.mp3", "c.mp3").assign(
        title=["One\nline", None, "Three"], artist=["Ann", "Bob", None], duration=[61.4, None, "?"]
    )
    (path,) = write_playlists([0, 0, 0], tracks, tmp_path, names={0: "quiet\tnights"})
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "#EXTM3U"
    assert lines[2] == "#PLAYLIST:quiet nights"
    assert lines[3::2] == ["#EXTINF:61,Ann - One line", "#EXTINF:-1,Bob - b", "#EXTINF:-1,Three"]


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("a/b\\c:d*e?", "7 a_b_c_d_e_.m3u8"),
        ("dots...", "7 dots.m3u8"),
        ("CON", "7 CON.m3u8"),
        ("গান, ভালোবাসা", "7 গান, ভালোবাসা.m3u8"),
        ("\x00\n", "7 _.m3u8"),
        ("half \ud800 a character", "7 half \ufffd a character.m3u8"),
        ("", "7.m3u8"),
    ],
    ids=range(7),
)
def test_names_of_clusters_as_names_of_files(tmp_path, name, file):
    tracks = tracks_in(tmp_path, "a.mp3")
    (path,) = write_playlists([7], tracks, tmp_path / "lists", names={7: name})
    assert path.name == file
    assert path.is_file()


def test_a_long_name_is_cut_between_letters(tmp_path):
    tracks = tracks_in(tmp_path, "a.mp3")
    (path,) = write_playlists([0], tracks, tmp_path, names={0: "গ" * 300})
    assert path.is_file()
    assert set(path.stem[2:]) == {"গ"}


def test_clusters_of_one_name_and_more_than_ten(tmp_path):
    tracks = tracks_in(tmp_path, *(f"{i}.mp3" for i in range(12)))
    paths = write_playlists(range(12), tracks, tmp_path, names=dict.fromkeys(range(12), "same"))
    assert [path.name[:3] for path in paths] == [f"{i:02d} " for i in range(12)]
    assert all(len(entries(path)) == 1 for path in paths)


def test_tracks_without_a_cluster_are_in_no_playlist(tmp_path):
    tracks = tracks_in(tmp_path, "a.mp3", "b.mp3", "c.mp3", "d.mp3")
    clusters = np.array([-1, 0, None, np.nan], dtype=object)
    (path,) = write_playlists(clusters, tracks, tmp_path)
    assert entries(path) == ["b.mp3"]


def test_a_second_call_replaces_the_playlists_of_the_first_and_no_others(tmp_path):
    tracks = tracks_in(tmp_path, "a.mp3", "b.mp3")
    mine = tmp_path / "mine.m3u8"
    mine.write_text("#EXTM3U\na.mp3\n", encoding="utf-8")
    first = write_playlists([0, 1], tracks, tmp_path, names={0: "x", 1: "y"})
    second = write_playlists([0, 0], tracks, tmp_path, names={0: "z"})
    assert not any(path.exists() for path in first)
    assert set(tmp_path.glob("*.m3u8")) == {mine, *second}


@pytest.mark.skipif(os.name == "nt", reason="names of files are text on Windows")
def test_a_name_that_is_not_utf_8_stays_what_it_is(tmp_path):
    audio = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.mp3")
    (path,) = write_playlists([0], pd.DataFrame({"audio": [audio]}), tmp_path)
    assert path.read_bytes().splitlines()[-1] == b"caf\xe9.mp3"


def test_a_path_with_a_line_break_is_left_out_with_a_warning(tmp_path):
    tracks = tracks_in(tmp_path, "a.mp3", "two\nlines.mp3")
    tracks.loc[2] = str(tmp_path / "half \ud800.mp3")
    with pytest.warns(UserWarning, match="2 of 3 tracks are in no playlist"):
        (path,) = write_playlists([0, 0, 0], tracks, tmp_path)
    assert entries(path) == ["a.mp3"]


def test_errors(tmp_path):
    tracks = tracks_in(tmp_path, "a.mp3")
    with pytest.raises(ValueError, match="one column 'audio'"):
        write_playlists([0], tracks.rename(columns={"audio": "file"}), tmp_path)
    with pytest.raises(ValueError, match="Got a ndarray as audio"):
        write_playlists([0], pd.DataFrame({"audio": [np.zeros(3)]}), tmp_path)
    with pytest.raises(ValueError, match="inconsistent numbers"):
        write_playlists([0, 1], tracks, tmp_path)
