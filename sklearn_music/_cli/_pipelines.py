"""From the arguments of the command line to a pipeline."""

import argparse
from pathlib import Path
from typing import Any

from sklearn.cluster import HDBSCAN, AgglomerativeClustering, KMeans, SpectralClustering
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import Pipeline

from ..pipelines import make_encoder_pipeline, make_track_vae_pipeline

# Until the number of clusters is chosen.
_N_CLUSTERS = 8


def make_pipeline(arguments: argparse.Namespace, cache: Path, *, has_lyrics: bool) -> Pipeline:
    """Return the pipeline that the arguments ask for, not fitted; raise where they can't work."""
    weight = {} if arguments.lyrics_weight is None else {"lyrics_weight": arguments.lyrics_weight}
    if not has_lyrics:
        weight = {"lyrics_weight": 0.0}
    common: dict[str, Any] = {
        **weight,
        "duration": arguments.duration,
        "memory": str(cache),
        "n_jobs": arguments.jobs,
        "verbose": 0 if arguments.quiet else 1,
        "random_state": arguments.seed,
    }
    if arguments.encoder == "none":
        pipe = make_track_vae_pipeline(**common)
        # A training that is stopped goes on, too.
        pipe.set_params(embed__checkpoint_dir=str(cache / "training"))
    else:
        encoder = _make_encoder(arguments.encoder)
        encoder.check_settings()
        pipe = make_encoder_pipeline(encoder=encoder, **common)
    clusterer = _make_clusterer(arguments.clusterer, arguments.clusters, arguments.seed)
    return pipe.set_params(cluster__estimator=clusterer)


def _make_encoder(name: str) -> Any:
    if name.lower() == "musicnn":
        from ..features.encoders import MusicNN

        return MusicNN(output="tags")
    if name.lower().endswith(".onnx"):
        from ..features.encoders import OnnxEncoder

        return OnnxEncoder(name)
    from ..features.encoders import TransformersEncoder

    return TransformersEncoder(name)


def _make_clusterer(name: str, n_clusters: int | str, seed: int) -> Any:
    if name == "hdbscan":
        if n_clusters != "auto":
            raise ValueError(
                f"Got --clusters {n_clusters} with --clusterer hdbscan, which finds their number "
                "by itself: leave --clusters out."
            )
        return HDBSCAN(copy=True)
    k = _N_CLUSTERS if n_clusters == "auto" else int(n_clusters)
    if name == "gmm":
        return GaussianMixture(k, covariance_type="diag", random_state=seed)
    if name == "agglomerative":
        return AgglomerativeClustering(k)
    if name == "spectral":
        return SpectralClustering(k, affinity="nearest_neighbors", random_state=seed)
    return KMeans(k, n_init=10, random_state=seed)
