"""What the caller has set of torch makes no difference, and is as it was afterwards."""

import pickle
import threading

import numpy as np
import pytest
import torch
from sklearn.base import clone

from sklearn_music import VAE, BetaCVAE, ConvVAE, TrackVAE, VaDE
from sklearn_music.embedding import _training

FEW = {"max_epochs": 3, "batch_size": 16, "random_state": 0, "device": "cpu"}
EMBEDDERS = [
    VAE(2, decoder_variance="learned", **FEW),
    VaDE(2, n_components=2, pretrain_epochs=1, n_init=1, **FEW),
    ConvVAE(2, image_shape=(4, 6), channels=(4,), total_correlation=1.0, **FEW),
    BetaCVAE(2, condition_features=[1], early_stopping=True, **FEW),
    TrackVAE(2, image_shape=(4, 6), window_frames=3, channels=(4,), n_neighbors=2, **FEW),
]


@pytest.fixture
def rows(rng):
    return (5 * rng.standard_normal((40, 30))).astype(np.float32)


class Setting:
    """A global setting of torch within a block."""

    def __init__(self, get, set_, value):
        self.get, self.set, self.value = get, set_, value

    def __enter__(self):
        self.before = self.get()
        self.set(self.value)

    def __exit__(self, *_):
        after = self.get()
        self.set(self.before)
        assert after == self.value


STATES = {
    "float64": lambda: Setting(torch.get_default_dtype, torch.set_default_dtype, torch.float64),
    "float16": lambda: Setting(torch.get_default_dtype, torch.set_default_dtype, torch.float16),
    # What is made on the device "meta" holds no values.
    "default device": lambda: torch.device("meta"),
    "deterministic": lambda: Setting(
        torch.are_deterministic_algorithms_enabled, torch.use_deterministic_algorithms, True
    ),
    "no_grad": torch.no_grad,
    "inference mode": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
}


def results(embedder, X):
    """Return what all ways in and out give, numbers that the latent space must not turn on."""
    fitted = clone(embedder).fit(X)
    loaded = pickle.loads(pickle.dumps(fitted))
    Z = fitted.transform(X)
    made = [Z, fitted.inverse_transform(Z), fitted.score_samples(X), fitted.sample(3)]
    made += [loaded.transform(X), loaded.partial_fit(X).transform(X)]
    if hasattr(fitted, "predict_proba"):
        made.append(fitted.predict_proba(X))
    assert {part.dtype for part in fitted.net_.module_.state_dict().values()} == {torch.float32}
    return made


@pytest.mark.parametrize("state", STATES.values(), ids=STATES)
@pytest.mark.parametrize("embedder", EMBEDDERS, ids=lambda embedder: type(embedder).__name__)
def test_makes_no_difference(embedder, state, rows):
    expected = results(embedder, rows)
    with state():
        made = results(embedder, rows)
    for one, other in zip(made, expected, strict=True):
        assert one.dtype == np.float32
        np.testing.assert_array_equal(one, other)


def test_default_device_and_modes_come_back(rows):
    with torch.device("meta"), torch.inference_mode():
        VAE(2, **FEW).fit(rows)
        assert torch.empty(1).device.type == "meta"
        assert torch.is_inference_mode_enabled()
        assert not torch.is_grad_enabled()


def test_two_fits_at_once_leave_the_number_of_threads(rows, monkeypatch):
    """Each waits for the other to be within its training, unless it has to wait for its end."""
    before = torch.get_num_threads()
    within = []
    meet = threading.Barrier(2)
    begin = _training.TermsLog.on_epoch_begin

    def slow(self, net, **kwargs):
        within.append(torch.get_num_threads())
        if len(net.history) == 1:
            try:
                meet.wait(timeout=0.2)
            except threading.BrokenBarrierError:
                meet.reset()
        begin(self, net, **kwargs)

    monkeypatch.setattr(_training.TermsLog, "on_epoch_begin", slow)
    torch.set_num_threads(2)
    try:
        fits = [threading.Thread(target=clone(EMBEDDERS[0]).fit, args=[rows]) for _ in range(2)]
        for fit in fits:
            fit.start()
        for fit in fits:
            fit.join()
        assert set(within) == {1}
        assert torch.get_num_threads() == 2
        fresh = []
        other = threading.Thread(target=lambda: fresh.append(torch.get_num_threads()))
        other.start()
        other.join()
        assert fresh == [2]
    finally:
        torch.set_num_threads(before)


def test_who_changes_the_number_of_threads_waits_for_who_has():
    """As a fit does for the networks that a search trains together, and the other way round."""
    before = torch.get_num_threads()
    is_within, may_end, counts = threading.Event(), threading.Event(), []

    def first():
        with _training.threads(3):
            is_within.set()
            may_end.wait(10)

    def second():
        is_within.wait(10)
        with _training.threads(4):
            counts.append(torch.get_num_threads())

    workers = [threading.Thread(target=work) for work in (first, second)]
    for worker in workers:
        worker.start()
    is_within.wait(10)
    workers[1].join(0.1)
    assert counts == []  # it waits
    may_end.set()
    for worker in workers:
        worker.join()
    assert counts == [4]
    fresh = []
    other = threading.Thread(target=lambda: fresh.append(torch.get_num_threads()))
    other.start()
    other.join()
    assert fresh == [before]
