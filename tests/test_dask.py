"""The engines of others: a search on a cluster of worker processes, one of which dies."""

import os
import signal

import dask
import joblib
import numpy as np
import pytest
from dask.distributed import Client, LocalCluster
from distributed.utils import get_mp_context
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback

from sklearn_music import VAE, LyricVectorizer, SpectrogramExtractor
from sklearn_music.datasets import make_music
from sklearn_music.metrics import CLUSTERING_SCORERS


class KillOnce(Callback):
    """Kills the process that trains, if a file is there, which it removes."""

    def __init__(self, path):
        self.path = path

    def on_epoch_end(self, net, **kwargs):
        try:
            os.remove(self.path)
        except FileNotFoundError:
            return
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture
def client(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    local = {"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0"}
    # What workers need is imported once, in the process that they are forked from.
    with dask.config.set({"distributed.worker.multiprocessing-method": "forkserver"}):
        get_mp_context().set_forkserver_preload(["distributed", "sklearn_music.metrics"])
        with (
            LocalCluster(n_workers=2, threads_per_worker=1, **local) as cluster,
            Client(cluster) as client,
        ):
            # What is scattered before the second is there would be on the first alone.
            client.wait_for_workers(2)
            yield client


def test_a_search_outlives_a_worker(client, tmp_path):
    """The search of the README, small."""
    tracks = make_music(8, duration=1, directory=tmp_path / "tracks", random_state=0).data
    genre = tracks["genre"]
    fuse = tmp_path / "fuse"
    mel = SpectrogramExtractor(n_mels=8, duration=1, n_jobs=2, memory=tmp_path / "cache")
    vae = VAE(2, max_epochs=2, callbacks=[KillOnce(str(fuse))], random_state=0)
    audio = Pipeline([("mel", mel), ("scale", StandardScaler()), ("vae", vae)])
    blocks = [("audio", audio, ["audio"]), ("lyrics", LyricVectorizer(n_components=2), "lyrics")]
    pipe = Pipeline(
        [
            ("embed", ColumnTransformer(blocks, transformer_weights={"audio": 1, "lyrics": 2})),
            ("cluster", KMeans(n_clusters=2, n_init=3, random_state=0)),
        ]
    )
    grid = {"embed__audio__vae__beta": [0.5, 4]}
    search = GridSearchCV(pipe, grid, scoring=CLUSTERING_SCORERS, refit="ari", cv=2)

    expected = search.fit(tracks, genre).cv_results_
    pids = set(client.run(os.getpid).values())
    fuse.touch()
    with joblib.parallel_config(backend="dask", scatter=[tracks, genre]):
        found = search.fit(tracks, genre).cv_results_
    assert not fuse.exists()
    assert len(pids - set(client.run(os.getpid).values())) == 1
    for name in expected:
        if "test" in name:
            np.testing.assert_allclose(found[name], expected[name], atol=1e-6)
    assert search.predict(tracks).shape == (8,)
