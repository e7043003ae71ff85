import os
import unicodedata
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
import soundfile

from sklearn_music.datasets import load_tracks, make_music
from sklearn_music.exceptions import AudioError


@pytest.fixture
def folder(tmp_path):
    for name in ("a.wav", "b.wav", "c.wav"):
        (tmp_path / name).touch()
    return tmp_path


def write(folder, text, name="tracks.csv", encoding="utf-8"):
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def test_csv(folder):
    table = write(
        folder,
        "filename,track_id,genre,lyrics,style\n"
        'a.wav,000002,Rock,"Say ""no"", she said,\nand again",Punk\n'
        "b.wav,2,None,গানের কথা আমার।,\n"
        "c.wav,NA,,,null\n",
    )
    tracks = load_tracks(table)
    assert tracks.columns.tolist() == ["audio", "filename", "track_id", "genre", "lyrics", "style"]
    assert tracks["audio"].tolist() == [str(folder / name) for name in ("a.wav", "b.wav", "c.wav")]
    assert all(type(path) is str for path in tracks["audio"])
    assert tracks["track_id"].tolist() == ["000002", "2", "NA"]
    assert tracks["genre"][1] == "None"
    assert pd.isna(tracks["genre"][2])
    assert tracks["lyrics"].tolist() == [
        'Say "no", she said,\nand again',
        "গানের কথা আমার।",
        None,
    ]
    assert tracks["style"][2] == "null"
    assert pd.isna(tracks["style"][1])
    assert tracks.attrs == {
        "lyrics_cleaned": {"missing": 1},
        "missing_files": [],
        "unreadable_files": {},
    }


@pytest.mark.parametrize(
    ("name", "separator", "encoding"),
    [
        ("tracks.tsv", "\t", "utf-8"),
        ("tracks.txt", "\t", "utf-8"),
        ("tracks.csv", ",", "utf-8-sig"),
        ("tracks.csv", ";", "utf-8"),
    ],
)
@pytest.mark.parametrize("as_type", [str, Path])
def test_separators_and_byte_order_mark(folder, name, separator, encoding, as_type):
    rows = [["filename", "track_id ", "lyrics"], ["a.wav", "01", "কথা ও সুর"]]
    text = "\r\n".join(separator.join(row) for row in rows)
    tracks = load_tracks(as_type(write(folder, text, name, encoding)))
    assert tracks["audio"].tolist() == [str(folder / "a.wav")]
    assert tracks["track_id"].tolist() == ["01"]
    assert tracks["lyrics"].tolist() == ["কথা ও সুর"]


@pytest.mark.parametrize("name", ["tracks.csv", "tracks.tsv", "tracks.txt"])
@pytest.mark.parametrize("separator", list(",;\t"))
@pytest.mark.parametrize(
    "header",
    [
        ["filename", "lyrics", "mood (calm; glad, sad;\todd;;;;)"],
        ["a;b;c;d", "w,x,y,z", "1\t2\t3", "audio"],
        ["two\nlines, or; three", " filename "],
        ["filename"],
    ],
)
def test_separators_inside_quotes_do_not_count(folder, name, separator, header):
    quoted = separator.join(f'"{column}"' for column in header)
    row = separator.join("a.wav" for _ in header)
    tracks = load_tracks(write(folder, f"{quoted}\n{row}\n", name))
    assert set(tracks) == {"audio", "lyrics", *map(str.strip, header)}
    assert tracks["audio"].tolist() == [str(folder / "a.wav")]


@pytest.mark.parametrize("name", ["filename", "audio", "track_id", "genre", "lyrics"])
@pytest.mark.parametrize("other", ["{}", " {}", "{}  "])
def test_two_columns_of_one_name(folder, name, other):
    columns = ["filename", name, other.format(name)]
    message = rf"more than one column \[.*'{name}'.*rename or drop"
    table = write(folder, ",".join(columns) + "\na.wav,a.wav,a.wav\n")
    frame = pd.DataFrame([["a.wav"] * 3], columns=columns)
    for source in (table, frame):
        with pytest.raises(ValueError, match=message):
            load_tracks(source, folder)
    columns = ["filename", "title", "title"]
    tracks = load_tracks(pd.DataFrame([["a.wav", "x", "y"]], columns=columns), folder)
    assert tracks["title"].to_numpy().tolist() == [["x", "y"]]


@pytest.mark.parametrize("column", ["Lyrics", "Lyrics Text", "song_lyrics"])
def test_a_warning_names_columns_that_may_be_lyrics(folder, column):
    frame = pd.DataFrame({"filename": ["a.wav"], column: ["row a boat"]})
    with pytest.warns(UserWarning, match=f"no column 'lyrics'.*{column}.*rename") as caught:
        tracks = load_tracks(frame, folder)
    assert caught[0].filename == __file__
    assert tracks["lyrics"].tolist() == [None]
    tracks = load_tracks(frame.assign(lyrics="oh my"), folder)
    assert tracks["lyrics"].tolist() == ["oh my"]


def test_white_space_around_the_names_of_a_dataframe(folder):
    frame = pd.DataFrame({" filename": ["a.wav"], "lyrics ": ["row a boat"], " x": [1]})
    tracks = load_tracks(frame, folder)
    assert tracks.columns.tolist() == ["audio", "filename", "lyrics", " x"]
    assert tracks["lyrics"].tolist() == ["row a boat"]


def arrow():
    """Return pyarrow, which `make unit` installs for the tests that are named after it."""
    return pytest.importorskip("pyarrow")


def test_two_columns_of_one_name_in_pyarrow(folder):
    columns = ["filename", "genre", "genre"]
    table = arrow().Table.from_arrays([["a.wav"]] * 3, names=columns)
    with pytest.raises(ValueError, match="more than one column"):
        load_tracks(table, folder)


TABLES = {
    "polars": pl.DataFrame,
    "pyarrow": lambda columns: arrow().table(columns),
    "pyarrow batch": lambda columns: arrow().RecordBatch.from_pydict(columns),
    "numpy_nullable": lambda columns: pd.DataFrame(columns).convert_dtypes(),
    "arrow types": lambda columns: pd.DataFrame(columns).convert_dtypes(
        dtype_backend=arrow().__name__
    ),
}


@pytest.mark.parametrize("make", TABLES.values(), ids=TABLES)
def test_tables_of_other_libraries(folder, make):
    columns = {
        "filename": ["a.wav", None, "c.wav"],
        "track_id": [1, 2, 10],
        "lyrics": ["row a boat", "oh my", None],
        "genre": ["Rock", "Pop", None],
        "year": [1999, None, 2001],
    }
    table = make(columns)
    with pytest.warns(UserWarning, match="1 of 3"):
        tracks = load_tracks(table, folder, missing="drop")
    assert type(tracks) is pd.DataFrame
    assert tracks["audio"].tolist() == [str(folder / name) for name in ("a.wav", "c.wav")]
    assert tracks["track_id"].tolist() == ["1", "10"]
    assert tracks["lyrics"].tolist() == ["row a boat", None]
    assert tracks["genre"].isna().tolist() == [False, True]
    assert tracks["year"].tolist() == [1999, 2001]


@pytest.mark.parametrize(
    "make", [pl.DataFrame, lambda x: arrow().table(x)], ids=["polars", "pyarrow"]
)
@pytest.mark.parametrize("lengths", [(3, 3), (3, 4)])
def test_waveforms_in_tables_of_other_libraries(make, lengths):
    waveforms = [np.ones(n, dtype=np.float32) for n in lengths]
    tracks = load_tracks(make({"audio": waveforms}))
    for loaded, made in zip(tracks["audio"], waveforms, strict=True):
        np.testing.assert_array_equal(loaded, made)


@pytest.fixture
def some_unreadable(tmp_path):
    """A folder with readable, truncated, empty and other files; the names of the bad ones."""
    rng = np.random.default_rng(0)
    for name in ("a.wav", "b.flac", "cut.flac", "cut.wav", "d.ogg"):
        soundfile.write(tmp_path / name, rng.uniform(-0.5, 0.5, 44100), 44100)
    for name in ("cut.flac", "cut.wav"):
        whole = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(whole[: len(whole) * 2 // 3])
    (tmp_path / "empty.mp3").touch()
    (tmp_path / "text.mp3").write_text("not audio")
    names = sorted(path.name for path in tmp_path.iterdir())
    return tmp_path, names, ["cut.flac", "cut.wav", "empty.mp3", "text.mp3"]


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_unreadable_files(some_unreadable, n_jobs):
    folder, names, bad = some_unreadable
    frame = pd.DataFrame({"filename": names}, index=list("zyxwvuts")[: len(names)])
    assert len(load_tracks(frame, folder)) == len(names)  # nothing is looked into
    with pytest.raises(
        AudioError, match=rf"(?s)4 of {len(names)} tracks.*unreadable='drop'"
    ) as info:
        load_tracks(frame, folder, unreadable="raise", n_jobs=n_jobs)
    assert all(name in str(info.value) for name in bad)
    with pytest.warns(UserWarning, match=f"Dropped: 4 of {len(names)} tracks") as caught:
        tracks = load_tracks(frame, folder, unreadable="drop", n_jobs=n_jobs)
    assert caught[0].filename == __file__
    assert tracks["filename"].tolist() == [name for name in names if name not in bad]
    assert tracks.index.tolist() == [
        index for index, name in frame["filename"].items() if name not in bad
    ]
    reasons = tracks.attrs["unreadable_files"]
    assert list(reasons) == [str(folder / name) for name in bad]
    for name, reason in zip(bad, reasons.values(), strict=True):
        assert name in reason
    assert "0 bytes" in reasons[str(folder / "empty.mp3")]
    again = load_tracks(tracks, unreadable="raise")
    assert again.attrs["unreadable_files"] == {}
    with pytest.raises(ValueError, match="No track is left"):
        load_tracks(pd.DataFrame({"filename": bad}), folder, unreadable="drop")


def test_missing_and_unreadable_files_and_waveforms(some_unreadable):
    folder, *_ = some_unreadable
    bad, good = np.array([1.0, np.nan]), np.ones(9)
    frame = pd.DataFrame({"audio": ["gone.wav", bad, "a.wav", None, "empty.mp3", good]})
    with pytest.warns(UserWarning, match="Dropped") as caught:
        tracks = load_tracks(frame, folder, missing="drop", unreadable="drop")
    assert len(caught) == 2
    assert tracks.index.tolist() == [2, 5]
    assert tracks.attrs["missing_files"] == [str(folder / "gone.wav"), ""]
    reasons = tracks.attrs["unreadable_files"]
    assert list(reasons) == ["row 1", str(folder / "empty.mp3")]
    assert "NaN" in reasons["row 1"]


def test_only_the_filename_is_required(folder):
    tracks = load_tracks(write(folder, "filename\na.wav\n"))
    assert tracks.columns.tolist() == ["audio", "filename", "lyrics"]
    assert tracks["lyrics"].tolist() == [None]


def test_audio_dir(folder, monkeypatch):
    (folder / "tables").mkdir()
    table = write(folder / "tables", f"filename\na.wav\n{folder / 'b.wav'}\n../c.wav\n")
    with pytest.raises(FileNotFoundError, match=r"1 of 3 tracks[^*]*tables/a\.wav"):
        load_tracks(table)
    with pytest.raises(FileNotFoundError, match="1 of 3 tracks"):
        load_tracks(table, audio_dir=folder)
    frame = pd.DataFrame({"filename": ["a.wav", str(folder / "b.wav")]})
    expected = [str(folder / "a.wav"), str(folder / "b.wav")]
    assert load_tracks(frame, audio_dir=str(folder))["audio"].tolist() == expected
    monkeypatch.chdir(folder)
    assert load_tracks(frame)["audio"].tolist() == expected
    monkeypatch.setenv("HOME", str(folder))
    assert load_tracks(frame, audio_dir="~")["audio"].tolist() == expected


def test_dataframe_is_left_alone_and_keeps_its_index(folder):
    frame = pd.DataFrame(
        {"filename": ["a.wav", "gone.wav", "c.wav"], "lyrics": ["la di da", "x", np.nan]},
        index=["k", "k", "m"],
    )
    before = frame.copy(deep=True)
    with pytest.warns(UserWarning, match="1 of 3 tracks") as caught:
        tracks = load_tracks(frame, folder, missing="drop")
    assert str(folder / "gone.wav") in str(caught[0].message)
    assert caught[0].filename == __file__
    pd.testing.assert_frame_equal(frame, before)
    assert frame.attrs == {}
    assert tracks.index.tolist() == ["k", "m"]
    assert tracks["filename"].tolist() == ["a.wav", "c.wav"]
    assert tracks["lyrics"].tolist() == ["la di da", None]
    assert tracks.attrs["missing_files"] == [str(folder / "gone.wav")]


def test_loading_twice_changes_nothing(folder):
    tracks = load_tracks(pd.DataFrame({"filename": ["a.wav"], "lyrics": ["oh my"]}), folder)
    again = load_tracks(tracks)
    pd.testing.assert_frame_equal(again, tracks)


def test_waveforms_are_left_alone():
    data = make_music(3, duration=0.05, random_state=0).data
    tracks = load_tracks(data)
    for loaded, made in zip(tracks["audio"], data["audio"], strict=True):
        np.testing.assert_array_equal(loaded, made)


def test_paths_and_numeric_ids_in_a_dataframe(folder):
    frame = pd.DataFrame({"filename": [Path("a.wav"), Path("b.wav")], "track_id": [2.0, 10.0]})
    tracks = load_tracks(frame, folder)
    assert tracks["audio"].tolist() == [str(folder / "a.wav"), str(folder / "b.wav")]
    assert tracks["track_id"].tolist() == ["2", "10"]


@pytest.mark.parametrize("on_disk", ["NFC", "NFD"])
@pytest.mark.parametrize("in_table", ["NFC", "NFD"])
def test_bangla_file_names_in_either_spelling(tmp_path, on_disk, in_table):
    name = "বাংলা গান — ভালো, ড়.wav"
    (tmp_path / unicodedata.normalize(on_disk, name)).touch()
    (tmp_path / unicodedata.normalize(on_disk, "é.wav")).touch()
    names = [unicodedata.normalize(in_table, text) for text in (name, "é.wav")]
    tracks = load_tracks(pd.DataFrame({"filename": names}), tmp_path)
    assert all(map(os.path.isfile, tracks["audio"]))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "missing"),
        (np.nan, "missing"),
        (pd.NA, "missing"),
        ("", "missing"),
        (" \n\t", "missing"),
        ("[Instrumental]", "instrumental"),
        ("(INSTRUMENTAL)", "instrumental"),
        ("#ERROR!", "spreadsheet error"),
        (" #NAME? ", "spreadsheet error"),
        ("#REF!", "spreadsheet error"),
        ("#VALUE!", "spreadsheet error"),
        ("#N/A", "spreadsheet error"),
        ("#DIV/0!", "spreadsheet error"),
        ("? ? ? ?", "no words"),
        ("🎵 🎵 🎵", "no words"),
        ("☎️ ☎️", "no words"),
        ("\u200b \u200b", "no words"),
        (42, "no words"),
        ("Whoa! whoa, WHOA...", "one word"),
        ("don't don't don’t", "one word"),
        ("1. apple 1. apple", "one word"),
        ("গান গান গান।", "one word"),
        ("ক্\u200dষ ক্ষ", "one word"),
        ("thank you", None),
        ("ভৌতিক গল্প", None),
        ("#error in my heart", None),
        ("this instrumental life", None),
        ("雨" * 40, None),
    ],
)
def test_lyrics_are_cleaned(folder, text, reason):
    tracks = load_tracks(pd.DataFrame({"filename": ["a.wav"], "lyrics": [text]}), folder)
    assert tracks["lyrics"].tolist() == [text if reason is None else None]
    assert tracks.attrs["lyrics_cleaned"] == ({} if reason is None else {reason: 1})


def test_missing_files_are_listed_ten_at_most(folder):
    frame = pd.DataFrame({"filename": [*(f"gone_{i:02d}.ogg" for i in range(25)), "a.wav", "."]})
    with pytest.raises(FileNotFoundError) as error:
        load_tracks(frame, folder)
    message = str(error.value)
    assert "26 of 27" in message
    assert str(folder) in message
    assert message.count("gone_") == 10
    assert "16 more" in message
    assert "audio_dir" in message
    assert "missing='drop'" in message
    with pytest.warns(UserWarning, match="26 of 27"):
        tracks = load_tracks(frame, folder, missing="drop")
    assert tracks["filename"].tolist() == ["a.wav"]
    assert len(tracks.attrs["missing_files"]) == 26


def test_no_track_left(folder):
    with pytest.raises(ValueError, match="No track is left"):
        load_tracks(pd.DataFrame({"filename": ["gone.wav"]}), folder, missing="drop")
    with pytest.raises(ValueError, match="has no rows"):
        load_tracks(pd.DataFrame({"filename": []}), folder)
    with pytest.raises(ValueError, match="has no rows"):
        load_tracks(write(folder, "filename,lyrics\n"))


@pytest.mark.parametrize("name", [None, np.nan, "", "  "])
def test_empty_file_name(folder, name):
    frame = pd.DataFrame({"filename": ["a.wav", name]})
    with pytest.raises(ValueError, match=r"row 1 .*'filename' is empty.*missing='drop'"):
        load_tracks(frame, folder)
    with pytest.warns(UserWarning, match=r"(?s)1 of 2 tracks.*\(no file name\)"):
        tracks = load_tracks(frame, folder, missing="drop")
    assert tracks["filename"].tolist() == ["a.wav"]
    assert tracks.attrs["missing_files"] == [""]


def test_missing_column(folder):
    with pytest.raises(ValueError, match=r"no column 'filename'.*\['file', 'genre'\]"):
        load_tracks(write(folder, "file,genre\na.wav,Pop\n"))


@pytest.mark.parametrize("ids", [["1", "1"], [1, 1], ["1", ""], ["1", None], [1, np.nan]])
def test_empty_and_repeated_ids(folder, ids):
    with pytest.raises(ValueError, match="track_id"):
        load_tracks(pd.DataFrame({"filename": ["a.wav", "b.wav"], "track_id": ids}), folder)


@pytest.mark.parametrize(
    ("text", "encoding", "message"),
    [
        ("filename,lyrics\na.wav,Grüße\n", "latin-1", "not UTF-8"),
        ("filename,lyrics\na.wav,oh\n", "utf-16", "not UTF-8"),
        ("", "utf-8", "could not be read as a table"),
        ("filename,lyrics\na.wav,x\nb.wav,oh, my\n", "utf-8", "line 3"),
        ("filename,lyrics\na.wav,oh, my\n", "utf-8", "more fields than"),
    ],
)
def test_files_that_are_no_table(folder, text, encoding, message):
    with pytest.raises(ValueError, match=message) as error:
        load_tracks(write(folder, text, encoding=encoding))
    assert "tracks.csv" in str(error.value)


def test_wrong_arguments(folder):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.csv"):
        load_tracks(folder / "nowhere.csv")
    lyrics = "a very long text" * 99
    for table in ([["a.wav", lyrics]], {"lyrics": lyrics}, pl.DataFrame({"a": [lyrics]}).lazy()):
        with pytest.raises(ValueError, match=r"'table'.*pandas, polars or pyarrow") as error:
            load_tracks(table)
        assert len(str(error.value)) < 300
    for table in (pd.DataFrame({"a": [lyrics]}), pl.DataFrame({"a": [lyrics]})):
        with pytest.raises(ValueError, match="no column 'filename'") as error:
            load_tracks(table)
        assert len(str(error.value)) < 300
    with pytest.raises(ValueError, match="'unreadable'"):
        load_tracks(folder / "tracks.csv", unreadable="ignore")
    with pytest.raises(ValueError, match="'missing'"):
        load_tracks(folder / "tracks.csv", missing="ignore")


@pytest.mark.parametrize(
    "rows",
    [
        'a.wav,"Hello there, my friend\nb.wav,good bye\nc.wav,the "third" one\n',
        'a.wav,hello\nb.wav,"good bye\nc.wav,my friend\n',
        'a.wav,"one" two\nb.wav,good bye\n',
    ],
)
def test_a_quote_that_is_never_closed_is_an_error(folder, rows):
    with pytest.raises(ValueError, match="could not be read as a table"):
        load_tracks(write(folder, "filename,lyrics\n" + rows))


def test_long_and_quoted_fields_are_read(folder):
    lyrics = 'she said ""hello""\n' * 20_000
    tracks = load_tracks(write(folder, f'filename,lyrics\na.wav,"{lyrics}"\n'))
    assert tracks["lyrics"].tolist() == [lyrics.replace('""', '"')]
