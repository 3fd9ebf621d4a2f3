"""Loads made up for the tests: every kind of trouble a window can bring."""

from __future__ import annotations

import numpy as np

from foresail_models import contract


def batch(rng: np.random.Generator, size: int) -> dict[str, np.ndarray]:
    """`size` windows of random level, scale, shape, spikes and missing values."""
    context = rng.standard_normal((size, contract.CONTEXT_LENGTH)).cumsum(1)
    seasonal = rng.standard_normal((size, 4, 2 * contract.SEASON_WINDOW)).cumsum(2)
    spikes = rng.random(context.shape) < 0.01
    context = context + spikes * rng.exponential(100, context.shape)
    scale = 10.0 ** rng.uniform(-6, 12, (size, 1))
    level = rng.normal(0, 30, (size, 1))
    context = (context + level) * scale
    seasonal = (seasonal + level[:, :, None]) * scale[:, :, None]
    known = rng.integers(1, contract.CONTEXT_LENGTH + 1, (size, 1))
    context[np.arange(contract.CONTEXT_LENGTH) < contract.CONTEXT_LENGTH - known] = np.nan
    holes = rng.random(context.shape) < rng.choice([0, 0.3], (size, 1))
    holes[:, -1] = False
    context[holes] = np.nan
    seasonal[rng.random((size, 4)) < 0.4] = np.nan
    return {"context": context.astype(np.float32), "seasonal": seasonal.astype(np.float32)}


def empty_seasons(size: int) -> np.ndarray:
    return np.full((size, 4, 2 * contract.SEASON_WINDOW), np.nan, np.float32)
