"""What a run looked like, for people: its loss, and forecasts of windows it never trained on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from . import contract
from .windows import Windows

# Steps of the context that a plot shows: twice the horizon is enough to judge by eye.
SHOWN = 2 * contract.HORIZON


def pyplot() -> Any:
    """The drawing library, loaded on first use and without a screen."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as loaded

    return loaded


def losses(history: list[dict[str, float]], path: Path) -> None:
    plt = pyplot()
    steps = [entry["step"] for entry in history]
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), constrained_layout=True)
    left.plot(steps, [entry["train"] for entry in history])
    left.set(title="pinball loss, augmented training windows", xlabel="step")
    for name in (key for key in history[0] if key not in ("step", "train", "score")):
        right.plot(steps, [entry[name] for entry in history], label=f"{name} windows")
    right.set(title="validation WQL / seasonal naive", xlabel="step")
    right.legend()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def forecasts(model: Any, parts: dict[str, Windows], path: Path, each: int = 3) -> None:
    """Draws the first `each` windows of every part with a whole context and target that move.

    model  a family; called once per part
    parts  name -> validation windows
    """
    import torch

    plt = pyplot()
    figure, rows = plt.subplots(len(parts), each, figsize=(4.2 * each, 2.6 * len(parts)), squeeze=False, constrained_layout=True)
    for row, (name, cut) in zip(rows, parts.items()):
        chosen = _drawable(cut)[:each]
        with torch.no_grad():
            quantiles = model(torch.from_numpy(cut.context[chosen]), torch.from_numpy(cut.seasonal[chosen])).quantiles.numpy()
        for axes in row[chosen.size :]:
            axes.set_axis_off()
        for axes, at, q in zip(row, chosen, quantiles):
            _draw(axes, cut.context[at], cut.target[at], q)
            axes.set_title(f"{name} window {at}", fontsize=9)
    rows[0][0].legend(fontsize=7)
    figure.savefig(path, dpi=90)
    plt.close(figure)


def _drawable(cut: Windows) -> np.ndarray:
    """Positions of windows whose drawn part is known and not constant."""
    shown = np.concatenate([cut.context[:, -SHOWN:], cut.target], axis=1)
    return np.flatnonzero(np.isfinite(shown).all(axis=1) & (np.ptp(np.nan_to_num(shown), axis=1) > 0))


def _draw(axes: Any, context: np.ndarray, target: np.ndarray, q: np.ndarray) -> None:
    levels = contract.QUANTILE_LEVELS
    ahead = np.arange(1, contract.HORIZON + 1)
    axes.plot(np.arange(1 - SHOWN, 1), context[-SHOWN:], color="0.4", linewidth=0.8)
    axes.plot(ahead, target, color="black", linewidth=0.8, label="came")
    axes.plot(ahead, q[:, contract.MEDIAN], color="tab:blue", linewidth=1, label="median")
    for low, high, alpha in ((0.01, 0.99, 0.15), (0.1, 0.9, 0.3)):
        axes.fill_between(
            ahead, q[:, levels.index(low)], q[:, levels.index(high)], color="tab:blue", alpha=alpha, linewidth=0, label=f"{low} to {high}"
        )
    axes.set_xlabel("steps from the origin", fontsize=8)
