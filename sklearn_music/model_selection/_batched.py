"""Searches that train the networks of their fits together."""

import inspect
import warnings
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from itertools import product
from types import SimpleNamespace
from typing import Any, Self

import joblib
import numpy as np
from numpy.typing import NDArray
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

# How many numbers the embedders may be fitted on, in all folds and settings of the steps before,
# since all of them are in memory at the same time: 2 GiB.
_N_NUMBERS = 2**29

_NO_EMBEDDER = "no embedder in the estimator"


class BatchedSearch(BaseSearchCV):
    """Makes one of scikit-learn's searches a batched one.

    Before the fits, it finds out what the embedder of each candidate will be fitted on in each
    fold. Then scikit-learn's search goes on. Its fits find their networks, and the output of the
    steps before, ready-made.
    """

    def fit(self, X: Any, y: Any = None, **params: Any) -> Self:
        """Search.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or DataFrame
            The samples, as the estimator takes them.
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

    def _run_search(self, evaluate_candidates: Callable, callback_ctx: Any = None) -> None:
        plan = _Plan()

        def split(X: Any, y: Any = None, **params: Any) -> list:
            # Before 1.9, what scikit-learn has made of `cv` is a variable of its fit.
            cv = (
                getattr(self, "_checked_cv_orig", None)
                or inspect.getclosurevars(evaluate_candidates).nonlocals["cv_orig"]
            )
            splits = list(cv.split(X, y, **params))
            self._check_scorable(X, y, splits)
            self._report(plan, plan.announce(X, y, splits))
            return splits

        def evaluate(candidate_params: Any, **kwargs: Any) -> dict:
            plan.candidates = [_Candidate(self.estimator, p, plan.memory) for p in candidate_params]
            with plan.fits.offered():
                cv = SimpleNamespace(split=split)
                results = evaluate_candidates(plan.candidates, cv, **kwargs)
            results["params"] = [dict(params) for params in results["params"]]
            return results

        # Before 1.9, scikit-learn has no callbacks for a search.
        kwargs = {} if callback_ctx is None else {"callback_ctx": callback_ctx}
        try:
            super()._run_search(evaluate, **kwargs)
        finally:
            # A scorer may have kept a fitted estimator.
            plan.memory.results.clear()

    def _check_scorable(self, X: Any, y: Any, splits: list) -> None:
        """Raise what a scorer of clusters says of the labels, before there are clusters.

        One fold without a score leaves all candidates without a mean, unless `error_score`
        is a number.
        """
        has_score = self.error_score != "raise" and not np.isnan(self.error_score)
        if has_score or not is_clusterer(self.estimator):
            return
        scorers, _ = self._get_scorers()
        for scorer in getattr(scorers, "_scorers", {"score": scorers}).values():
            if isinstance(scorer, _BaseScorer) and scorer._response_method == "predict":
                for _, test in splits:
                    scorer(_OneCluster(), _take(X, test), _take(y, test))

    def _report(self, plan: "_Plan", reasons: Counter[str]) -> None:
        """Say what is trained together, what is not, and why."""
        if self.verbose:
            print(f"Training {len(plan.fits)} networks together")
            for reason, n_fits in reasons.items():
                print(f"Training {n_fits} separately: {reason}")
        obstacles = sorted(reasons.keys() - {_NO_EMBEDDER})
        if obstacles and not len(plan.fits):
            name = type(self).__name__
            plain = name.removeprefix("Batched")
            warnings.warn(
                f"{name} can't train any networks together here ({'; '.join(obstacles)}). "
                f"It is no faster than {plain}: use {plain}, whose n_jobs are processes.",
                stacklevel=2,
            )


class _Candidate(dict):
    """Parameters of a candidate, and what else a search sets for each of its fits.

    scikit-learn clones the parameters for each fit, and reports those that it has cloned.
    """

    def __init__(self, estimator: Any, params: Any, memory: "_Memory") -> None:
        super().__init__(params)
        self.memories: dict = {}
        self.path = ""
        self.reason: str | None = _NO_EMBEDDER
        if not any(map(_embedders, (estimator, *params.values()))):
            return  # it is scikit-learn's search, which does nothing else with the estimator
        self.estimator = clone(estimator).set_params(**clone(params, safe=False))
        parts, paths = named_estimators(self.estimator), _embedders(self.estimator)
        if len(paths) != 1:
            self.reason = f"{len(paths)} embedders in the estimator" if paths else _NO_EMBEDDER
            return
        self.path, self.reason = paths[0], None
        names = self.path.split("__") if self.path else []
        for name in ("__".join(names[:i]) for i in range(len(names))):
            if getattr(parts[name], "n_jobs", None) not in (None, 1):
                self.reason = f"n_jobs={parts[name].n_jobs} of {name or 'the estimator'}"
            if isinstance(parts[name], Pipeline) and parts[name].memory is None:
                self.memories[f"{name}__memory".removeprefix("__")] = memory
        self.estimator.set_params(**self.memories)

    def __sklearn_clone__(self) -> dict:
        return {**clone(dict(self), safe=False), **self.memories}

    def embedder(self) -> Any:
        """Return its embedder, not fitted."""
        return clone(named_estimators(self.estimator)[self.path])

    def input(self, X: Any, y: Any) -> Any:
        """Return what its embedder is fitted on where it is fitted on X, or None if it fails."""
        if not self.path:
            return X
        try:
            clone(self.estimator).set_params(**{self.path: _Probe()}).fit(X, y)
        except _ReachedError as reached:
            return reached.args[0]
        except Exception:
            pass  # the fit will raise it, where it belongs
        return None


def _embedders(estimator: Any) -> list[str]:
    """Return the names of the embedders in an estimator, or in a parameter's value."""
    return [name for name, part in named_estimators(estimator).items() if is_embedder(part)]


class _OneCluster(ClusterMixin, BaseEstimator):
    """Stands in for a fitted clusterer: all samples are in one cluster."""

    def fit(self, X: Any, y: Any = None) -> "_OneCluster":
        return self

    def predict(self, X: Any) -> NDArray[np.int64]:
        return np.zeros(_num_samples(X), dtype=int)

    def __sklearn_is_fitted__(self) -> bool:
        return True


class _Plan:
    """The candidates of a search, and the fits to come."""

    candidates: list[_Candidate]

    def __init__(self) -> None:
        from ..embedding.training import VmappedFits

        self.fits = VmappedFits()
        self.memory = _Memory()
        self.inputs: dict = {}

    def announce(self, X: Any, y: Any, splits: list) -> Counter[str]:
        """Announce the fits; return how many networks are trained separately, by the reason."""
        reasons: Counter[str] = Counter()
        self.memory.is_open = True
        for candidate, (train, _) in product(self.candidates, splits):
            if reason := candidate.reason or self._announce(candidate, X, y, train):
                reasons[reason] += 1
        self.memory.is_open = False
        return reasons

    def _announce(self, candidate: _Candidate, X: Any, y: Any, train: Any) -> str | None:
        from ..embedding.training import fingerprint

        # Candidates that differ in nothing else have the same input.
        own = f"{candidate.path}__" if candidate.path else ""
        others = {name: value for name, value in candidate.items() if not name.startswith(own)}
        key = fingerprint(others, train) or object()  # equal to nothing else
        if key not in self.inputs and self.memory.is_open:
            self.inputs[key] = candidate.input(_take(X, train), _take(y, train))
            if sum(getattr(each, "size", 0) for each in self.inputs.values()) > _N_NUMBERS:
                self.memory.is_open = False
                del self.inputs[key]
        if key not in self.inputs:
            return f"more than {_N_NUMBERS:,} numbers in the folds"
        X_fold = self.inputs[key]
        return None if X_fold is None else self.fits.add(candidate.embedder(), X_fold)


def _take(samples: Any, indices: Any) -> Any:
    return None if samples is None else _safe_indexing(samples, indices)


class _ReachedError(Exception):
    """Raised with what an embedder is fitted on."""


class _Probe(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Stands where an embedder will be."""

    def fit(self, X: Any, y: Any = None) -> Any:
        raise _ReachedError(X)

    def transform(self, X: Any) -> Any:
        """Make it a transformer, for pipelines that check."""
        raise NotImplementedError


class _Memory:
    """A joblib.Memory in memory: what the steps of pipelines gave for what they were given.

    It is filled before the fits, and only read in them.
    """

    def __init__(self) -> None:
        self.is_open = False
        self.results: dict = {}

    def cache(self, function: Callable, ignore: Any = ()) -> Callable:
        """Return a function that has its results from here, where they are."""
        from ..embedding.training import fingerprint

        def cached(*args: Any, **kwargs: Any) -> Any:
            key = fingerprint(args, {n: v for n, v in kwargs.items() if n not in ignore})
            if key not in self.results:
                result = function(*args, **kwargs)
                if not self.is_open or key is None:
                    return result
                self.results[key] = result
            X, transformer = self.results[key]
            # A copy, since the next step may work in place.
            return (X.copy() if hasattr(X, "copy") else X), transformer

        return cached

    def __sklearn_clone__(self) -> "_Memory":
        return self

    def __reduce__(self) -> tuple:
        # Neither a hash nor a copy in another process needs what is in it.
        return _Memory, ()
