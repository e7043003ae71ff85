"""What a net has learnt, as arrays, and a long fit on disk."""

import os
import warnings
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import torch
from skorch.callbacks import Callback

from ._trainer import Trainer


def get_state(net: Trainer) -> dict[str, Any]:
    """Return what a net has learnt as numpy arrays, which load without its device."""
    return {
        "module": _to_numpy(net.module_.state_dict()),
        # The moments only: the learning rate is the estimator's parameter.
        "optimizer": _to_numpy(net.optimizer_.state_dict()["state"]),
        "history": net.epochs,
    }


def set_state(net: Trainer, state: dict[str, Any]) -> None:
    """Give an initialised net what another one has learnt."""
    net.module_.load_state_dict(_to_torch(state["module"]))
    settings = net.optimizer_.state_dict()
    net.optimizer_.load_state_dict(settings | {"state": _to_torch(state["optimizer"])})
    net.history.extend({**epoch, "batches": []} for epoch in state["history"])


def _to_numpy(state: Any) -> Any:
    if isinstance(state, torch.Tensor):
        # A copy, since on a CPU the tensor would go on sharing its memory.
        return state.detach().cpu().numpy().copy()
    if isinstance(state, dict):
        return {key: _to_numpy(value) for key, value in state.items()}
    return state


def _to_torch(state: Any) -> Any:
    if isinstance(state, np.ndarray):
        return torch.from_numpy(state.copy())
    if isinstance(state, dict):
        return {key: _to_torch(value) for key, value in state.items()}
    return state


class Checkpoint(Callback):
    """Saves a training's state, with the seed of its fit, after each epoch."""

    def __init__(self, path: Path, seed: int) -> None:
        self.path = path
        self.seed = seed

    @classmethod
    def of_fit(
        cls, directory: str | os.PathLike, seed: int, *identity: Any
    ) -> tuple["Checkpoint", dict | None]:
        """Return the checkpoint of the fit with this identity, and the state that it holds.

        If there was an interrupted fit, the checkpoint has its seed; else the state is None.
        """
        path = Path(directory) / f"{joblib.hash(identity)}.checkpoint"
        try:
            state = joblib.load(path)
        except FileNotFoundError:
            return cls(path, seed), None
        except Exception as error:  # what a damaged file raises is not one class
            warnings.warn(
                f"{path} can't be read, so the training starts anew: "
                f"{type(error).__name__}: {error}",
                RuntimeWarning,
                stacklevel=2,
            )
            return cls(path, seed), None
        return cls(path, state["seed"]), state

    def restore(self, net: Trainer, state: dict[str, Any]) -> None:
        """Bring an initialised net and torch's random state to where they were."""
        set_state(net, state["net"])
        torch.set_rng_state(torch.from_numpy(state["random"]))
        if torch.device(net.device).type == "cuda":
            torch.cuda.set_rng_state(torch.from_numpy(state["cuda_random"]), net.device)

    def on_epoch_end(self, net: Trainer, **kwargs: Any) -> None:
        """Write a file that is whole or not there, whenever the process ends."""
        state = {
            "seed": self.seed,
            "net": get_state(net),
            "random": torch.get_rng_state().numpy(),
        }
        if torch.device(net.device).type == "cuda":
            state["cuda_random"] = torch.cuda.get_rng_state(net.device).numpy()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self.path.with_suffix(f".{os.getpid()}")
        try:
            joblib.dump(state, unfinished)
            os.replace(unfinished, self.path)
        finally:
            unfinished.unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove the file: the fit is finished."""
        self.path.unlink(missing_ok=True)
