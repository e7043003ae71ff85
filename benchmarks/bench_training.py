"""Time a fit of each embedder beside a hand-written PyTorch loop of the same network.

There is a table per embedder. Its rows are the ways to train the same layers, with the same
batch size, learning rate and number of epochs:

- The plain loop is what a careful user would write: layers in `nn.Sequential`, the tracks as
  one tensor on the device, batches cut from it by a permutation, Adam as torch gives it, the
  loss summed on the device and read once per epoch. On a CPU it is timed with all of torch's
  threads and with one, since a fit takes one where it thinks that several don't pay.
- The fit is the whole of it: from a NumPy array to the fitted embedder with its history. On a
  GPU it is timed with `amp` too.
- skorch's default is the plain loop's network behind skorch's own data loader.
- ClustPy's and pythae's VAE are timed where they are installed. They report their progress
  while they train, and pythae saves the network after it.

The ways are run in turn, in an order drawn anew for each round. A ratio is the median over the
rounds of the time over that of the plain loop in the same round, with its quartiles: on a
machine that others use too, it means more than a time. The plain loop is the one whose number
of threads made it faster. Where others keep the cores busy, threads wait for one another up to
hundreds of times as long as they work: ``--threads 1`` is for such a machine.

Usage: python benchmarks/bench_training.py [--device cuda] [--threads 1] [--quick]
"""

import argparse
import io
import logging
import tempfile
import time
import warnings
from contextlib import redirect_stderr
from functools import partial

import numpy as np
import torch
from sklearn.base import clone
from skorch import NeuralNet
from skorch.callbacks import Callback
from torch import nn

from sklearn_music import VAE, BetaCVAE, ConvVAE
from sklearn_music.exceptions import PosteriorCollapseWarning


class PlainVAE(nn.Module):
    """A VAE whose last columns may be a condition, which its decoder alone sees."""

    def __init__(self, encoder, decoder, *, n_condition, beta):
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.n_condition = n_condition
        self.beta = beta

    def forward(self, x):
        """Return the negative ELBO of a batch."""
        condition = None
        if self.n_condition:
            x, condition = x[:, : -self.n_condition], x[:, -self.n_condition :]
        mean, log_variance = self.encoder(x).chunk(2, dim=1)
        z = mean + (0.5 * log_variance).exp() * torch.randn_like(mean)
        x_hat = self.decoder(z if condition is None else torch.cat([z, condition], dim=1))
        error = (x - x_hat).pow(2).sum(dim=1).mean()
        kl = -0.5 * (1 + log_variance - mean.pow(2) - log_variance.exp()).sum(dim=1).mean()
        return 0.5 * error + self.beta * kl


def dense_vae(embedder, n_features, n_condition=0):
    n_inputs, n_components = n_features - n_condition, embedder.n_components
    wide, narrow = embedder.hidden_layer_sizes
    encoder = nn.Sequential(
        nn.Linear(n_inputs, wide),
        nn.ReLU(),
        nn.Linear(wide, narrow),
        nn.ReLU(),
        nn.Linear(narrow, 2 * n_components),
    )
    decoder = nn.Sequential(
        nn.Linear(n_components + n_condition, narrow),
        nn.ReLU(),
        nn.Linear(narrow, wide),
        nn.ReLU(),
        nn.Linear(wide, n_inputs),
    )
    return PlainVAE(encoder, decoder, n_condition=n_condition, beta=embedder.beta)


def conv_vae(embedder):
    """Return the network of a ConvVAE for images whose sides are multiples of 8."""
    height, width = embedder.image_shape
    first, second, third = embedder.channels
    smallest = (third, height // 8, width // 8)
    n_flat = third * (height // 8) * (width // 8)
    halving = {"kernel_size": 3, "stride": 2, "padding": 1}
    doubling = {**halving, "output_padding": 1}
    encoder = nn.Sequential(
        nn.Unflatten(1, (1, height, width)),
        nn.Conv2d(1, first, **halving),
        nn.ReLU(),
        nn.Conv2d(first, second, **halving),
        nn.ReLU(),
        nn.Conv2d(second, third, **halving),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(n_flat, 2 * embedder.n_components),
    )
    decoder = nn.Sequential(
        nn.Linear(embedder.n_components, n_flat),
        nn.ReLU(),
        nn.Unflatten(1, smallest),
        nn.ConvTranspose2d(third, second, **doubling),
        nn.ReLU(),
        nn.ConvTranspose2d(second, first, **doubling),
        nn.ReLU(),
        nn.ConvTranspose2d(first, 1, **doubling),
        nn.Flatten(),
    )
    return PlainVAE(encoder, decoder, n_condition=0, beta=embedder.beta)


def plain_loop(X, embedder, make_network):
    device = torch.device(embedder.device)
    network = make_network(embedder).to(device)
    optimizer = torch.optim.Adam(network.parameters(), lr=embedder.lr)
    X = torch.from_numpy(X).to(device)
    losses = []
    for _ in range(embedder.max_epochs):
        total = torch.zeros((), device=device)
        for rows in torch.randperm(len(X), device=device).split(embedder.batch_size):
            loss = network(X[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.detach() * len(rows)
        losses.append(total.item() / len(X))


def in_one_thread(function, *args):
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    function(*args)
    torch.set_num_threads(n_threads)


class _SkorchDefault(NeuralNet):
    def get_loss(self, y_pred, y_true, X=None, training=False):
        return y_pred


def skorch_default(X, embedder, make_network):
    _SkorchDefault(
        make_network(embedder),
        criterion=nn.Identity,  # the network returns its loss
        optimizer=torch.optim.Adam,
        lr=embedder.lr,
        batch_size=embedder.batch_size,
        max_epochs=embedder.max_epochs,
        iterator_train__shuffle=True,
        train_split=None,
        device=embedder.device,
        verbose=0,
    ).fit(X, None)


def clustpy_vae(X, embedder, make_network):
    from clustpy.deep.neural_networks import VariationalAutoencoder

    network = VariationalAutoencoder(
        [X.shape[1], *embedder.hidden_layer_sizes, embedder.n_components],
        activation_fn=nn.ReLU,
        decoder_output_fn=None,
    ).to(embedder.device)
    with redirect_stderr(io.StringIO()):
        network.fit(
            n_epochs=embedder.max_epochs,
            optimizer_params={"lr": embedder.lr},
            batch_size=embedder.batch_size,
            data=X,
        )


def pythae_vae(X, embedder, make_network):
    from pythae.models import VAE as PythaeVAE
    from pythae.models import VAEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder
    from pythae.pipelines import TrainingPipeline
    from pythae.trainers import BaseTrainerConfig

    class Encoder(BaseEncoder):
        def __init__(self, layers):
            super().__init__()
            self.layers = layers

        def forward(self, x):
            mean, log_variance = self.layers(x).chunk(2, dim=1)
            return ModelOutput(embedding=mean, log_covariance=log_variance)

    class Decoder(BaseDecoder):
        def __init__(self, layers):
            super().__init__()
            self.layers = layers

        def forward(self, z):
            return ModelOutput(reconstruction=self.layers(z))

    network = make_network(embedder)
    settings = VAEConfig(input_dim=(X.shape[1],), latent_dim=embedder.n_components)
    model = PythaeVAE(settings, encoder=Encoder(network.encoder), decoder=Decoder(network.decoder))
    with tempfile.TemporaryDirectory() as folder, redirect_stderr(io.StringIO()):
        training = BaseTrainerConfig(
            output_dir=folder,
            num_epochs=embedder.max_epochs,
            learning_rate=embedder.lr,
            per_device_train_batch_size=embedder.batch_size,
            no_cuda=embedder.device == "cpu",
        )
        TrainingPipeline(model=model, training_config=training)(X)


def is_installed(peer, X, embedder, make_network):
    try:
        peer(X[:2], clone(embedder).set_params(max_epochs=1), make_network)
    except ImportError as error:
        print(f"{peer.__name__} is left out: {error}\n")
        return False
    return True


class _Threads(Callback):
    def on_epoch_begin(self, net, **kwargs):
        self.n_threads_ = torch.get_num_threads()


def count_fit_threads(X, embedder, make_network):
    """Return how many threads a fit trains in; make sure that its network is the plain one."""
    embedder = clone(embedder).set_params(callbacks=[_Threads()], max_epochs=1).fit(X)
    n_weights, n_weights_plain = (
        sum(
            weights.numel()
            for name, weights in network.named_parameters()
            if name != "log_scale"  # of the contrastive loss, which is off
        )
        for network in (embedder.net_.module_, make_network(embedder))
    )
    if n_weights != n_weights_plain:
        raise AssertionError(f"{embedder} has {n_weights} weights, the loop {n_weights_plain}.")
    return next(c.n_threads_ for _, c in embedder.net_.callbacks_ if isinstance(c, _Threads))


def time_in_turn(ways, *, n_rounds, device):
    """Return the seconds of each way in each round, shape (n_rounds, n_ways)."""
    rng = np.random.default_rng(0)
    seconds = np.empty((n_rounds, len(ways)))
    for in_round in seconds:
        for i in rng.permutation(len(ways)):
            start = now(device)
            ways[i]()
            in_round[i] = now(device) - start
    return seconds


def now(device):
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
    return time.perf_counter()


def compare(title, X, embedder, make_network, *, peers=(), n_rounds):
    """Time all ways to train one network, and print their table."""
    task = (X, embedder, make_network)
    n_threads, n_fit_threads = torch.get_num_threads(), count_fit_threads(*task)
    ways = [("plain loop", n_threads, partial(plain_loop, *task))]
    if n_threads > 1 and embedder.device == "cpu":
        ways.append(("plain loop", 1, partial(in_one_thread, plain_loop, *task)))
    n_plain = len(ways)
    name = type(embedder).__name__
    ways.append((f"{name}.fit", n_fit_threads, partial(embedder.fit, X)))
    if embedder.device.startswith("cuda"):
        variant = clone(embedder).set_params(amp=True)
        ways.append((f"{name}.fit, amp", n_fit_threads, partial(variant.fit, X)))
    for way in (skorch_default, *(peer for peer in peers if is_installed(peer, *task))):
        ways.append((way.__name__, n_threads, partial(way, *task)))

    seconds = time_in_turn([run for *_, run in ways], n_rounds=n_rounds, device=embedder.device)
    medians = np.median(seconds, axis=0)
    fastest = medians[:n_plain].argmin()
    ratios = np.quantile(seconds / seconds[:, [fastest]], [0.25, 0.5, 0.75], axis=0)
    n_tracks = len(X) * embedder.max_epochs
    print(f"{title}: {len(X):,} tracks, {X.shape[1]:,} columns, batches of {embedder.batch_size}\n")
    print("| | threads | tracks / s | time over the faster plain loop's |\n|---|---:|---:|---:|")
    for (label, threads, _), median, (low, ratio, high) in zip(
        ways, medians, ratios.T, strict=True
    ):
        print(
            f"| {label} | {threads} | {n_tracks / median:,.0f} "
            f"| {ratio:.2f} ({low:.2f} to {high:.2f}) |"
        )
    print(flush=True)


def tracks(n_tracks, n_columns):
    """Return rows of 16 random factors, on a scale of 1."""
    rng = np.random.default_rng(0)
    factors = rng.standard_normal((n_tracks, 16)) @ rng.standard_normal((16, n_columns))
    return (factors / 4).astype(np.float32)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:1")
    parser.add_argument("--threads", type=int, help="torch's own choice by default")
    parser.add_argument("--tracks", type=int, default=1024, help="one in 32 as images")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="only to see that it runs")
    args = parser.parse_args(argv)
    if args.quick:
        args.tracks, args.epochs, args.rounds = 256, 2, 3
    if args.threads:
        torch.set_num_threads(args.threads)
    logging.disable(logging.INFO)  # pythae's
    # Some epochs are too few to tell tracks apart.
    warnings.simplefilter("ignore", PosteriorCollapseWarning)

    print(
        f"{args.epochs} epochs, {args.rounds} rounds, device {args.device}, "
        f"torch {torch.__version__}, {torch.get_num_threads()} threads\n"
    )
    common = {"max_epochs": args.epochs, "device": args.device, "random_state": 0}
    n_genres = 10
    X = tracks(args.tracks, 64)
    genres = np.eye(n_genres, dtype=np.float32)[np.arange(len(X)) % n_genres]
    compare(
        "VAE",
        X,
        VAE(contrastive_weight=0, **common),  # the loop has no neighbours either
        partial(dense_vae, n_features=64),
        peers=[clustpy_vae, pythae_vae],
        n_rounds=args.rounds,
    )
    compare(
        "BetaCVAE, the last ten columns its condition",
        np.hstack([X, genres]),
        BetaCVAE(condition_features=slice(64, 64 + n_genres), **common),
        partial(dense_vae, n_features=64 + n_genres, n_condition=n_genres),
        n_rounds=args.rounds,
    )
    # The course project's images are 128 x 640, in the same network.
    for image_shape, n_components in (((32, 64), 16), ((32, 160), 128)):
        compare(
            f"ConvVAE, images of {image_shape[0]} x {image_shape[1]}, {n_components} components",
            tracks(args.tracks // 32, image_shape[0] * image_shape[1]),
            ConvVAE(n_components, image_shape=image_shape, batch_size=16, **common),
            conv_vae,
            peers=[pythae_vae],
            n_rounds=args.rounds,
        )


if __name__ == "__main__":
    main()
