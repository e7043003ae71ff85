"""What the caller has set of torch makes no difference, and is as it was afterwards."""

import pickle
import threading

import numpy as np
import torch
from sklearn.base import clone

from sklearn_music import VAE
from sklearn_music.embedding.training import Trainer, torch_state

FEW = {"max_epochs": 2, "batch_size": 16, "random_state": 0, "device": "cpu"}
# Further parts of the loss and of the training, each with one of the embedders.
FURTHER = {
    "VAE": {"decoder_variance": "learned"},
    "ConvVAE": {"total_correlation": 1.0},
    "BetaCVAE": {"early_stopping": True},
}


class Setting:
    """A global setting of torch within a block, at whose end it has to be unchanged."""

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
    # Tensors made on the device "meta" hold no values.
    "default device": lambda: torch.device("meta"),
    "deterministic": lambda: Setting(
        torch.are_deterministic_algorithms_enabled, torch.use_deterministic_algorithms, True
    ),
    "no_grad": torch.no_grad,
    "inference mode": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
}


def results(embedder, X):
    """Return what all methods give, before and after a pickle."""
    fitted = clone(embedder).fit(X)
    loaded = pickle.loads(pickle.dumps(fitted))
    Z = fitted.transform(X)
    made = [Z, fitted.inverse_transform(Z), fitted.score_samples(X), fitted.sample(3)]
    made += [loaded.transform(X), loaded.partial_fit(X).transform(X)]
    if hasattr(fitted, "predict_proba"):
        made.append(fitted.predict_proba(X))
    module = fitted.net_.module_
    assert {part.dtype for part in (*module.parameters(), *module.buffers())} == {torch.float32}
    return made


def test_torch_settings_make_no_difference(embedder, samples):
    embedder.set_params(**FEW | FURTHER.get(type(embedder).__name__, {}))
    expected = results(embedder, samples)
    for name, state in STATES.items():
        with state():
            made = results(embedder, samples)
        for one, other in zip(made, expected, strict=True):
            assert one.dtype == np.float32
            np.testing.assert_array_equal(one, other, err_msg=name)


def test_default_device_and_modes_come_back(samples):
    with torch.device("meta"), torch.inference_mode():
        VAE(2, **FEW).fit(samples)
        assert torch.empty(1).device.type == "meta"
        assert torch.is_inference_mode_enabled()
        assert not torch.is_grad_enabled()


def n_threads_of_a_fresh_thread():
    counts = []
    thread = threading.Thread(target=lambda: counts.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    return counts[0]


def test_two_fits_at_once_leave_the_number_of_threads(samples, monkeypatch):
    """Each waits for the other to be within its training, unless it has to wait for its end."""
    before = torch.get_num_threads()
    within = []
    meet = threading.Barrier(2)
    begin = Trainer.on_epoch_begin

    def slow(self, net, **kwargs):
        within.append(torch.get_num_threads())
        begin(self, net, **kwargs)
        if len(net.history) == 1:
            try:
                meet.wait(timeout=0.2)
            except threading.BrokenBarrierError:
                meet.reset()

    monkeypatch.setattr(Trainer, "on_epoch_begin", slow)
    torch.set_num_threads(2)
    try:
        fits = [threading.Thread(target=VAE(2, **FEW).fit, args=[samples]) for _ in range(2)]
        for fit in fits:
            fit.start()
        for fit in fits:
            fit.join()
        assert set(within) == {1}
        assert torch.get_num_threads() == 2
        assert n_threads_of_a_fresh_thread() == 2
    finally:
        torch.set_num_threads(before)


def test_changing_the_number_of_threads_waits_for_another_who_has():
    """A fit and networks that a search trains together change it, in any order."""
    before = torch.get_num_threads()
    is_within, may_end, counts = threading.Event(), threading.Event(), []

    def first():
        with torch_state("cpu", n_threads=3):
            is_within.set()
            may_end.wait(10)

    def second():
        is_within.wait(10)
        with torch_state("cpu", n_threads=4):
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
    assert n_threads_of_a_fresh_thread() == before
