"""Descriptions that the two searches share."""

SEARCH = {
    "estimator": """
estimator : estimator
    An embedder of this library, or an estimator with one inside: a Pipeline, ColumnTransformer or
    FeatureUnion.
""",
    "scoring": """
scoring : str, callable, list, tuple or dict, default=None
    How the held-out samples are scored. None is the estimator's own ``score``; a list or dict is
    several scores.
n_jobs : int, default=None
    Number of threads for what is not trained together: the steps after the embedder, and
    scoring. The networks are trained by ``torch.get_num_threads()`` threads.
refit : bool, str or callable, default=True
    Whether to fit the best candidate on all samples; with several scores, by which of them.
cv : int, splitter or iterable, default=None
    The folds; None is five. See `NoSplit` for a search over the whole set.
verbose : int, default=0
    If not 0, prints how many networks are trained together, and why others are not.
pre_dispatch : int or str, default="2*n_jobs"
    How many fits are handed out in advance.
""",
    "error_score": """
error_score : "raise" or number, default=nan
    The score of a fit that fails.
return_train_score : bool, default=False
    Whether to score the training samples too.
""",
    "attributes": """
cv_results_ : dict of ndarray
    As in scikit-learn's search. The time of training networks together counts for the fit that
    asks for the first of them, so don't compare candidates by ``mean_fit_time``.
best_estimator_, best_params_, best_score_, best_index_, scorer_, n_splits_, refit_time_, \
multimetric_
    As in scikit-learn's search.
n_features_in_ : int
    Number of features of X in `fit`, where the refitted `best_estimator_` knows it.
feature_names_in_ : ndarray of shape (`n_features_in_`,)
    Names of these features, where X had names and `best_estimator_` knows them.
""",
}
