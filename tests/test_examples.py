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
    run("demo.py", "--output", tmp_path, "--tracks", 18, "--duration", 1, "--seeds", 2)
    printed = capsys.readouterr().out
    for row in ("chance", "raw features", "PCA", "mel, PCA", "mel, VAE", "mel, TrackVAE"):
        assert f"| genre | {row} | 6 |" in printed
    for name in ("latent_space.png", "reconstructions.png", "scores.md"):
        assert (tmp_path / name).stat().st_size > 0
        assert str(tmp_path / name) in printed


@pytest.mark.filterwarnings("ignore:Got n_components")  # so few lyrics have fewer topics
@pytest.mark.filterwarnings("ignore:1 of 19 tracks could not be used")
def test_cluster_folder(tmp_path, capsys):
    music = make_music(18, duration=1, directory=tmp_path / "audio", random_state=0)
    table = music.data.assign(filename=[Path(path).name for path in music.data["audio"]])
    table["track_id"] = table.index
    (tmp_path / "audio" / "broken.wav").write_bytes(b"RIFF")
    broken = table.iloc[[3]].assign(filename="broken.wav", track_id=18)
    table = pd.concat([table, broken])
    table.drop(columns="audio").to_csv(tmp_path / "tracks.csv", index=False)
    run(
        "cluster_folder.py",
        *("--tracks", tmp_path / "tracks.csv", "--audio", tmp_path / "audio"),
        *("--output", tmp_path / "out", "--seeds", 2, "--duration", 1, "--jobs", 1),
    )
    printed = capsys.readouterr().out
    for target in ("genre", "language"):
        for row in (
            "chance",
            "raw features",
            "PCA",
            "mel, PCA",
            "mel, TrackVAE",
            "mel, TrackVAE + lyrics",
        ):
            assert f"| {target} | {row} |" in printed
    clusters = pd.read_csv(tmp_path / "out" / "clusters.csv")
    assert len(clusters) == 18
    assert clusters["cluster"].between(0, 5).all()
    assert (tmp_path / "out" / "latent_space.png").stat().st_size > 0
    assert (tmp_path / "out" / "reconstructions.png").stat().st_size > 0


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
    leaky = "Hard: BetaCVAE, told the genre"
    assert scores.index[scores["leakage"] > 0].tolist() == [leaky]
    # A leaky row is never printed without its mark.
    assert printed.count(leaky) == printed.count(f"{leaky} ⚠ leaks") == 3
    assert "| Easy: PCA | own silhouette |" in printed
    assert len(list((tmp_path / "out").glob("*.png"))) == 10


def test_cluster_folder_without_lyrics(tmp_path, capsys):
    music = make_music(18, duration=1, directory=tmp_path / "audio", random_state=0)
    table = music.data[["genre"]].assign(filename=[Path(p).name for p in music.data["audio"]])
    table.to_csv(tmp_path / "tracks.csv", index=False)
    run(
        "cluster_folder.py",
        *("--tracks", tmp_path / "tracks.csv", "--audio", tmp_path / "audio"),
        *("--output", tmp_path / "out", "--seeds", 1, "--duration", 1, "--jobs", 1),
    )
    printed = capsys.readouterr().out
    assert "No track has lyrics" in printed
    assert "| genre | mel, TrackVAE |" in printed
