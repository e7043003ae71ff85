"""What a long fit has reached, on disk."""

import os
import warnings
from pathlib import Path

import joblib
import torch
from skorch.callbacks import Callback

from ._training import get_state, set_state


class Checkpoint(Callback):
    """Keeps a training's state after each epoch, for the same fit to go on from.

    Parameters
    ----------
    path : Path
        The file.
    seed : int
        The seed of the fit.
    """

    def __init__(self, path, seed):
        self.path = path
        self.seed = seed

    @classmethod
    def of_fit(cls, directory, seed, *identity):
        """Return the checkpoint of the fit that is told by its identity, and what it holds.

        Returns
        -------
        checkpoint : Checkpoint
            With the seed of the interrupted fit, if there was one.
        state : dict or None
            What it had reached.
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

    def restore(self, net, state):
        """Bring an initialised net and torch's random state to where they were."""
        set_state(net, state["net"])
        torch.set_rng_state(torch.from_numpy(state["random"]))
        if torch.device(net.device).type == "cuda":
            torch.cuda.set_rng_state(torch.from_numpy(state["cuda_random"]), net.device)

    def on_epoch_end(self, net, dataset_train=None, **kwargs):
        """Write a file that is whole or not there, whenever the process ends."""
        positives = dataset_train.positives
        state = {
            "seed": self.seed,
            "net": get_state(net),
            "random": torch.get_rng_state().numpy(),
            "positives": None if positives is None else positives.numpy(),
        }
        if torch.device(net.device).type == "cuda":
            state["cuda_random"] = torch.cuda.get_rng_state(net.device).numpy()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self.path.with_suffix(f".{os.getpid()}")
        joblib.dump(state, unfinished)
        os.replace(unfinished, self.path)

    def remove(self):
        """Remove the file: the fit is finished."""
        self.path.unlink(missing_ok=True)
