"""What the multivariate model looks at, and what it says, for people."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from .. import contract
from ..plot import pyplot
from .signals import LEADS, TARGETS, WINDOW


def attention(weights: np.ndarray, groups: dict[str, np.ndarray], path: Path) -> None:
    """weights [N, WINDOW]; groups name -> mask [N]. The mean, and the middle 80 % of windows."""
    plt = pyplot()
    figure, axes = plt.subplots(figsize=(8, 3.2), constrained_layout=True)
    minutes = np.arange(1 - WINDOW, 1)
    for name, rows in groups.items():
        if not rows.any():
            continue
        (line,) = axes.plot(minutes, weights[rows].mean(0), label=f"{name} ({rows.sum()} windows)")
        low, high = np.quantile(weights[rows], (0.1, 0.9), axis=0)
        axes.fill_between(minutes, low, high, color=line.get_color(), alpha=0.15, linewidth=0)
    axes.axhline(1 / WINDOW, color="0.5", linewidth=0.8, linestyle=":", label="all minutes alike")
    axes.set(title="attention over the window, test part", xlabel="minutes before the origin", ylabel="share")
    axes.legend(fontsize=8)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def losses(history: list[dict[str, float]], path: Path) -> None:
    plt = pyplot()
    figure, axes = plt.subplots(figsize=(5, 3), constrained_layout=True)
    for name in ("train", "validation"):
        axes.plot([h["step"] for h in history], [h[name] for h in history], label=name)
    axes.set(title="pinball loss", xlabel="step")
    axes.legend()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def forecasts(minutes: np.ndarray, target: np.ndarray, quantiles: np.ndarray, title: str, path: Path) -> None:
    """One service over the test part: every target at the middle lead.

    minutes [N]; target [N, targets, leads]; quantiles [N, targets, leads, levels].
    """
    plt = pyplot()
    lead = len(LEADS) // 2
    low, high = (contract.QUANTILE_LEVELS.index(level) for level in (0.1, 0.9))
    figure, rows = plt.subplots(len(TARGETS), 1, figsize=(8, 1.9 * len(TARGETS)), sharex=True, constrained_layout=True)
    each: Any
    for t, each in enumerate(rows):
        q = quantiles[:, t, lead]
        each.plot(minutes + LEADS[lead], target[:, t, lead], color="black", linewidth=0.7, label="came")
        each.plot(minutes + LEADS[lead], q[:, contract.MEDIAN], color="tab:blue", linewidth=0.9, label="median")
        each.fill_between(minutes + LEADS[lead], q[:, low], q[:, high], color="tab:blue", alpha=0.25, linewidth=0, label="0.1 to 0.9")
        each.set_ylabel(TARGETS[t], fontsize=8)
    rows[0].set_title(f"{title}, {LEADS[lead]} min ahead", fontsize=10)
    rows[0].legend(fontsize=7, ncols=3)
    rows[-1].set_xlabel("minute of the recording")
    figure.savefig(path, dpi=90)
    plt.close(figure)
