"""The patch mixer: MLP-mixer blocks over patches of the context and of the seasons.

The network does not forecast from nothing. It blends simple forecasts (the last value,
recent means, the last hour again, the same time on earlier days, that shape moved to today's
level) with
learned weights per step ahead, and predicts quantiles as offsets to the blend. With no
usable season the blend falls back to the recent level by construction.

Mixer: Tolstikhin et al. 2021 (arXiv 2105.01601); patches for series: PatchTST
(arXiv 2211.14730), TSMixer (arXiv 2306.09364).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .. import contract
from ..normalise import FEATURES, PERIODS, Normalised, denormalise, normalise, squash


class Forecast(NamedTuple):
    quantiles: Tensor  # [B, HORIZON, levels] in the unit of the input
    squashed: Tensor  # the same behind asinh, where the loss is taken
    window: Normalised


class MixerBlock(nn.Module):
    """Mixes over tokens, then over channels; pre-norm, residual."""

    def __init__(self, tokens: int, width: int, token_hidden: int, channel_hidden: int, dropout: float) -> None:
        super().__init__()
        self.token_norm = nn.LayerNorm(width)
        self.token_in = nn.Parameter(torch.randn(token_hidden, tokens) / tokens**0.5)
        self.token_bias = nn.Parameter(torch.zeros(token_hidden, 1))
        self.token_out = nn.Parameter(torch.randn(tokens, token_hidden) * 0.1 / token_hidden**0.5)
        self.channel_norm = nn.LayerNorm(width)
        self.channel_in = nn.Linear(width, channel_hidden)
        self.channel_out = nn.Linear(channel_hidden, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:  # [B, tokens, width]
        # Multiplying from the left saves two transposes per block.
        mixed = F.relu(torch.matmul(self.token_in, self.token_norm(x)) + self.token_bias)
        x = x + self.dropout(torch.matmul(self.token_out, mixed))
        mixed = F.relu(self.channel_in(self.channel_norm(x)))
        return x + self.dropout(self.channel_out(mixed))


class PatchMixer(nn.Module):
    """See the head of this file. Inputs and output as in `contract`."""

    CANDIDATES = 3 + len(PERIODS) + 2 * len(contract.SEASON_LAGS_DAYS)

    def __init__(
        self,
        patch: int = 16,
        width: int = 64,
        blocks: int = 3,
        token_hidden: int = 64,
        channel_hidden: int = 128,
        head_hidden: int = 256,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        lags = len(contract.SEASON_LAGS_DAYS)
        self.patch = patch
        self.context_tokens = contract.CONTEXT_LENGTH // patch
        self.season_tokens = 2 * contract.SEASON_WINDOW // patch
        tokens = self.context_tokens + self.season_tokens
        self.levels = len(contract.QUANTILE_LEVELS)
        self.embed_context = nn.Linear(2 * patch, width)
        # The lags of one time of day share a token: they are aligned in time.
        self.embed_season = nn.Linear(2 * patch * lags, width)
        self.embed_features = nn.Linear(FEATURES, width)
        self.position = nn.Parameter(torch.randn(tokens, width) * 0.02)
        self.blocks = nn.ModuleList(
            MixerBlock(tokens, width, token_hidden, channel_hidden, dropout) for _ in range(blocks)
        )
        self.head_norm = nn.LayerNorm(tokens * width)
        self.head_in = nn.Linear(tokens * width, head_hidden)
        self.head_features = nn.Linear(FEATURES, head_hidden)
        self.gate = nn.Linear(head_hidden, contract.HORIZON * self.CANDIDATES)
        self.head = nn.Linear(head_hidden, contract.HORIZON * self.levels)
        self._initialise_heads()

    def _initialise_heads(self) -> None:
        # Start as "about the last value", with a band that widens from level to level.
        nn.init.normal_(self.gate.weight, std=1e-3)
        nn.init.normal_(self.head.weight, std=1e-3)
        with torch.no_grad():
            self.gate.bias.zero_()
            bias = self.head.bias.view(contract.HORIZON, self.levels)
            bias.fill_(-2.0)
            bias[:, contract.MEDIAN] = 0.0

    def forward(self, context: Tensor, seasonal: Tensor) -> Forecast:
        window = normalise(context, seasonal)
        hidden = self._hidden(window)
        median = squash(self._blend(window, hidden))
        z = self._quantiles(median, self.head(hidden).reshape(-1, contract.HORIZON, self.levels))
        return Forecast(denormalise(z, window), z, window)

    def _hidden(self, window: Normalised) -> Tensor:
        values, mask = squash(window.context), window.context_mask
        patches = torch.cat(
            [
                values.reshape(-1, self.context_tokens, self.patch),
                mask.reshape(-1, self.context_tokens, self.patch),
            ],
            dim=2,
        )
        both = torch.cat([squash(window.seasonal), window.seasonal_mask], dim=1)  # [B, 2L, S]
        channels = both.shape[1]
        seasons = both.reshape(-1, channels, self.season_tokens, self.patch).transpose(1, 2)
        seasons = seasons.reshape(-1, self.season_tokens, channels * self.patch)
        x = torch.cat([self.embed_context(patches), self.embed_season(seasons)], dim=1)
        x = x + self.position + self.embed_features(window.features).unsqueeze(1)
        for block in self.blocks:
            x = block(x)
        return F.relu(self.head_in(self.head_norm(x.flatten(1))) + self.head_features(window.features))

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

    def _quantiles(self, blend: Tensor, raw: Tensor) -> Tensor:
        """Median plus cumulated positive steps to either side: cannot cross."""
        m = contract.MEDIAN
        median = blend.unsqueeze(-1) + raw[:, :, m : m + 1]
        below = F.softplus(raw[:, :, :m])
        above = torch.cumsum(F.softplus(raw[:, :, m + 1 :]), dim=2)
        below = torch.flip(torch.cumsum(torch.flip(below, [2]), dim=2), [2])
        return torch.cat([median - below, median, median + above], dim=2)


def _repeat(x: Tensor, period: int) -> Tensor:
    """[B, T] -> [B, HORIZON]: the last `period` steps again and again."""
    times = -(-contract.HORIZON // period)
    return torch.cat([x[:, -period:]] * times, dim=1)[:, : contract.HORIZON]
