"""The training loop: epochs and their history, callbacks, early stopping, Ctrl-C, divergence."""

import gc
import os
import pickle
import signal
import weakref

import numpy as np
import pytest
import torch
from joblib import Parallel, delayed, parallel_config, register_parallel_backend
from joblib.parallel import ThreadingBackend
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback, EarlyStopping, LRScheduler
from torch.optim.lr_scheduler import StepLR

from sklearn_music import VAE
from sklearn_music.exceptions import DivergenceError


class CtrlC(Callback):
    """Sends the process the signal that a Ctrl-C sends."""

    def __init__(self, epoch):
        self.epoch = epoch

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == self.epoch:
            os.kill(os.getpid(), signal.SIGINT)


class Recorder(Callback):
    """Counts the epochs, and keeps a weak reference to the samples."""

    def __init__(self):
        self.n_epochs = 0

    def on_train_begin(self, net, X=None, **kwargs):
        self.samples = weakref.ref(X.X)

    def on_epoch_end(self, net, **kwargs):
        self.n_epochs += 1


def recorder_of(vae):
    return next(cb for _, cb in vae.net_.callbacks_ if isinstance(cb, Recorder))


def test_same_seed_same_embedding_and_the_global_state_is_untouched(blobs):
    X, _ = blobs
    torch.manual_seed(7)
    np.random.seed(7)
    expected = torch.rand(3), np.random.rand(3)
    torch.manual_seed(7)
    np.random.seed(7)
    embeddings = [VAE(3, max_epochs=2, random_state=seed).fit_transform(X) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(embeddings[0], embeddings[1])
    assert not np.allclose(embeddings[0], embeddings[2])
    assert torch.equal(torch.rand(3), expected[0])
    np.testing.assert_array_equal(np.random.rand(3), expected[1])


def test_no_label_enters_the_training(blobs):
    X, labels = blobs
    vae = VAE(3, max_epochs=2, random_state=0)
    names = np.array(["rock", "folk", "গান"])[labels]
    np.testing.assert_array_equal(vae.fit_transform(X), vae.fit_transform(X, names))


class NoWorkers(ThreadingBackend):
    """A backend of joblib that fails when it gets any work."""

    def effective_n_jobs(self, n_jobs):
        return 2

    def submit(self, func, callback=None):
        raise AssertionError("A fit waits for workers that may wait for it.")


def test_a_fit_leaves_the_workers_of_a_search_alone(blobs):
    register_parallel_backend("no workers", NoWorkers)
    with parallel_config("no workers"):
        VAE(2, max_epochs=1, random_state=0).fit(blobs[0])
        with pytest.raises(AssertionError, match="waits"):
            Parallel()(delayed(abs)(i) for i in range(2))


def test_fits_in_threads_are_the_same(blobs):
    X, _ = blobs
    vae = VAE(2, max_epochs=5, random_state=0)
    torch.manual_seed(3)
    state = torch.get_rng_state()
    embeddings = Parallel(2, backend="threading")(
        delayed(clone(vae).fit_transform)(X) for _ in range(4)
    )
    for embedding in embeddings:
        np.testing.assert_array_equal(embedding, vae.fit_transform(X))
    assert torch.equal(torch.get_rng_state(), state)


def test_the_history_has_each_term_of_the_loss(blobs):
    X, _ = blobs
    vae = VAE(3, beta=2.0, total_correlation=0.5, max_epochs=4, random_state=0).fit(X)
    assert [epoch["epoch"] for epoch in vae.history_] == [1, 2, 3, 4]
    for epoch in vae.history_:
        total = epoch["reconstruction"] + 2.0 * epoch["kl"]
        total += 0.5 * epoch["total_correlation"] + 30.0 * epoch["contrastive"]
        assert epoch["train_loss"] == pytest.approx(total, rel=1e-5)


def test_kl_warmup_raises_beta(blobs):
    X, _ = blobs
    vae = VAE(3, beta=2.0, kl_warmup=4, contrastive_weight=0, max_epochs=6, random_state=0).fit(X)
    for epoch, share in zip(vae.history_, [0.25, 0.5, 0.75, 1, 1, 1], strict=True):
        total = epoch["reconstruction"] + share * 2.0 * epoch["kl"]
        assert epoch["train_loss"] == pytest.approx(total, rel=1e-4)


def test_verbose_prints_the_epochs(blobs, capsys):
    VAE(3, max_epochs=2).fit(blobs[0])
    assert capsys.readouterr() == ("", "")
    VAE(3, max_epochs=2, verbose=1).fit(blobs[0])
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "2/2" in printed.err
    assert "loss=" in printed.err
    VAE(3, max_epochs=2, verbose=2).fit(blobs[0])
    assert "train_loss" in capsys.readouterr().out


def test_ctrl_c_leaves_the_estimator_unfitted(blobs):
    X, _ = blobs
    vae = VAE(3, max_epochs=5, callbacks=[CtrlC(2)], random_state=0)
    with pytest.raises(KeyboardInterrupt):
        vae.fit(X)
    assert not hasattr(vae, "net_")
    assert not hasattr(vae, "n_features_in_")
    with pytest.raises(NotFittedError):
        vae.transform(X)


def test_ctrl_c_leaves_an_earlier_fit_as_it_was(blobs):
    X, _ = blobs
    vae = VAE(3, max_epochs=3, random_state=0).fit(X)
    expected = vae.transform(X)
    vae.set_params(callbacks=[CtrlC(2)])
    with pytest.raises(KeyboardInterrupt):
        vae.fit(X[:, :5])
    np.testing.assert_array_equal(vae.transform(X), expected)


def test_ctrl_c_does_not_pass_for_early_stopping(blobs):
    X, _ = blobs
    patient = EarlyStopping(monitor="train_loss", patience=50)
    with pytest.raises(KeyboardInterrupt):
        VAE(3, max_epochs=5, callbacks=[patient, CtrlC(2)]).fit(X)


@pytest.mark.parametrize("decoder_variance", ["unit", "learned"])
def test_early_stopping_restores_the_best_epoch(blobs, decoder_variance):
    X, _ = blobs
    vae = VAE(3, max_epochs=500, lr=0.01, early_stopping=True, n_iter_no_change=3, random_state=0)
    vae.set_params(decoder_variance=decoder_variance).fit(X)
    assert len(vae.history_) < 500
    losses = [epoch["valid_loss"] for epoch in vae.history_]
    best = int(np.argmin(losses))
    assert len(losses) - 1 - best >= 3
    # The same training, ended at that epoch, has learnt the same numbers.
    again = clone(vae).set_params(max_epochs=best + 1, n_iter_no_change=500).fit(X)
    state, expected = (fitted.net_.module_.state_dict() for fitted in (vae, again))
    assert {"log_scale"} <= state.keys()
    torch.testing.assert_close(state, expected)
    np.testing.assert_allclose(vae.transform(X), again.transform(X), atol=1e-6)
    assert vae.noise_variance_ == pytest.approx(again.noise_variance_)


def test_early_stopping_monitors_the_loss_at_the_final_beta(blobs):
    """A rising beta would look like a model that gets worse."""
    X, _ = blobs
    params = {"kl_warmup": 10**6, "contrastive_weight": 0, "max_epochs": 2, "random_state": 0}
    rising, none = (
        VAE(3, beta=beta, early_stopping=True, **params).fit(X).history_[-1] for beta in (4, 0)
    )
    # In training, beta is next to nothing in both.
    assert rising["train_loss"] == pytest.approx(none["train_loss"], rel=1e-4)
    assert rising["valid_loss"] > none["valid_loss"] + 2 * none["kl"]


def test_validation_has_the_loss_of_the_training():
    X = StandardScaler().fit_transform(load_digits().data[:600])
    vae = VAE(8, early_stopping=True, validation_fraction=0.3, max_epochs=20, random_state=0).fit(X)
    last = vae.history_[-1]
    assert last["valid_loss"] == pytest.approx(last["train_loss"], rel=0.4)


def test_a_callback_may_stop_the_training(blobs):
    X, _ = blobs
    stopping = EarlyStopping(monitor="train_loss", patience=2, threshold=10.0)
    assert len(VAE(3, max_epochs=50, callbacks=[stopping]).fit(X).history_) < 50


def test_a_callback_may_monitor_the_samples_held_out(blobs):
    vae = VAE(3, max_epochs=2, callbacks=[EarlyStopping()], early_stopping=True).fit(blobs[0])
    assert len(vae.history_) == 2


def test_callbacks_are_copied(blobs):
    """A fit must not change a parameter: a scheduler holds the optimizer after it."""
    recorder = Recorder()
    scheduler = LRScheduler(StepLR, step_size=1, gamma=0.5)
    vae = VAE(3, max_epochs=4, callbacks=[recorder, scheduler]).fit(blobs[0])
    assert recorder.n_epochs == 0
    assert recorder_of(vae).n_epochs == 4
    # The scheduler may or may not take its last step, depending on skorch's version.
    assert vae.net_.optimizer_.param_groups[0]["lr"] <= 1e-3 / 8
    assert b"_rebuild" not in pickle.dumps(vae)  # that is, no tensor of torch's own


@pytest.mark.filterwarnings("ignore:overflow")
@pytest.mark.parametrize("scale", [1e20, 1e30])
def test_divergence_is_an_error_that_says_what_to_do(blobs, scale):
    X, _ = blobs
    vae = VAE(3, max_epochs=20, random_state=0)
    with pytest.raises(DivergenceError, match="StandardScaler"):
        vae.fit(X * scale)
    assert not hasattr(vae, "net_")


def test_thousands_of_columns_do_not_overflow(rng):
    """The first steps send the log-variance to where its exponential is infinite."""
    X = rng.standard_normal((64, 1)) + 0.1 * rng.standard_normal((64, 20_000))
    vae = VAE(4, max_epochs=4, batch_size=16, lr=0.01, device="cpu", random_state=0)
    losses = [epoch["train_loss"] for epoch in vae.fit(X).history_]
    assert max(losses) < 1e9


def test_a_fitted_net_holds_no_samples(blobs):
    vae = VAE(3, max_epochs=2, early_stopping=True, callbacks=[Recorder()]).fit(blobs[0])
    gc.collect()
    assert recorder_of(vae).samples() is None
    assert vae.net_.train_split is None
