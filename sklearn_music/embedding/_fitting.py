"""The course of a fit: checks, seeds, samples held out, checkpoints, training."""

import copy
import os
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.model_selection import train_test_split
from skorch.callbacks import Callback, EarlyStopping

from .._device import resolve_device
from ._layout import check_image_shape, check_widths
from .training import (
    Checkpoint,
    Summary,
    Trainer,
    get_state,
    set_state,
    summarize,
    take,
    torch_state,
    train,
)

if TYPE_CHECKING:
    from ._base import BaseEmbedder

# Why a checkpoint serves another fit of the same samples that differs in these parameters.
NOT_IN_CHECKPOINT_KEY = {
    "callbacks": "a fit that keeps checkpoints has none",
    "checkpoint_dir": "where the checkpoint is",
    "condition_features": "their columns are the last ones of the samples, which are in the key",
    "device": "the weights are the same up to rounding, and a fit may go on elsewhere",
    "early_stopping": "a fit that keeps checkpoints holds nothing out",
    "n_iter_no_change": "of early_stopping",
    "n_main": "the number that it means is in the arguments of the network, which are in the key",
    "random_state": "the seed that was drawn from it is in the key",
    "validation_fraction": "of early_stopping",
    "verbose": "what is printed",
    "warm_start": "a fit that goes on from an earlier one keeps no checkpoint",
}


def check_settings(embedder: "BaseEmbedder", *, partial: bool) -> None:
    """Raise what is wrong with an embedder's parameters beyond their types and ranges."""
    if embedder.image_shape is not None:
        check_image_shape(embedder.image_shape)
    for name, n_min in (("hidden_layer_sizes", 0), ("channels", 1)):
        check_widths(getattr(embedder, name, [1]), name, n_min)
    resolve_device(embedder.device)
    callbacks = [cb[-1] if isinstance(cb, tuple | list) else cb for cb in embedder.callbacks or ()]
    for callback in callbacks:
        kind = callback if isinstance(callback, type) else type(callback)
        if not issubclass(kind, Callback):
            raise ValueError(f"Got {callback!r} in callbacks, expected callbacks of skorch.")
        monitor = getattr(callback, "monitor", None)
        needs_valid_samples = isinstance(monitor, str) and monitor.startswith("valid_")
        if needs_valid_samples and (partial or not embedder.early_stopping):
            raise ValueError(
                f"A callback monitors {monitor}, but no samples are held out: let it monitor "
                "train_loss, or use early_stopping=True."
            )
    folder = embedder.checkpoint_dir
    if partial or folder is None:
        return
    if callbacks or embedder.early_stopping:
        raise ValueError(
            "checkpoint_dir can't be used with callbacks or early_stopping, whose own state "
            "would be lost: leave out either."
        )
    if os.path.exists(folder) and not os.path.isdir(folder):
        raise NotADirectoryError(
            f"Got checkpoint_dir={str(folder)!r}, which is a file, expected a folder."
        )


def train_network(
    embedder: "BaseEmbedder", X: Any, settings: dict, *, previous: Trainer | None, partial: bool
) -> tuple[Trainer, Summary]:
    """Return the trained net of an embedder, and its summary."""
    if previous is None:
        embedder._seed = embedder._draw_seed()
    # Copies, since a fit must not change a parameter.
    callbacks = copy.deepcopy(list(embedder.callbacks or ()))
    X_valid = checkpoint = state = None
    if embedder.early_stopping and not partial:
        X, X_valid = _hold_out(embedder, X)
        callbacks.append(EarlyStopping(patience=embedder.n_iter_no_change, load_best=True))
    if embedder.checkpoint_dir is not None and previous is None and not partial:
        checkpoint, state = _find_checkpoint(embedder, X, settings)
        embedder._seed = checkpoint.seed
        callbacks.append(checkpoint)
    device = resolve_device(embedder.device)
    with torch_state(device, task=f"batch_size={settings['training']['batch_size']}"):
        net = embedder._initialized_net(
            settings, device, callbacks=callbacks, verbose=embedder.verbose
        )
        if previous is not None:
            set_state(net, get_state(previous))
        with torch_state(device, seed=(embedder._seed, len(net.history))):
            if checkpoint is not None and state is not None:
                checkpoint.restore(net, state)
            n_done = len(net.history) if state else 0
            epochs = 1 if partial else embedder.max_epochs - n_done
            train(net, X, X_valid, positives=embedder._positives, epochs=epochs, amp=embedder.amp)
            summary = summarize(net, X)
    if checkpoint is not None:
        checkpoint.remove()
    return net, summary


def _hold_out(embedder: "BaseEmbedder", X: Any) -> list[Any]:
    share = embedder.validation_fraction
    if not 0 < np.ceil(share * len(X)) < len(X):
        raise ValueError(
            f"Got n_samples={len(X)}, of which early_stopping can't hold out "
            f"validation_fraction={share} and train on others: lower it, pass more samples, or use "
            "early_stopping=False."
        )
    parts = train_test_split(np.arange(len(X)), test_size=share, random_state=embedder._seed)
    return [take(X, np.sort(part)) for part in parts]


def _find_checkpoint(
    embedder: "BaseEmbedder", X: Any, settings: dict
) -> tuple[Checkpoint, dict | None]:
    params = {
        name: value
        for name, value in embedder.get_params(deep=False).items()
        if name not in NOT_IN_CHECKPOINT_KEY
    }
    seed = None if embedder.random_state is None else embedder._seed
    samples = X if isinstance(X, np.ndarray) else X.digest()
    identity = (type(embedder).__name__, params, settings, seed, samples)
    return Checkpoint.of_fit(embedder.checkpoint_dir, embedder._seed, *identity)


def check_same_network(before: dict, now: dict) -> None:
    """Raise a ValueError where training can't go on, since the network is another one."""
    before, now = before["network"], now["network"]
    changed = {
        name: (before.get(name), now.get(name))
        for name in [*before, *(name for name in now if name not in before)]
        if before.get(name) != now.get(name)
    }
    if changed:
        raise ValueError(
            "Training can go on with the same network only, but it changed: "
            + ", ".join(f"{name} from {old} to {new}" for name, (old, new) in changed.items())
            + ". Set warm_start=False, or clone the estimator, to train a new one."
        )
