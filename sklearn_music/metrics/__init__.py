"""Scores of clusterings that can be believed: beside chance and the plain baselines."""

from ._clustering import CLUSTERING_SCORERS, clustering_accuracy_score, purity_score
from ._comparison import compare_embeddings, format_comparison
from ._confounders import check_confounders
from ._disentanglement import mutual_information_gap, separated_attribute_predictability
from ._scorers import elbo_scorer, silhouette_scorer
from ._stability import cluster_stability_scores, stability_score

__all__ = [
    "CLUSTERING_SCORERS",
    "check_confounders",
    "cluster_stability_scores",
    "clustering_accuracy_score",
    "compare_embeddings",
    "elbo_scorer",
    "format_comparison",
    "mutual_information_gap",
    "purity_score",
    "separated_attribute_predictability",
    "silhouette_scorer",
    "stability_score",
]
