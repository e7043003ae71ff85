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
from sklearn import get_config
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    clone,
    is_clusterer,
)
from sklearn.dummy import DummyClassifier
from sklearn.metrics._scorer import _BaseScorer
from sklearn.model_selection._search import BaseSearchCV
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing

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
        memory = _Memory()

        def evaluate(candidate_params: Any, **kwargs: Any) -> dict:
            plan = _Plan(self.estimator, candidate_params, memory)

            def split(X: Any, y: Any = None, **params: Any) -> list:
                splits = list(self._splitter(evaluate_candidates).split(X, y, **params))
                self._check_scorable(X, y, splits)
                plan.announce(X, y, splits)
                self._report(plan)
                return splits

            with plan.fits.offered():
                results = evaluate_candidates(
                    plan.candidates, SimpleNamespace(split=split), **kwargs
                )
            results["params"] = [dict(params) for params in results["params"]]
            return results

        # Before 1.9, scikit-learn has no callbacks for a search.
        kwargs = {} if callback_ctx is None else {"callback_ctx": callback_ctx}
        try:
            super()._run_search(evaluate, **kwargs)
        finally:
            # A scorer may have kept a fitted estimator.
            memory.results.clear()

    def _splitter(self, evaluate_candidates: Callable) -> Any:
        """Return what scikit-learn has made of `cv`."""
        if hasattr(self, "_checked_cv_orig"):
            return self._checked_cv_orig
        # Before 1.9, a variable of its fit.
        return inspect.getclosurevars(evaluate_candidates).nonlocals["cv_orig"]

    def _check_scorable(self, X: Any, y: Any, splits: list) -> None:
        """Raise what a scorer of clusters says of the labels, before there are clusters.

        One fold without a score leaves all candidates without a mean, unless `error_score`
        is a number.
        """
        if not is_clusterer(self.estimator) or not (
            self.error_score == "raise" or np.isnan(self.error_score)
        ):
            return
        one_cluster = DummyClassifier(strategy="constant", constant=0).fit([[0]], [0])
        scorers, _ = self._get_scorers()
        for scorer in getattr(scorers, "_scorers", {"score": scorers}).values():
            if isinstance(scorer, _BaseScorer):
                for _, test in splits:
                    samples = (
                        None if part is None else _safe_indexing(part, test) for part in (X, y)
                    )
                    scorer(one_cluster, *samples)

    def _report(self, plan: "_Plan") -> None:
        """Say what is trained together, what is not, and why."""
        if self.verbose:
            print(f"Training {len(plan.fits)} networks together")
            for reason, n_fits in plan.reasons.items():
                print(f"Training {n_fits} separately: {reason}")
        if plan.obstacles and not len(plan.fits):
            name = type(self).__name__
            plain = name.removeprefix("Batched")
            warnings.warn(
                f"{name} can't train any networks together here "
                f"({'; '.join(sorted(plan.obstacles))}). It trains each separately and is no faster "
                f"than {plain}: use {plain}, whose n_jobs are processes.",
                stacklevel=2,
            )


class _Plan:
    """The candidates of a search, and the fits to come."""

    def __init__(self, estimator: Any, candidate_params: Any, memory: "_Memory") -> None:
        from ..embedding.training import VmappedFits

        self.memory = memory
        self.fits = VmappedFits()
        self.candidates = [_Candidate(params, estimator, memory) for params in candidate_params]
        # How many networks can't be trained with others, by the reason; those that are no errors.
        self.reasons: Counter[str] = Counter()
        self.obstacles: set[str] = set()
        self._inputs: dict = {}
        self._n_numbers = 0

    def announce(self, X: Any, y: Any, splits: list) -> None:
        """Find out what the embedders will be fitted on, and announce these fits."""
        self.memory.is_open = True
        for candidate, (train, _) in product(self.candidates, splits):
            reason = candidate.reason or self._announce(candidate, train, X, y)
            if isinstance(reason, Exception):
                # The fit will raise it, where it belongs.
                reason = f"{type(reason).__name__}: {reason}"
            elif reason not in (None, _NO_EMBEDDER):
                self.obstacles.add(reason)
            if reason is not None:
                self.reasons[reason] += 1
        self.memory.is_open = False

    def _announce(self, candidate: "_Candidate", train: Any, X: Any, y: Any) -> Any:
        """Announce one fit, or return why that can't be: words or an exception."""
        from ..embedding.training import fingerprint

        # Candidates that differ in nothing else have the same input.
        own = f"{candidate.path}__" if candidate.path else ""
        others = {name: value for name, value in candidate.items() if not name.startswith(own)}
        key = fingerprint(others, train) or object()  # equal to nothing else
        if key not in self._inputs and self._n_numbers <= _N_NUMBERS:
            self._inputs[key] = candidate.input(X, y, train)
            self._n_numbers += getattr(self._inputs[key][0], "size", 0)
            self.memory.is_open = self._n_numbers <= _N_NUMBERS
        if self._n_numbers > _N_NUMBERS:
            return f"more than {_N_NUMBERS:,} numbers in the folds"
        X_fold, reason = self._inputs[key]
        return reason or self.fits.add(clone(candidate.embedder), X_fold)


class _Candidate(dict):
    """Parameters of a candidate, and what else a search sets for each of its fits.

    scikit-learn clones the parameters for each fit, and reports those that it has cloned.
    """

    def __init__(self, params: Any, estimator: Any, memory: "_Memory") -> None:
        super().__init__(params)
        self.memories: dict = {}
        self.path = ""
        self.reason: str | None = _NO_EMBEDDER
        if not any(map(_embedders, (estimator, *params.values()))):
            return  # it is scikit-learn's search, which does nothing else with the estimator
        self.estimator = clone(estimator)
        if params:
            self.estimator.set_params(**clone(params, safe=False))
        paths = _embedders(self.estimator)
        if len(paths) != 1:
            self.reason = f"{len(paths)} embedders in the estimator" if paths else _NO_EMBEDDER
            return
        self.path, self.reason = paths[0], None
        parts = named_estimators(self.estimator)
        self.embedder = parts[self.path]
        names = self.path.split("__") if self.path else []
        for around in ("__".join(names[:i]) for i in range(len(names))):
            part = parts[around]
            if getattr(part, "n_jobs", None) not in (None, 1):
                self.reason = f"n_jobs={part.n_jobs} of {around or 'the estimator'}"
            if isinstance(part, Pipeline) and part.memory is None:
                self.memories[f"{around}__memory".removeprefix("__")] = memory
        self.estimator.set_params(**self.memories)

    def __sklearn_clone__(self) -> dict:
        return {**clone(dict(self), safe=False), **self.memories}

    def input(self, X: Any, y: Any, train: Any) -> tuple[Any, Exception | str | None]:
        """Return what the embedder is fitted on in a fold, or else why it is not."""
        samples = [_safe_indexing(part, train) for part in (X, y) if part is not None]
        if not self.path:
            return samples[0], None
        estimator = clone(self.estimator).set_params(**{self.path: _Probe()})
        try:
            estimator.fit(*samples)
        except _ReachedError as reached:
            return reached.args[0], None
        except Exception as error:
            return None, error
        return None, "the estimator does not fit its embedder"


def _embedders(estimator: Any) -> list[str]:
    """Return the names of the embedders in an estimator, or in a parameter's value."""
    return [name for name, part in named_estimators(estimator).items() if is_embedder(part)]


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

        def copied(result: Any) -> Any:
            X, transformer = result
            return (X.copy() if hasattr(X, "copy") else X), transformer

        def cached(*args: Any, **kwargs: Any) -> Any:
            key = fingerprint(args, {n: v for n, v in kwargs.items() if n not in ignore})
            if key in self.results:
                return copied(self.results[key])  # the next step may work in place
            result = function(*args, **kwargs)
            if self.is_open and key is not None:
                self.results[key] = copied(result)
            return result

        return cached

    def __sklearn_clone__(self) -> "_Memory":
        return self

    def __reduce__(self) -> tuple:
        # Neither a hash nor a copy in another process needs what is in it.
        return _Memory, ()

    def __repr__(self) -> str:
        return "shared"
