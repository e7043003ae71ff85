"""Many networks trained as one.

Each weight of networks with the same layers becomes one tensor whose first axis is the
networks, so that a step of all of them is a few large operations in place of many small ones.
Each network has generators of its own, seeded as in a fit of its own. So it starts as in that fit
and sees the same batches and noise, but sums of float32 are rounded in another order, and training
amplifies the difference (benchmarks/bench_rounding.py).
"""

import copy
import threading
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import accumulate, groupby
from pickle import PicklingError

import joblib
import numpy as np
import torch
from torch.func import functional_call, vmap

from ..exceptions import DivergenceError
from ._mapped_rows import is_mapped
from ._networks import ConvNetwork, DenseNetwork
from ._objective import NegativeELBO
from ._training import (
    _SMALL_STEP,
    Batches,
    Rows,
    _n_multiplications,
    entropy,
    memory_errors,
    resolve_device,
    summarize,
    threads,
)

# What the networks trained together may take of a CPU's memory, in bytes; of a GPU's it is
# half of what is free.
_N_BYTES = 2**30

# How many copies of a network's weights there are: two of the weights, the gradients, two
# moments, and what the step makes of them.
_N_COPIES = 8

# In which of its settings a network may differ from those it is trained with.
_OWN = ("criterion__beta", "criterion__free_bits", "callbacks__terms__kl_warmup", "lr")

_offered: list["Stacks"] = []


class Stacks:
    """Fits to come, whose networks are trained together once the first of them is asked for.

    A fit finds its network by what it is made of, parameters and rows. So one that nobody
    has foreseen trains its own, and a fit that is foreseen but never comes costs time only.
    """

    def __init__(self):
        self._members = []
        self._rows = {}
        self._reasons = {}
        self._chunks = None
        self._trained = defaultdict(list)
        self._lock = threading.Lock()

    def __len__(self):
        return len(self._members)

    def add(self, embedder, X):
        """Foresee a fit.

        Parameters
        ----------
        embedder : BaseEmbedder
            An unfitted one.
        X : array-like of shape (n_samples, n_features)
            What it will be fitted on.

        Returns
        -------
        reason : str, Exception or None
            Why its network can't be trained with others, where that is so: words, or the
            exception that its fit will raise.
        """
        for name in ("early_stopping", "callbacks", "checkpoint_dir", "amp"):
            if getattr(embedder, name):
                return name
        if is_mapped(X):
            return "rows on disk"
        try:
            embedder._validate_params()
            member = _Member(embedder, X)
            if member.kind not in self._reasons:
                self._reasons[member.kind] = member.why_alone()
        except Exception as error:
            return error  # which the fit will raise, where it belongs
        if len(member.X) < 2:
            return "one row"
        if member.key is None:
            return "parameters that can't be pickled"
        if (reason := self._reasons[member.kind]) is not None:
            return reason
        member.X = self._rows.setdefault(member.rows, member.X)
        if embedder.random_state is not None:
            for other in self._members:
                if other.key == member.key:
                    other.n_wanted += 1
                    return None
        self._members.append(member)
        return None

    @contextmanager
    def offered(self):
        """Let the fits of this process find their networks here."""
        _offered.append(self)
        try:
            yield
        finally:
            _offered.remove(self)

    def take(self, key):
        """Return a trained net, its summary and its seed, or None."""
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


def take(embedder, X):
    """Return the net of an embedder that is being fitted, its summary and its seed.

    Or None, where it was not trained with others. X is as the network takes it.
    """
    if not _offered or not isinstance(X, np.ndarray):
        return None
    if (key := _key(embedder, fingerprint(X))) is None:
        return None
    return next((taken for stacks in list(_offered) if (taken := stacks.take(key))), None)


def fingerprint(*content):
    """Return what equal content has in common, or None where it can't be pickled (a lambda)."""
    try:
        return joblib.hash(content)
    except (AttributeError, PicklingError, TypeError):
        return None


def _key(embedder, rows):
    return fingerprint(type(embedder), embedder.get_params(deep=False), rows)


class _Member:
    """A fit to come: what it starts from, and what comes out."""

    def __init__(self, embedder, X):
        self.embedder = embedder
        self.X = embedder._training_rows(X, reset=True)
        self.rows = fingerprint(self.X)
        self.key = _key(embedder, self.rows)
        self.n_wanted = 1
        self.settings = embedder._settings(*self.X.shape)
        self.n_components = self.settings["module__n_components"]
        self.lr = self.settings["lr"]
        self.device = resolve_device(embedder.device)
        self.seed = embedder._seed = embedder._draw_seed()

    @property
    def kind(self):
        """What the members of a stack have in common."""
        common = {name: value for name, value in self.settings.items() if name not in _OWN}
        n_rows: int | None = len(self.X)
        if not common["criterion__total_correlation"]:
            # It alone depends on the numbers of rows and of components.
            del common["module__n_components"]
            n_rows = None
        return type(self.embedder), self.device, n_rows, repr(common)

    def why_alone(self):
        """Return why networks of this kind can't be trained together, or None."""
        self.initialize()
        net = self.__dict__.pop("net")
        # Others draw more than the noise, or have shapes that depend on values.
        is_known = type(net.module_) in (DenseNetwork, ConvNetwork)
        if is_known and type(net.criterion_) is NegativeELBO and not net.callbacks:
            is_dense = type(net.module_) is DenseNetwork
            if is_dense and self.device.type == "cpu" and _n_multiplications(net) >= _SMALL_STEP:
                # Measured: no faster together, and so for nothing other than in a fit.
                return "networks this wide train no faster together on a CPU"
            return None
        return f"a {type(self.embedder).__name__} is always trained separately"

    def initialize(self):
        """Build the net, and seed what its fit would draw from."""
        self.net = self.embedder._initialized_net(
            self.settings, self.device, verbose=self.embedder.verbose
        )
        seed = entropy(self.seed, 0)
        self.generator = self.noise_generator = torch.Generator().manual_seed(seed)
        if self.device.type != "cpu":
            self.noise_generator = torch.Generator(self.device).manual_seed(seed)

    def parameters(self):
        """Return what is learnt."""
        return [*self.net.module_.parameters(), *self.net.criterion_.parameters()]

    def n_bytes(self):
        """Return what it takes of a device's memory in a step."""
        self.initialize()
        n_saved = 0

        def count(saved):
            nonlocal n_saved
            n_saved += saved.nbytes
            return saved

        x = torch.zeros(
            self.net.batch_size, self.X.shape[1], dtype=torch.float32, device=self.device
        )
        noise = x.new_zeros(len(x), self.n_components)
        with torch.autograd.graph.saved_tensors_hooks(count, lambda saved: saved):
            self.net.module_(x, x, noise)
        return n_saved + _N_COPIES * sum(weight.nbytes for weight in self.parameters())


def _chunks(members):
    """Return lists of members to train together, so many that they fit into the memory."""
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


def _train_what_fits(members):
    """Train members together, or halves of them where they take too much memory after all."""
    try:
        with memory_errors(members[0].device, f"{len(members)} networks"):
            return _train(members)
    except MemoryError:
        half = len(members) // 2  # a single one's fit will say so itself
        return [
            member
            for part in (members[:half], members[half:])
            if half
            for member in _train_what_fits(part)
        ]


def _train(members):
    """Train members together, and return those that did not diverge."""
    positives = {}
    for member in members:
        params = member.embedder.get_params(deep=False)
        key = member.rows, params.get("contrastive_weight"), params.get("n_neighbors")
        if key not in positives:
            positives[key] = member.embedder._positives(member.X)
        member.initialize()
        rows = Rows(member.X, "cpu", positives[key])
        member.batches = Batches(rows, member.net.batch_size, shuffle=True)
    # A step takes members with the same number of rows, the optimizer those with the same lr.
    members = sorted(members, key=lambda member: (len(member.X), member.lr))
    folds = {member.rows: member.X for member in members}
    starts = dict(zip(folds, accumulate(map(len, folds.values()), initial=0), strict=False))
    X = Rows(np.concatenate(list(folds.values())), members[0].device).X
    # A stack for each core: threads that share every operation would wait for one another. A
    # convolution keeps a core as busy by itself, so that each network of them is its own stack.
    n_threads = torch.get_num_threads()
    n_stacks = n_workers = 1
    if members[0].device.type == "cpu":
        n_workers = min(n_threads, len(members))
        has_images = any(weight.dim() > 2 for weight in members[0].parameters())
        n_stacks = len(members) if has_images else n_workers
    stop = threading.Event()
    parts = [
        members[i * len(members) // n_stacks : (i + 1) * len(members) // n_stacks]
        for i in range(n_stacks)
    ]
    with threads(n_threads // n_workers), ThreadPoolExecutor(n_workers) as pool:
        try:
            trained = list(pool.map(lambda part: _Stack(part, X, starts).train(stop), parts))
        except BaseException:
            # A Ctrl-C reaches this thread only.
            stop.set()
            raise
    return [member for part in trained for member in part]


class _Stack:
    """The networks of members as one.

    The latent components that a narrower network lacks have weights and noise of zero. So
    their gradients are zero too, and they stay out of all.
    """

    def __init__(self, members, X, starts):
        self.members = members
        self.X = X  # the rows of all members
        self.starts = [starts[member.rows] for member in members]  # where its own begin
        widest = max(members, key=lambda member: member.n_components)
        self.net = widest.net
        self.device = widest.device
        self.n_components = widest.n_components
        self.batch_size = self.net.batch_size

        self.names = [
            [name for name, _ in part.named_parameters()]
            for part in (self.net.module_, self.net.criterion_)
        ]
        # A criterion has one number of each; here there is one per member.
        self.criterion = copy.deepcopy(self.net.criterion_)
        self.criterion.n_rows_ = len(widest.X)
        for name in ("beta", "free_bits"):
            delattr(self.criterion, name)
            self.criterion.register_buffer(name, torch.empty(0))
        # Not in torch's default dtype, which is the caller's.
        zeros = partial(torch.zeros, dtype=torch.float32, device=self.device)
        self.free_bits = zeros(len(members), self.n_components)
        for member, own in zip(members, self.free_bits, strict=True):
            own[: member.n_components] = member.net.criterion_.free_bits

        self.weights = []
        for own in zip(*(member.parameters() for member in members), strict=True):
            shape = own[members.index(widest)].shape
            weight = zeros(len(members), *shape)
            for part, member, values in zip(weight, members, own, strict=True):
                mask = self._mask(part, values, member.n_components)
                part[mask] = values.detach().flatten()
            self.weights.append(_turned(weight).contiguous())

        # The members from a to b with the same number of rows and learning rate.
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

    def train(self, stop):
        """Train all members, and return those that did not diverge."""
        running = dict(enumerate(self.members))
        for _ in range(self.net.max_epochs):
            for member in running.values():
                member.net.notify("on_epoch_begin", dataset_train=member.batches.rows)
            losses, terms, sums = self._epoch(stop)
            for i, member in list(running.items()):
                history = member.net.history
                starts = range(0, len(member.X), self.batch_size)
                for start, loss in zip(starts, losses[:, i].tolist(), strict=False):
                    history.new_batch()
                    history.record_batch("train_loss", loss)
                    history.record_batch(
                        "train_batch_size", min(self.batch_size, len(member.X) - start)
                    )
                history.record("train_batch_count", len(starts))
                member.net.terms_ = {name: term[i] for name, term in terms.items()}
                member.net.sums_ = sums[i, :, : member.n_components]
                try:
                    member.net.notify("on_epoch_end", dataset_train=member.batches.rows)
                except DivergenceError:
                    # Its fit will not find it, diverge by itself, and say so.
                    del running[i]
        for i, member in running.items():
            self._give_back(i, member)
            member.summary = summarize(member.net, member.X, member.noise_generator)
        return list(running.values())

    def _epoch(self, stop):
        """Take a step per batch, and return what there is to log, on the CPU."""
        orders = self._orders()
        betas = [m.net.criterion_.beta * m.net.criterion_.kl_share_ for m in self.members]
        beta = torch.tensor(betas, dtype=torch.float32, device=self.device)
        starts = range(0, orders.shape[2], self.batch_size)
        losses = self.free_bits.new_zeros(len(starts), len(self.members))
        terms: dict[str, torch.Tensor] = defaultdict(lambda: torch.zeros_like(losses[0]))
        sums = losses.new_zeros(len(self.members), 3, self.n_components)
        for step, start in enumerate(starts):
            if stop.is_set():
                raise KeyboardInterrupt
            for a, b, size in self._runs(start):
                batch = self.X[orders[:, a:b, start : start + size]].to(self.device)
                weights = [weight[a:b].detach().requires_grad_() for weight in self.weights]
                noise = self._noise(a, b, size)
                loss, (parts, part_sums) = vmap(self._loss)(
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
                    terms[name][a:b] += term
                sums[a:b] += part_sums
            self.optimizer.step()
            self.optimizer.zero_grad()
        return losses.cpu(), {name: term.cpu() for name, term in terms.items()}, sums.cpu()

    def _loss(self, weights, beta, free_bits, batch, noise):
        """Return the loss of one member, and what its criterion logs."""
        weights = [weight.mT if weight.dim() == 2 else weight for weight in weights]
        of_module = dict(zip(self.names[0], weights, strict=False))
        of_criterion = dict(zip(self.names[1], weights[len(of_module) :], strict=True))
        output = functional_call(self.net.module_, of_module, batch, {"noise": noise})
        of_criterion |= {"beta": beta, "free_bits": free_bits}
        module = self.net.module_
        n_inputs = module.n_observed(batch[0], module.auxiliary_weight).mean()
        return functional_call(self.criterion, of_criterion, (output, n_inputs))

    def _orders(self):
        """Return the numbers of an epoch's rows, and of their positives, by member."""
        drawn = [
            torch.stack(member.batches.orders(member.generator)) + start
            for member, start in zip(self.members, self.starts, strict=True)
        ]
        longest = max(order.shape[1] for order in drawn)
        padded = [torch.nn.functional.pad(order, (0, longest - order.shape[1])) for order in drawn]
        return torch.stack(padded, dim=1).to(self.X.device)

    def _runs(self, start):
        """Yield (a, b, size): the members from a to b have a batch of so many rows there."""
        a = 0
        sizes = (min(self.batch_size, len(member.X) - start) for member in self.members)
        for size, run in groupby(sizes):
            b = a + len(list(run))
            if size > 0:
                yield a, b, size
            a = b

    def _noise(self, a, b, size):
        noise = self.free_bits.new_zeros(b - a, size, self.n_components)
        for part, member in zip(noise, self.members[a:b], strict=True):
            # Into a tensor of its own, as in a fit: into a part of one, others would be drawn.
            drawn = noise.new_empty(size, member.n_components)
            part[:, : member.n_components] = drawn.normal_(generator=member.noise_generator)
        return noise

    @torch.no_grad()
    def _give_back(self, i, member):
        """Give a member its net's weights, and the moments of its optimizer."""
        a, _, _, views = next(block for block in self.blocks if block[0] <= i < block[1])
        for own, view in zip(member.parameters(), views, strict=True):
            view, state = _turned(view), self.optimizer.state.get(view, {})
            mask = self._mask(view[0], own, member.n_components)
            own.copy_(view[i - a][mask].view_as(own))
            member.net.optimizer_.state[own] = {
                name: _turned(value)[i - a][mask].view_as(own) if value.dim() else value.clone()
                for name, value in state.items()
            }

    def _mask(self, weight, own, n_components):
        """Tell which values of a weight of the widest network a narrower one has too."""
        mask = torch.ones_like(weight, dtype=torch.bool)
        if weight.shape[:1] != own.shape[:1]:
            # The rows of the encoder's last layer are the means, then the log-variances.
            mask.unflatten(0, (2, self.n_components))[:, n_components:] = False
        elif weight.shape != own.shape:
            # The columns of the decoder's first layers are the components, then the condition.
            mask[:, n_components : self.n_components] = False
        return mask


def _turned(weight):
    """Return matrices the other way round: their gradients come so, and needn't be copied."""
    return weight.mT if weight.dim() == 3 else weight
