"""From stamps as they came to one value per step.

The rules are those of the operator's own history, so that a series means the same in training as in serving: steps
are counted from the epoch in UTC, inside a step the latest reading counts, a negative or infinite value is no load
and so unknown, and unknown is never zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .. import contract
from .errors import DataInvalid
from .series import Raw

# A clock may run ahead of ours by this much.
FUTURE_TOLERANCE_S = 60
# Stamps beyond the year 2286 are other units, and by far the most common one is milliseconds.
LARGEST_STAMP = 10_000_000_000
# Steps that people choose, for series whose own stamps are too irregular to tell.
USUAL_STEPS = np.array([1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400])


@dataclass(frozen=True)
class Stamps:
    """What was wrong with the stamps of a series, counted in rows."""

    rows: int
    future: int
    before_window: int
    out_of_order: int
    duplicates: int  # same stamp again
    same_step: int  # another stamp in a step that has one
    off_grid: int  # not on the beat that most stamps keep


@dataclass(frozen=True)
class Gridded:
    """One value per step from `t0` on; NaN is unknown. `invalid` marks values that were there but were no load."""

    t0: int  # a multiple of step
    step: int  # seconds
    values: np.ndarray  # float32 [N]
    invalid: np.ndarray  # bool [N]
    stamps: Stamps

    def position(self, t: int) -> int:
        """Number of steps that start before `t`, within 0..N."""
        return int(np.clip(-((self.t0 - t) // self.step), 0, self.values.size))


def infer_step(t: np.ndarray) -> int:
    """The most common distance of distinct sorted stamps; without a majority, the usual step next to their median."""
    distances, counts = np.unique(np.diff(t), return_counts=True)
    best = int(np.argmax(counts))
    if counts[best] * 2 >= t.size - 1:
        return int(distances[best])
    median = float(np.median(np.diff(t)))
    return int(USUAL_STEPS[np.argmin(np.abs(np.log(USUAL_STEPS / median)))])


def to_grid(raw: Raw, name: str, first: int, now: float, most: int) -> Gridded | None:
    """Puts the rows from `first` on onto the grid; None when fewer than two distinct stamps are left.

    Raises DataInvalid when the stamps are in another unit, the steps are not of the kind that can be served, or there
    would be more than `most` of them: a few stamps far apart must not ask for all of the memory.
    """
    t, v = raw.t, raw.v
    if t.size and int(t.max()) > LARGEST_STAMP:
        raise DataInvalid(f"series {name}: t = {int(t.max())} lies after the year 2286; t is in seconds, not milliseconds")
    ahead = t > now + FUTURE_TOLERANCE_S
    early = t < first
    keep = ~(ahead | early)
    running = np.maximum.accumulate(t) if t.size else t
    out_of_order = int((t < running).sum())
    future, before = int(ahead.sum()), int((early & ~ahead).sum())
    if future or before:
        t, v = t[keep], v[keep]
    if out_of_order:
        order = np.argsort(t, kind="stable")
        t, v = t[order], v[order]
    distinct = np.append(True, np.diff(t) > 0) if t.size else np.zeros(0, bool)
    if distinct.sum() < 2:
        return None
    step = raw.step or infer_step(t[distinct])
    if not 1 <= step <= 86400:
        raise DataInvalid(f"series {name}: a step of {step} s; it must be 1 s to 1 day")
    phases = t % step
    phase = _usual(phases)
    off_grid = int((phases != phase).sum())
    # Stamps that tremble around the edge of a step would fall to either side of it; move the edge away from them.
    shift = phase - step // 2 if off_grid else 0
    slots = (t - shift) // step
    size = int(slots[-1] - slots[0]) + 1
    if size > most:
        raise DataInvalid(f"series {name}: {t.size} rows over {size} steps of {step} s, at most {most} (data.maxPoints)")
    values = np.full(size, np.nan, np.float32)
    invalid = np.zeros(size, bool)
    # A comparison with NaN is false: unknown rows blank nothing.
    load = (v >= 0) & (v < contract.MAGNITUDE_LIMIT)
    at = slots - slots[0]
    # Of equal positions the last assignment counts, and rows are in the order of time.
    values[at[load]] = v[load]
    wrong = ~load & ~np.isnan(v)
    invalid[at[wrong]] = True
    invalid &= np.isnan(values)
    duplicates = int((~distinct).sum())
    same_step = int((np.diff(slots) == 0).sum()) - duplicates
    stamps = Stamps(raw.t.size, future, before, out_of_order, duplicates, same_step, off_grid)
    return Gridded(int(slots[0]) * step, step, values, invalid, stamps)


def _usual(phases: np.ndarray) -> int:
    values, counts = np.unique(phases, return_counts=True)
    return int(values[np.argmax(counts)])
