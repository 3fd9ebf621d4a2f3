"""What the journal says of a search: which trials count, which are to be run again, what has been spent. No I/O.

A trial ends whole (COMPLETE), pruned (PRUNED), or as FAIL. Of the last there are three, told apart by an attribute:
`failed`, its hyperparameters cannot be trained, so it counts; `lost`, its worker died or had to stop, so they are run again by a
trial that names it in `retryOf`; `repeats`, they had been tried before, so it was never begun.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from optuna.trial import FrozenTrial, TrialState

from .settings import Search

# How often the same hyperparameters may kill their worker before they are counted as failed.
LOSSES = 3

Lost = Literal["silent", "stopped"]


@dataclass(frozen=True)
class Counts:
    finished: int
    pruned: int
    failed: int

    @property
    def settled(self) -> int:
        return self.finished + self.pruned + self.failed


@dataclass(frozen=True)
class Spent:
    wall_s: float
    gpu_hours: float


def losses(trial: FrozenTrial) -> int:
    """How often a worker died of these hyperparameters, this trial included; to be stopped is no fault of theirs."""
    return int(trial.user_attrs.get("losses", 0)) + (trial.user_attrs.get("lost") == "silent")


def is_failed(trial: FrozenTrial) -> bool:
    """Whether it counts as failed: trying again would meet the same."""
    return trial.state == TrialState.FAIL and ("failed" in trial.user_attrs or losses(trial) > LOSSES)


def counts(trials: Iterable[FrozenTrial]) -> Counts:
    trials = list(trials)
    return Counts(
        sum(t.state == TrialState.COMPLETE for t in trials),
        sum(t.state == TrialState.PRUNED for t in trials),
        sum(map(is_failed, trials)),
    )


def to_retry(trials: Sequence[FrozenTrial], keys: Iterable[str]) -> list[FrozenTrial]:
    """Lost ones that nobody has taken up. One that was lost before all its hyperparameters were drawn never began."""
    taken, keys = {t.user_attrs.get("retryOf") for t in trials}, set(keys)
    return [
        t
        for t in trials
        if t.state == TrialState.FAIL and "lost" in t.user_attrs and not is_failed(t) and t.number not in taken and set(t.params) == keys
    ]


def running(trials: Iterable[FrozenTrial]) -> list[FrozenTrial]:
    return [t for t in trials if t.state == TrialState.RUNNING]


def rungs(trials: Iterable[FrozenTrial], whole: int) -> int:
    """Parts of trials that were done, `whole` to a trial: grows with everything that any worker does."""
    settled = (TrialState.COMPLETE, TrialState.PRUNED)
    return sum(whole if t.state in settled or is_failed(t) else len(t.intermediate_values) for t in trials)


def best(trials: Iterable[FrozenTrial]) -> FrozenTrial | None:
    """The lowest score; of equal ones the first."""
    whole = [t for t in trials if t.state == TrialState.COMPLETE]
    return min(whole, key=lambda t: (t.value, t.number), default=None)


def spent(trials: Iterable[FrozenTrial], now: float) -> Spent:
    """Seconds in which at least one trial ran, and GPU-hours of all. A lost trial ends when its lease was last seen to change."""
    spans = []
    gpu_s = 0.0
    for trial in trials:
        if trial.datetime_start is None or "repeats" in trial.user_attrs:
            continue
        begin = trial.datetime_start.timestamp()
        end = trial.user_attrs.get("endedAt") or (trial.datetime_complete.timestamp() if trial.datetime_complete else now)
        spans.append((begin, max(begin, end)))
        gpu_s += (spans[-1][1] - begin) * int(trial.user_attrs.get("gpus", 0))
    wall, reached = 0.0, float("-inf")
    for begin, end in sorted(spans):
        wall += max(0.0, end - max(begin, reached))
        reached = max(reached, end)
    return Spent(wall, gpu_s / 3600)


def may_begin(search: Search, trials: Sequence[FrozenTrial], now: float) -> bool:
    """Whether the budget has room for one more new trial, counted from the journal alone."""
    used = spent(trials, now)
    in_hand = counts(trials).settled + len(running(trials)) + len(to_retry(trials, search.space))
    return (search.trials is None or in_hand < search.trials) and in_time(search, used)


def in_time(search: Search, used: Spent) -> bool:
    return (search.max_s is None or used.wall_s < search.max_s) and (search.gpu_hours is None or used.gpu_hours < search.gpu_hours)


def result(trials: Sequence[FrozenTrial]) -> dict[str, Any]:
    """{finished, pruned, failed, best}"""
    found, number = best(trials), counts(trials)
    return {
        "finished": number.finished,
        "pruned": number.pruned,
        "failed": number.failed,
        "best": None if found is None else {"trial": found.number, "params": found.params, "score": found.value},
    }
