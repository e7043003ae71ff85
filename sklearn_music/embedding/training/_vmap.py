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
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import partial
from itertools import accumulate, groupby, pairwise
from pickle import PicklingError
from typing import Any

import joblib
import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from ...exceptions import DivergenceError
from ..nn import DenseModule, VAEModule
from ._data import Batches, Samples
from ._device import SMALL_STEP, entropy, n_multiplications, resolve_device, torch_state
from ._handover import offering
from ._out_of_core import is_out_of_core
from ._trainer import Summary, Trainer, summarize

# Memory of a CPU for the networks trained together, in bytes; of a GPU it is half of what is free.
_N_BYTES = 2**30

# Copies of a network's weights in a step: two of the weights, the gradients, two moments of the
# optimizer, and its intermediate results.
_N_COPIES = 8


class VmappedFits:
    """Fits to come, whose networks are trained together once the first of them is asked for.

    A fit finds its network by its parameters and samples. So a fit that nobody has announced
    trains its own, and one that is announced but never comes costs only time.
    """

    def __init__(self) -> None:
        self._members: list[_Member] = []
        self._samples: dict = {}
        self._reasons: dict = {}
        self._chunks: list[list[_Member]] | None = None
        self._trained: dict = defaultdict(list)
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._members)

    def add(self, embedder: Any, X: Any) -> str | Exception | None:
        """Announce a fit.

        Parameters
        ----------
        embedder : BaseEmbedder
            Not fitted.
        X : array-like of shape (n_samples, n_features)
            What it will be fitted on.

        Returns
        -------
        reason : str, Exception or None
            Why its network can't be trained with others: words, or the exception that its fit will
            raise. None if it can.
        """
        for name in ("early_stopping", "callbacks", "checkpoint_dir", "amp"):
            if getattr(embedder, name):
                return name
        if is_out_of_core(X):
            return "memory-mapped data"
        try:
            embedder.check_settings()
            member = _Member(embedder, X)
            if member.kind not in self._reasons:
                self._reasons[member.kind] = member.why_separate()
        except Exception as error:
            return error  # which the fit will raise, where it belongs
        if len(member.X) < 2:
            return "a single sample"
        if member.key is None:
            return "parameters that can't be pickled"
        if (reason := self._reasons[member.kind]) is not None:
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
                for member in _train_what_fits(chunk):
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

    def __init__(self, embedder: Any, X: Any) -> None:
        self.embedder = embedder
        self.X = embedder._training_samples(X, reset=True)
        self.samples = fingerprint(self.X)
        self.key = _key(embedder, self.samples)
        self.n_wanted = 1
        self.settings = embedder._settings(*self.X.shape)
        self.n_components = self.settings["network"]["n_components"]
        self.lr = self.settings["training"]["lr"]
        self.device = resolve_device(embedder.device)
        self.seed = embedder._seed = embedder._draw_seed()

    @property
    def kind(self) -> tuple:
        """What networks that are trained together have in common."""
        # These may differ between them; the total correlation depends on the others.
        differ = {"beta", "free_bits", "kl_warmup", "lr"}
        n_samples: int | None = len(self.X)
        if not self.settings["loss"]["total_correlation"]:
            differ.add("n_components")
            n_samples = None
        common = {
            name: value
            for group in ("network", "loss", "training")
            for name, value in self.settings[group].items()
            if name not in differ
        }
        return type(self.embedder), self.settings["module"], self.device, n_samples, repr(common)

    def why_separate(self) -> str | None:
        """Return why networks of this kind can't be trained together, or None."""
        if self.settings["module"] is not DenseModule or self.embedder._callbacks():
            return f"a {type(self.embedder).__name__} of this kind is always trained separately"
        self.initialize()
        net = self.__dict__.pop("net")
        n_steps = n_multiplications(net.module_, self.X.shape[1], net.batch_size)
        if self.device.type == "cpu" and n_steps >= SMALL_STEP:
            return "networks this wide train no faster together on a CPU"
        return None

    def initialize(self) -> None:
        """Build the net, and the generators with the seed of its own fit."""
        self.net = self.embedder._initialized_net(
            self.settings, self.device, verbose=self.embedder.verbose
        )
        seed = entropy(self.seed, 0)
        self.generator = self.noise_generator = torch.Generator().manual_seed(seed)
        if self.device.type != "cpu":
            self.noise_generator = torch.Generator(self.device).manual_seed(seed)

    def n_bytes(self) -> int:
        """Return the memory of the device that it takes in a step."""
        self.initialize()
        module: VAEModule = self.net.module_
        n_saved = 0

        def count(saved: Tensor) -> Tensor:
            nonlocal n_saved
            n_saved += saved.nbytes
            return saved

        shape = self.net.batch_size, self.X.shape[1]
        x = torch.zeros(*shape, dtype=torch.float32, device=self.device)
        noise = x.new_zeros(len(x), self.n_components)
        with torch.autograd.graph.saved_tensors_hooks(count, lambda saved: saved):
            module(x, x, noise)
        return n_saved + _N_COPIES * sum(weight.nbytes for weight in module.parameters())


def _chunks(members: list[_Member]) -> list[list[_Member]]:
    """Return lists of members that are trained together and fit into the memory."""
    kinds = defaultdict(list)
    for member in members:
        kinds[member.kind].append(member)
    chunks = []
    for alike in kinds.values():
        widest = max(alike, key=lambda member: member.n_components)
        n_free = _N_BYTES
        if widest.device.type == "cuda":
            n_free = torch.cuda.mem_get_info(widest.device)[0] // 2
        size = max(1, n_free // widest.n_bytes())
        chunks += [alike[i : i + size] for i in range(0, len(alike), size)]
    return chunks


def _train_what_fits(members: list[_Member]) -> list[_Member]:
    """Train members together, or in halves if they take too much memory after all."""
    try:
        with torch_state(members[0].device, task=f"{len(members)} networks"):
            return _train(members)
    except MemoryError:
        half = len(members) // 2  # a single one's fit will raise it again
        return [
            member
            for part in (members[:half], members[half:])
            if half
            for member in _train_what_fits(part)
        ]


def _train(members: list[_Member]) -> list[_Member]:
    """Train members together, and return those that did not diverge."""
    positives: dict = {}
    for member in members:
        params = member.embedder.get_params(deep=False)
        key = member.samples, params.get("contrastive_weight"), params.get("n_neighbors")
        if key not in positives:
            positives[key] = member.embedder._positives(member.X)
        member.initialize()
        samples = Samples(member.X, "cpu", positives[key])
        member.batches = Batches(samples, member.net.batch_size, shuffle=True)
    # A step takes members with the same number of samples, the optimizer those with the same lr.
    members = sorted(members, key=lambda member: (len(member.X), member.lr))
    folds = {member.samples: member.X for member in members}
    starts = dict(zip(folds, accumulate(map(len, folds.values()), initial=0), strict=False))
    X = Samples(np.concatenate(list(folds.values())), members[0].device).X
    # A stack for each core: threads that share every operation would wait for one another.
    n_threads = torch.get_num_threads()
    n_stacks = min(n_threads, len(members)) if members[0].device.type == "cpu" else 1
    bounds = [i * len(members) // n_stacks for i in range(n_stacks + 1)]
    parts = [members[a:b] for a, b in pairwise(bounds)]
    stop = threading.Event()
    with (
        torch_state(members[0].device, n_threads=n_threads // n_stacks),
        ThreadPoolExecutor(n_stacks) as pool,
    ):
        try:
            trained = list(pool.map(lambda part: _Stack(part, X, starts).train(stop), parts))
        except BaseException:
            # A Ctrl-C reaches this thread only.
            stop.set()
            raise
    return [member for part in trained for member in part]


class _Loss(nn.Module):
    """A module and its loss as one forward pass, with beta and free bits as tensors."""

    def __init__(self, module: VAEModule, n_samples: int) -> None:
        super().__init__()
        self.module = copy.deepcopy(module)
        self.n_samples = n_samples
        for name in ("beta", "free_bits"):
            delattr(self.module, name)
            self.module.register_buffer(name, torch.empty(0))

    def forward(self, batch: tuple[Tensor, ...], noise: Tensor) -> tuple[Tensor, dict, Tensor]:
        output = self.module.loss(self.module(*batch, noise=noise), n_samples=self.n_samples)
        return output.loss, output.terms, output.sums["posterior"]


class _Stack:
    """The networks of members as one.

    The latent components that a narrower network lacks have weights and noise of zero. So their
    gradients are zero too, and they change nothing.
    """

    def __init__(self, members: list[_Member], X: Tensor, starts: dict) -> None:
        self.members = members
        self.X = X  # the samples of all members
        self.starts = [starts[member.samples] for member in members]  # where its own begin
        widest = max(members, key=lambda member: member.n_components)
        self.net = widest.net
        self.n_components = widest.n_components
        self.batch_size = self.net.batch_size
        self.loss = _Loss(self.net.module_, len(widest.X))
        self.names = [name for name, _ in self.loss.named_parameters()]
        # Not in torch's default dtype, which is the caller's.
        zeros = partial(torch.zeros, dtype=torch.float32, device=widest.device)
        self.free_bits = zeros(len(members), self.n_components)
        for member, own in zip(members, self.free_bits, strict=True):
            own[: member.n_components] = member.net.module_.free_bits

        self.weights = []
        for own in zip(*(member.net.module_.parameters() for member in members), strict=True):
            weight = zeros(len(members), *own[members.index(widest)].shape)
            for part, member, values in zip(weight, members, own, strict=True):
                part[self._mask(part, values, member.n_components)] = values.detach().flatten()
            self.weights.append(_transposed(weight).contiguous())

        # The members from a to b with the same number of samples and learning rate.
        self.blocks = []
        a = 0
        for (_, lr), block in groupby(members, lambda member: (len(member.X), member.lr)):
            b = a + len(list(block))
            self.blocks.append((a, b, lr, [weight[a:b] for weight in self.weights]))
            a = b
        self.optimizer = type(self.net.optimizer_)(
            [{"params": weights, "lr": lr} for _, _, lr, weights in self.blocks],
            **self.net.optimizer_.defaults,
        )

    def train(self, stop: threading.Event) -> list[_Member]:
        """Train all members, and return those that did not diverge."""
        running = dict(enumerate(self.members))
        for _ in range(self.net.max_epochs):
            for member in running.values():
                member.net.notify("on_epoch_begin", dataset_train=member.batches.samples)
            losses, terms, sums = self._epoch(stop)
            for i, member in list(running.items()):
                epoch = member.net.epoch_
                epoch.terms = {name: term[i] for name, term in terms.items()}
                epoch.sums = {"posterior": sums[i, :, : member.n_components]}
                try:
                    self._log(member, losses[:, i].tolist())
                except DivergenceError:
                    # Its fit will not find it, diverge by itself, and say so.
                    del running[i]
        for i, member in running.items():
            self._give_back(i, member)
            member.summary = summarize(member.net, member.X, member.noise_generator)
        return list(running.values())

    def _log(self, member: _Member, losses: list[float]) -> None:
        """Write the history of an epoch as skorch does, and end the epoch."""
        history = member.net.history
        starts = range(0, len(member.X), self.batch_size)
        for start, loss in zip(starts, losses, strict=False):
            history.new_batch()
            history.record_batch("train_loss", loss)
            history.record_batch("train_batch_size", min(self.batch_size, len(member.X) - start))
        history.record("train_batch_count", len(starts))
        member.net.notify("on_epoch_end", dataset_train=member.batches.samples)

    def _epoch(self, stop: threading.Event) -> tuple[Tensor, dict[str, Tensor], Tensor]:
        """Take a step per batch; return the losses, terms and sums to log, on the CPU."""
        orders = self._orders()
        betas = [m.net.module_.beta * m.net.epoch_.kl_weight for m in self.members]
        beta = torch.tensor(betas, dtype=torch.float32, device=self.X.device)
        starts = range(0, orders.shape[2], self.batch_size)
        losses = self.free_bits.new_zeros(len(starts), len(self.members))
        terms: dict[str, Tensor] = defaultdict(lambda: torch.zeros_like(losses[0]))
        sums = losses.new_zeros(len(self.members), 3, self.n_components)
        for step, start in enumerate(starts):
            if stop.is_set():
                raise KeyboardInterrupt
            for a, b, size in self._runs(start):
                batch = self.X[orders[:, a:b, start : start + size]].to(self.X.device)
                weights = [weight[a:b].detach().requires_grad_() for weight in self.weights]
                noise = self._noise(a, b, size)
                loss, parts, part_sums = vmap(self._member_loss)(
                    weights, beta[a:b], self.free_bits[a:b], tuple(batch), noise
                )
                gradients = torch.autograd.grad(loss.sum(), weights, allow_unused=True)
                for first, last, _, views in self.blocks:
                    if a <= first < b:
                        for view, gradient in zip(views, gradients, strict=True):
                            if gradient is not None:
                                # The fused Adam takes it to be laid out as its weight.
                                view.grad = gradient[first - a : last - a].contiguous()
                losses[step, a:b] = loss.detach()
                for name, term in parts.items():
                    terms[name][a:b] += term * size
                sums[a:b] += part_sums
            self.optimizer.step()
            self.optimizer.zero_grad()
        return losses.cpu(), {name: term.cpu() for name, term in terms.items()}, sums.cpu()

    def _member_loss(
        self, weights: list[Tensor], beta: Tensor, free_bits: Tensor, batch: tuple, noise: Tensor
    ) -> tuple[Tensor, dict[str, Tensor], Tensor]:
        weights = [weight.mT if weight.dim() == 2 else weight for weight in weights]
        values = dict(zip(self.names, weights, strict=True))
        values |= {"module.beta": beta, "module.free_bits": free_bits}
        return functional_call(self.loss, values, (batch, noise))

    def _orders(self) -> Tensor:
        """Return an epoch's sample numbers, and those of their positives, by member."""
        drawn = [
            torch.stack(member.batches.orders(member.generator)) + start
            for member, start in zip(self.members, self.starts, strict=True)
        ]
        longest = max(order.shape[1] for order in drawn)
        padded = [nn.functional.pad(order, (0, longest - order.shape[1])) for order in drawn]
        return torch.stack(padded, dim=1).to(self.X.device)

    def _runs(self, start: int) -> Iterator[tuple[int, int, int]]:
        """Yield (a, b, size): members a to b have a batch of this size there."""
        a = 0
        sizes = (min(self.batch_size, len(member.X) - start) for member in self.members)
        for size, run in groupby(sizes):
            b = a + len(list(run))
            if size > 0:
                yield a, b, size
            a = b

    def _noise(self, a: int, b: int, size: int) -> Tensor:
        noise = self.free_bits.new_zeros(b - a, size, self.n_components)
        for part, member in zip(noise, self.members[a:b], strict=True):
            # Into its own tensor, as in a fit: drawn into a part of one, it would differ.
            drawn = noise.new_empty(size, member.n_components)
            part[:, : member.n_components] = drawn.normal_(generator=member.noise_generator)
        return noise

    @torch.no_grad()
    def _give_back(self, i: int, member: _Member) -> None:
        """Give a member's net its weights and the moments of its optimizer."""
        a, _, _, views = next(block for block in self.blocks if block[0] <= i < block[1])
        for own, view in zip(member.net.module_.parameters(), views, strict=True):
            view, state = _transposed(view), self.optimizer.state.get(view, {})
            mask = self._mask(view[0], own, member.n_components)
            own.copy_(view[i - a][mask].view_as(own))
            member.net.optimizer_.state[own] = {
                name: _transposed(value)[i - a][mask].view_as(own) if value.dim() else value.clone()
                for name, value in state.items()
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


def _transposed(weight: Tensor) -> Tensor:
    """Return matrices transposed: their gradients come so, and needn't be copied."""
    return weight.mT if weight.dim() == 3 else weight
