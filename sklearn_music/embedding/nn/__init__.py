"""Networks in plain torch. Each one owns its loss; none knows scikit-learn or skorch."""

from ._conv import ConvModule
from ._dense import DenseModule
from ._joint import JointModule
from ._module import VAEModule
from ._outputs import LossOutput, Outputs, Pair, Posterior, posterior_sums
from ._prior import GaussianMixturePrior
from ._track import TrackModule
from ._windows import frames_before_padding

__all__ = [
    "ConvModule",
    "DenseModule",
    "GaussianMixturePrior",
    "JointModule",
    "LossOutput",
    "Outputs",
    "Pair",
    "Posterior",
    "TrackModule",
    "VAEModule",
    "frames_before_padding",
    "posterior_sums",
]
