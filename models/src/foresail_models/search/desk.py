"""Hands out trials. All workers of a search, in whatever pod, come to the same store, one at a time.

Each decision (which trial is lost, which is run next, whether all is done) is made from the store under its one lock, so the
number of trials is exact. Nothing is remembered elsewhere: what was told to the store is what happened.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.pruners import BasePruner
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, Trial, TrialState

from ..errors import ConfigError
from . import ledger, pruning
from .settings import Search
from .space import Seeded, contains, distributions, every, seed_of
from .store import Store


class Done(Exception):
    """No trial is left to begin, and none runs."""


class Desk:
    def __init__(
        self,
        store: Store,
        study: str,
        search: Search,
        seed: int,
        pruner: BasePruner,
        first: Mapping[str, Any],
        worker: str,
        gpus: int = 0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """
        study   what is searched, by its digest: another configuration or other data begin another search
        first   the hyperparameters to begin with, where they lie in the space: what one would train without a search
        """
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.store, self.search, self.seed = store, search, seed
        self._first, self._mark, self._clock = dict(first), {"worker": worker, "gpus": gpus}, clock
        self._space = distributions(search.space)
        self.study: optuna.Study = store.decide(
            lambda: optuna.create_study(
                storage=store.storage,
                sampler=Seeded(seed, search.startup_trials),
                pruner=pruner,
                study_name=study,
                direction="minimize",
                load_if_exists=True,
            )
        )
        self._id = self.study._study_id

    def trials(self) -> list[FrozenTrial]:
        return self.store.patiently(self._trials)

    def take(self) -> Trial | None:
        """The next trial to run; None where one must wait for those of others. Raises Done."""
        return self.store.decide(self._take)

    def alive(self, trial: Trial) -> AbstractContextManager[None]:
        """For as long as this worker runs it."""
        return self.store.alive(trial, str(self._mark["worker"]))

    def report(self, trial: Trial, rung: int, each: list[float], score: float) -> None:
        """What it scored at a rung, over all folds and per fold. Raises UpdateFinishedTrialError where it was taken for lost."""

        def report() -> None:
            trial.set_user_attr(pruning.attribute(rung), each)
            trial.report(score, rung)

        self.store.patiently(report)

    def should_prune(self, trial: Trial) -> bool:
        return self.store.patiently(trial.should_prune)

    def finish(self, trial: Trial, score: float | None, failed: str | None = None) -> bool:
        """Whole with a score, pruned without, or failed. False where it was taken for lost meanwhile: then it does not count."""
        state = TrialState.PRUNED if score is None else TrialState.COMPLETE

        def finish() -> bool:
            try:
                if failed is None:
                    return bool(self._storage.set_trial_state_values(trial._trial_id, state, self._value(trial, score)))
                trial.set_user_attr("failed", failed[:500])
                return bool(self._storage.set_trial_state_values(trial._trial_id, TrialState.FAIL))
            except UpdateFinishedTrialError:  # by another worker, or by this one, when it heard no answer
                return "lost" not in self._storage.get_trial(trial._trial_id).user_attrs

        return self.store.patiently(finish)

    def give_up(self, trial: Trial) -> None:
        """Leaves it to be run again: this worker was asked to stop."""
        self.store.decide(lambda: self._lose(trial, "stopped", self._clock()))

    def conclude(self, fixed: str) -> dict[str, Any]:
        """Publishes the result: the same, whoever comes last. Raises ConfigError without any whole trial."""
        trials = self.trials()
        result = ledger.result(trials)
        if result["best"] is None:
            said = next((t.user_attrs["failed"] for t in trials if "failed" in t.user_attrs), "its time was too short for one")
            raise ConfigError(f"search: none of {ledger.counts(trials).settled} trials could be finished: {said}")
        document = {"schema": 1, "study": self.study.study_name, "config": fixed} | result.pop("best") | result
        self.store.decide(lambda: self.store.publish(document))
        return document

    @property
    def _storage(self) -> BaseStorage:
        return self.store.storage

    def _trials(self) -> list[FrozenTrial]:
        return self._storage.get_all_trials(self._id, deepcopy=False)

    def _take(self) -> Trial | None:
        self._bury()
        trials = self._trials()
        trial = self._next(trials)
        if trial is not None:
            self.store.begun(trial._trial_id)
            return trial
        if ledger.running(trials):
            return None
        raise Done

    def _next(self, trials: list[FrozenTrial]) -> Trial | None:
        if lost := ledger.to_retry(trials, self._space):
            if ledger.in_time(self.search, ledger.spent(trials, self._clock())):
                return self._create(lost[0].params, {"retryOf": lost[0].number, "losses": ledger.losses(lost[0])})
        elif ledger.may_begin(self.search, trials, self._clock()):
            return self._new(trials)
        return None

    def _bury(self) -> None:
        """Ends the trials of workers that are not heard of. They ran until their last sign of life, not until we looked:
        nobody may have looked for as long as the search was suspended."""
        for trial, last in self.store.silent(ledger.running(self._trials())):
            self._lose(trial, "silent", min(self._clock() - self.search.stale_s, last or math.inf))

    def _lose(self, trial: Trial | FrozenTrial, why: ledger.Lost, ended: float) -> None:
        try:
            self._storage.set_trial_user_attr(trial._trial_id, "endedAt", ended)
            self._storage.set_trial_user_attr(trial._trial_id, "lost", why)
            self._storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)
        except UpdateFinishedTrialError:
            return  # it came back at the last moment
        self.store.lost(trial)

    def _new(self, trials: list[FrozenTrial]) -> Trial | None:
        """None where nothing is left that was not tried."""
        tried = [t.params for t in trials]
        if not trials and contains(self.search.space, self._first):
            return self._create(self._first, {})
        for _ in range(10):
            trial = self.study.ask(self._space)
            if trial.params not in tried:
                for key, value in self._mark.items():
                    trial.set_user_attr(key, value)
                return trial
            trial.set_user_attr("repeats", tried.index(trial.params))
            self._storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)
            points = every(self.search.space)
            if points is not None:
                left = [point for point in points if point not in tried]
                chosen = np.random.default_rng(seed_of(self.seed, trial.number))
                return self._create(left[chosen.integers(len(left))], {}) if left else None
        return None

    def _create(self, params: Mapping[str, Any], attributes: Mapping[str, Any]) -> Trial:
        """In one record: there is no moment in which it exists without its hyperparameters."""
        template = optuna.trial.create_trial(
            state=TrialState.RUNNING, params=dict(params), distributions=self._space, user_attrs={**attributes, **self._mark}
        )
        return Trial(self.study, self._storage.create_new_trial(self._id, template))

    def _value(self, trial: Trial, score: float | None) -> list[float] | None:
        if score is not None:
            return [score]
        reported = self._storage.get_trial(trial._trial_id).intermediate_values
        return [reported[max(reported)]] if reported else None
