"""What a forecast must beat, with quantiles of its own so that nobody fights a straw man.

A baseline's quantile is its point plus the quantile of its own errors at the same lead
time on the training part of the same series: knowledge that a zero-shot model lacks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Baseline:
    """Forecasts value[origin + lead] by value[origin + lead - lag(lead)]."""

    name: str
    # steps of one season; None: the last known value
    season: int | None

    def lag(self, lead: int) -> int:
        """The newest multiple of the season that is known at the origin."""
        if self.season is None:
            return lead
        return self.season * -(-lead // self.season)

    def forecast(self, values: np.ndarray, targets: np.ndarray, lead: int) -> np.ndarray:
        """values [N], positions of the targets [M] -> points [M]."""
        return values[targets - self.lag(lead)]

    def error_quantiles(self, training: np.ndarray, lead: int, levels: tuple[float, ...]) -> np.ndarray:
        """[Q] quantiles of target minus forecast on the training part."""
        lag = self.lag(lead)
        return np.quantile(training[lag:] - training[:-lag], levels)


def best_season(training: np.ndarray, day: int) -> tuple[str, int]:
    """A day, or a week where two weeks are known and the week errs less on the training part."""
    week = 7 * day
    if training.size <= 2 * week:
        return "day", day
    later = training[week:]
    by_day = np.mean(np.abs(later - training[week - day : -day]))
    by_week = np.mean(np.abs(later - training[:-week]))
    return ("week", week) if by_week < by_day else ("day", day)
