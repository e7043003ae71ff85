import os
import shutil
import struct
import subprocess
import time
import unicodedata
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sklearn_music.datasets import load_tracks
from sklearn_music.exceptions import AudioError
from sklearn_music.features.audio import AUDIO_SUFFIXES

COLUMNS = [
    *("audio", "filename", "title", "artist", "album", "genre", "year", "duration"),
    *("sample_rate", "lyrics"),
]
RATE = 16000


def write_audio(path, *, seconds=0.5, rate=RATE, **tags):
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, int(seconds * rate))
    with soundfile.SoundFile(path, "w", rate, 1) as file:
        for name, text in tags.items():
            setattr(file, name, text)
        file.write(noise)
    return path


@pytest.fixture
def one(tmp_path):
    """Return a function that loads a folder with one file of some content: its only row."""

    def load(content, name="song.mp3"):
        (tmp_path / name).write_bytes(content)
        return load_tracks(tmp_path).iloc[0]

    return load


@pytest.fixture(scope="module")
def mp3(tmp_path_factory):
    """Return the bytes of an mp3 file without tags."""
    return write_audio(tmp_path_factory.mktemp("mp3") / "a.mp3").read_bytes()


@pytest.fixture
def music(tmp_path):
    tags = {"title": "Night train", "artist": "গায়ক", "album": "One", "genre": "Rock"}
    write_audio(tmp_path / "b.wav", title="  Bees ", genre="Pop")
    write_audio(tmp_path / "a b" / "2.ogg", **tags, date="1999-05-01")
    write_audio(tmp_path / "a b" / "10.FLAC", rate=44100, **tags, date="2004")
    write_audio(tmp_path / "a" / "deep" / "er" / "x.mp3")
    for name in (".hidden.wav", ".folder/x.wav", "a/._x.mp3", "__MACOSX/x.wav"):
        write_audio((tmp_path / name).with_suffix(".wav")).rename(tmp_path / name)
    for name in ("readme.txt", "cover.jpg", "a/album.cue", "wav"):
        (tmp_path / name).write_text("la di da, not of a song")
    return tmp_path


@pytest.mark.parametrize("n_jobs", [None, 1, 2])
@pytest.mark.parametrize("as_type", [str, Path])
def test_a_folder(music, as_type, n_jobs):
    tracks = load_tracks(as_type(music), n_jobs=n_jobs)
    names = ["a/deep/er/x.mp3", "a b/10.FLAC", "a b/2.ogg", "b.wav"]
    assert tracks.columns.tolist() == COLUMNS
    assert tracks["filename"].tolist() == names
    assert tracks["audio"].tolist() == [str(music / name) for name in names]
    assert tracks.index.tolist() == [0, 1, 2, 3]
    assert tracks["title"].tolist() == [None, "Night train", "Night train", "Bees"]
    assert tracks["artist"].tolist() == [None, "গায়ক", "গায়ক", None]
    assert tracks["album"].tolist() == [None, "One", "One", None]
    assert tracks["genre"].tolist() == [None, "Rock", "Rock", "Pop"]
    assert tracks["year"].tolist() == [pd.NA, 2004, 1999, pd.NA]
    assert tracks["sample_rate"].tolist() == [RATE, 44100, RATE, RATE]
    np.testing.assert_allclose(tracks["duration"], 0.5, atol=0.15)  # mp3 is padded
    assert tracks["lyrics"].tolist() == [None] * 4
    assert tracks.dtypes[["year", "duration", "sample_rate"]].astype(str).tolist() == [
        "Int64",
        "float64",
        "Int64",
    ]
    assert tracks.attrs == {
        "lyrics_cleaned": {"missing": 4},
        "missing_files": [],
        "unreadable_files": {},
    }


def test_the_folder_itself_may_be_hidden_relative_or_in_the_home(music, monkeypatch):
    monkeypatch.chdir(music / ".folder")
    monkeypatch.setenv("HOME", str(music))
    for folder in (music / ".folder", ".", "", "../.folder", "~/.folder", Path()):
        if folder != "":
            assert load_tracks(folder)["audio"].tolist() == [str(music / ".folder" / "x.wav")]


def test_a_folder_is_a_table_afterwards(music):
    tracks = load_tracks(music)
    again = load_tracks(tracks)
    pd.testing.assert_frame_equal(again, tracks)
    tracks.drop(columns="audio").to_csv(music / "tracks.csv", index=False)
    again = load_tracks(music / "tracks.csv")
    assert again["audio"].tolist() == tracks["audio"].tolist()


ENCODERS = {
    **{"m4a": [], "mp3": [], "flac": [], "ogg": [], "opus": [], "wma": [], "wav": []},
    **{"aiff": ["-write_id3v2", "1"], "mka": [], "wv": [], "caf": []},
}


@pytest.fixture(scope="module")
def of_every_format(tmp_path_factory):
    """Return the table of files of all formats with the same tags, by the suffix."""
    ffmpeg = pytest.importorskip("imageio_ffmpeg").get_ffmpeg_exe()
    folder = tmp_path_factory.mktemp("formats")
    source = write_audio(folder / ".source.wav", rate=48000)
    tags = {"title": "Ночь", "artist": "A & B", "album": "An album", "genre": "Rock"}
    tags |= {"date": "1999-05-01", "lyrics": "row a boat\nand on"}
    command = [ffmpeg, "-v", "error", "-i", source]
    for name, text in tags.items():
        command += ["-metadata", f"{name}={text}"]
    for suffix, options in ENCODERS.items():
        subprocess.run([*command, *options, folder / f"a.{suffix}"], check=True)
    tracks = load_tracks(folder)
    return tracks.set_axis([name.split(".")[1] for name in tracks["filename"]])


@pytest.mark.parametrize("suffix", ENCODERS)
def test_tags_of_every_format(of_every_format, suffix):
    if suffix in {"mka", "wv"}:
        pytest.importorskip("av")
    row = of_every_format.loc[suffix]
    found = row[["title", "artist", "album", "genre", "year", "sample_rate"]].tolist()
    if suffix != "caf":  # libsndfile writes them elsewhere than FFmpeg
        assert found == ["Ночь", "A & B", "An album", "Rock", 1999, 48000]
    assert row["sample_rate"] == 48000
    assert row["duration"] == pytest.approx(0.5, abs=0.1)
    if suffix in {"m4a", "mp3", "flac", "ogg", "opus", "wv"}:
        assert row["lyrics"] == "row a boat\nand on"


def id3(*frames, version=3):
    """Return an ID3v2 tag of frames: (name, content)."""

    def size(n):
        return bytes(n >> shift & 0x7F for shift in (21, 14, 7, 0))

    body = b"".join(
        name.encode() + (size(len(x)) if version == 4 else struct.pack(">I", len(x))) + bytes(2) + x
        for name, x in frames
    )
    return b"ID3" + bytes([version, 0, 0]) + size(len(body)) + body


LATIN, UTF16, UTF8 = b"\x00", b"\x01", b"\x03"


@pytest.mark.parametrize(
    ("content", "title"),
    [
        (LATIN + b"Caf\xe9", "Café"),
        (LATIN + b"Don\x92t \x93stop\x94", "Don’t “stop”"),  # cp1252, as Windows writes it
        (LATIN + b"  white \t space\r\n ", "white space"),
        (LATIN + b"   ", None),
        (LATIN + b"\x00", None),
        (LATIN + b"padded\x00\x00\x00", "padded"),
        (LATIN + b"first\x00second", "first"),
        (UTF16 + "রাত".encode("utf-16"), "রাত"),
        (UTF16 + "ab".encode("utf-16-be"), None),
        (UTF16 + b"\xff\xfe\x00\xd8a\x00", None),
        (UTF8 + b"\xffbroken\xc3", None),
        (UTF8 + "🎵".encode(), "🎵"),
        (UTF8 + "\ufeffa\u200b\x07b".encode(), "a\u200b b"),
        (LATIN + b"x" * 5000, "x" * 1000),
        (b"", None),
    ],
)
def test_broken_and_odd_titles(one, mp3, content, title):
    row = one(id3(("TIT2", content)) + mp3)
    if title is not None:
        assert row["title"] == title
    elif content[:1] == LATIN or not content:
        assert row["title"] is None
    if row["title"] is not None:
        assert row["title"].encode("utf-8").decode().strip() == row["title"]
    assert row["duration"] == pytest.approx(0.5, abs=0.15)


@pytest.mark.parametrize(
    ("text", "genre"),
    [
        ("(17)", "Rock"),
        ("17", "Rock"),
        ("(9)(17)", "Metal"),
        ("Free  Jazz ", "Free Jazz"),
        ("Rock\0Pop", "Rock"),
        ("(255)", None),
        ("255", None),
        ("", None),
    ],
)
def test_genres(one, mp3, text, genre):
    assert one(id3(("TCON", UTF8 + text.encode()), version=4) + mp3)["genre"] == genre


@pytest.mark.parametrize(
    ("text", "year"),
    [
        ("1999", 1999),
        ("1999-05-01", 1999),
        ("2004-01-01T00:00:00Z", 2004),
        ("19990501", 1999),
        ("01/05/1999", 1999),
        ("0", pd.NA),
        ("0000", pd.NA),
        ("last year", pd.NA),
        ("123456789", 1234),
        ("", pd.NA),
    ],
)
def test_years(one, mp3, text, year):
    found = one(id3(("TYER", LATIN + text.encode())) + mp3)["year"]
    assert pd.isna(found) if year is pd.NA else found == year


@pytest.mark.parametrize(
    ("frame", "content"),
    [
        ("USLT", LATIN + b"eng\x00row a boat"),
        ("USLT", LATIN + b"engsome words\x00row a boat"),
        ("USLT", UTF16 + b"eng" + "\ufeff\0".encode("utf-16-le") + "row a boat".encode("utf-16")),
        ("USLT", UTF8 + b"XXX\x00[00:01.00]row a [00:02.00]boat"),
        ("TXXX", UTF8 + b"LYRICS\x00row a boat"),
        ("TXXX", UTF8 + b"UNSYNCEDLYRICS\x00row a boat"),
        ("SYLT", LATIN + b"eng\x02\x01\x00row a boat\x00\x00\x00\x00\x00"),
    ],
)
def test_lyrics_in_tags(one, mp3, frame, content):
    assert one(id3((frame, content)) + mp3)["lyrics"] == "row a boat"


@pytest.mark.parametrize("name", ["LYRICS", "unsyncedlyrics", "Lyrics"])
def test_lyrics_in_vorbis_comments(tmp_path, name):
    path = write_audio(tmp_path / "a.flac")
    content = path.read_bytes()
    comment = f"{name}=oh my\r\nla di da".encode()
    block = struct.pack("<II", 0, 1) + struct.pack("<I", len(comment)) + comment
    header = b"\x04" + len(block).to_bytes(3, "big")
    # Behind the first block, STREAMINFO.
    path.write_bytes(content[:42].replace(b"fLaC\x80", b"fLaC\x00") + header + block + content[42:])
    assert load_tracks(tmp_path)["lyrics"].tolist() == ["oh my\nla di da"]


@pytest.mark.parametrize("suffix", [".lrc", ".txt", ".LRC", ".Txt"])
@pytest.mark.parametrize(
    ("content", "lyrics"),
    [
        ("গানের কথা\nআমার".encode(), "গানের কথা\nআমার"),
        ("row a boat\r\nand on".encode("utf-8-sig"), "row a boat\nand on"),
        ("Grüße, দুনিয়া".encode("utf-16"), "Grüße, দুনিয়া"),
        (b"\xfe\xff" + "Grüße, du".encode("utf-16-be"), "Grüße, du"),
        ("Grüße – don’t".encode("cp1252"), "Grüße – don’t"),
        ("Grüße, du".encode("latin-1"), "Grüße, du"),
        (b"", None),
        (b" \n ", None),
        (b"row a boat \x00\x01", None),
        ("row a boat".encode("utf-16-le"), None),
        (b"row a boat\n" * 10_000, None),
        (b"[Instrumental]", None),
    ],
    ids=[
        *("utf-8", "utf-8-sig", "utf-16", "utf-16-be", "cp1252", "latin-1", "empty", "blank"),
        *("binary", "utf-16 without mark", "long", "instrumental"),
    ],
)
def test_lyrics_beside_the_audio(tmp_path, suffix, content, lyrics):
    write_audio(tmp_path / "My song.wav")
    (tmp_path / f"My song{suffix}").write_bytes(content)
    assert load_tracks(tmp_path)["lyrics"].tolist() == [lyrics]


LRC = """[ar:Somebody]
[ti: A title]
[offset:+100]

[00:12.00][01:15.30]Row a boat
[Chorus]
 [00:17.20] <00:17.20> and <00:18.1> on
[00:21:10]half [past] ten 10:30
[Chorus: all]
[02:00]
[re:an editor]
"""


@pytest.mark.parametrize("suffix", [".lrc", ".txt"])
def test_time_stamps_and_tags_of_lrc(tmp_path, suffix):
    write_audio(tmp_path / "a.wav")
    (tmp_path / f"a{suffix}").write_text(LRC)
    (lyrics,) = load_tracks(tmp_path)["lyrics"]
    assert lyrics == "Row a boat\n[Chorus]\nand on\nhalf [past] ten 10:30\n[Chorus: all]"


def test_which_lyrics_are_taken(tmp_path, mp3):
    tag = id3(("USLT", LATIN + b"eng\x00from a tag"))
    nothing = id3(("USLT", LATIN + b"eng\x00[Instrumental]"))
    for name in ("tag", "lrc", "txt", "none", "said", "sub/tag"):
        path = tmp_path / f"{name}.mp3"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes({"tag": tag, "said": nothing}.get(name, b"") + mp3)
    (tmp_path / "txt.flac").write_bytes(write_audio(tmp_path / "txt.wav").read_bytes())
    for name in ("tag", "lrc", "said"):
        (tmp_path / f"{name}.lrc").write_text("[00:01.00]from lrc")
    for name in ("tag", "lrc", "txt", "readme", "sub"):
        (tmp_path / f"{name}.txt").write_text("from txt")
    tracks = load_tracks(tmp_path).set_index("filename")
    assert tracks["lyrics"].to_dict() == {
        "lrc.mp3": "from lrc",
        "none.mp3": None,
        "said.mp3": "from lrc",
        "sub/tag.mp3": None,
        "tag.mp3": "from a tag",
        "txt.flac": "from txt",
        "txt.mp3": "from txt",
        "txt.wav": "from txt",
    }
    assert tracks.attrs["lyrics_cleaned"] == {"missing": 2}


@pytest.mark.skipif(os.name == "nt", reason="Windows restricts links and names")
def test_links(tmp_path):
    folder = tmp_path / "music"
    song = write_audio(folder / "z" / "a.wav")
    write_audio(tmp_path / "elsewhere" / "b.wav")
    write_audio(tmp_path / "above.wav")
    os.link(song, folder / "hard.wav")
    (folder / "soft.wav").symlink_to(song)
    (folder / "a_link").symlink_to(folder / "z")
    (folder / "z" / "loop").symlink_to(folder)
    (folder / "up").symlink_to(tmp_path)
    (folder / "other").symlink_to(tmp_path / "elsewhere")
    (folder / "other again").symlink_to(tmp_path / "elsewhere")
    (folder / "itself").symlink_to(folder / "itself")
    tracks = load_tracks(folder)
    expected = ["hard.wav", "other/b.wav", "soft.wav", "z/a.wav"]
    assert tracks["filename"].tolist() == expected
    assert all(map(os.path.isfile, tracks["audio"]))


@pytest.mark.skipif(os.name == "nt", reason="Windows restricts links and names")
def test_names(tmp_path):
    names = [
        "new\nline.wav",
        " space .wav",
        "concat:x.wav",
        "x" * 251 + ".wav",
        unicodedata.normalize("NFD", "é.wav"),
        unicodedata.normalize("NFC", "ü.wav"),
        os.fsdecode(b"\xff\xfe.wav"),
    ]
    source = write_audio(tmp_path / "source.wav", title="x")
    for name in names:
        shutil.copy(source, tmp_path / name)
        (tmp_path / name).with_suffix(".txt").write_text("la di da")
    # A copy between two systems may spell the names in two ways.
    for name, form in (("é", "NFC"), ("ü", "NFD")):
        spellings = [unicodedata.normalize(x, f"{name}.txt") for x in ("NFC", "NFD")]
        found = next(tmp_path / x for x in spellings if (tmp_path / x).exists())
        found.rename(tmp_path / unicodedata.normalize(form, f"{name}.txt"))
    source.unlink()
    tracks = load_tracks(tmp_path)
    assert tracks["filename"].tolist() == sorted(names)
    assert tracks["title"].tolist() == ["x"] * len(names)
    assert tracks["lyrics"].tolist() == ["la di da"] * len(names)
    assert load_tracks(tracks, unreadable="raise")["audio"].tolist() == tracks["audio"].tolist()


@pytest.fixture
def messy(music):
    """Return a folder with bad files, and what those that no program can open are called."""
    whole = (music / "b.wav").read_bytes()
    (music / "cut.wav").write_bytes(whole[: len(whole) // 2])
    (music / "text.mp3").write_text("not audio" * 99)
    (music / "empty.ogg").touch()
    gone = ["empty.ogg"]
    if os.name != "nt":
        (music / "link.flac").symlink_to(music / "gone.flac")
        os.mkfifo(music / "pipe.mp3")
        gone += ["link.flac", "pipe.mp3"]
    return music, gone


def test_files_that_can_not_be_opened_are_listed(messy):
    folder, gone = messy
    with pytest.warns(UserWarning, match=f"Dropped: {len(gone)} of {6 + len(gone)}") as caught:
        tracks = load_tracks(folder)
    assert [warning.filename for warning in caught] == [__file__]
    reasons = tracks.attrs["unreadable_files"]
    assert list(reasons) == [str(folder / name) for name in gone]
    words = ["0 bytes", "does not exist", "not a regular file"]
    for reason, word in zip(reasons.values(), words, strict=False):
        assert word in reason
    # Only decoding shows what is wrong with the others.
    assert tracks["filename"].tolist()[-3:] == ["b.wav", "cut.wav", "text.mp3"]
    assert tracks.index.tolist() == list(range(6))
    text = tracks.iloc[-1]
    assert text[["title", "lyrics"]].tolist() == [None, None]
    assert text[["year", "duration", "sample_rate"]].isna().all()


def test_all_files_decoded(messy):
    folder, gone = messy
    bad = sorted(["cut.wav", "text.mp3", *gone])
    with pytest.warns(UserWarning, match=f"Dropped: {len(bad)} of") as caught:
        tracks = load_tracks(folder, unreadable="drop", n_jobs=2)
    assert [warning.filename for warning in caught] == [__file__]
    assert list(tracks.attrs["unreadable_files"]) == [str(folder / name) for name in bad]
    assert len(tracks) == 4
    with pytest.raises(AudioError, match=rf"(?s){len(bad)} of .*cut\.wav.*unreadable='drop'"):
        load_tracks(folder, unreadable="raise")


@pytest.mark.skipif(os.name == "nt", reason="Windows restricts links and names")
def test_folders_that_can_not_be_listed_are_listed(tmp_path):
    write_audio(tmp_path / "a.wav")
    # Deeper than a path can be long.
    parent = os.open(tmp_path, os.O_RDONLY)
    for _ in range(20):
        os.mkdir("x" * 250, dir_fd=parent)
        child = os.open("x" * 250, os.O_RDONLY, dir_fd=parent)
        os.close(parent)
        parent = child
    os.close(parent)
    with pytest.warns(UserWarning, match="1 folders can't be listed") as caught:
        tracks = load_tracks(tmp_path)
    assert caught[0].filename == __file__
    assert tracks["filename"].tolist() == ["a.wav"]
    ((path, reason),) = tracks.attrs["unreadable_files"].items()
    assert path.endswith("x" * 250)
    assert "name too long" in reason
    with pytest.raises(AudioError, match="can't be listed"):
        load_tracks(tmp_path, unreadable="raise")
    shutil.rmtree(tmp_path / ("x" * 250))


def test_no_audio(tmp_path):
    with pytest.raises(ValueError, match="Found no file at all") as error:
        load_tracks(tmp_path)
    assert str(tmp_path) in str(error.value)
    for name in ("a.txt", "b.TXT", "c.jpg", "tracks.csv", "README", "sub"):
        (tmp_path / name).touch()
    (tmp_path / ".a.wav").touch()
    with pytest.raises(ValueError, match=r"\.flac .*2 \.txt.*2 no suffix.*Hidden.*'tracks\.csv'"):
        load_tracks(tmp_path)
    (tmp_path / "a.wav").touch()
    with pytest.raises(ValueError, match=r"No track is left.*1 of 1"):
        load_tracks(tmp_path)


def test_what_only_a_table_has(music):
    with pytest.raises(ValueError, match=r"audio_dir='x' with a folder.*CSV"):
        load_tracks(music, "x")
    with pytest.raises(ValueError, match=r"columns=.*with a folder"):
        load_tracks(music, columns={"lyrics": "Lyrics"})
    with pytest.raises(ValueError, match="'columns'"):
        load_tracks(music, columns=["lyrics"])


SOURCES = {"csv": None, "pandas": pd.DataFrame, "polars": pl.DataFrame}


@pytest.fixture(params=SOURCES)
def table(request, tmp_path):
    """Return a function that makes a table of some columns, of each kind."""
    for name in ("a.wav", "b.wav"):
        (tmp_path / name).touch()

    def make(columns):
        if request.param != "csv":
            return SOURCES[request.param](columns), tmp_path
        pd.DataFrame(columns).to_csv(tmp_path / "tracks.csv", index=False, sep=";")
        return tmp_path / "tracks.csv", None

    return make


def test_names_of_columns(table):
    source = table(
        {
            "File, name": ["a.wav", "b.wav"],
            "ID": ["01", "02"],
            "Lyrics Text": ["row a boat", "oh my"],
            "Style": ["NA", "Rock"],
            "title": ["x", "y"],
            "artist": ["p", "q"],
        }
    )
    names = {"filename": "File, name", "track_id": "ID", "lyrics": " Lyrics Text"}
    names |= {"genre": "Style", "title": "artist", "artist": "title"}
    tracks = load_tracks(*source, columns=names)
    assert tracks.columns.tolist() == [
        *("audio", "filename", "track_id", "lyrics", "genre", "artist", "title")
    ]
    assert tracks["track_id"].tolist() == ["01", "02"]
    assert tracks["lyrics"].tolist() == ["row a boat", "oh my"]
    assert tracks["genre"].tolist() == ["NA", "Rock"]
    assert tracks["title"].tolist() == ["p", "q"]
    assert all(map(os.path.isfile, tracks["audio"]))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"lyrics": "Lyric"}, r"no column 'Lyric'\. It has: \['filename', 'Lyrics Text', 'genre'"),
        ({"Lyrics Text": "lyrics"}, "knows no column 'Lyrics Text'"),
        ({"genre": "Lyrics Text"}, "has a column 'genre' too"),
        ({"title": "Lyrics Text", "lyrics": "Lyrics Text"}, "for more than one name"),
        ({"lyrics": ["Lyrics Text"]}, "no column"),
    ],
)
def test_wrong_names_of_columns(table, names, message):
    columns = {"filename": ["a.wav"], "Lyrics Text": ["oh my"], "genre": ["Pop"]}
    with pytest.raises(ValueError, match=f"Got columns=.*{message}"):
        load_tracks(*table(columns), columns=names)


def test_two_columns_of_the_wanted_name(tmp_path):
    (tmp_path / "tracks.csv").write_text("filename,Words,Words\na.wav,x,y\n")
    frame = pd.DataFrame([["a.wav", "x", "y"]], columns=["filename", "Words", "Words"])
    for source in (tmp_path / "tracks.csv", frame):
        with pytest.raises(ValueError, match="more than one column 'Words'"):
            load_tracks(source, columns={"lyrics": "Words"})


def test_advice_on_names_of_columns(table):
    columns = {"filename": ["a.wav", "b.wav"], "Lyrics Text": ["row a boat", "oh my"]}
    with pytest.warns(UserWarning, match=r"columns=\{'lyrics': 'Lyrics Text'\}"):
        load_tracks(*table(columns))
    with pytest.raises(ValueError, match=r"columns=\{'filename'"):
        load_tracks(*table({"file": ["a.wav"]}))


FUZZ = settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@FUZZ
@given(content=st.binary(min_size=1, max_size=400), suffix=st.sampled_from(sorted(AUDIO_SUFFIXES)))
def test_any_bytes(tmp_path, content, suffix):
    path = tmp_path / f"x{suffix}"
    path.write_bytes(content)
    tracks = load_tracks(tmp_path)
    assert tracks["filename"].tolist() == [path.name]
    path.unlink()


@FUZZ
@given(data=st.data(), suffix=st.sampled_from(["wav", "flac", "ogg", "mp3", "aiff", "caf"]))
def test_damaged_files(tmp_path, sources, data, suffix):
    content = bytearray(sources[suffix])
    head = min(len(content), 500)
    for place, value in data.draw(
        st.lists(st.tuples(st.integers(0, head - 1), st.integers(0, 255)), max_size=8)
    ):
        content[place] = value
    path = tmp_path / f"x.{suffix}"
    path.write_bytes(content[: data.draw(st.integers(1, len(content)))])
    (row,) = load_tracks(tmp_path).to_dict("records")
    for name in ("title", "artist", "album", "genre"):
        assert row[name] is None or row[name].encode()
    assert np.isnan(row["duration"]) or 0 < row["duration"] < np.inf
    path.unlink()


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sources")
    found = {}
    for suffix in ("wav", "flac", "ogg", "mp3", "aiff", "caf"):
        path = write_audio(folder / f"a.{suffix}", seconds=0.1, title="A title", artist="Somebody")
        found[suffix] = path.read_bytes()
    return found


@pytest.mark.parametrize("suffix", [".mp3", ".m4a", ".ogg", ".wav"])
def test_a_large_file_of_nothing_takes_no_time(tmp_path, suffix):
    with open(tmp_path / f"zeros{suffix}", "wb") as file:
        file.truncate(2**30)
    start = time.perf_counter()
    tracks = load_tracks(tmp_path)
    assert time.perf_counter() - start < 10  # reading it takes longer
    assert tracks["duration"].isna().all()


def test_the_length_of_a_wav_file_from_a_pipe(tmp_path):
    path = write_audio(tmp_path / "a.wav")
    content = bytearray(path.read_bytes())
    place = content.index(b"data") + 4
    content[place : place + 4] = b"\xff" * 4
    path.write_bytes(content)
    assert load_tracks(tmp_path)["duration"].tolist() == [0.5]
