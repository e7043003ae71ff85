"""A mixture of Gaussians as the prior: its loss, and where its clusters come from."""

import math
import warnings

import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from skorch.callbacks import Callback
from torch import nn

from ._objective import NegativeELBO, kl_divergence
from ._training import Batches


class MixtureELBO(NegativeELBO):
    """The negative ELBO under a mixture of Gaussians, one of them per cluster.

    Parameters
    ----------
    n_clusters : int
        Number of clusters.
    n_components : int
        Number of latent dimensions.
    **params
        Those of `NegativeELBO`.
    """

    def __init__(self, n_clusters, n_components, **params):
        super().__init__(**params)
        zeros = torch.zeros(n_clusters, n_components, dtype=torch.float32)
        self.logits = nn.Parameter(zeros[:, 0].clone())
        self.means = nn.Parameter(zeros)
        self.log_variances = nn.Parameter(zeros.clone())
        # Before, the prior is the standard normal. What is called extra state is kept with
        # the weights; a tensor would have to come back from the device for each batch.
        self.has_begun = False
        self.sizes_ = None  # of the clusters in this epoch, in rows

    def get_extra_state(self):
        """Return what is kept beside the weights."""
        return self.has_begun

    def set_extra_state(self, state):
        """Set what was kept beside the weights."""
        self.has_begun = state

    def kl(self, mean, log_variance):
        """Return the divergence from the prior, in nats, a value per row and component.

        Jiang et al., 2017, equation 12: the divergences from the clusters, weighed by the
        row's shares in them, and that of the shares from the weights of the clusters. This
        last one belongs to no component: each bears an equal part of it.
        """
        if not self.has_begun:
            return kl_divergence(mean, log_variance)
        log_shares = self._log_shares(mean)
        shares = log_shares.exp()
        if self.sizes_ is not None:
            self.sizes_ += (shares == shares.amax(dim=1, keepdim=True)).sum(dim=0)
        kl = kl_divergence(self._deviations(mean), log_variance[:, None] - self.log_variances)
        of_shares = (shares * (log_shares - self.logits.log_softmax(dim=0))).sum(dim=1)
        return (shares[:, :, None] * kl).sum(dim=1) + of_shares[:, None] / mean.shape[1]

    def shares(self, mean):
        """Return the share of each place in each cluster, (n_rows, n_clusters)."""
        return self._log_shares(mean).exp()

    def _log_shares(self, mean):
        deviations = self._deviations(mean).square() + self.log_variances
        return (self.logits - 0.5 * deviations.sum(dim=2)).log_softmax(dim=1)

    def _deviations(self, mean):
        """Return how far each place is from each cluster's centre, in its deviations."""
        return (mean[:, None] - self.means) * (-0.5 * self.log_variances).exp()

    @torch.no_grad()
    def begin(self, weights, means, variances):
        """Take these clusters for the prior from now on."""
        self.logits.copy_(weights.log())
        self.means.copy_(means)
        self.log_variances.copy_(variances.log())
        self.has_begun = True

    @torch.no_grad()
    def split(self, largest, empty):
        """Give an empty cluster one half of the largest, cut across its longest axis."""
        for part in (self.logits, self.means, self.log_variances):
            part[empty] = part[largest]
        self.logits[[empty, largest]] -= math.log(2)
        axis = self.log_variances[largest].argmax()
        # Of a normal distribution, each half has its mean there.
        shift = math.sqrt(2 / math.pi) * (0.5 * self.log_variances[largest, axis]).exp()
        self.means[largest, axis] -= shift
        self.means[empty, axis] += shift


class MixtureStart(Callback):
    """Begins the mixture where the pretraining ends, and keeps its clusters from emptying.

    Parameters
    ----------
    pretrain_epochs : int
        Number of epochs before; where the training ends earlier, the mixture begins with
        its end, and another one goes on with the pretraining.
    n_init : int
        How often scikit-learn's mixture is fitted, from other centres; the best is taken.
    """

    def __init__(self, pretrain_epochs=0, n_init=1):
        self.pretrain_epochs = pretrain_epochs
        self.n_init = n_init

    def on_epoch_begin(self, net, dataset_train=None, **kwargs):
        """Begin the mixture where it is time."""
        criterion = net.criterion_
        if len(net.history) <= self.pretrain_epochs:
            criterion.has_begun = False  # what an earlier training ended with was for `predict`
        elif not criterion.has_begun:
            self._begin(net, dataset_train)
        if criterion.has_begun:
            criterion.sizes_ = torch.zeros_like(criterion.logits)

    def on_epoch_end(self, net, **kwargs):
        """Fill the clusters that no row is in."""
        sizes, net.criterion_.sizes_ = net.criterion_.sizes_, None
        if sizes is not None:
            for empty in (sizes == 0).nonzero().flatten().tolist():
                largest = int(sizes.argmax())
                net.criterion_.split(largest, empty)
                sizes[largest] /= 2

    def on_train_end(self, net, X=None, **kwargs):
        """Begin the mixture if it has not begun."""
        if not net.criterion_.has_begun:
            self._begin(net, X)

    @torch.no_grad()
    def _begin(self, net, rows):
        posteriors = [net.module_.encode(x) for (x, *_), _ in Batches(rows, net.batch_size)]
        mean, log_variance = (
            torch.cat(parts).cpu().double() for parts in zip(*posteriors, strict=True)
        )
        mixture = GaussianMixture(
            net.criterion__n_clusters,
            covariance_type="diag",
            # As wide as the posteriors are, but not so wide that all clusters become one.
            reg_covar=1e-6 + min(log_variance.exp().mean(), 0.1 * mean.var(0).mean()).item(),
            n_init=self.n_init,
            random_state=int(torch.randint(2**31, ())),
        )
        with warnings.catch_warnings():
            # This is a start only, and labels that are too few are warned of at the end.
            warnings.simplefilter("ignore", ConvergenceWarning)
            mixture.fit(mean.numpy())
        parts = (mixture.weights_, mixture.means_, mixture.covariances_)
        net.criterion_.begin(*(torch.from_numpy(part) for part in parts))
