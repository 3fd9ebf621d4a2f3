"""A search space as Optuna's distributions, and the hyperparameters of a trial as a recipe."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, TPESampler
from optuna.trial import FrozenTrial

from .settings import Choices, Space

# A finite space beyond this is searched as if it were infinite.
ENUMERABLE = 10_000


def distributions(space: Space) -> dict[str, BaseDistribution]:
    def one(dimension: Any) -> BaseDistribution:
        if isinstance(dimension, Choices):
            return CategoricalDistribution(dimension.values)
        if dimension.whole:
            return IntDistribution(int(dimension.low), int(dimension.high), log=dimension.log)
        return FloatDistribution(dimension.low, dimension.high, log=dimension.log)

    return {key: one(dimension) for key, dimension in space.items()}


def contains(space: Space, params: Mapping[str, Any]) -> bool:
    def inside(dimension: Any, value: Any) -> bool:
        return value in dimension.values if isinstance(dimension, Choices) else dimension.low <= value <= dimension.high

    return params.keys() == space.keys() and all(inside(dimension, params[key]) for key, dimension in space.items())


def every(space: Space) -> Iterator[dict[str, Any]] | None:
    """All points of a small finite space, else None."""
    axes, size = [], 1
    for dimension in space.values():
        if isinstance(dimension, Choices):
            axes.append(list(dimension.values))
        elif dimension.whole:
            if dimension.high - dimension.low >= ENUMERABLE:
                return None
            axes.append(list(range(int(dimension.low), int(dimension.high) + 1)))
        else:
            return None
        size *= len(axes[-1])
    return (dict(zip(space, point)) for point in itertools.product(*axes)) if size <= ENUMERABLE else None


def seed_of(seed: int, number: int) -> int:
    return int(np.random.SeedSequence((seed, number)).generate_state(1)[0])


class Seeded(BaseSampler):
    """A tree-structured Parzen estimator whose draws depend on (seed, number of the trial, journal), not on the worker.

    Running trials are counted as bad ones (the constant liar), so that workers do not draw alike.
    """

    def __init__(self, seed: int, startup_trials: int) -> None:
        self.seed, self.startup_trials = seed, startup_trials
        self._of = self._at(0)

    def _at(self, number: int) -> TPESampler:
        return TPESampler(seed=seed_of(self.seed, number), n_startup_trials=self.startup_trials, constant_liar=True)

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        self._of = self._at(trial.number)

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return self._of.infer_relative_search_space(study, trial)

    def sample_relative(self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]) -> dict[str, Any]:
        return self._of.sample_relative(study, trial, search_space)

    def sample_independent(self, study: optuna.Study, trial: FrozenTrial, name: str, distribution: BaseDistribution) -> Any:
        return self._of.sample_independent(study, trial, name, distribution)
