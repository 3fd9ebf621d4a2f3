"""Readings that stand alone: the Hampel identifier on the known values of a part.

R. K. Pearson, Y. Neuvo, J. Astola, M. Gabbouj: Generalized Hampel Filters, EURASIP J. Adv. Signal Process. 2016:87.
They are marked, never removed: a burst is load that an autoscaler has to meet, and a reading alone cannot tell a burst
from a slip of the metric server. Training needs no repair either, since the loss sees values behind asinh.
"""

from __future__ import annotations

import numpy as np

# Steps on either side. A burst longer than this moves the median along and is not marked.
REACH = 5
# Robust standard deviations; 3 is usual for bell-shaped noise, which load is not.
THRESHOLD = 6.0
# Makes the median absolute deviation of bell-shaped noise its standard deviation.
_NORMAL = 1.4826


def outliers(values: np.ndarray) -> np.ndarray:
    """bool [N], true where a known value is far from the median of its known neighbours; [N] float32, NaN unknown."""
    marked = np.zeros(values.size, bool)
    known = np.flatnonzero(~np.isnan(values))
    if known.size < 2 * REACH + 1:
        return marked
    x = values[known]
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(x, REACH, mode="reflect"), 2 * REACH + 1)
    median = _middle(windows)
    distance = np.abs(x - median)
    local = _middle(np.abs(windows - median[:, None]))
    # In a flat stretch the local spread is zero; there the spread of the whole part decides.
    everywhere = float(np.median(distance)) or float(distance.mean())
    scale = _NORMAL * np.maximum(local, everywhere)
    marked[known] = distance > THRESHOLD * scale
    return marked


def _middle(windows: np.ndarray) -> np.ndarray:
    return np.partition(windows, REACH, axis=1)[:, REACH]
