"""torch's state of the whole process: modes, random numbers, threads."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

# Multiplications of a step's forward pass below which a second thread gains a third at the most
# (measured on two idle cores). On a busy machine, waiting for it costs many times that.
SMALL_STEP = 2**28

# torch's random state and number of threads belong to the process. Whoever changes them holds
# this lock until they are back, so only one fit trains at a time.
_PROCESS_STATE = threading.RLock()


@contextmanager
def torch_state(
    device: str | torch.device,
    *,
    seed: Sequence[int] | None = None,
    n_threads: int | None = None,
    task: str | None = None,
) -> Iterator[None]:
    """Work as a fresh thread of torch would, and leave the caller's state as it was.

    Without `seed` or `n_threads`, the random numbers or threads are left alone. If the memory
    of the device is not enough, a MemoryError names the `task`.
    """
    device = torch.device(device)
    with ExitStack() as stack:
        if task is not None:
            stack.enter_context(_memory_errors(device, task))
        # A net that is built in inference mode can't be trained, and autocast would leave
        # results in half precision. A default device is for tensors that have none.
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        if torch.is_autocast_enabled(device.type):
            stack.enter_context(torch.autocast(device.type, enabled=False))
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        if seed is not None:
            stack.enter_context(_seeded(seed))
        if n_threads is not None:
            stack.enter_context(_threads(n_threads))
        yield


@contextmanager
def _seeded(seed: Sequence[int]) -> Iterator[None]:
    with _PROCESS_STATE:
        has_cuda = torch.cuda.is_initialized()
        devices = range(torch.cuda.device_count()) if has_cuda else ()
        with torch.random.fork_rng(devices=list(devices)):
            if has_cuda or torch.backends.mps.is_available():
                torch.manual_seed(entropy(*seed))
            else:
                # manual_seed would note by a costly traceback what to seed a GPU with later.
                torch.default_generator.manual_seed(entropy(*seed))
            yield


def entropy(*seed: int) -> int:
    """Return the seed of torch's generators."""
    return int(np.random.SeedSequence(seed).generate_state(1)[0])


@contextmanager
def _threads(n_threads: int) -> Iterator[None]:
    with _PROCESS_STATE:
        before = torch.get_num_threads()
        torch.set_num_threads(n_threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)


@contextmanager
def _memory_errors(device: torch.device, task: str) -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        # On a CPU and on MPS it has no class of its own.
        if not any(words in str(error) for words in ("out of memory", "allocate memory")):
            raise
        if device.type == "cuda":
            torch.cuda.empty_cache()
        # The traceback would hold the tensors that filled the memory.
        raise MemoryError(
            f"Out of memory on device={str(device)!r} with {task}. Lower batch_size, the widths "
            "of the network or the number of columns, or use another device."
        ) from error.with_traceback(None)


def n_multiplications(module: nn.Module, n_features: int, batch_size: int) -> float:
    """Return the number of multiplications of a step's forward pass."""
    device = next(module.parameters()).device
    sample = torch.zeros(1, n_features, dtype=torch.float32, device=device)
    with (
        torch.no_grad(),
        torch_state(device, seed=(0,)),
        FlopCounterMode(display=False) as counter,
    ):
        module(sample)
    # A multiplication and an addition are counted as two operations.
    return counter.get_total_flops() / 2 * batch_size


def n_threads_that_pay(module: nn.Module, n_features: int, batch_size: int) -> int:
    """Return how many threads train a module fastest: all, or one if its steps are small."""
    n_threads = torch.get_num_threads()
    if n_threads == 1 or next(module.parameters()).device.type != "cpu":
        return n_threads
    is_small = n_multiplications(module, n_features, batch_size) < SMALL_STEP
    return 1 if is_small else n_threads
