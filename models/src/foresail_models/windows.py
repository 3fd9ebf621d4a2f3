"""Cuts model inputs out of series. Used by training and by scoring, so both see the same.

Many series lie behind each other in one flat array; a window is named by the bounds of
its series and the position of its origin (the last known step).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import contract


@dataclass(frozen=True)
class Windows:
    """A batch in the unit of the data; unknown values are NaN."""

    context: np.ndarray  # [B, CONTEXT_LENGTH] oldest first
    seasonal: np.ndarray  # [B, lags, 2 * SEASON_WINDOW]
    target: np.ndarray  # [B, HORIZON]

    def inputs(self) -> dict[str, np.ndarray]:
        return {contract.INPUT_CONTEXT: self.context, contract.INPUT_SEASONAL: self.seasonal}


_CONTEXT_OFFSETS = np.arange(1 - contract.CONTEXT_LENGTH, 1)
_SEASON_OFFSETS = np.arange(1 - contract.SEASON_WINDOW, contract.SEASON_WINDOW + 1)
_TARGET_OFFSETS = np.arange(1, contract.HORIZON + 1)


def _take(flat: np.ndarray, position: np.ndarray, first: np.ndarray, last: np.ndarray) -> np.ndarray:
    known = (position >= first) & (position <= last)
    return np.where(known, flat[np.clip(position, 0, flat.size - 1)], np.float32(np.nan))


def cut(
    flat: np.ndarray,
    first: np.ndarray,
    last: np.ndarray,
    origin: np.ndarray,
    lags: np.ndarray,
    history: np.ndarray | None = None,
) -> Windows:
    """Gathers one window per origin.

    flat     float32 [N], all series
    first    int [B], position of the first step of each window's series
    last     int [B], position of its last step
    origin   int [B], position of the last known step, first <= origin <= last
    lags     int [B, 4], season lags in steps
    history  int [B], how many steps up to the origin are known (default: all)

    Nothing after the origin enters the inputs: where a lag is shorter than the horizon
    (coarse steps), the part of "the same time then" that lies ahead is NaN.
    """
    origin_ = origin[:, None]
    if history is not None:
        first = np.maximum(first, origin - history + 1)
    first_, last_ = first[:, None], last[:, None]
    context = _take(flat, origin_ + _CONTEXT_OFFSETS, first_, origin_)
    season = origin_[:, :, None] + _SEASON_OFFSETS - lags[:, :, None]
    seasonal = _take(flat, season, first_[:, :, None], origin_[:, :, None])
    target = _take(flat, origin_ + _TARGET_OFFSETS, first_, last_)
    return Windows(context, seasonal, target)
