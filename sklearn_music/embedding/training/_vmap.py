"""Many dense networks trained as one, for a search.

Each weight of networks with the same layers becomes one tensor whose first axis is the networks,
so that a step of all of them is a few large operations instead of many small ones. Each network
has its own generators, seeded as in a fit of its own. So it starts as in that fit and sees the same
batches and noise. But sums of float32 are rounded in another order, and training amplifies the
difference (benchmarks/bench_rounding.py).
"""

import copy
import threading
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import partial
from itertools import groupby, pairwise
from pickle import PicklingError
from typing import Any

import joblib
import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from ..._device import resolve_device
from ...exceptions import DivergenceError
from ..nn import DenseModule, LossOutput, VAEModule
from ._data import Batches, Samples
from ._handover import offering
from ._out_of_core import is_out_of_core
from ._torch_state import entropy, torch_state
from ._trainer import Epoch, Summary, Trainer, summarize

# Memory of a CPU for the networks trained together, in bytes; of a GPU it is half of what is free.
_N_BYTES = 2**30

# Multiplications of a step's forward pass from which networks train no faster together on a CPU.
_SMALL_STEP = 2**25

# Weights of terms that are sums over latent components; others need equally many components.
_SUMS = {"beta", "contrastive_weight"}

# Copies of a network's weights and outputs that a step holds: gradients, moments, ...
_N_COPIES = 8


class VmappedFits:
    """Fits to come, whose networks are trained together once the first of them is asked for.

    A fit finds its network by its parameters and samples. So a fit that nobody has announced
    trains its own, and one that is announced but never comes costs only time.
    """

    def __init__(self) -> None:
        self._members: list[_Member] = []
        self._samples: dict = {}
        self._chunks: list[list[_Member]] | None = None
        self._trained: dict = defaultdict(list)
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._members)

    def add(self, embedder: Any, X: Any) -> str | None:
        """Announce a fit of an unfitted embedder on samples X.

        Returns
        -------
        reason : str or None
            Why its network can't be trained with others. None if it can, or if its fit will fail.
        """
        kind = type(embedder).__name__
        if embedder.image_shape is not None:
            return f"a {kind} with image_shape is always trained separately"
        if embedder._callbacks():
            return f"a {kind} is always trained separately"
        for name in ("early_stopping", "callbacks", "checkpoint_dir", "amp"):
            if getattr(embedder, name):
                return name
        if is_out_of_core(X):
            return "memory-mapped data"
        try:
            embedder.check_settings()
            member = _Member(embedder, X)
        except Exception:
            return None  # the fit will raise it, where it belongs
        if (reason := member.why_separate()) is not None:
            return reason
        member.X = self._samples.setdefault(member.samples, member.X)
        if embedder.random_state is not None:
            for other in self._members:
                if other.key == member.key:
                    other.n_wanted += 1
                    return None
        self._members.append(member)
        return None

    def offered(self) -> AbstractContextManager[None]:
        """Let the fits of this process find their networks here."""
        return offering(self)

    def take(self, embedder: Any, X: Any) -> tuple[Trainer, Summary, int] | None:
        """Return a trained net, its summary and its seed, or None."""
        if not isinstance(X, np.ndarray) or (key := _key(embedder, fingerprint(X))) is None:
            return None
        with self._lock:
            if self._chunks is None:
                self._chunks = _chunks(self._members)
                self._members = []  # else the nets would stay as long as the search
            if not self._trained[key]:
                chunk = next((c for c in self._chunks if any(m.key == key for m in c)), None)
                if chunk is None:
                    return None
                # Before its training, so that one that fails is not tried again.
                self._chunks.remove(chunk)
                for member in _train(chunk):
                    trained = (member.net, member.summary, member.seed)
                    self._trained[member.key] += [trained] * member.n_wanted
            return self._trained[key].pop() if self._trained[key] else None


def fingerprint(*content: Any) -> str | None:
    """Return a hash that is the same for equal content; None if it can't be pickled (a lambda)."""
    try:
        return joblib.hash(content)
    except (AttributeError, PicklingError, TypeError):
        return None


def _key(embedder: Any, samples: str | None) -> str | None:
    return fingerprint(type(embedder), embedder.get_params(deep=False), samples)


class _Member:
    """A fit to come."""

    net: Trainer
    summary: Summary
    batches: Batches
    noise_generator: torch.Generator

    def __init__(self, embedder: Any, X: Any) -> None:
        self.embedder = embedder
        self.X = embedder._training_samples(X, reset=True)
        self.samples = fingerprint(self.X)
        self.key = _key(embedder, self.samples)
        self.n_wanted = 1
        self.settings = embedder._settings(*self.X.shape)
        self.n_components = self.settings["network"]["n_components"]
        self.batch_size = self.settings["training"]["batch_size"]
        self.lr = self.settings["training"]["lr"]
        self.device = resolve_device(embedder.device)
        self.seed = embedder._seed = embedder._draw_seed()
        with torch.device("meta"):  # for its sizes only
            module = self.settings["module"](**self.settings["network"], **self.settings["loss"])
        self.n_weights = sum(weight.numel() for weight in module.parameters())
        # There is a bias for each output of a layer.
        self.n_outputs = sum(len(weight) for weight in module.parameters() if weight.dim() == 1)

    @property
    def kind(self) -> tuple:
        """What networks that are trained together have in common."""
        differ = {"beta", "kl_warmup", "lr"}
        if not any(value for name, value in self.settings["loss"].items() if name not in _SUMS):
            differ.add("n_components")
        common = {
            name: value
            for group in ("network", "loss", "training")
            for name, value in self.settings[group].items()
            if name not in differ
        }
        return type(self.embedder), self.device, len(self.X), repr(common)

    @property
    def n_bytes(self) -> int:
        """The memory of the device that it takes in a step."""
        n_values = self.n_weights + self.batch_size * self.n_outputs
        return _N_COPIES * torch.float32.itemsize * n_values

    def why_separate(self) -> str | None:
        """Return why its network can't be trained together with others, or None."""
        if self.settings["module"] is not DenseModule:
            return "a network of another kind"
        if len(self.X) < 2:
            return "a single sample"
        if self.key is None:
            return "parameters that can't be pickled"
        # A dense network multiplies each sample by each weight.
        if self.device.type == "cpu" and self.batch_size * self.n_weights >= _SMALL_STEP:
            return "networks this wide train no faster together on a CPU"
        return None

    def initialize(self, positives: Any) -> None:
        """Build the net, and the generators with the seed of its own fit."""
        self.net = self.embedder._initialized_net(
            self.settings, self.device, verbose=self.embedder.verbose
        )
        seed = entropy(self.seed, 0)
        generator = self.noise_generator = torch.Generator().manual_seed(seed)
        if self.device.type != "cpu":
            self.noise_generator = torch.Generator(self.device).manual_seed(seed)
        samples = Samples(self.X, self.device, positives)
        self.batches = Batches(samples, self.batch_size, shuffle=True, generator=generator)


def _chunks(members: list[_Member]) -> list[list[_Member]]:
    """Return lists of members that are trained together and fit into the memory."""
    kinds = defaultdict(list)
    for member in members:
        kinds[member.kind].append(member)
    chunks = []
    for alike in kinds.values():
        n_free, device = _N_BYTES, alike[0].device
        if device.type == "cuda":
            n_free = torch.cuda.mem_get_info(device)[0] // 2
        size = max(1, n_free // max(member.n_bytes for member in alike))
        chunks += [alike[i : i + size] for i in range(0, len(alike), size)]
    return chunks


def _train(members: list[_Member]) -> list[_Member]:
    """Train members together, and return those that did not diverge.

    None, if there is not enough memory: then each is trained by its own fit.
    """
    device = members[0].device
    positives: dict = {}
    for member in members:
        key = member.samples, getattr(member.embedder, "n_neighbors", None)
        if key not in positives:
            positives[key] = member.embedder._positives(member.X)
        member.initialize(positives[key])
    # Those with the same learning rate side by side.
    members = sorted(members, key=lambda member: member.lr)
    # A stack for each core: threads that share every operation would wait for one another.
    n_threads = torch.get_num_threads()
    n_stacks = min(n_threads, len(members)) if device.type == "cpu" else 1
    bounds = [i * len(members) // n_stacks for i in range(n_stacks + 1)]
    parts = [members[a:b] for a, b in pairwise(bounds)]
    stop = threading.Event()
    try:
        with (
            torch_state(device, n_threads=n_threads // n_stacks, task=f"{len(members)} networks"),
            ThreadPoolExecutor(n_stacks) as pool,
        ):
            try:
                trained = list(pool.map(lambda part: _Stack(part).train(stop), parts))
            except BaseException:
                # A Ctrl-C reaches this thread only.
                stop.set()
                raise
    except MemoryError:
        return []
    return [member for part in trained for member in part]


class _Loss(nn.Module):
    """A module and its loss as one forward pass, with beta as an argument."""

    def __init__(self, module: VAEModule, n_samples: int) -> None:
        super().__init__()
        self.module = copy.deepcopy(module)
        self.module.beta = 1.0
        self.n_samples = n_samples

    def forward(
        self, batch: list[Tensor], noise: Tensor, beta: Tensor
    ) -> tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]:
        outputs = self.module(*batch, noise=noise)
        output = self.module.loss(outputs, beta, self.n_samples)
        return output.loss, output.terms, output.sums


class _Stack:
    """The networks of members as one.

    The latent components that a narrower network lacks have weights and noise of zero. So their
    gradients are zero too, and they change nothing.
    """

    def __init__(self, members: list[_Member]) -> None:
        self.members = members
        widest = max(members, key=lambda member: member.n_components)
        self.net = widest.net
        self.n_components = widest.n_components
        self.n_samples = len(widest.X)
        self.loss = _Loss(self.net.module_, self.n_samples)
        self.names = [name for name, _ in self.loss.named_parameters()]
        # Not in torch's default dtype, which is the caller's.
        self.zeros = partial(torch.zeros, dtype=torch.float32, device=widest.device)
        self.weights = []
        for own in zip(*(member.net.module_.parameters() for member in members), strict=True):
            weight = self.zeros(len(members), *own[members.index(widest)].shape)
            for part, member, values in zip(weight, members, own, strict=True):
                part[self._mask(part, values, member.n_components)] = values.detach().flatten()
            self.weights.append(weight)

        # The members from a to b with the same learning rate.
        self.blocks = []
        a = 0
        for lr, block in groupby(members, lambda member: member.lr):
            b = a + len(list(block))
            self.blocks.append((a, b, lr, [weight[a:b] for weight in self.weights]))
            a = b
        groups = [{"params": weights, "lr": lr} for _, _, lr, weights in self.blocks]
        self.optimizer = type(self.net.optimizer_)(groups, **self.net.optimizer_.defaults)

    def train(self, stop: threading.Event) -> list[_Member]:
        """Train all members, and return those that did not diverge."""
        running = dict(enumerate(self.members))
        for _ in range(self.net.max_epochs):
            for member in self.members:
                member.net.notify("on_epoch_begin", dataset_train=member.batches.samples)
            epoch = self._epoch(stop)
            for i, member in list(running.items()):
                try:
                    self._log(member.net, epoch, i, member.batches.samples)
                except DivergenceError:
                    # Its fit will not find it, diverge by itself, and say so.
                    del running[i]
        for i, member in running.items():
            self._give_back(i, member)
            member.summary = summarize(member.net, member.X, member.noise_generator)
        return list(running.values())

    def _epoch(self, stop: threading.Event) -> Epoch:
        """Take a step per batch, and return the sums of all members."""
        nets = [member.net for member in self.members]
        betas = [net.module_.beta * net.epoch_.kl_weight for net in nets]
        beta = torch.tensor(betas, dtype=torch.float32, device=self.members[0].device)
        epoch = Epoch(self.n_samples, 1.0)
        for batches in zip(*(member.batches for member in self.members), strict=True):
            if stop.is_set():
                raise KeyboardInterrupt
            batch = [torch.stack(parts) for parts in zip(*(x for x, _ in batches), strict=True)]
            noise = self._noise(batch[0].shape[1])
            weights = [weight.detach().requires_grad_() for weight in self.weights]
            by_name = dict(zip(self.names, weights, strict=True))
            call = vmap(partial(functional_call, self.loss))
            loss, terms, sums = call(by_name, (batch, noise, beta))
            gradients = torch.autograd.grad(loss.sum(), weights, allow_unused=True)
            for a, b, _, views in self.blocks:
                for view, gradient in zip(views, gradients, strict=True):
                    if gradient is not None:
                        # The fused Adam takes it to be laid out as its weight.
                        view.grad = gradient[a:b].contiguous()
            terms["train_loss"] = loss.detach()
            epoch.add(LossOutput(loss, terms, sums), len(noise[0]))
            self.optimizer.step()
            self.optimizer.zero_grad()
        epoch.terms = {name: term.cpu() for name, term in epoch.terms.items()}
        epoch.sums = {name: values.cpu() for name, values in epoch.sums.items()}
        return epoch

    def _log(self, net: Trainer, epoch: Epoch, i: int, samples: Samples) -> None:
        """Write the history of a member's epoch as skorch does, and end the epoch."""
        terms = {name: term[i] for name, term in epoch.terms.items()}
        net.history.new_batch()  # one, for all batches
        net.history.record_batch("train_loss", terms.pop("train_loss").item() / self.n_samples)
        net.history.record_batch("train_batch_size", self.n_samples)
        net.history.record("train_batch_count", -(-self.n_samples // net.batch_size))
        net.epoch_.terms = terms
        net.epoch_.sums = {"posterior": epoch.sums["posterior"][i, :, : net.module_.n_components]}
        net.notify("on_epoch_end", dataset_train=samples)

    def _noise(self, n_samples: int) -> Tensor:
        noise = self.zeros(len(self.members), n_samples, self.n_components)
        for part, member in zip(noise, self.members, strict=True):
            # Into its own tensor, as in a fit: drawn into a part of one, it would differ.
            drawn = noise.new_empty(n_samples, member.n_components)
            part[:, : member.n_components] = drawn.normal_(generator=member.noise_generator)
        return noise

    @torch.no_grad()
    def _give_back(self, i: int, member: _Member) -> None:
        """Give a member's net its weights and the moments of its optimizer."""
        a, _, _, views = next(block for block in self.blocks if block[0] <= i < block[1])
        for own, view in zip(member.net.module_.parameters(), views, strict=True):
            mask = self._mask(view[0], own, member.n_components)
            own.copy_(view[i - a][mask].view_as(own))
            member.net.optimizer_.state[own] = {
                name: value[i - a][mask].view_as(own) if value.dim() else value.clone()
                for name, value in self.optimizer.state.get(view, {}).items()
            }

    def _mask(self, weight: Tensor, own: Tensor, n_components: int) -> Tensor:
        """Return which values of the widest network's weight a narrower network has too."""
        mask = torch.ones_like(weight, dtype=torch.bool)
        if weight.shape[:1] != own.shape[:1]:
            # The encoder's last layer gives the means, then the log-variances.
            mask.unflatten(0, (2, self.n_components))[:, n_components:] = False
        elif weight.shape != own.shape:
            # The decoder's first layer takes the components, then the condition.
            mask[:, n_components : self.n_components] = False
        return mask
