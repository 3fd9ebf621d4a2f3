"""`normalise` and `denormalise` as a graph made for speed: the same numbers from fewer operations.

What is saved: the seasons and the context are one row of 1024 values, so every elementwise
step runs once; sums over parts of that row are one matrix product with a constant of zeros
and ones; the four kinds of change (over 1, 8, 12 and 60 steps) are one difference of rows.
Features come out in another order and partly unscaled; `FEATURE_MAP` leads back to the order
of `normalise`, and a family multiplies its feature weights with it once, when it is written.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from . import contract
from .graph import FLOAT, INT64, Graph
from .normalise import (
    CHANGE_STEPS,
    FEATURES,
    MAGNITUDE_SHARE,
    PERIODS,
    RECENT_STEPS,
    SMALLEST_SCALE,
    SPREAD_SHARE,
    SQUASH_LIMIT,
)

LAGS = len(contract.SEASON_LAGS_DAYS)
LENGTH = contract.CONTEXT_LENGTH
SEASON = 2 * contract.SEASON_WINDOW
# A row is the seasons, lag by lag, and then the context, so that the newest value comes last.
FIRST = LAGS * SEASON
ROW = FIRST + LENGTH
NOW = contract.SEASON_WINDOW
THEN_STEPS = 8
if LENGTH % SEASON or RECENT_STEPS != NOW:
    raise AssertionError("the row is cut in parts of a season, the newest half part being the recent steps")


def _columns() -> tuple[dict[str, int], np.ndarray]:
    """Which column holds which sum, and the constant [ROW, columns] that makes the sums."""
    parts: dict[str, tuple[int, int]] = {
        "none": (0, 0),
        "short": (ROW - THEN_STEPS, ROW),
        "long": (ROW - RECENT_STEPS, ROW),
        **{f"then{lag}": (lag * SEASON + NOW - THEN_STEPS, lag * SEASON + NOW) for lag in range(LAGS)},
        "context": (FIRST, ROW),
        "all": (0, ROW),
        **{f"season{lag}": (lag * SEASON, (lag + 1) * SEASON) for lag in range(LAGS)},
    }
    matrix = np.zeros((ROW, len(parts)), np.float32)
    for column, (start, end) in enumerate(parts.values()):
        matrix[start:end, column] = 1
    return {name: column for column, name in enumerate(parts)}, matrix


SUMS, SUM_MATRIX = _columns()
LAG_STEPS = (1, CHANGE_STEPS, *PERIODS)
# (steps of the change, first step of the context that counts), in the order of the features made of them.
CHANGES = (
    (CHANGE_STEPS, CHANGE_STEPS),
    (1, 1),
    (1, LENGTH - RECENT_STEPS),
    (CHANGE_STEPS, LENGTH - RECENT_STEPS + CHANGE_STEPS),
    *((period, period) for period in PERIODS),
)


def _change_matrix() -> np.ndarray:
    matrix = np.zeros((len(LAG_STEPS) * LENGTH, len(CHANGES)), np.float32)
    for column, (steps, first) in enumerate(CHANGES):
        row = LAG_STEPS.index(steps) * LENGTH
        matrix[row + first : row + LENGTH, column] = 1
    return matrix


def _feature_map() -> tuple[np.ndarray, np.ndarray]:
    """(matrix [FEATURES, graph features], offset [FEATURES]): features = matrix @ graph features + offset."""
    # The places in the features of `normalise`.
    change, spread, one_step, recent_step, recent_change, flat, zero, mean, age, share = range(10)
    periods = range(share + 1, share + 1 + len(PERIODS))
    shares = range(periods.stop, periods.stop + LAGS)
    errors = range(shares.stop, FEATURES)
    counts = dict.fromkeys(SUMS) | {"context": share} | {f"season{lag}": place for lag, place in enumerate(shares)}
    # What stands in each place of the graph's; None has no use as a feature.
    ours = [change, one_step, recent_step, recent_change, *periods, spread, *errors, flat, zero, mean, age, *counts.values()]
    matrix, offset = np.zeros((FEATURES, len(ours))), np.zeros(FEATURES)
    for column, feature in enumerate(ours):
        if feature is not None:
            matrix[feature, column] = 1
    matrix[age] /= -RECENT_STEPS  # from the place of the newest value to its age
    offset[age] = LENGTH / RECENT_STEPS
    matrix[share] /= LENGTH
    matrix[list(shares)] /= SEASON
    return matrix, offset


FEATURE_MAP, FEATURE_OFFSET = _feature_map()


class WindowTensors(NamedTuple):
    """Names of tensors; u are the normalised values, 0 where unknown."""

    u: str  # [B, ROW]
    mask: str  # [B, ROW] float 0/1
    known: str  # [B, ROW] bool
    means: str  # [B, len(SUMS)] of u over the parts
    counts: str  # [B, len(SUMS)] of known steps
    features: str  # [B, graph features]
    last: str  # [B, 1]
    scale: str  # [B, 1]
    newest: str  # [B, 1] place of the newest value in the context from 1, 0 without one


def squash(g: Graph, x: str) -> str:
    """asinh; the slope asinh(|x|) / |x| has the sign of x without a slow Sign."""
    size = g.op("Abs", x)
    root = g.op("Sqrt", g.op("Add", g.op("Mul", size, size), 1.0))
    slope = g.op("Div", g.op("Log", g.op("Add", size, root)), g.op("Max", size, 1e-30))
    return g.op("Mul", x, slope)


def normalise(g: Graph) -> WindowTensors:
    raw = g.join(g.reshape(contract.INPUT_SEASONAL, 0, FIRST), contract.INPUT_CONTEXT)
    # NaN compares false, so one comparison finds missing, infinite and absurd values.
    known = g.op("Less", g.op("Abs", raw), contract.MAGNITUDE_LIMIT)
    x = g.op("Where", known, raw, 0.0)
    mask = g.op("Cast", known, to=FLOAT)
    counts = g.op("MatMul", mask, SUM_MATRIX)
    at_least_one = g.op("Max", counts, 1.0)

    place = np.concatenate([np.zeros(FIRST), np.arange(1, LENGTH + 1)])
    newest = g.op("ReduceMax", g.op("Mul", mask, place), [1])
    index = g.op("Cast", g.op("Add", g.op("Max", newest, 1.0), FIRST - 1.0), to=INT64)
    last = g.op("GatherElements", x, index, axis=1, name=contract.TENSOR_LAST)

    mean = g.op("Div", g.total(x, 1), _column(g, at_least_one, "all"))
    deviation = g.op("Mul", g.op("Abs", g.op("Sub", x, mean)), mask)
    spread = g.op("Div", g.total(deviation, 1), _column(g, at_least_one, "all"))
    magnitude = g.op("ReduceMax", g.op("Abs", x), [1])
    changes, flat = _changes(g, x, mask)
    scale = g.op(
        "Max",
        g.columns(changes, 0, 1),
        g.op("Mul", spread, SPREAD_SHARE),
        g.op("Mul", magnitude, MAGNITUDE_SHARE),
        SMALLEST_SCALE,
        name=contract.TENSOR_SCALE,
    )

    u = g.op("Mul", g.op("Div", g.op("Sub", x, last), scale), mask)
    means = g.op("Div", g.op("MatMul", u, SUM_MATRIX), at_least_one)
    moves = g.op("Div", g.join(changes, spread), scale)
    logs = g.op("Log", g.op("Add", g.join(moves, *_season_errors(g, u, mask)), 1e-3))
    levels = squash(g, g.join(g.op("Div", last, scale), _column(g, means, "context")))
    features = g.join(logs, flat, levels, newest, counts)
    return WindowTensors(u, mask, known, means, counts, features, last, scale, newest)


def _column(g: Graph, x: str, name: str) -> str:
    return g.columns(x, SUMS[name], SUMS[name] + 1)


def _changes(g: Graph, x: str, mask: str) -> tuple[str, str]:
    """Mean absolute changes [B, len(CHANGES)] in the unit of x, and the share of flat steps [B, 1].

    What lies before the context is a season, so the constant leaves those steps out.
    """

    def earlier(t: str) -> str:
        return g.reshape(g.join(*(g.columns(t, FIRST - k, ROW - k) for k in LAG_STEPS)), 0, len(LAG_STEPS), LENGTH)

    def now(t: str) -> str:
        return g.reshape(g.columns(t, FIRST, ROW), 0, 1, LENGTH)

    def rows(t: str) -> str:
        return g.reshape(t, 0, len(LAG_STEPS) * LENGTH)

    both = g.op("Mul", earlier(mask), now(mask))
    change = rows(g.op("Mul", g.op("Abs", g.op("Sub", earlier(x), now(x))), both))
    matrix = _change_matrix()
    pairs = g.op("MatMul", rows(both), matrix)
    at_least_one = g.op("Max", pairs, 1.0)
    means = g.op("Div", g.op("MatMul", change, matrix), at_least_one)
    moving = g.total(g.op("Cast", g.op("Greater", g.columns(change, 1, LENGTH), 0.0), to=FLOAT), 1)
    one_step = CHANGES.index((1, 1))
    flat = g.op(
        "Div",
        g.op("Sub", g.columns(pairs, one_step, one_step + 1), moving),
        g.columns(at_least_one, one_step, one_step + 1),
    )
    return means, flat


def _season_errors(g: Graph, u: str, mask: str) -> tuple[str, str]:
    """Mean absolute error of each season over the recent steps, as it was and at their level: [B, LAGS] twice."""
    values, known = parts(g, u), parts(g, mask)

    def recent(t: str) -> str:
        return g.cut(t, [1, 2], [ROW // SEASON - 1, NOW], [ROW // SEASON, SEASON])

    def then(t: str) -> str:
        return g.cut(t, [1, 2], [0, 0], [LAGS, NOW])

    both = g.op("Mul", recent(known), then(known))
    count = g.op("Max", g.total(both, 2), 1.0)
    error = g.op("Mul", g.op("Sub", recent(values), then(values)), both)
    moved = g.op("Mul", g.op("Sub", error, g.op("Div", g.total(error, 2), count)), both)

    def mean_size(e: str) -> str:
        return g.reshape(g.op("Div", g.total(g.op("Abs", e), 2), count), 0, LAGS)

    return mean_size(error), mean_size(moved)


def parts(g: Graph, row: str) -> str:
    """[B, ROW] -> [B, ROW / SEASON, SEASON]: one part per lag, then the context."""
    return g.reshape(row, 0, ROW // SEASON, SEASON)


def denormalise(g: Graph, z: str, window: WindowTensors) -> str:
    """Squashed quantiles z [B * HORIZON, levels] in the unit of the load; NaN without any valid value."""
    levels = len(contract.QUANTILE_LEVELS)
    up = g.op("Exp", g.op("Clip", z, -SQUASH_LIMIT, SQUASH_LIMIT))
    twice = g.reshape(g.op("Sub", up, g.op("Reciprocal", up)), -1, contract.HORIZON * levels)
    last = g.op("Where", g.op("Greater", window.newest, 0.0), window.last, float("nan"))
    value = g.op("Add", g.op("Mul", twice, g.op("Mul", window.scale, 0.5)), last)
    return g.reshape(value, 0, contract.HORIZON, levels, name=contract.OUTPUT_QUANTILES)
