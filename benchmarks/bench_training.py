"""Time one epoch of each embedder beside a hand-written PyTorch loop of the same network.

The three are run in turn, several times, and compared by their medians: a ratio of
times taken side by side means more than a time on a machine that others use too. The
plain loop has Adam as torch gives it, VAE the same Adam in one fused kernel.

Usage: python benchmarks/bench_training.py
"""

import argparse
import statistics
import time

import numpy as np
import torch
from skorch import NeuralNet

from sklearn_music import VAE
from sklearn_music.embedding._networks import DenseNetwork
from sklearn_music.embedding._objective import NegativeELBO


class _SkorchDefault(NeuralNet):
    """The same network and loss behind skorch's own data loader."""

    def get_loss(self, y_pred, y_true, X=None, training=False):
        return self.criterion_(y_pred, X.shape[1])[0]


def plain_loop(X, vae):
    """Train as a user's own script would."""
    network = DenseNetwork(X.shape[1], vae.n_components, vae.hidden_layer_sizes)
    optimizer = torch.optim.Adam(network.parameters(), lr=vae.lr)
    X = torch.from_numpy(X)
    for _ in range(vae.max_epochs):
        total = 0.0
        for rows in torch.randperm(len(X)).split(vae.batch_size):
            x = X[rows]
            mean, log_variance = network.encoder(x).chunk(2, dim=1)
            z = mean + (0.5 * log_variance).exp() * torch.randn_like(mean)
            x_hat = network.decoder(z)
            kl = -0.5 * (1 + log_variance - mean.pow(2) - log_variance.exp()).sum(1).mean()
            loss = 0.5 * ((x - x_hat) ** 2).sum(1).mean() + vae.beta * kl
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(x)


def skorch_default(X, vae):
    _SkorchDefault(
        DenseNetwork,
        module__n_features=X.shape[1],
        module__n_components=vae.n_components,
        module__hidden_layer_sizes=vae.hidden_layer_sizes,
        criterion=NegativeELBO,
        criterion__beta=vae.beta,
        optimizer=torch.optim.Adam,
        iterator_train__shuffle=True,
        train_split=None,
        lr=vae.lr,
        batch_size=vae.batch_size,
        max_epochs=vae.max_epochs,
        verbose=0,
    ).fit(X, None)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--columns", type=int, default=64)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=9)
    args = parser.parse_args(argv)

    rng = np.random.default_rng(0)
    factors = rng.standard_normal((args.rows, 16)) @ rng.standard_normal((16, args.columns))
    X = (factors / factors.std()).astype(np.float32)
    vae = VAE(batch_size=args.batch_size, max_epochs=args.epochs, device="cpu", random_state=0)
    runs = {
        "plain loop": lambda: plain_loop(X, vae),
        "VAE": lambda: vae.fit(X),
        "skorch's default": lambda: skorch_default(X, vae),
    }
    seconds = {name: [] for name in runs}
    for repeat in range(args.repeats + 1):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            if repeat:  # the first round warms up
                seconds[name].append(time.perf_counter() - start)

    print(
        f"{args.rows:,} x {args.columns}, batch size {args.batch_size}, "
        f"{args.epochs} epochs, {args.repeats} rounds, torch {torch.__version__}, "
        f"{torch.get_num_threads()} threads\n"
    )
    print("| | ms per epoch | times the plain loop |\n|---|---:|---:|")
    base = statistics.median(seconds["plain loop"])
    for name, values in seconds.items():
        median = statistics.median(values)
        print(f"| {name} | {1e3 * median / args.epochs:.0f} | {median / base:.2f} |")


if __name__ == "__main__":
    main()
