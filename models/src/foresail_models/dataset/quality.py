"""What a series is like before its training part ends, and whether it is worth learning from.

Only stamps and the values before `train_end` are looked at: a verdict that knew the future would leak it.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from typing import Any

import numpy as np

from . import seasons
from .bounds import Bounds, iso
from .grid import Gridded
from .series import Listed

# A load that has one value almost always teaches a model to say that value.
NEAR_CONSTANT = 0.99
# Thresholds of remarks that do not drop a series.
MANY_MISSING = 0.2
MANY_OUTLIERS = 0.02
LONG_GAP_S = 86_400
NO_MEMORY = 0.1
JUMP_SIGMAS = 6.0
JUMP_SHARE = 0.5


def describe(listed: Listed, grid: Gridded, bounds: Bounds, flagged: np.ndarray) -> dict[str, Any]:
    """The numbers of one series; `flagged` bool [N] are its outliers."""
    a, b = grid.position(bounds.train_end), grid.position(bounds.validate_end)
    train = grid.values[:a]
    known = train[~np.isnan(train)]
    entry: dict[str, Any] = {
        "series": listed.name,
        "label": listed.label or listed.name,
        "source": listed.source,
        "firstTime": iso(grid.t0),
        "lastTime": iso(grid.t0 + (grid.values.size - 1) * grid.step),
        "stepSeconds": grid.step,
        "steps": {"train": a, "validate": b - a, "test": grid.values.size - b},
        "stamps": {_camel(k): v for k, v in asdict(grid.stamps).items()},
        "known": {"train": int(known.size), "validate": int((~np.isnan(grid.values[a:b])).sum())},
        "missingShare": round(1 - known.size / a, 4) if a else None,
        "longestGapSteps": _longest(np.isnan(train)),
        "invalid": int(grid.invalid[:a].sum()),
        "outliers": int(flagged[:a].sum()),
    }
    if known.size:
        entry |= _values(known)
        hours, first_hour = seasons.hourly(train, grid.t0, grid.step)
        daily, weekly = seasons.strengths(hours, first_hour)
        entry |= {
            "levelJumps": _level_jumps(hours, first_hour),
            "dailyStrength": daily,
            "weeklyStrength": weekly,
            "lags": seasons.lag_skills(hours),
        }
    return entry


def judge(entry: dict[str, Any], min_points: int) -> tuple[str | None, list[str]]:
    """(reason to drop or None, remarks)."""
    known = entry["known"]["train"]
    if entry["steps"]["train"] == 0:
        return "StartsAfterTraining", []
    if known == 0:
        return "AllUnknown", []
    if known < min_points:
        return "TooShort", []
    if entry["distinct"] == 1:
        return "Constant", []
    if entry["commonestShare"] > NEAR_CONSTANT:
        return "NearConstant", []
    remarks = [
        ("ManyMissing", entry["missingShare"] > MANY_MISSING),
        ("LongGap", entry["longestGapSteps"] * entry["stepSeconds"] > LONG_GAP_S),
        ("InvalidValues", entry["invalid"] > 0),
        ("ManyOutliers", entry["outliers"] > MANY_OUTLIERS * known),
        ("LevelJumps", entry["levelJumps"] > 0),
        ("NoMemory", entry["lag1"] is not None and abs(entry["lag1"]) < NO_MEMORY),
        ("OutOfOrder", entry["stamps"]["outOfOrder"] > 0),
        ("Future", entry["stamps"]["future"] > 0),
    ]
    return None, [name for name, holds in remarks if holds]


def digest(grid: Gridded, bounds: Bounds) -> str:
    """Equal for series that are equal up to the end of training."""
    train = grid.values[: grid.position(bounds.train_end)]
    return hashlib.sha256(f"{grid.t0} {grid.step} ".encode() + train.tobytes()).hexdigest()


def _values(known: np.ndarray) -> dict[str, Any]:
    counts = np.unique(known, return_counts=True)[1]
    flat = known[1:] == known[:-1]
    x = known.astype(np.float64) - known.mean(dtype=np.float64)
    power = float(x @ x)
    return {
        "min": float(known.min()),
        "median": float(np.median(known)),
        "max": float(known.max()),
        "distinct": int(counts.size),
        "commonestShare": round(float(counts.max() / known.size), 4),
        "flatShare": round(float(flat.mean()), 4) if flat.size else None,
        "longestFlatSteps": _longest(flat) + 1,
        "lag1": round(float(x[1:] @ x[:-1]) / power, 4) if power > 0 else None,
    }


def _longest(mask: np.ndarray) -> int:
    """Length of the longest run of true."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return int((edges[1::2] - edges[::2]).max()) if edges.size else 0


def _level_jumps(hours: np.ndarray, first_hour: int) -> int:
    """Days on which the median of the day moved far beyond how it moves from day to day."""
    table = seasons.rows_of(hours, first_hour % 24, 24)
    table = table[np.isfinite(table).sum(1) * 2 >= 24]
    if table.shape[0] < 5:
        return 0
    level = np.nanmedian(table, axis=1)
    move = np.abs(np.diff(level))
    usual = 1.4826 * float(np.median(move))
    height = np.maximum(level[1:], level[:-1])
    return int(((move > JUMP_SIGMAS * usual) & (move > JUMP_SHARE * height)).sum())


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)
