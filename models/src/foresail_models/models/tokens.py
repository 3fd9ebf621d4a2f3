"""A window as tokens: patches of the context and of the seasons, values beside their masks.

A patch of P steps is one token. A recurrence over 40 tokens instead of 640 steps trains
and runs an order of magnitude faster and loses nothing that these data have to offer.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .. import contract
from ..normalise import FEATURES, Normalised, squash

_LAGS = len(contract.SEASON_LAGS_DAYS)


def context_patches(window: Normalised, patch: int) -> Tensor:
    """[B, CONTEXT_LENGTH / patch, 2 * patch], oldest first."""
    tokens = contract.CONTEXT_LENGTH // patch
    values, mask = squash(window.context), window.context_mask
    return torch.cat([values.reshape(-1, tokens, patch), mask.reshape(-1, tokens, patch)], dim=2)


def season_patches(window: Normalised, patch: int) -> Tensor:
    """[B, 2 * SEASON_WINDOW / patch, 2 * lags * patch]: the lags of one time of day share a
    token, because they are aligned in time."""
    tokens = 2 * contract.SEASON_WINDOW // patch
    both = torch.cat([squash(window.seasonal), window.seasonal_mask], dim=1)  # [B, 2L, S]
    channels = both.shape[1]
    seasons = both.reshape(-1, channels, tokens, patch).transpose(1, 2)
    return seasons.reshape(-1, tokens, channels * patch)


def season_lag_patches(window: Normalised, patch: int) -> Tensor:
    """[B, lags, 2 * SEASON_WINDOW / patch, 2 * patch]: a token per lag and time of day."""
    tokens = 2 * contract.SEASON_WINDOW // patch
    values, mask = (
        x.reshape(-1, _LAGS, tokens, patch) for x in (squash(window.seasonal), window.seasonal_mask)
    )
    return torch.cat([values, mask], dim=3)


class Sequence(nn.Module):
    """Window -> [B, tokens, width] for recurrent families: the seasons first, then the context,
    so that the newest steps are read last."""

    def __init__(self, patch: int, width: int) -> None:
        super().__init__()
        self.patch = patch
        self.seasons = 2 * contract.SEASON_WINDOW // patch
        self.length = self.seasons + contract.CONTEXT_LENGTH // patch
        self.embed_context = nn.Linear(2 * patch, width)
        self.embed_season = nn.Linear(2 * _LAGS * patch, width)
        self.embed_features = nn.Linear(FEATURES, width)
        self.position = nn.Parameter(torch.randn(self.length, width) * 0.02)

    def forward(self, window: Normalised) -> Tensor:
        seasons = self.embed_season(season_patches(window, self.patch))
        context = self.embed_context(context_patches(window, self.patch))
        return torch.cat([seasons, context], dim=1) + self.position + self.embed_features(window.features).unsqueeze(1)
