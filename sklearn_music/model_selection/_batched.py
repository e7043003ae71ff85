"""Searches that train the networks of their fits together."""

import inspect
import warnings
from collections import Counter
from contextlib import nullcontext

import joblib
import numpy as np
from sklearn import get_config
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    ClusterMixin,
    TransformerMixin,
    clone,
    is_clusterer,
)
from sklearn.metrics._scorer import _BaseScorer
from sklearn.model_selection._search import BaseSearchCV
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples

from .._inspection import is_embedder, named_estimators
from ..embedding.training import VmappedFits, fingerprint

# How many numbers the embedders may be fitted on, in all folds and settings of the steps before,
# since all of them are in memory at the same time: 2 GiB.
_N_NUMBERS = 2**29

_NO_EMBEDDER = "no embedder in the estimator"


class BatchedSearch(BaseSearchCV):
    """What makes one of scikit-learn's searches a batched one.

    Before the candidates are fitted on the folds, it is found out what the embedder of each
    will be fitted on. Then the search goes its way, and a fit finds what comes before its
    embedder, and its embedder's network, made already.
    """

    def fit(self, X, y=None, **params):
        """Search.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or DataFrame
            The rows, as the estimator takes them.
        y : array-like of shape (n_samples,), default=None
            Labels, for the scorers that need them.
        **params : dict of str -> object
            Passed to the estimator, the scorers and the splitter, as scikit-learn does.

        Returns
        -------
        self : object
            The fitted search.
        """
        # scikit-learn's fit validates them too, but n_jobs is used before that.
        if not get_config()["skip_parameter_validation"]:
            self._validate_params()
        # Other processes would not find the networks that are trained here.
        in_threads = joblib.effective_n_jobs(self.n_jobs) > 1
        with joblib.parallel_config("threading") if in_threads else nullcontext():
            return super().fit(X, y, **params)

    def _run_search(self, evaluate_candidates, callback_ctx=None):
        # For all rounds, where a search has several.
        memory = _Memory()
        inputs: dict = {}
        says_why = True

        def evaluate(candidate_params, cv=None, more_results=None, **kwargs):
            batch = _Batch(self.estimator, candidate_params, memory)

            def foresee(X, y, splits):
                nonlocal says_why
                self._check_scorable(X, y, splits)
                reasons = batch.foresee(X, y, splits, inputs)
                if self.verbose:
                    print(f"Training {len(batch.stacks)} networks together")
                    for reason, n_fits in reasons.items():
                        print(f"Training {n_fits} alone: {reason}")
                if says_why and batch.obstacles and not len(batch.stacks):
                    name = type(self).__name__
                    warnings.warn(
                        f"{name} trains every network separately here, and is no faster than "
                        f"{name.removeprefix('Batched')}, whose n_jobs are processes "
                        f"({'; '.join(sorted(batch.obstacles))}).",
                        stacklevel=2,
                    )
                says_why = False

            cv = _Watched(cv or self._splitter(evaluate_candidates), foresee)
            with batch.stacks.offered():
                results = evaluate_candidates(batch.candidates, cv, more_results, **kwargs)
            results["params"] = [dict(params) for params in results["params"]]
            return results

        # Before 1.9, scikit-learn has no callbacks for a search.
        kwargs = {} if callback_ctx is None else {"callback_ctx": callback_ctx}
        try:
            super()._run_search(evaluate, **kwargs)
        finally:
            # A scorer may have kept a fitted estimator.
            memory.clear()

    def _check_scorable(self, X, y, splits):
        """Raise what a scorer of clusters says of the labels, before there are clusters.

        One fold without a score leaves all candidates without a mean, unless `error_score`
        is a number.
        """
        if not is_clusterer(self.estimator) or not (
            self.error_score == "raise" or np.isnan(self.error_score)
        ):
            return
        scorers, _ = self._get_scorers()
        for scorer in getattr(scorers, "_scorers", {"score": scorers}).values():
            if isinstance(scorer, _BaseScorer):
                for _, test in splits:
                    rows = [None if part is None else _safe_indexing(part, test) for part in (X, y)]
                    scorer(_OneCluster(), *rows)

    def _splitter(self, evaluate_candidates):
        """Return what scikit-learn has made of `cv`."""
        if hasattr(self, "_checked_cv_orig"):
            return self._checked_cv_orig
        # Before 1.9, a variable of its fit.
        return inspect.getclosurevars(evaluate_candidates).nonlocals["cv_orig"]


class _OneCluster(ClusterMixin, BaseEstimator):
    """Stands where a fitted estimator will be: all samples are in one cluster."""

    def __sklearn_is_fitted__(self):
        return True

    def fit(self, X, y=None):
        """Make it an estimator, for scorers that check."""
        raise NotImplementedError

    def predict(self, X):
        """Return zeros."""
        return np.zeros(_num_samples(X), dtype=int)


class _Watched:
    """A splitter that tells somebody of the rows and the folds, before the search goes on."""

    def __init__(self, cv, tell):
        self.cv = cv
        self.tell = tell

    def split(self, X, y=None, **params):
        splits = list(self.cv.split(X, y, **params))
        self.tell(X, y, splits)
        return splits


class _Candidate(dict):
    """Parameters of a candidate, and what else a search sets for each of its fits.

    scikit-learn clones the parameters for each fit, and reports those that it has cloned.
    """

    def __init__(self, params, estimator, memory):
        super().__init__(params)
        self.memories = {}
        if not any(map(_embedders, (estimator, *params.values()))):
            # Then it is scikit-learn's search, which does nothing else with the estimator.
            self.reason: str | None = _NO_EMBEDDER
            return
        self.estimator = clone(estimator)
        if params:
            self.estimator.set_params(**clone(params, safe=False))
        self.path, around, self.reason = _find_embedder(self.estimator)
        self.memories = {
            f"{name}__memory".removeprefix("__"): memory
            for name, part in around.items()
            if isinstance(part, Pipeline) and part.memory is None
        }
        if self.memories:
            self.estimator.set_params(**self.memories)

    def __sklearn_clone__(self):
        return {**clone(dict(self), safe=False), **self.memories}


class _Batch:
    """Candidates of a search, and what their fits have in common."""

    def __init__(self, estimator, candidate_params, memory):
        self.memory = memory
        self.stacks = VmappedFits()
        self.candidates = [_Candidate(params, estimator, memory) for params in candidate_params]
        self.obstacles = set()  # to training together: reasons that are no errors

    def foresee(self, X, y, splits, inputs):
        """Find out what the embedders will be fitted on.

        Parameters
        ----------
        X, y : array-like
            The rows of the search, and their labels or None.
        splits : list of (train, test)
            The folds.
        inputs : dict
            What embedders were found to be fitted on before; the new ones are added.

        Returns
        -------
        reasons : Counter
            How many networks can't be trained with others, by why that is so.
        """
        self.memory.is_open = True
        folds = [fingerprint(train) for train, _ in splits]
        reasons: Counter[str] = Counter()
        for params in self.candidates:
            if params.reason is not None:
                reasons[params.reason] += len(splits)
                self.obstacles |= {params.reason} - {_NO_EMBEDDER}
                continue
            candidate, path = params.estimator, params.path
            # Candidates that differ in nothing else have the same input.
            own = f"{path}__" if path else ""
            others: object = fingerprint({n: v for n, v in params.items() if not n.startswith(own)})
            others = others or object()  # equal to nothing else
            for fold, (train, _) in zip(folds, splits, strict=True):
                if (others, fold) not in inputs:
                    rows = [_safe_indexing(part, train) for part in (X, y) if part is not None]
                    inputs[others, fold] = self._input(candidate, path, *rows)
                X_fold, reason = inputs[others, fold]
                if reason is None:
                    embedder = clone(candidate.get_params()[path] if path else candidate)
                    reason = self.stacks.add(embedder, X_fold)
                if isinstance(reason, Exception):
                    # The fit will raise it, where it belongs.
                    reasons[f"{type(reason).__name__}: {reason}"] += 1
                elif reason is not None:
                    reasons[reason] += 1
                    self.obstacles.add(reason)
        self.memory.is_open = False
        return reasons

    def _input(self, candidate, path, *rows):
        """Return what a candidate fits its embedder on, or else why it is not to be known."""
        if not self.memory.is_full:
            X_fold, reason = _input(candidate, path, *rows)
            self.memory.sizes[id(X_fold)] = getattr(X_fold, "size", 0)
        if self.memory.is_full:
            return None, f"more than {_N_NUMBERS:,} numbers in the folds"
        return X_fold, reason


def _embedders(estimator):
    """Return the names of the embedders in an estimator, or in a parameter's value."""
    return [name for name, part in named_estimators(estimator).items() if is_embedder(part)]


def _find_embedder(estimator):
    """Return the name of the one embedder in it, and the parts around it by name.

    And None, or why its network can't be trained together with others.
    """
    paths = _embedders(estimator)
    if not paths:
        return None, {}, _NO_EMBEDDER
    if len(paths) > 1:
        return None, {}, f"{len(paths)} embedders in the estimator"
    parts = named_estimators(estimator)
    names = paths[0].split("__")
    around = {name: parts[name] for name in ("__".join(names[:i]) for i in range(len(names)))}
    for name, part in around.items():
        if getattr(part, "n_jobs", None) not in (None, 1):
            return None, {}, f"n_jobs={part.n_jobs} of {name or 'the estimator'}"
    return paths[0], around, None


def _input(estimator, path, X, y=None):
    """Return what an estimator fits its embedder on, or else why it does not."""
    if not path:
        return X, None
    estimator = clone(estimator).set_params(**{path: _Probe()})
    try:
        estimator.fit(X, y)
    except _ReachedError as reached:
        return reached.X, None
    except Exception as error:
        return None, error
    return None, "the estimator does not fit its embedder"


class _ReachedError(Exception):
    def __init__(self, X):
        super().__init__(X)
        self.X = X


class _Probe(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Stands where an embedder will, and hands out what it is fitted on."""

    def fit(self, X, y=None):
        raise _ReachedError(X)

    def transform(self, X):
        """Make it a transformer, for pipelines that check."""
        raise NotImplementedError


class _Memory:
    """What the steps of pipelines gave for what they were given: a joblib.Memory in memory.

    It is filled before the fits, and only read in them.
    """

    def __init__(self):
        self.is_open = True
        self.sizes = {}  # of what embedders will be fitted on, by identity
        self._results = {}

    @property
    def is_full(self):
        """Whether there are as many numbers as may be."""
        return sum(self.sizes.values()) > _N_NUMBERS

    def cache(self, function, ignore=()):
        """Return a function that has its results from here, where they are."""

        def cached(*args, **kwargs):
            key = fingerprint(args, {n: v for n, v in kwargs.items() if n not in ignore})
            if key in self._results:
                return _copied(self._results[key])
            result = function(*args, **kwargs)
            if self.is_open and not self.is_full and key is not None:
                self._results[key] = _copied(result)
            return result

        return cached

    def clear(self):
        """Forget all results."""
        self._results.clear()

    def __sklearn_clone__(self):
        return self

    def __reduce__(self):
        # Neither a hash nor a copy in another process needs what is in it.
        return _Memory, ()

    def __repr__(self):
        return "shared"


def _copied(result):
    """Return a result of a step with a copy of the data: the next step may work in place."""
    X, transformer = result
    return (X.copy() if hasattr(X, "copy") else X), transformer
