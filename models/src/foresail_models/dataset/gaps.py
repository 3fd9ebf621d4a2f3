"""Whether filling gaps helps a forecast: `python -m foresail_models.dataset.gaps --data ../../shared/data/traces`.

Takes windows of recorded loads, takes readings away from what the model sees, and forecasts from the window as it is,
and from the same window with its gaps filled. Errors of the median over the first 15 steps and the pinball loss at 0.95,
as ratios to the forecast from the whole window, geometric mean over the loads. Nothing after the origin is used to fill.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np

from .. import contract, golden, traces, windows

HORIZON = 15
LEVEL = contract.QUANTILE_LEVELS.index(0.95)
MAX_STEP_S = 300


def linear(rows: np.ndarray) -> np.ndarray:
    """Straight lines between known neighbours; the last known value after them. [B, T], NaN unknown."""
    out = rows.copy()
    at = np.arange(rows.shape[1])
    for row in out:
        known = ~np.isnan(row)
        if known.any():
            row[~known] = np.interp(at[~known], at[known], row[known])
    return out


def hold(rows: np.ndarray) -> np.ndarray:
    """The last known value before the gap; what has none stays unknown."""
    at = np.maximum.accumulate(np.where(np.isnan(rows), 0, np.arange(rows.shape[1])), axis=1)
    return np.take_along_axis(rows, at, axis=1)


def _each(fill: Callable[[np.ndarray], np.ndarray], cut: windows.Windows) -> windows.Windows:
    seasonal = fill(cut.seasonal.reshape(-1, cut.seasonal.shape[2])).reshape(cut.seasonal.shape)
    return windows.Windows(fill(cut.context), seasonal, cut.target)


def _day_before(cut: windows.Windows, flat: np.ndarray, origin: np.ndarray, lag: int) -> windows.Windows:
    """The value of the same time a day before, where that was known."""
    then = origin[:, None] + np.arange(1 - contract.CONTEXT_LENGTH, 1) - lag
    before = np.where(then >= 0, flat[np.maximum(then, 0)], np.float32(np.nan))
    return windows.Windows(np.where(np.isnan(cut.context), before, cut.context), cut.seasonal, cut.target)


def scattered(rng: np.random.Generator, size: int) -> np.ndarray:
    """A tenth of the readings is missing, in gaps of 1 to 5 steps."""
    gone = np.zeros(size, bool)
    for begin in rng.integers(0, size, size // 30):
        gone[begin : begin + rng.integers(1, 6)] = True
    return gone


def outages(rng: np.random.Generator, size: int) -> np.ndarray:
    """Gaps of an hour of minutes, one in 300 steps."""
    gone = np.zeros(size, bool)
    for begin in rng.integers(0, size, size // 300):
        gone[begin : begin + 60] = True
    return gone


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of recorded loads")
    parser.add_argument("--model", type=Path, default=Path(__file__).parents[3] / "loadcast" / "loadcast.onnx")
    parser.add_argument("--windows", type=int, default=200, help="of each load")
    arguments = parser.parse_args()
    session = golden.session(arguments.model)

    def errors(cut: windows.Windows, target: np.ndarray) -> tuple[float, float]:
        (quantiles,) = session.run([contract.OUTPUT_QUANTILES], cut.inputs())
        miss = target[:, :HORIZON] - quantiles[:, :HORIZON, contract.MEDIAN]
        high = target[:, :HORIZON] - quantiles[:, :HORIZON, LEVEL]
        return float(np.nanmean(np.abs(miss))), float(np.nanmean(np.maximum(0.95 * high, -0.05 * high)))

    table: dict[str, dict[str, list[tuple[float, float]]]] = {}
    loads = [t for t in traces.load(arguments.data) if t.group == "traces" and t.step_s <= MAX_STEP_S and t.days >= 14]
    for load in loads:
        rng = np.random.default_rng(1)
        lags = np.tile(contract.season_lags_steps(load.step_s), (arguments.windows, 1))
        size = load.values.size
        origin = rng.integers(int(0.7 * size), size - contract.HORIZON, arguments.windows)
        first, last = np.zeros_like(origin), np.full_like(origin, size - 1)
        whole = windows.cut(load.values, first, last, origin, lags)
        base = errors(whole, whole.target)
        for kind in (scattered, outages):
            torn = np.where(kind(rng, size), np.float32(np.nan), load.values)
            cut = windows.cut(torn, first, last, origin, lags)
            for name, filled in {
                "as it is": cut,
                "straight line": _each(linear, cut),
                "last value": _each(hold, cut),
                "a day before": _day_before(cut, torn, origin, int(lags[0, 0])),
            }.items():
                got = errors(filled, whole.target)
                table.setdefault(kind.__name__, {}).setdefault(name, []).append((got[0] / base[0], got[1] / base[1]))
    print(f"{len(loads)} loads, {arguments.windows} windows each; ratio to the whole window: error of the median, pinball at 0.95")
    for gap, methods in table.items():
        for name, ratios in methods.items():
            middle = np.exp(np.log(np.array(ratios)).mean(axis=0))
            print(f"{gap:10} {name:14} {middle[0]:.4f} {middle[1]:.4f}  worst {np.max(ratios, axis=0)[0]:.3f}")


if __name__ == "__main__":
    main()
