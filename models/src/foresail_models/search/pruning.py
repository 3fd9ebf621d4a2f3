"""When a trial is ended before its time: it is not among the better ones, and worse than the best one on the same windows.

Successive halving alone compares two means. Each is a mean over the same backtest windows, so the difference may be tested
window by window (Wilcoxon's signed ranks), and a trial that is only unlucky in a few of them goes on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import optuna
from optuna.pruners import BasePruner, MedianPruner, NopPruner, SuccessiveHalvingPruner
from optuna.trial import FrozenTrial

# Largest chance that a trial no worse than the best one is called worse, at one rung.
LEVEL = 0.1


def attribute(step: int) -> str:
    """Where a trial keeps its score per fold at `step`."""
    return f"folds/{step}"


def signed_rank(differences: Sequence[float]) -> float:
    """P(a rank sum as large as seen, or larger) where the differences are symmetric about 0: Wilcoxon's exact one-sided test.

    differences  [n]; zeros are left out, equal ones share their mean rank. 1 without any.
    Source: F. Wilcoxon, "Individual comparisons by ranking methods", Biometrics 1 (1945).
    """
    values = sorted((d for d in differences if d != 0), key=abs)
    if not values:
        return 1.0
    sizes = [abs(v) for v in values]
    # Twice the rank, so that shared ones are whole.
    doubled = [sizes.index(size) + 1 + len(sizes) - sizes[::-1].index(size) for size in sizes]
    seen = sum(rank for rank, value in zip(doubled, values) if value > 0)
    ways = [1] + [0] * sum(doubled)
    for rank in doubled:
        for at in range(len(ways) - 1, rank - 1, -1):
            ways[at] += ways[at - rank]
    return sum(ways[seen:]) / 2 ** len(values)


class Paired(BasePruner):
    """Ends a trial where `coarse` would, and the folds agree that it is worse than the best trial was at the same step."""

    def __init__(self, coarse: BasePruner, level: float = LEVEL) -> None:
        self.coarse, self.level = coarse, level

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        step = trial.last_step
        # Asked first and always: successive halving notes which rungs a trial has passed.
        if not self.coarse.prune(study, trial) or step is None:
            return False
        key = attribute(step)
        others = [t for t in study.get_trials(deepcopy=False) if t.number != trial.number and key in t.user_attrs and step in t.intermediate_values]
        best = min(others, key=lambda t: t.intermediate_values[step], default=None)
        if best is None or key not in trial.user_attrs:
            return False
        pairs = zip(trial.user_attrs[key], best.user_attrs[key], strict=True)
        return signed_rank([math.log(own) - math.log(other) for own, other in pairs]) < self.level


def halving() -> BasePruner:
    """Asynchronous successive halving: a third of those that reach a rung go on to the next, at three times the steps."""
    return SuccessiveHalvingPruner(min_resource=1, reduction_factor=3)


def median() -> BasePruner:
    """Worse than half of the trials were at the same rung; not in the first half of a trial, which tells little (see `bench`)."""
    return MedianPruner(n_startup_trials=4, n_warmup_steps=5)


PRUNERS: dict[str, Callable[[], BasePruner]] = {
    "none": NopPruner,
    "halving": halving,
    "median": median,
    "halving+wilcoxon": lambda: Paired(halving()),
    "median+wilcoxon": lambda: Paired(median()),
}
DEFAULT = "median+wilcoxon"
