"""Active choice of data: series where the forecast errs most, or is least certain, are drawn more often.

What counts is measured on the very windows that train, so it costs no pass of its own, and nothing of validation or
test can reach it. Signals are kept as whole numbers: their sums do not depend on who adds them in which order, so one
process and many draw the same batches, and a resumed run goes on as if it had never stopped.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from . import contract
from .data import Corpus

UNIFORM, ERROR, UNCERTAINTY = MODES = ("uniform", "error", "uncertainty")

# Steps between two changes of the weights; at each, what was seen before counts half.
EVERY = 50
# A series is drawn at most this much more, or less, often than without: what cannot be learned errs for ever.
MOST = 4.0
# Windows of the mean that a series is thought to have shown before it is seen.
PRIOR = 8.0
_ONE = 1 << 20
_LOW, _HIGH = contract.QUANTILE_LEVELS.index(0.1), contract.QUANTILE_LEVELS.index(0.9)


def signal(mode: str, squashed: Tensor, loss: Tensor, known: Tensor) -> Tensor:
    """int64 [B]: of each window, behind asinh and so comparable between loads of any size.

    squashed  [B, H, Q] forecast
    loss      [B, H, Q] weighted pinball loss, 0 where unknown
    known     [B, H] 1 where the target is known

    error: mean loss of the known steps. uncertainty: mean distance of the quantiles 0.1 and 0.9, known or not.
    """
    if mode == ERROR:
        value = loss.detach().sum((1, 2)) / (known.sum(1).clamp(min=1.0) * loss.shape[2])
    else:
        value = (squashed.detach()[:, :, _HIGH] - squashed.detach()[:, :, _LOW]).float().mean(1)
    return (value.double().clamp(0.0, 1e3) * _ONE).round().long().cpu()


class Sampler:
    """Weights of the views of a corpus, moved by what training shows."""

    def __init__(self, mode: str, corpus: Corpus) -> None:
        self.mode = mode
        self._base = torch.from_numpy(corpus.weight)
        self._series = torch.from_numpy(corpus.series)
        # Sum of signals and number of windows per series, both as whole numbers.
        self._seen = torch.zeros((2, int(self._series.max()) + 1), dtype=torch.int64)
        self._weight = self._base

    @property
    def active(self) -> bool:
        return self.mode != UNIFORM

    @property
    def weight(self) -> Any:
        """float64 [V], sums to 1."""
        return self._weight.numpy()

    def tally(self, view: Any, signals: Tensor) -> Tensor:
        """int64 [2, series]: what a part of a batch adds. May be called by many threads."""
        series = self._series[torch.from_numpy(view)]
        added = torch.zeros_like(self._seen)
        added[0].index_add_(0, series, signals)
        added[1].index_add_(0, series, torch.full_like(signals, _ONE))
        return added

    def add(self, tallies: Tensor, step: int) -> None:
        """`tallies` of the whole batch of `step`, counted from 1."""
        self._seen += tallies
        if step % EVERY == 0:
            total, windows = self._seen.double()
            mean = total.sum() / windows.sum().clamp(min=1.0)
            prior = PRIOR * _ONE
            each = (total + prior * mean) / (windows + prior) / mean.clamp(min=1e-9)
            weight = self._base * each.clamp(1 / MOST, MOST)[self._series]
            self._weight = weight / weight.sum()
            self._seen //= 2

    def state(self) -> dict[str, Tensor]:
        return {"seen": self._seen, "weight": self._weight} if self.active else {}

    def restore(self, state: dict[str, Tensor]) -> None:
        if self.active:
            self._seen, self._weight = state["seen"], state["weight"]
