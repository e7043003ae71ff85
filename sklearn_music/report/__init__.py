"""One page about a clustering, to read and to listen to."""

from ._report import ClusterReport

__all__ = ["ClusterReport"]
