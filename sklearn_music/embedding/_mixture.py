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
        self.logits = nn.Parameter(torch.zeros(n_clusters))
        self.means = nn.Parameter(torch.zeros(n_clusters, n_components))
        self.log_variances = nn.Parameter(torch.zeros(n_clusters, n_components))
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
        kl = self._divergences(mean, log_variance)
        log_shares = self._log_shares(kl)
        shares = log_shares.exp()
        if self.sizes_ is not None:
            self.sizes_ += shares.detach().sum(dim=0)
        of_shares = (shares * (log_shares - self._log_weights())).sum(dim=1, keepdim=True)
        return (shares[:, :, None] * kl).sum(dim=1) + of_shares / mean.shape[1]

    def shares(self, mean, log_variance):
        """Return the share of each row in each cluster, (n_rows, n_clusters).

        They are those that make the divergence from the prior smallest.
        """
        return self._log_shares(self._divergences(mean, log_variance)).exp()

    def _log_weights(self):
        return self.logits.log_softmax(dim=0)

    def _log_shares(self, kl):
        return (self._log_weights() - kl.sum(dim=2)).log_softmax(dim=1)

    def _divergences(self, mean, log_variance):
        """Return each posterior's divergence from each cluster, by component."""
        deviation = (mean[:, None] - self.means) * (-0.5 * self.log_variances).exp()
        return kl_divergence(deviation, log_variance[:, None] - self.log_variances)

    @torch.no_grad()
    def begin(self, weights, means, variances):
        """Take these clusters for the prior from now on."""
        self.logits.copy_(weights.log())
        self.means.copy_(means)
        self.log_variances.copy_(variances.log())
        self.has_begun = True

    @torch.no_grad()
    def split_for(self, empty):
        """Give an empty cluster half of the one with the largest weight."""
        largest = self.logits.argmax()
        self.logits[largest] -= math.log(2)
        self.logits[empty] = self.logits[largest]
        self.log_variances[empty] = self.log_variances[largest]
        deviation = (0.5 * self.log_variances[largest]).exp()
        self.means[empty] = self.means[largest] + deviation * torch.randn_like(deviation)


class MixtureStart(Callback):
    """Begins the mixture where the pretraining ends, and keeps its clusters from emptying.

    Parameters
    ----------
    pretrain_epochs : int
        Number of epochs before; where the training ends earlier, the mixture begins with
        its end.
    n_init : int
        How often scikit-learn's mixture is fitted, from other centres; the best is taken.
    """

    def __init__(self, pretrain_epochs=0, n_init=1):
        self.pretrain_epochs = pretrain_epochs
        self.n_init = n_init

    def on_epoch_begin(self, net, dataset_train=None, **kwargs):
        """Begin the mixture where it is time."""
        criterion = net.criterion_
        if not criterion.has_begun and len(net.history) > self.pretrain_epochs:
            self._begin(net, dataset_train)
        if criterion.has_begun:
            criterion.sizes_ = torch.zeros_like(criterion.logits)

    def on_epoch_end(self, net, **kwargs):
        """Fill the clusters that no row is in."""
        sizes, net.criterion_.sizes_ = net.criterion_.sizes_, None
        if sizes is not None:
            for empty in (sizes < 0.5).nonzero().flatten().tolist():
                net.criterion_.split_for(empty)

    def on_train_end(self, net, X=None, **kwargs):
        """Begin the mixture if it has not begun."""
        if not net.criterion_.has_begun:
            self._begin(net, X)

    @torch.no_grad()
    def _begin(self, net, rows):
        posteriors = [net.module_.encode(x) for (x, *_), _ in Batches(rows, net.batch_size)]
        mean, log_variance = (torch.cat(parts).double() for parts in zip(*posteriors, strict=True))
        mixture = GaussianMixture(
            net.criterion__n_clusters,
            covariance_type="diag",
            # A cluster holds the whole posteriors of its rows, not their means only.
            reg_covar=float(log_variance.exp().mean()),
            n_init=self.n_init,
            random_state=int(torch.randint(2**31, ())),
        )
        with warnings.catch_warnings():
            # This is a start only, and labels that are too few are warned of at the end.
            warnings.simplefilter("ignore", ConvergenceWarning)
            mixture.fit(mean.cpu().numpy())
        parts = (mixture.weights_, mixture.means_, mixture.covariances_)
        net.criterion_.begin(*(torch.from_numpy(part).to(mean.device) for part in parts))
