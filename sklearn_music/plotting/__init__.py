"""Pictures of clusters and embeddings, as Display classes in scikit-learn's manner."""

from ._cluster_composition import ClusterCompositionDisplay
from ._latent_space import LatentSpaceDisplay
from ._latent_traversal import LatentTraversalDisplay
from ._n_clusters import NClustersDisplay
from ._reconstruction import ReconstructionDisplay
from ._training_history import TrainingHistoryDisplay

__all__ = [
    "ClusterCompositionDisplay",
    "LatentSpaceDisplay",
    "LatentTraversalDisplay",
    "NClustersDisplay",
    "ReconstructionDisplay",
    "TrainingHistoryDisplay",
]
