import runpy
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from sklearn_music.datasets import make_music

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def run(name, *args):
    runpy.run_path(str(EXAMPLES / name))["main"]([str(arg) for arg in args])


def test_demo(tmp_path, capsys):
    run("demo.py", "--output", tmp_path, "--tracks", 18, "--duration", 1, "--seeds", 1)
    printed = capsys.readouterr().out
    for row in ("chance", "raw features", "PCA", "mel, PCA", "mel, VAE", "mel, TrackVAE"):
        assert f"| genre | {row} | 6 |" in printed
    for name in ("latent_space.png", "reconstructions.png", "scores.md"):
        assert (tmp_path / name).stat().st_size > 0
        assert str(tmp_path / name) in printed


def cluster_folder(tmp_path, table, *args):
    table.to_csv(tmp_path / "tracks.csv", index=False)
    run(
        "cluster_folder.py",
        *("--tracks", tmp_path / "tracks.csv", "--audio", tmp_path / "audio"),
        *("--output", tmp_path / "out", "--duration", 1, "--jobs", 1, "--epochs", 10, *args),
    )
    for name in ("latent_space.png", "reconstructions.png"):
        assert (tmp_path / "out" / name).stat().st_size > 0
    return pd.read_csv(tmp_path / "out" / "clusters.csv")


def made_files(tmp_path, *columns):
    music = make_music(18, duration=1, directory=tmp_path / "audio", random_state=0)
    names = [Path(path).name for path in music.data["audio"]]
    return music.data[list(columns)].assign(filename=names)


@pytest.mark.filterwarnings("ignore:Got n_components")  # so few lyrics have fewer topics
@pytest.mark.filterwarnings("ignore:. of 20 tracks could not be used")
@pytest.mark.filterwarnings("ignore:Dropped. 1 of 21 tracks have no audio file")
def test_cluster_folder(tmp_path, capsys):
    table = made_files(tmp_path, "genre", "language", "lyrics")
    table.loc[[2, 3, 7], ["lyrics", "genre"]] = None
    for name in ("with_lyrics.wav", "nothing.wav"):
        (tmp_path / "audio" / name).write_bytes(b"RIFF")
    bad = pd.DataFrame(
        {
            "filename": ["with_lyrics.wav", "nothing.wav", "gone.wav"],
            "lyrics": ["row a boat over the moon", None, "the river sings"],
        }
    )
    clusters = cluster_folder(tmp_path, pd.concat([table, bad]), "--seeds", 1)
    printed = capsys.readouterr().out
    for target in ("genre", "language"):
        for row in (
            "chance",
            "raw features",
            "PCA",
            "PCA of spectrograms",
            "TrackVAE of audio",
            "TrackVAE of audio and lyrics",
        ):
            assert f"| {target} | {row} |" in printed
    # Every track is there: of one, only the lyrics are known, and of the last two nothing is.
    assert len(clusters) == 21
    clusters = clusters.set_index(clusters["audio"].map(lambda path: Path(path).name))
    assert clusters["cluster"].drop(["nothing.wav", "gone.wav"]).between(0, 5).all()
    assert clusters.loc[["nothing.wav", "gone.wav"], "cluster"].eq(-1).all()
    unread = clusters.index[clusters["reason"].notna()].tolist()
    assert unread == ["with_lyrics.wav", "nothing.wav", "gone.wav"]
    assert "20 tracks in 6 clusters, 1 in none" in printed
    assert printed.count("Not readable: ") == 2


@pytest.mark.filterwarnings("ignore:Got n_components")
def test_three_tasks(tmp_path, capsys):
    music = make_music(18, duration=1, directory=tmp_path / "audio", random_state=0)
    table = music.data.assign(filename=[Path(path).name for path in music.data["audio"]])
    table.drop(columns="audio").to_csv(tmp_path / "tracks.csv", index=False)
    run(
        "three_tasks.py",
        *("--tracks", tmp_path / "tracks.csv", "--audio", tmp_path / "audio"),
        *("--output", tmp_path / "out", "--seeds", 1, "--epochs", 1, "--jobs", 1),
    )
    printed = capsys.readouterr().out
    scores = pd.read_csv(tmp_path / "out" / "three_tasks.csv").set_index("embedding")
    leaky = "Hard: BetaCVAE, genre in the encoder"
    assert scores.index[scores["leakage"] > 0].tolist() == [leaky]
    # A leaky row is never printed without its mark.
    assert printed.count(leaky) == printed.count(f"{leaky} ⚠ label leakage") == 3
    assert "| Easy: PCA | own silhouette |" in printed
    assert len(list((tmp_path / "out").glob("*.png"))) == 10


def test_cluster_folder_without_labels_and_lyrics(tmp_path, capsys):
    clusters = cluster_folder(tmp_path, made_files(tmp_path), "--clusters", 3)
    printed = capsys.readouterr().out
    assert "No track has lyrics" in printed
    assert clusters["cluster"].between(0, 2).all()
    assert clusters["reason"].isna().all()
    assert not (tmp_path / "out" / "scores.md").exists()
