"""The training loop: a net of skorch and its log."""

import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import Callback, EarlyStopping, EpochTimer, PassthroughScoring, PrintLog
from skorch.helper import predefined_split
from torch import Tensor, nn
from tqdm.auto import tqdm

from ...exceptions import DivergenceError
from ..nn import LossOutput, Outputs, posterior_sums
from ._data import Batches, Samples, sample_batches
from ._torch_state import n_threads_that_pay, torch_state


@dataclass
class Epoch:
    """What the batches of an epoch have in common, and what they add up to.

    The sums stay on the device, so that no batch waits for them.
    """

    n_samples: int
    kl_weight: float
    terms: dict[str, Tensor] = field(default_factory=dict)
    sums: dict[str, Tensor] = field(default_factory=dict)

    def add(self, output: LossOutput, n_samples: int) -> None:
        """Add a batch of so many samples."""
        for name, term in output.terms.items():
            self.terms[name] = self.terms.get(name, 0.0) + term * n_samples
        for name, values in output.sums.items():
            self.sums[name] = self.sums.get(name, 0.0) + values


class Trainer(NeuralNet):
    """A skorch net whose module, a `VAEModule`, owns the loss.

    The weight of the KL divergence rises to beta over the first `kl_warmup` epochs.
    """

    def __init__(
        self,
        module: Any,
        *,
        kl_warmup: int = 0,
        criterion: Any = nn.Identity,
        optimizer: Any = torch.optim.Adam,
        # One kernel for all weights: several times faster where they are millions.
        optimizer__fused: bool = True,
        iterator_train: Any = Batches,
        iterator_train__shuffle: bool = True,
        iterator_valid: Any = Batches,
        train_split: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            module,
            criterion=criterion,
            optimizer=optimizer,
            optimizer__fused=optimizer__fused,
            iterator_train=iterator_train,
            iterator_train__shuffle=iterator_train__shuffle,
            iterator_valid=iterator_valid,
            train_split=train_split,
            **kwargs,
        )
        self.kl_warmup = kl_warmup
        self.amp = False
        self.progress: tqdm | None = None

    @property
    def _default_callbacks(self) -> list[tuple[str, Callback]]:
        return [
            ("epoch_timer", EpochTimer()),
            ("train_loss", PassthroughScoring(name="train_loss", on_train=True)),
            ("valid_loss", PassthroughScoring(name="valid_loss")),
            ("epoch_log", EpochLog()),
            *([("print_log", PrintLog())] if self.verbose > 1 else []),
        ]

    @property
    def epochs(self) -> list[dict]:
        """The history: a dict per epoch, without batches and without what skorch notes of them."""
        return [
            {
                key: value.item() if isinstance(value, np.generic) else value
                for key, value in epoch.items()
                if key != "batches"
            }
            for epoch in self.history.to_list()
        ]

    def infer(self, x: tuple[Tensor, ...], **fit_params: Any) -> Outputs:
        """Return the module's outputs for a batch that is on the device."""
        with torch.autocast(torch.device(self.device).type, torch.bfloat16, enabled=self.amp):
            return self.module_(*x)

    def get_loss(self, y_pred: Outputs, y_true: Any, X: Any = None, training: bool = False):
        """Return the loss of a batch, and add it to the epoch."""
        kl_weight = self.epoch_.kl_weight if training else 1.0
        output = self.module_.loss(y_pred, kl_weight, self.epoch_.n_samples)
        if training:
            self.epoch_.add(output, len(y_pred.z))
        return output.loss

    def fit_loop(self, X: Any, y: Any = None, epochs: int | None = None, **fit_params: Any):
        """Run the epochs, and let a real Ctrl-C through.

        skorch's EarlyStopping ends a fit with a KeyboardInterrupt, and skorch takes any other one
        for the end of a fit too.
        """
        total = self.max_epochs if epochs is None else epochs
        self.progress = tqdm(total=total, desc="Training", unit="epoch", disable=self.verbose != 1)
        try:
            super().fit_loop(X, y, epochs=epochs, **fit_params)
        except KeyboardInterrupt as interrupt:
            out_of_patience = any(
                isinstance(callback, EarlyStopping) and callback.misses_ == callback.patience
                for _, callback in self.callbacks_
            )
            if not out_of_patience:
                raise Interrupted from interrupt
        finally:
            self.progress.close()
            self.progress = None
        return self


class Interrupted(BaseException):
    """A Ctrl-C on its way through skorch, which would swallow a KeyboardInterrupt."""


class EpochLog(Callback):
    """Begins and logs each epoch, and stops a diverged training."""

    def on_epoch_begin(self, net: Trainer, dataset_train: Samples, **kwargs: Any) -> None:
        """Begin the sums."""
        kl_weight = min(1.0, len(net.history) / max(1, net.kl_warmup))
        net.epoch_ = Epoch(len(dataset_train), kl_weight)

    def on_epoch_end(self, net: Trainer, dataset_train: Samples, **kwargs: Any) -> None:
        """Log the means over the epoch."""
        n_samples = len(dataset_train)
        for name, term in net.epoch_.terms.items():
            net.history.record(name, term.item() / n_samples)
        summary = Summary.of(net.epoch_.sums["posterior"], n_samples)
        net.history.record("kl", float(summary.kl.sum()))
        net.history.record("active_units", summary.active_units)
        loss = net.history[-1, "train_loss"]
        if not np.isfinite(loss):
            raise DivergenceError(
                f"The loss became {loss} in epoch {len(net.history)}. Lower the learning rate "
                f"(lr={net.lr}), or scale the columns of X (StandardScaler)."
            )
        if net.progress is not None:
            net.progress.set_postfix(loss=f"{loss:.4g}", refresh=False)
            net.progress.update()


@dataclass
class Summary:
    """KL divergence by component (in nats), number of active units, variance of the likelihood."""

    kl: np.ndarray
    active_units: int
    noise_variance: float

    @classmethod
    def of(cls, sums: Tensor, n_samples: int, noise_variance: float = 1.0) -> "Summary":
        """Return the summary of `posterior_sums`.

        A unit is active if the variance of its posterior mean is above 0.01 (Burda et al.,
        "Importance Weighted Autoencoders", 2016, section 5).
        """
        kl, mean, square = (sums / n_samples).cpu().numpy()
        return cls(kl, int((square - mean**2 > 0.01).sum()), noise_variance)


def train(
    net: Trainer,
    X: Any,
    X_valid: Any = None,
    *,
    positives: Any,
    epochs: int,
    amp: bool = False,
) -> None:
    """Train an initialised net for some more epochs.

    `positives` is a function of samples: it returns the candidates for each one's positive, or
    None.
    """
    samples = Samples(X, net.device, positives(X))
    if X_valid is not None:
        net.train_split = predefined_split(Samples(X_valid, net.device, positives(X_valid)))
    n_threads = n_threads_that_pay(net.module_, X.shape[1], net.batch_size)
    try:
        with torch_state(net.device, n_threads=n_threads):
            net.amp = amp and _has_bfloat16(samples.device)
            net.partial_fit(samples, epochs=epochs)
    except Interrupted as interrupt:
        raise KeyboardInterrupt from interrupt
    finally:
        # Else the fitted net, and its pickle, would hold the validation samples.
        net.train_split = None
        net.amp = False
    # The last batch's gradients would be kept as long as the net.
    net.optimizer_.zero_grad(set_to_none=True)


def _has_bfloat16(device: torch.device) -> bool:
    if device.type != "cuda" or torch.cuda.is_bf16_supported():
        return True
    warnings.warn(
        f"amp=True needs bfloat16, which {torch.cuda.get_device_name(device)} does not have: "
        "training in float32.",
        RuntimeWarning,
        stacklevel=2,
    )
    return False


@torch.no_grad()
def summarize(net: Trainer, X: Any, generator: torch.Generator | None = None) -> Summary:
    """Return what a trained net does with its training samples."""
    module = net.module_.eval()
    zeros = torch.zeros(3, module.n_components, dtype=torch.float32, device=net.device)
    sums, error, n_observed = zeros, zeros[0, 0], zeros[0, 0]
    for x in sample_batches(X, net.device):
        noise = x.new_empty(len(x), module.n_components).normal_(generator=generator)
        outputs = module(x, noise=noise, auxiliary_weight=1.0)
        kl = module.prior.kl(outputs.posterior)
        sums = sums + posterior_sums(kl, outputs.posterior.mean)["posterior"]
        error = error + outputs.error.sum()
        n_observed = n_observed + outputs.n_observed.sum()
    noise_variance = 1.0
    if module.decoder_variance == "optimal" and n_observed:
        noise_variance = float(error / n_observed)
    elif module.log_variance is not None:
        noise_variance = float(module.log_variance.exp())
    return Summary.of(sums, len(X), noise_variance)
