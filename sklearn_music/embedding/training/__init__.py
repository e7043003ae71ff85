"""Training in the loop of skorch: data, devices and seeds, checkpoints, many networks at once."""

from ._data import Batches, Samples, sample_batches
from ._handover import find_trained, offering
from ._neighbors import nearest_samples
from ._out_of_core import OutOfCore, chunks, is_out_of_core, take
from ._state import Checkpoint, get_state, set_state
from ._torch_state import torch_state
from ._trainer import Summary, Trainer, summarize, train
from ._vmap import VmappedFits, fingerprint

__all__ = [
    "Batches",
    "Checkpoint",
    "OutOfCore",
    "Samples",
    "Summary",
    "Trainer",
    "VmappedFits",
    "chunks",
    "find_trained",
    "fingerprint",
    "get_state",
    "is_out_of_core",
    "nearest_samples",
    "offering",
    "sample_batches",
    "set_state",
    "summarize",
    "take",
    "torch_state",
    "train",
]
