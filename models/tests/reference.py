"""The normalisation a second time, one window at a time, in plain numpy."""

from __future__ import annotations

import numpy as np

from foresail_models import contract


def last_and_scale(context: np.ndarray, seasonal: np.ndarray) -> tuple[float, float]:
    """Last valid value of context [T] and the scale of the window with seasonal [L, S]."""
    x, s = context.astype(np.float64), seasonal.astype(np.float64).ravel()
    x = np.where(np.abs(x) < contract.MAGNITUDE_LIMIT, x, np.nan)
    s = np.where(np.abs(s) < contract.MAGNITUDE_LIMIT, s, np.nan)
    known = x[~np.isnan(x)]
    everything = np.concatenate([known, s[~np.isnan(s)]])
    changes = np.abs(x[8:] - x[:-8])
    changes = changes[~np.isnan(changes)]
    change = changes.mean() if changes.size else 0.0
    spread = np.abs(everything - everything.mean()).mean()
    return known[-1], max(change, 0.05 * spread, 1e-4 * np.abs(everything).max(), 1e-9)
