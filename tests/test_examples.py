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
    return runpy.run_path(str(EXAMPLES / name))["main"]([str(arg) for arg in args])


def test_demo(tmp_path, capfd):
    out = tmp_path / "out"
    words = ("--music", tmp_path / "music", "--output", out, "--tracks", 8, "--duration", 1)
    assert run("demo.py", *words) == 0
    printed = capfd.readouterr().out
    assert "$ sklearn-music cluster" in printed
    for name in ("report.html", "clusters.csv", "pipeline.skops", "settings.toml"):
        assert (out / name).stat().st_size > 0
        assert name in printed
    assert len(pd.read_csv(out / "clusters.csv", encoding="utf-8-sig")) == 8


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
