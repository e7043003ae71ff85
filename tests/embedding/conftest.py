import numpy as np
import pytest
from embedders import EMBEDDERS, VARIANTS, make_embedder

from sklearn_music.embedding.training import Trainer


class Stop(Exception):
    """Ends a fit in the middle, as a crash would."""


@pytest.fixture(params=EMBEDDERS)
def embedder(request):
    """One of each class. A module that needs other parameters sets them in a fixture of its own."""
    return make_embedder(request.param)


@pytest.fixture(params=[*EMBEDDERS, *VARIANTS])
def any_embedder(request):
    """One of each class, and the variants."""
    return make_embedder(request.param)


@pytest.fixture
def samples(rng):
    """X (40, 30) float32 on a scale of 5: images of 4 x 6, then six auxiliary features."""
    return (5 * rng.standard_normal((40, 30))).astype(np.float32)


@pytest.fixture
def interrupt(monkeypatch):
    """Let a fit fail at the start of an epoch."""

    def fit(embedder, X, epoch):
        begin = Trainer.on_epoch_begin

        def failing(self, net, **kwargs):
            begin(self, net, **kwargs)
            if len(net.history) == epoch:
                raise Stop

        with monkeypatch.context() as patch:
            patch.setattr(Trainer, "on_epoch_begin", failing)
            with pytest.raises(Stop):
                embedder.fit(X)

    return fit


@pytest.fixture
def no_training(monkeypatch):
    """Let a test fail as soon as a network is built."""
    monkeypatch.setattr(Trainer, "initialize", lambda self: pytest.fail("builds a network"))
