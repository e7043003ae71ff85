"""Pictures of embeddings, as Display classes in scikit-learn's manner."""

from ._latent_space import LatentSpaceDisplay
from ._reconstruction import ReconstructionDisplay

__all__ = ["LatentSpaceDisplay", "ReconstructionDisplay"]
