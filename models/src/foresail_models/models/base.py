"""What every family shares: the way in (normalised window), the way out (quantiles that
cannot cross), and the blend of simple forecasts that most of them start from.

A family differs from another only in how it reads a window. So a comparison of families
compares exactly that, and a new one is an `encode` of a few lines.
"""

from __future__ import annotations

from typing import NamedTuple

import onnx
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .. import contract
from ..normalise import PERIODS, Normalised, denormalise, normalise, squash


class Forecast(NamedTuple):
    quantiles: Tensor  # [B, HORIZON, levels] in the unit of the input
    squashed: Tensor  # the same behind asinh, where the loss is taken
    window: Normalised
    # [B, tokens] sums to 1: what the family looked at; None where it has no such weights.
    attention: Tensor | None = None


class Encoded(NamedTuple):
    hidden: Tensor  # [B, width]
    attention: Tensor | None = None


class Family(nn.Module):
    """The interface: `squashed` is all a family must give. Normalisation stays in the graph."""

    def squashed(self, window: Normalised) -> tuple[Tensor, Tensor | None]:
        """(quantiles [B, HORIZON, levels] behind asinh and never crossing, attention or None)."""
        raise NotImplementedError

    def inference_graph(self) -> onnx.ModelProto | None:
        """The same function written for speed, where a family has that; None: it is traced.

        Publishing compares what it answers with `forward`, whoever wrote the graph.
        """
        return None

    def forward(self, context: Tensor, seasonal: Tensor) -> Forecast:
        window = normalise(context, seasonal)
        z, attention = self.squashed(window)
        return Forecast(denormalise(z, window), z, window, attention)


class BlendingFamily(Family):
    """Blends simple forecasts with learned weights per step ahead and adds offsets.

    The candidates are the last value, recent means, the last hour again, the same time on
    earlier days, and that shape moved to today's level. With no usable season the blend
    falls back to the recent level by construction.
    """

    CANDIDATES = 3 + len(PERIODS) + 2 * len(contract.SEASON_LAGS_DAYS)

    def encode(self, window: Normalised) -> Encoded:
        raise NotImplementedError

    def add_heads(self, width: int) -> None:
        """To be called last by a constructor. Starts as "about the last value", with a band
        that widens from level to level."""
        levels = len(contract.QUANTILE_LEVELS)
        self.gate = nn.Linear(width, contract.HORIZON * self.CANDIDATES)
        self.head = nn.Linear(width, contract.HORIZON * levels)
        nn.init.normal_(self.gate.weight, std=1e-3)
        nn.init.normal_(self.head.weight, std=1e-3)
        with torch.no_grad():
            self.gate.bias.zero_()
            start_band(self.head.bias)

    def squashed(self, window: Normalised) -> tuple[Tensor, Tensor | None]:
        hidden, attention = self.encode(window)
        median = squash(self._blend(window, hidden))
        offsets = self.head(hidden).reshape(-1, contract.HORIZON, len(contract.QUANTILE_LEVELS))
        return spread(median, offsets), attention

    def _blend(self, window: Normalised, hidden: Tensor) -> Tensor:
        """[B, HORIZON] convex combination of simple forecasts, normalised but not squashed."""
        horizon, now = contract.HORIZON, contract.SEASON_WINDOW

        def recent_mean(steps: int) -> Tensor:
            mask = window.context_mask[:, -steps:]
            return window.context[:, -steps:].sum(1, keepdim=True) / mask.sum(1, keepdim=True).clamp(min=1.0)

        short, long = recent_mean(8), recent_mean(64)
        ahead, ahead_mask = window.seasonal[:, :, now:], window.seasonal_mask[:, :, now:]
        then, then_mask = window.seasonal[:, :, now - 8 : now], window.seasonal_mask[:, :, now - 8 : now]
        then_count = then_mask.sum(2, keepdim=True)
        then_level = then.sum(2, keepdim=True) / then_count.clamp(min=1.0)
        moved = ahead - then_level + short.unsqueeze(-1)
        moved_mask = ahead_mask * (then_count > 0).to(ahead_mask.dtype)
        levels = torch.stack([torch.zeros_like(short), short, long], dim=1).expand(-1, 3, horizon)
        again, again_mask = (
            torch.stack([_repeat(x, period) for period in PERIODS], dim=1)
            for x in (window.context, window.context_mask)
        )
        candidates = torch.cat([levels, again, ahead, moved], dim=1)
        usable = torch.cat([torch.ones_like(levels), again_mask, ahead_mask, moved_mask], dim=1)
        logits = self.gate(hidden).reshape(-1, self.CANDIDATES, horizon)
        weights = torch.softmax(logits + (usable - 1.0) * 1e4, dim=1)
        return (weights * candidates).sum(1)


def start_band(bias: Tensor) -> None:
    """Offsets of an untrained head: median at the blend, softplus(-2) from level to level."""
    bias = bias.view(contract.HORIZON, len(contract.QUANTILE_LEVELS))
    bias.fill_(-2.0)
    bias[:, contract.MEDIAN] = 0.0


def spread(median: Tensor, raw: Tensor) -> Tensor:
    """median [B, H] and raw [B, H, Q] -> quantiles [B, H, Q]: median plus cumulated positive
    steps to either side, so they cannot cross."""
    m = contract.MEDIAN
    median = median.unsqueeze(-1) + raw[:, :, m : m + 1]
    below = F.softplus(raw[:, :, :m])
    above = torch.cumsum(F.softplus(raw[:, :, m + 1 :]), dim=2)
    below = torch.flip(torch.cumsum(torch.flip(below, [2]), dim=2), [2])
    return torch.cat([median - below, median, median + above], dim=2)


def _repeat(x: Tensor, period: int) -> Tensor:
    """[B, T] -> [B, HORIZON]: the last `period` steps again and again."""
    times = -(-contract.HORIZON // period)
    return torch.cat([x[:, -period:]] * times, dim=1)[:, : contract.HORIZON]
