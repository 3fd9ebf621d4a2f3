"""Scores of point and quantile forecasts. Plain numpy, all functions without state."""

from __future__ import annotations

import numpy as np

# WQL is taken over these levels, as GIFT-Eval and Chronos do.
WQL_LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def pinball(y: np.ndarray, q: np.ndarray, level: float) -> float:
    """Mean pinball loss of the forecasts q [N] of `level` for the values y [N], in their unit."""
    error = y - q
    return float(np.mean(np.maximum(level * error, (level - 1) * error)))


def wql(y: np.ndarray, quantiles: np.ndarray, levels: tuple[float, ...]) -> float:
    """Weighted quantile loss: mean over 0.1…0.9 of 2 x sum of pinball / sum of |y|.

    y [N], quantiles [N, Q] at `levels`. A proxy of the CRPS relative to the mean load.
    Infinite when every y is zero and some forecast is not.
    """
    total = np.mean([2 * pinball(y, quantiles[:, levels.index(q)], q) for q in WQL_LEVELS])
    return _ratio(float(total), float(np.mean(np.abs(y))))


def wape(y: np.ndarray, point: np.ndarray) -> float:
    """Sum of |error| / sum of |y|. Equals `wql` of the point taken as every quantile."""
    return _ratio(float(np.mean(np.abs(y - point))), float(np.mean(np.abs(y))))


def mase(y: np.ndarray, point: np.ndarray, scale: float) -> float:
    """Mean |error| / `scale`, the mean |seasonal difference| of the training part."""
    return _ratio(float(np.mean(np.abs(y - point))), scale)


def seasonal_scale(training: np.ndarray, season: int) -> float:
    """Denominator of MASE (Hyndman & Koehler 2006): mean |x(t) - x(t - season)|."""
    return float(np.mean(np.abs(training[season:] - training[:-season])))


def coverage(y: np.ndarray, q: np.ndarray) -> float:
    """Share of values at or below their forecast quantile; the level itself if calibrated."""
    return float(np.mean(y <= q))


def geometric_mean(ratios: list[float]) -> float:
    """Of positive ratios; NaN of none."""
    return float(np.exp(np.mean(np.log(ratios)))) if ratios else float("nan")


def _ratio(a: float, b: float) -> float:
    if b > 0:
        return a / b
    return 0.0 if a == 0 else float("inf")
