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
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.manifold import trustworthiness
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback, EarlyStopping, LRScheduler
from torch.optim.lr_scheduler import StepLR

from sklearn_music import VAE
from sklearn_music.exceptions import DivergenceError, PosteriorCollapseWarning


class CtrlC(Callback):
    """Sends the process the signal that a Ctrl-C sends."""

    def __init__(self, epoch):
        self.epoch = epoch

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == self.epoch:
            os.kill(os.getpid(), signal.SIGINT)


class Recorder(Callback):
    def __init__(self):
        self.n_epochs = 0

    def on_epoch_end(self, net, **kwargs):
        self.n_epochs += 1


class Watched(Callback):
    def on_train_begin(self, net, X=None, **kwargs):
        self.rows = weakref.ref(X.X)


def test_reconstructs_nearly_as_well_as_pca(blobs):
    X, _ = blobs
    vae = VAE(2, beta=0.01, max_epochs=200, batch_size=16, random_state=0).fit(X)
    pca = PCA(2, random_state=0).fit(X)

    def error(model):
        return np.square(X - model.inverse_transform(model.transform(X))).mean()

    assert error(vae) < 1.2 * error(pca)


def test_shapes_and_dtypes(blobs):
    X, _ = blobs
    vae = VAE(3, max_epochs=2, random_state=0).fit(X.astype(np.float64))
    Z = vae.transform(X)
    assert Z.shape == (90, 3)
    assert vae.inverse_transform(Z).shape == X.shape
    assert vae.score_samples(X).shape == (90,)
    assert vae.sample(5).shape == (5, 10)
    for array in (Z, vae.inverse_transform(Z), vae.score_samples(X), vae.sample(5)):
        assert array.dtype == np.float32
    assert isinstance(vae.score(X), float)
    assert vae.score(X) == pytest.approx(vae.score_samples(X).mean(), rel=1e-5)
    assert list(vae.get_feature_names_out()) == ["vae0", "vae1", "vae2"]


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


def test_history_tells_the_terms_apart(blobs):
    X, _ = blobs
    vae = VAE(3, beta=2.0, total_correlation=0.5, max_epochs=4, random_state=0).fit(X)
    assert [epoch["epoch"] for epoch in vae.history_] == [1, 2, 3, 4]
    for epoch in vae.history_:
        total = epoch["reconstruction"] + 2.0 * epoch["kl"]
        total += 0.5 * epoch["total_correlation"] + 30.0 * epoch["contrastive"]
        assert epoch["train_loss"] == pytest.approx(total, rel=1e-5)


def test_more_beta_less_information(blobs):
    X, _ = blobs
    kl = [
        VAE(4, beta=beta, max_epochs=60, random_state=0).fit(X).history_[-1]["kl"]
        for beta in (0.1, 1, 10)
    ]
    assert kl[0] > kl[1] > kl[2]


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


def test_ctrl_c_is_not_taken_for_the_end_of_patience(blobs):
    X, _ = blobs
    patient = EarlyStopping(monitor="train_loss", patience=50)
    with pytest.raises(KeyboardInterrupt):
        VAE(3, max_epochs=5, callbacks=[patient, CtrlC(2)]).fit(X)


def test_early_stopping_goes_back_to_the_best_epoch(blobs):
    X, _ = blobs
    vae = VAE(3, max_epochs=500, lr=0.01, early_stopping=True, n_iter_no_change=3, random_state=0)
    vae.fit(X)
    assert len(vae.history_) < 500
    losses = [epoch["valid_loss"] for epoch in vae.history_]
    best = int(np.argmin(losses))
    assert len(losses) - 1 - best >= 3
    # The same training, stopped at that epoch, has the same weights.
    again = clone(vae).set_params(max_epochs=best + 1, n_iter_no_change=500).fit(X)
    np.testing.assert_allclose(again.transform(X), vae.transform(X), atol=1e-6)


def test_a_callback_may_stop_the_training(blobs):
    X, _ = blobs
    stopping = EarlyStopping(monitor="train_loss", patience=2, threshold=10.0)
    assert len(VAE(3, max_epochs=50, callbacks=[stopping]).fit(X).history_) < 50


def test_callbacks_are_copied(blobs):
    """A fit must not change a parameter: a scheduler holds the optimizer after it."""
    recorder = Recorder()
    scheduler = LRScheduler(StepLR, step_size=1, gamma=0.5)
    vae = VAE(3, max_epochs=4, callbacks=[recorder, scheduler]).fit(blobs[0])
    assert recorder.n_epochs == 0
    (used,) = (cb for _, cb in vae.net_.callbacks_ if isinstance(cb, Recorder))
    assert used.n_epochs == 4
    # The scheduler may or may not take its last step, depending on skorch's version.
    assert vae.net_.optimizer_.param_groups[0]["lr"] <= 1e-3 / 8
    assert b"_rebuild" not in pickle.dumps(vae)  # that is, no tensor of torch's own


def test_patience_without_held_out_rows_is_an_error(blobs):
    with pytest.raises(ValueError, match="early_stopping=True"):
        VAE(3, callbacks=[EarlyStopping()]).fit(blobs[0])
    vae = VAE(3, max_epochs=2, callbacks=[EarlyStopping()], early_stopping=True).fit(blobs[0])
    assert len(vae.history_) == 2


def test_verbose_prints_the_epochs(blobs, capsys):
    VAE(3, max_epochs=2).fit(blobs[0])
    assert capsys.readouterr().out == ""
    VAE(3, max_epochs=2, verbose=1).fit(blobs[0])
    assert "train_loss" in capsys.readouterr().out


def test_warm_start_goes_on(blobs):
    X, _ = blobs
    vae = VAE(3, max_epochs=3, warm_start=True, random_state=0).fit(X)
    first = vae.history_[0]["train_loss"]
    vae.fit(X)
    assert [epoch["epoch"] for epoch in vae.history_] == [1, 2, 3, 4, 5, 6]
    assert vae.history_[3]["train_loss"] < first
    with pytest.raises(ValueError, match="n_components from 3 to 4"):
        vae.set_params(n_components=4).fit(X)
    assert vae.transform(X).shape == (90, 3)


def test_partial_fit_is_one_epoch(blobs):
    X, _ = blobs
    vae = VAE(3, random_state=0)
    for _ in range(3):
        vae.partial_fit(X)
    assert len(vae.history_) == 3
    with pytest.raises(ValueError, match="expecting 10 features"):
        vae.partial_fit(X[:, :5])


def test_partial_fit_takes_a_new_learning_rate(blobs):
    X, _ = blobs
    vae = VAE(3, random_state=0).partial_fit(X)
    vae.set_params(lr=0.02).partial_fit(X)
    assert vae.net_.optimizer_.param_groups[0]["lr"] == 0.02


@pytest.mark.filterwarnings("ignore:overflow")
@pytest.mark.parametrize("scale", [1e20, 1e30])
def test_divergence_is_an_error_that_says_what_to_do(blobs, scale):
    X, _ = blobs
    vae = VAE(3, max_epochs=20, random_state=0)
    with pytest.raises(DivergenceError, match="StandardScaler"):
        vae.fit(X * scale)
    assert not hasattr(vae, "net_")


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # numpy's own, of the cast
def test_values_too_large_for_float32_are_an_error(blobs):
    with pytest.raises(ValueError, match="too large for dtype"):
        VAE(3, max_epochs=1).fit(blobs[0].astype(float) * 1e300)


@pytest.mark.parametrize("n_rows", [1, 2])
def test_few_rows(blobs, n_rows):
    X = blobs[0][:n_rows]
    assert np.isfinite(VAE(3, max_epochs=2).fit_transform(X)).all()


def test_zero_columns_and_read_only_input(blobs):
    X = np.zeros_like(blobs[0])
    X.setflags(write=False)
    assert np.isfinite(VAE(3, max_epochs=2).fit_transform(X)).all()


def test_early_stopping_with_one_row_is_an_error(blobs):
    with pytest.raises(ValueError, match="n_samples=1"):
        VAE(3, early_stopping=True).fit(blobs[0][:1])


@pytest.mark.parametrize(
    ("device", "message"), [("cuda:7", "not there"), ("tpu", 'expected "auto"')]
)
def test_a_device_that_is_not_there_is_an_error(blobs, device, message):
    with pytest.raises(ValueError, match=message):
        VAE(3, device=device).fit(blobs[0])


def test_auto_device_is_resolved_in_fit_and_not_stored_back(blobs):
    vae = VAE(3, max_epochs=1).fit(blobs[0])
    assert vae.device == "auto"
    assert vae.device_ == ("cuda" if torch.cuda.is_available() else "cpu")


def test_a_net_fitted_on_a_gpu_loads_without_one(blobs):
    X, _ = blobs
    vae = VAE(3, max_epochs=1, device="cpu", random_state=0).fit(X)
    expected = vae.transform(X)
    vae.device_ = "cuda:7"  # as its pickle from a machine with eight of them says
    loaded = pickle.loads(pickle.dumps(vae))
    assert loaded.device_ == "cpu"
    np.testing.assert_array_equal(loaded.transform(X), expected)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_gpu_and_cpu_agree(blobs):
    X, _ = blobs
    on_gpu, on_cpu = (
        VAE(3, device=device, random_state=0, max_epochs=50).fit(X) for device in ("cuda", "cpu")
    )
    assert on_gpu.device_ == "cuda"
    assert on_gpu.score(X) == pytest.approx(on_cpu.score(X), rel=0.02)


def test_hidden_layers_are_checked(blobs):
    with pytest.raises(ValueError, match="hidden_layer_sizes"):
        VAE(3, hidden_layer_sizes=(0,)).fit(blobs[0])


def test_inverse_transform_wants_the_latent_space(blobs):
    X, _ = blobs
    vae = VAE(3, max_epochs=1).fit(X)
    with pytest.raises(ValueError, match="latent space of this VAE has 3"):
        vae.inverse_transform(X)


def test_samples_depend_on_the_seed_only(blobs):
    vae = VAE(3, max_epochs=1, random_state=0).fit(blobs[0])
    np.testing.assert_array_equal(vae.sample(4), vae.sample(4))
    assert not np.allclose(vae.sample(4, random_state=1), vae.sample(4))


def test_a_fitted_net_holds_no_rows(blobs):
    vae = VAE(3, max_epochs=2, early_stopping=True, callbacks=[Watched()]).fit(blobs[0])
    (watched,) = (cb for _, cb in vae.net_.callbacks_ if isinstance(cb, Watched))
    gc.collect()
    assert watched.rows() is None
    assert vae.net_.train_split is None


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


def test_collapse_is_said_aloud(rng):
    """Independent columns of variance 1 have nothing that a latent dimension could tell."""
    noise = rng.standard_normal((200, 10))
    vae = VAE(8, beta=4.0, contrastive_weight=0, max_epochs=40, random_state=0)
    with pytest.warns(PosteriorCollapseWarning, match="of 8 latent components") as caught:
        vae.fit(noise)
    assert vae.active_units_ < 2
    for remedy in ("160 steps", "lower beta", "kl_warmup", "free_bits"):
        assert remedy in str(caught[0].message)


@pytest.mark.filterwarnings("error::sklearn_music.exceptions.PosteriorCollapseWarning")
@pytest.mark.parametrize("n_components", [1, 4])
def test_a_net_that_has_not_collapsed(blobs, n_components):
    X, _ = blobs
    vae = VAE(n_components, beta=0.1, max_epochs=60, random_state=0).fit(X)
    means = vae.transform(X)
    assert vae.active_units_ == (means.var(axis=0) > 0.01).sum()
    assert vae.history_[-1]["active_units"] == vae.active_units_
    assert vae.kl_per_component_.shape == (n_components,)
    assert vae.kl_per_component_.sum() == pytest.approx(vae.history_[-1]["kl"], rel=0.1)
    assert vae.beta_norm_ == pytest.approx(0.1 * n_components / 10)
    assert vae.noise_variance_ == 1


def test_free_bits_keep_components_active(rng):
    noise = rng.standard_normal((200, 10))
    params = {"beta": 4.0, "contrastive_weight": 0, "max_epochs": 60, "random_state": 0}
    free = VAE(8, free_bits=0.5, **params).fit(noise)
    assert VAE(8, **params).fit(noise).active_units_ < 2
    assert free.active_units_ == 8
    assert free.kl_per_component_.min() > 0.2


def test_kl_warmup_raises_beta(blobs):
    X, _ = blobs
    vae = VAE(3, beta=2.0, kl_warmup=4, contrastive_weight=0, max_epochs=6, random_state=0).fit(X)
    for epoch, share in zip(vae.history_, [0.25, 0.5, 0.75, 1, 1, 1], strict=True):
        total = epoch["reconstruction"] + share * 2.0 * epoch["kl"]
        assert epoch["train_loss"] == pytest.approx(total, rel=1e-4)


def test_early_stopping_watches_the_loss_at_the_final_beta(blobs):
    """Else a rising beta would look like a model that gets worse."""
    X, _ = blobs
    vae = VAE(3, kl_warmup=10**6, max_epochs=2, early_stopping=True, random_state=0).fit(X)
    # While training, beta is next to nothing; the validation loss has all of it.
    net = vae.net_
    net.criterion_.train()
    x = torch.from_numpy(X)
    output = net.module_(x)
    rising = net.criterion_(output, 10)[0]
    final = net.criterion_.eval()(output, 10)[0]
    assert final > rising


@pytest.mark.parametrize("decoder_variance", ["learned", "optimal"])
def test_the_decoder_finds_the_variance_of_the_noise(rng, decoder_variance):
    signal = rng.standard_normal((400, 2)) @ rng.standard_normal((2, 10))
    X = signal + 0.3 * rng.standard_normal((400, 10))
    params = {"beta": 1, "contrastive_weight": 0, "max_epochs": 300, "lr": 0.01, "random_state": 0}
    unit = VAE(2, hidden_layer_sizes=(), **params).fit(X)
    vae = clone(unit).set_params(decoder_variance=decoder_variance).fit(X)
    assert vae.noise_variance_ == pytest.approx(0.09, rel=0.15)
    assert vae.score(X) > unit.score(X) + 3
    # The exact log-likelihood of the best such model, probabilistic PCA, is the bound of bounds.
    assert vae.score(X) < PCA(2).fit(X).score(X) + 0.1
    loaded = pickle.loads(pickle.dumps(vae))
    assert loaded.score(X) == vae.score(X)


def test_the_variance_may_not_change_its_kind_midway(blobs):
    X, _ = blobs
    vae = VAE(3, max_epochs=1, warm_start=True).fit(X)
    with pytest.raises(ValueError, match="decoder_variance from unit to learned"):
        vae.set_params(decoder_variance="learned").fit(X)


def test_a_fitted_net_is_in_no_cycle(blobs):
    """So that its memory is free at once, and many fits need no more of it than one."""
    X, _ = blobs
    VAE(3, max_epochs=1, early_stopping=True).fit(X)  # what torch loads at first use stays
    gc.collect()
    gc.disable()
    try:
        vae = VAE(3, max_epochs=2, early_stopping=True).fit(X)
        weights = weakref.ref(next(vae.net_.module_.parameters()))
        del vae
        assert weights() is None
    finally:
        gc.enable()


def test_consistency_keeps_neighbors_together():
    X = StandardScaler().fit_transform(load_digits().data[:400])
    params = {"max_epochs": 20, "random_state": 0}
    tied, plain = (
        trustworthiness(X, VAE(2, contrastive_weight=weight, **params).fit_transform(X))
        for weight in (30, 0)
    )
    assert tied > plain + 0.05


@pytest.mark.parametrize("n_rows", [1, 2, 5])
def test_fewer_rows_than_neighbors(blobs, n_rows):
    X = blobs[0][:n_rows]
    vae = VAE(2, max_epochs=3, batch_size=2, random_state=0).fit(X)
    assert np.isfinite(vae.transform(X)).all()


def test_a_warm_start_takes_new_neighbors(blobs):
    X, _ = blobs
    vae = VAE(2, max_epochs=2, warm_start=True, random_state=0).fit(X)
    assert len(vae.fit(X[:20]).history_) == len(vae.partial_fit(X[:3]).history_) - 1 == 4


def test_a_warm_start_may_turn_the_consistency_on_and_off(blobs):
    vae = VAE(2, contrastive_weight=0, max_epochs=1, warm_start=True, random_state=0).fit(blobs[0])
    vae.set_params(contrastive_weight=30.0).fit(blobs[0])
    assert ["contrastive" in epoch for epoch in vae.history_] == [False, True]
    pickle.loads(pickle.dumps(vae)).set_params(contrastive_weight=0).fit(blobs[0])


def test_validation_has_the_loss_of_the_training():
    X = StandardScaler().fit_transform(load_digits().data[:600])
    vae = VAE(8, early_stopping=True, validation_fraction=0.3, max_epochs=20, random_state=0).fit(X)
    last = vae.history_[-1]
    assert last["valid_loss"] == pytest.approx(last["train_loss"], rel=0.4)


def test_thousands_of_columns_do_not_overflow(rng):
    """The first steps send the log-variance where its exponential is infinite."""
    X = rng.standard_normal((64, 1)) + 0.1 * rng.standard_normal((64, 20_000))
    vae = VAE(4, max_epochs=4, batch_size=16, lr=0.01, device="cpu", random_state=0)
    losses = [epoch["train_loss"] for epoch in vae.fit(X).history_]
    assert max(losses) < 1e9
