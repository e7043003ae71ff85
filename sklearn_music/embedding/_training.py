"""The training loop: a net of skorch, its data, its callbacks; devices and seeds."""

import threading
import warnings
from contextlib import ExitStack, contextmanager

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import Callback, EarlyStopping, EpochTimer, PassthroughScoring, PrintLog
from skorch.helper import predefined_split
from torch.utils.data import Dataset
from torch.utils.flop_counter import FlopCounterMode

from ..exceptions import DivergenceError
from ._mapped_rows import N_BUFFERED, MappedRows, read
from ._neighbors import nearest_rows
from ._objective import NegativeELBO, is_active, posterior_sums

# Numbers that a fitted net works on at a time; it bounds the memory, not the result.
_N_VALUES = 2**22

# Batches that go to the device at a time where it can't hold all rows.
_N_BATCHES = 16

# Stretches of rows, of all that memory holds at a time, that lie side by side.
_N_RUNS = 32

# Multiplications of a step's forward pass for which a second thread gains a third at the most
# (measured on two idle cores); where cores are shared, waiting for it costs many times that.
_SMALL_STEP = 2**28


class Rows(Dataset):
    """The rows of a matrix: on the device where it can hold them, in the host's memory, on disk.

    Parameters
    ----------
    X : ndarray or MappedRows of shape (n_rows, n_features)
        The rows.
    device : torch.device or str
        Where they are trained on.
    positives : ndarray of shape (n_rows, n_positives), default=None
        Which rows each one is tied to.
    """

    def __init__(self, X, device, positives=None):
        self.device = torch.device(device)
        if isinstance(X, np.ndarray):
            # torch shares the memory of an array, so it warns of one that must not be written to.
            X = torch.from_numpy(np.require(X, np.float32, ["C", "W"]))
            X = X.to(device) if _fits(X, self.device) else X
        self.X = X
        self.set_positives(positives)

    def set_positives(self, positives):
        """Tie each row to others."""
        self.positives = None if positives is None else torch.from_numpy(positives)

    def __len__(self):
        return len(self.X)

    def __getitem__(self, index):
        return self.X[index]


def _fits(X, device):
    """Tell whether a device can hold the rows and still train: in half of what it has free."""
    return device.type != "cuda" or X.nbytes < torch.cuda.mem_get_info(device)[0] / 2


class Batches:
    """Batches of rows as slices of one tensor: nothing is collated row by row."""

    def __init__(self, dataset, batch_size, shuffle=False):
        self.rows = dataset
        self.batch_size = batch_size
        self.shuffle = shuffle

    def orders(self, generator=None):
        """Draw which rows come one after the other, and the positive of each where it has one.

        Rows that memory can't hold are read in runs: some of them, drawn at random, are read
        at a time and shuffled. The same order serves rows that are in memory.
        """
        n = len(self.rows)
        order = torch.arange(n)
        if self.shuffle:
            n_rows = self._n_buffered()
            if n > n_rows:
                runs = order.split(max(1, n_rows // _N_RUNS))
                which = torch.randperm(len(runs), generator=generator)
                order = torch.cat([runs[run] for run in which])
            order = torch.cat(
                [
                    rows[torch.randperm(len(rows), generator=generator)]
                    for rows in order.split(n_rows)
                ]
            )
        if self.rows.positives is None:
            return [order]
        which = torch.randint(self.rows.positives.shape[1], (n,), generator=generator)
        return [order, self.rows.positives[order, which]]

    def _n_buffered(self):
        """Return how many rows memory holds at a time: whole batches of them."""
        n_batches = N_BUFFERED // self.rows.X.shape[1] // self.batch_size
        return max(1, n_batches) * self.batch_size

    def __iter__(self):
        """Yield (x, positives) or (x,), and no target."""
        X, device = self.rows.X, self.rows.device
        if isinstance(X, MappedRows):
            n_rows = self._n_buffered()
        else:
            n_rows = self.batch_size * (1 if X.device.type == device.type else _N_BATCHES)
        for slices in zip(*(order.split(n_rows) for order in self.orders()), strict=True):
            parts = [self._read(rows) for rows in slices]
            for batch in zip(*(part.split(self.batch_size) for part in parts), strict=True):
                yield batch, None

    def _read(self, rows):
        X, device = self.rows.X, self.rows.device
        if isinstance(X, MappedRows):
            part = torch.from_numpy(X.take(rows.numpy()))
        else:
            part = X[rows.to(X.device)]
        if part.device.type == device.type:
            return part
        return (part.pin_memory() if device.type == "cuda" else part).to(device, non_blocking=True)


class EmbeddingNet(NeuralNet):
    """A skorch net whose target is its input, and whose loss tells its terms apart."""

    def __init__(
        self,
        module,
        *,
        criterion=NegativeELBO,
        optimizer=torch.optim.Adam,
        # One kernel for all weights: several times faster where they are millions.
        optimizer__fused=True,
        iterator_train=Batches,
        iterator_train__shuffle=True,
        iterator_valid=Batches,
        train_split=None,
        **kwargs,
    ):
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

    def initialize_module(self):
        """Build the network."""
        super().initialize_module()
        self.forward_, self.amp_ = self.module_.forward, False
        return self

    def infer(self, x, **fit_params):
        """Return the network's output for a batch that is on the device already."""
        with torch.autocast(torch.device(self.device).type, torch.bfloat16, enabled=self.amp_):
            return self.forward_(*x)

    @property
    def epochs_(self):
        """The history without its batches: a list with one dict per epoch."""
        return [
            {
                key: value.item() if isinstance(value, np.generic) else value
                for key, value in epoch.items()
                if key != "batches"
            }
            for epoch in self.history.to_list()
        ]

    @property
    def _default_callbacks(self):
        return [
            ("epoch_timer", EpochTimer()),
            ("train_loss", PassthroughScoring(name="train_loss", on_train=True)),
            ("valid_loss", PassthroughScoring(name="valid_loss")),
            ("terms", TermsLog()),
            ("neighbors", LatentNeighbors()),
            ("print_log", PrintLog()),
        ]

    def get_loss(self, y_pred, y_true, X=None, training=False):
        """Return the loss, and keep its terms for the log."""
        n_inputs = self.module_.n_observed(X[0], self.module_.auxiliary_weight).mean()
        loss, (terms, sums) = self.criterion_(y_pred, n_inputs)
        if training:
            for name, term in terms.items():
                self.terms_[name] = self.terms_.get(name, 0.0) + term
            self.sums_ += sums
        return loss

    def fit_loop(self, X, y=None, epochs=None, **fit_params):
        """Run the epochs. A real Ctrl-C passes through; the end of patience does not.

        skorch's EarlyStopping ends a fit with a KeyboardInterrupt, and skorch takes any
        other one for the end of a fit too, as if half a training were a whole one.
        """
        try:
            super().fit_loop(X, y, epochs=epochs, **fit_params)
        except KeyboardInterrupt as interrupt:
            out_of_patience = any(
                isinstance(callback, EarlyStopping) and callback.misses_ == callback.patience
                for _, callback in self.callbacks_
            )
            if not out_of_patience:
                raise Interrupted from interrupt
        return self


class Interrupted(BaseException):
    """A Ctrl-C on its way through skorch, which would swallow a KeyboardInterrupt."""


class TermsLog(Callback):
    """Raises the weight of the KL divergence, logs the loss's terms, stops a diverged training.

    Parameters
    ----------
    kl_warmup : int, default=0
        Number of epochs over which the weight rises to beta.
    """

    def __init__(self, kl_warmup=0):
        self.kl_warmup = kl_warmup

    def on_epoch_begin(self, net, dataset_train=None, **kwargs):
        """Set the sums to zero; on the device, so that no batch has to wait for them."""
        net.criterion_.kl_share_ = min(1.0, len(net.history) / max(1, self.kl_warmup))
        net.criterion_.n_rows_ = len(dataset_train)
        net.terms_ = {}
        net.sums_ = torch.zeros(3, net.module__n_components, dtype=torch.float32, device=net.device)

    def on_epoch_end(self, net, dataset_train=None, **kwargs):
        """Write the means over the epoch."""
        kl, means, squared_means = (net.sums_ / len(dataset_train)).cpu().numpy()
        for name, term in net.terms_.items():
            net.history.record(name, term.item() / len(dataset_train))
        net.history.record("kl", float(kl.sum()))
        net.history.record("active_units", int(is_active(means, squared_means).sum()))
        loss = net.history[-1, "train_loss"]
        if not np.isfinite(loss):
            raise DivergenceError(
                f"The loss became {loss} in epoch {len(net.history)}. Lower the learning rate "
                f"(lr={net.lr}), or scale the columns of X (StandardScaler; TrackVAE does so "
                "itself)."
            )


class LatentNeighbors(Callback):
    """Ties each row to its neighbours of the moment in the latent space, as often as to itself.

    Dwibedi et al., "With a Little Help from My Friends: Nearest-Neighbor Contrastive Learning
    of Visual Representations", 2021, have the nearest one in place of the row itself.

    Parameters
    ----------
    n_neighbors : int, default=0
        How many; 0 ties no row to another one.
    first_epoch : int, default=0
        Number of epochs before there are any: a network that has learnt nothing has none
        that mean something.
    """

    # Between two searches, which look at all of each row: they take longer than an epoch.
    n_epochs = 5

    def __init__(self, n_neighbors=0, first_epoch=0):
        self.n_neighbors = n_neighbors
        self.first_epoch = first_epoch

    def on_epoch_begin(self, net, dataset_train=None, **kwargs):
        """Find them, where there are none yet or these have grown old."""
        age = len(net.history) - 1 - self.first_epoch
        if not self.n_neighbors or age < 0:
            return
        if dataset_train.positives is not None and age % self.n_epochs:
            return
        near = nearest_rows(self._places(net, dataset_train.X), self.n_neighbors)
        if near is not None:
            itself = np.arange(len(near))[:, None].repeat(near.shape[1], axis=1)
            dataset_train.set_positives(np.hstack([itself, near]))

    @torch.no_grad()
    def _places(self, net, X):
        net.module_.eval()
        means = [net.module_.encode_track(x)[0] for x in row_batches(X, net.device)]
        return torch.cat(means).cpu().numpy()


def resolve_device(device):
    """Return the torch device that `device` means on this machine.

    Raises
    ------
    ValueError
        If there is no such device.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(device)
    except RuntimeError as error:
        raise ValueError(
            f'Got device={device!r}, expected "auto", "cpu", "cuda", "cuda:1", "mps" or another '
            f"name that torch.device knows: {error}"
        ) from error
    if device.type == "cuda":
        is_there = (device.index or 0) < torch.cuda.device_count()
    elif device.type == "mps":
        is_there = torch.backends.mps.is_available()
    else:
        is_there = device.type == "cpu"
    if not is_there:
        raise ValueError(f'Got device={str(device)!r}, which is not there. Use device="auto".')
    return device


# torch's random state and its number of threads are those of the whole process: who changes
# them holds this until they are back, so that only one fit may train at a time.
_GLOBAL_STATE = threading.RLock()


@contextmanager
def plain_torch(device):
    """Work as a fresh thread would, whatever modes of torch the caller is in.

    Training needs gradients, a net that was built in inference mode could never be trained on,
    and autocast would leave results in half precision. A default device is for what has none.
    """
    device = torch.device(device).type
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        if torch.is_autocast_enabled(device):
            stack.enter_context(torch.autocast(device, enabled=False))
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        yield


@contextmanager
def seeded(*seed):
    """Let torch draw from `seed`, and leave the caller's random state as it was."""
    with _GLOBAL_STATE:
        has_cuda = torch.cuda.is_initialized()
        devices = range(torch.cuda.device_count()) if has_cuda else ()
        with torch.random.fork_rng(devices=list(devices)):
            if has_cuda or torch.backends.mps.is_available():
                torch.manual_seed(entropy(*seed))
            else:
                # Else torch would note each time, by a costly traceback, what to seed a GPU with.
                torch.default_generator.manual_seed(entropy(*seed))
            yield


def entropy(*seed):
    """Return what torch's generators are seeded by."""
    return int(np.random.SeedSequence(seed).generate_state(1)[0])


def train(net, X, X_valid=None, *, positives, epochs, amp=False):
    """Train an initialised net for some more epochs.

    `positives` is a function of rows: which others each one is tied to, or None.
    """
    rows = Rows(X, net.device, positives(X))
    if X_valid is not None:
        net.train_split = predefined_split(Rows(X_valid, net.device, positives(X_valid)))
    try:
        with threads(_n_threads_that_pay(net)):
            net.amp_ = amp and _has_bfloat16(rows.device)
            net.partial_fit(rows, epochs=epochs)
    except Interrupted as interrupt:
        raise KeyboardInterrupt from interrupt
    finally:
        # Else the fitted net would hold the validation rows, and so would its pickle.
        net.train_split = None
        net.forward_, net.amp_ = net.module_.forward, False
    # The last batch's gradients would be kept as long as the net.
    net.optimizer_.zero_grad(set_to_none=True)


def _has_bfloat16(device):
    if device.type != "cuda" or torch.cuda.is_bf16_supported():
        return True
    warnings.warn(
        f"amp=True needs bfloat16, which {torch.cuda.get_device_name(device)} has not: "
        "training in float32.",
        RuntimeWarning,
        stacklevel=2,
    )
    return False


@contextmanager
def memory_errors(device, batch):
    """Say which batch did not fit into which device's memory."""
    try:
        yield
    except RuntimeError as error:
        # On a CPU and on MPS it is no class of its own.
        if not any(words in str(error) for words in ("out of memory", "allocate memory")):
            raise
        if torch.device(device).type == "cuda":
            torch.cuda.empty_cache()
        # The traceback would hold the tensors that filled the memory.
        raise MemoryError(
            f"Out of memory on device={str(device)!r} with {batch}. Lower batch_size, the widths "
            "of the network or the number of columns, or use another device."
        ) from error.with_traceback(None)


@contextmanager
def threads(n_threads):
    """Let torch use so many threads, of one fit or stack at a time; others wait."""
    with _GLOBAL_STATE:
        before = torch.get_num_threads()
        torch.set_num_threads(n_threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def _n_threads_that_pay(net):
    n_threads = torch.get_num_threads()
    if n_threads == 1 or torch.device(net.device).type != "cpu":
        return n_threads
    return 1 if _n_multiplications(net) < _SMALL_STEP else n_threads


def _n_multiplications(net):
    """Return those of a step's forward pass; twice as many operations are counted."""
    row = torch.zeros(1, net.module__n_features, dtype=torch.float32, device=net.device)
    with torch.no_grad(), seeded(0), FlopCounterMode(display=False) as counter:
        net.module_(row)
    return counter.get_total_flops() / 2 * net.batch_size


def row_batches(X, device):
    """Yield rows as tensors on the device, so many that they fit there."""
    n_rows = max(1, _N_VALUES // X.shape[1])
    for start in range(0, len(X), n_rows):
        yield Rows(read(X, start, min(start + n_rows, len(X))), device).X.to(device)


@torch.no_grad()
def summarize(net, X, generator=None):
    """Return what a trained net does with rows: KL by component, active units, noise variance."""
    net.module_.eval()
    totals = torch.zeros(3, net.module__n_components, dtype=torch.float32, device=net.device)
    error = n_observed = torch.zeros((), dtype=torch.float32, device=net.device)
    for x in row_batches(X, net.device):
        noise = x.new_empty(len(x), net.module__n_components).normal_(generator=generator)
        errors, _, mean, log_variance, *_ = net.module_(x, noise=noise, auxiliary_weight=1.0)
        totals += posterior_sums(net.criterion_.kl(mean, log_variance), mean)
        error = error + errors.sum()
        n_observed = n_observed + net.module_.n_observed(x).sum()
    kl, means, squared_means = (totals / len(X)).cpu().numpy()
    if net.criterion__decoder_variance == "optimal" and n_observed:
        noise_variance = float(error / n_observed)
    elif net.criterion__decoder_variance == "learned":
        noise_variance = float(net.criterion_.log_variance.exp())
    else:
        noise_variance = 1.0
    return {
        "kl": kl,
        "active_units": int(is_active(means, squared_means).sum()),
        "noise_variance": noise_variance,
    }


def get_state(net):
    """Return what a net has learnt as numpy arrays, which load without its device."""
    return {
        "module": _to_numpy(net.module_.state_dict()),
        "criterion": _to_numpy(net.criterion_.state_dict()),
        # The moments only: the learning rate is the estimator's parameter.
        "optimizer": _to_numpy(net.optimizer_.state_dict()["state"]),
        "history": net.epochs_,
    }


def set_state(net, state):
    """Give an initialised net what another one has learnt."""
    net.module_.load_state_dict(_to_torch(state["module"]))
    net.criterion_.load_state_dict(_to_torch(state["criterion"]))
    settings = net.optimizer_.state_dict()
    net.optimizer_.load_state_dict(settings | {"state": _to_torch(state["optimizer"])})
    net.history.extend({**epoch, "batches": []} for epoch in state["history"])


def _to_numpy(state):
    if isinstance(state, torch.Tensor):
        # A copy, since on a CPU the tensor would go on sharing its memory.
        return state.detach().cpu().numpy().copy()
    if isinstance(state, dict):
        return {key: _to_numpy(value) for key, value in state.items()}
    if isinstance(state, list):
        return [_to_numpy(value) for value in state]
    return state


def _to_torch(state):
    if isinstance(state, np.ndarray):
        return torch.from_numpy(state.copy())
    if isinstance(state, dict):
        return {key: _to_torch(value) for key, value in state.items()}
    if isinstance(state, list):
        return [_to_torch(value) for value in state]
    return state
