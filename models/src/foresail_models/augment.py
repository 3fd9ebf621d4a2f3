"""Makes the corpus larger than it is: what a load can do that the sources seldom show.

Every change works on whole trajectories: context, seasons and target of a window lie side
by side with the time of each value, so a level that shifts or a trend that grows is the
same event in all three. Unknown values stay NaN throughout.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import contract
from .windows import Windows

_C, _S, _H = contract.CONTEXT_LENGTH, 2 * contract.SEASON_WINDOW, contract.HORIZON


@dataclass(frozen=True)
class Rates:
    """Probability of each change per window."""

    short_history: float = 0.35
    mix: float = 0.2
    flip: float = 0.05
    lift: float = 0.1
    trend: float = 0.1
    level_shift: float = 0.1
    spikes: float = 0.1
    noise: float = 0.1
    counts: float = 0.15
    rounding: float = 0.08
    missing: float = 0.2
    stale: float = 0.08


def histories(rng: np.random.Generator, size: int, rates: Rates) -> np.ndarray:
    """[size] known steps up to the origin: mostly all, else from one step up (cold start)."""
    short = np.exp(rng.uniform(np.log(1), np.log(20160), size)).astype(np.int64)
    return np.where(rng.random(size) < rates.short_history, np.maximum(short, 1), 1 << 40)


def augment(rng: np.random.Generator, cut: Windows, rates: Rates) -> Windows:
    """A changed copy of the batch; lags are not needed, seasons keep their own times."""
    size = cut.context.shape[0]
    x = np.concatenate([cut.context, cut.seasonal.reshape(size, -1), cut.target], axis=1)
    time = _times()

    def chosen(rate: float) -> np.ndarray:
        return np.flatnonzero(rng.random(size) < rate)

    level, spread = _level_and_spread(x)
    x = (x - level) / spread
    floor = -level / spread  # where zero lies, in units of the spread

    rows = chosen(rates.mix)
    if rows.size:
        share = rng.uniform(0.2, 0.8, (rows.size, 1)).astype(np.float32)
        x[rows] = share * x[rows] + (1 - share) * x[rng.permutation(rows)]
    rows = chosen(rates.flip)
    x[rows] = -x[rows]
    floor[rows] = np.minimum(floor[rows], np.nanmin(x[rows], axis=1, keepdims=True)) if rows.size else floor[rows]
    rows = chosen(rates.trend)
    x[rows] += rng.normal(0, 1, (rows.size, 1)) * time / rng.choice([512, 2048, 8192], (rows.size, 1))
    rows = chosen(rates.level_shift)
    when = rng.integers(-300, 40, (rows.size, 1))
    x[rows] += rng.normal(0, 3, (rows.size, 1)) * (time >= when)
    rows = chosen(rates.spikes)
    often = np.exp(rng.uniform(np.log(0.002), np.log(0.05), (rows.size, 1)))
    hit = rng.random((rows.size, x.shape[1]), dtype=np.float32) < often
    x[rows] += hit * rng.exponential(4, (rows.size, 1)) * rng.exponential(1, hit.shape)
    rows = chosen(rates.noise)
    x[rows] += rng.normal(0, 1, (rows.size, x.shape[1])) * np.exp(rng.uniform(-4, -0.3, (rows.size, 1)))

    rows = chosen(rates.counts)
    if rows.size:
        x[rows], floor[rows] = _as_counts(rng, x[rows]), 0.0
    rows = chosen(rates.rounding)
    grain = np.exp(rng.uniform(np.log(0.05), np.log(2), (rows.size, 1)))
    x[rows] = np.round(x[rows] / grain) * grain
    x = x - floor  # zero is zero again
    rows = chosen(rates.lift)
    x[rows] += rng.exponential(20, (rows.size, 1))
    return _with_gaps(rng, x.astype(np.float32), size, rates)


def _times() -> np.ndarray:
    """Steps from the origin of each value. A season's values lie far back: one number will do."""
    ahead = np.arange(1 - contract.SEASON_WINDOW, contract.SEASON_WINDOW + 1)
    seasons = np.concatenate([ahead - back for back in (600, 1200, 2400, 4800)])
    return np.concatenate([np.arange(1 - _C, 1), seasons, np.arange(1, _H + 1)]).astype(np.float32)[None]


def _level_and_spread(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    known = ~np.isnan(x)
    count = np.maximum(known.sum(axis=1, keepdims=True), 1)
    level = np.where(known, x, 0).sum(axis=1, keepdims=True, dtype=np.float64) / count
    spread = np.where(known, np.abs(x - level), 0).sum(axis=1, keepdims=True) / count
    return level, np.maximum(spread, np.maximum(1e-3 * np.abs(level), 1e-9))


def _as_counts(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    """The window as the rate of a Poisson process: few requests are noisy, many are smooth."""
    low = np.nanquantile(x, 0.01, axis=1, keepdims=True)
    rate = np.maximum(x - low, 0)
    mean = np.maximum(np.nanmean(rate, axis=1, keepdims=True), 1e-6)
    wanted = np.exp(rng.uniform(np.log(0.3), np.log(300), (x.shape[0], 1)))
    rate = np.minimum(rate / mean * wanted, 1e6)
    return np.where(np.isnan(rate), np.nan, rng.poisson(np.nan_to_num(rate)))


def _with_gaps(rng: np.random.Generator, x: np.ndarray, size: int, rates: Rates) -> Windows:
    context = x[:, :_C]
    seasonal = x[:, _C : x.shape[1] - _H].reshape(size, -1, _S)
    target = x[:, x.shape[1] - _H :]
    newest = context[:, -1].copy()
    rows = np.flatnonzero(rng.random(size) < rates.missing)
    share = rng.uniform(0, 0.4, (rows.size, 1))
    context[rows] = np.where(rng.random((rows.size, _C)) < share, np.nan, context[rows])
    seasonal[rows] = np.where(rng.random((rows.size, *seasonal.shape[1:])) < share[:, :, None], np.nan, seasonal[rows])
    rows = np.flatnonzero(rng.random(size) < rates.stale)
    old = rng.integers(1, 9, (rows.size, 1))
    context[rows] = np.where(np.arange(_C) >= _C - old, np.nan, context[rows])
    empty = np.isnan(context).all(axis=1)
    context[empty, -1] = newest[empty]
    return Windows(context, seasonal, target)
