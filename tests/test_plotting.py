import builtins

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_music import VAE, SpectrogramExtractor
from sklearn_music.plotting import LatentSpaceDisplay, ReconstructionDisplay


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.mark.parametrize("n_tracks", [2, 3, 40])
@pytest.mark.parametrize("n_components", [2, 5])
def test_latent_space(rng, n_tracks, n_components):
    Z = rng.standard_normal((n_tracks, n_components)).astype(np.float32)
    groups = np.arange(n_tracks) % 2
    display = LatentSpaceDisplay.from_predictions(Z, {"cluster": groups, "genre": groups})
    assert display.points.shape == (n_tracks, 2)
    assert [panel.get_title() for panel in display.ax_] == ["cluster", "genre"]
    drawn = sum(len(points.get_offsets()) for points in display.ax_[0].collections)
    assert drawn == n_tracks
    display.figure_.draw_without_rendering()


def test_many_groups_look_different(rng):
    groups = np.arange(20)
    display = LatentSpaceDisplay(rng.standard_normal((20, 2)), {"genre": groups}).plot()
    looks = {
        (tuple(points.get_facecolor()[0]), points.get_paths()[0].vertices.tobytes())
        for points in display.ax_[0].collections
    }
    assert len(looks) == 20


def test_axes_may_be_given(rng):
    _, ax = plt.subplots()
    display = LatentSpaceDisplay(rng.standard_normal((4, 2)), {"genre": list("abab")})
    assert display.plot(ax=ax).ax_[0] is ax


def test_groups_of_another_length_are_an_error(rng):
    with pytest.raises(ValueError, match="inconsistent"):
        LatentSpaceDisplay.from_predictions(rng.standard_normal((4, 2)), {"genre": ["a"]})


def test_reconstructions(rng):
    waveforms = rng.standard_normal((6, 8000))
    pipe = make_pipeline(
        SpectrogramExtractor(n_mels=16), StandardScaler(), VAE(2, max_epochs=2)
    ).fit(waveforms)
    display = ReconstructionDisplay.from_estimator(pipe, waveforms[:2], names=["one", "two"])
    assert display.ax_.shape == (2, 3)
    original, reconstruction, difference = (
        panel.collections[0].get_array().reshape(16, -1) for panel in display.ax_[1]
    )
    np.testing.assert_allclose(original, pipe[0].transform(waveforms[1:2]).reshape(16, -1))
    np.testing.assert_allclose(difference, reconstruction - original, atol=1e-3)
    display.figure_.draw_without_rendering()


def test_without_matplotlib_the_error_says_what_to_install(rng, monkeypatch):
    real_import = builtins.__import__

    def no_matplotlib(name, *args, **kwargs):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", no_matplotlib)
    with pytest.raises(ImportError, match=r"sklearn-music\[plot\]"):
        LatentSpaceDisplay(rng.standard_normal((4, 2)), {"genre": list("abab")}).plot()
