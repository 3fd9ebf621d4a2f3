"""NLinear with a season: one linear map from the window to every step ahead.

Centring on the last value makes a linear map robust to changes of level: NLinear, Zeng et
al. 2022 (arXiv 2205.13504). Values stand behind asinh and the known-mask is an input, so a
missing value is not a zero. The band is a linear map of the window's features. There is no
hidden layer: what another family wins over this one is what its depth is worth.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .. import contract
from ..normalise import FEATURES, Normalised, squash
from .base import Family, spread, start_band


class Linear(Family):
    """See the head of this file. Inputs and output as in `contract`."""

    def __init__(self) -> None:
        super().__init__()
        seasons = 2 * contract.SEASON_WINDOW * len(contract.SEASON_LAGS_DAYS)
        self.from_context = nn.Linear(2 * contract.CONTEXT_LENGTH, contract.HORIZON)
        self.from_seasons = nn.Linear(2 * seasons, contract.HORIZON, bias=False)
        self.head = nn.Linear(FEATURES, contract.HORIZON * len(contract.QUANTILE_LEVELS))
        for layer in (self.from_context, self.from_seasons, self.head):
            nn.init.normal_(layer.weight, std=1e-3)
        with torch.no_grad():
            self.from_context.bias.zero_()
            start_band(self.head.bias)

    def squashed(self, window: Normalised) -> tuple[Tensor, Tensor | None]:
        context = torch.cat([squash(window.context), window.context_mask], dim=1)
        seasons = torch.cat([squash(window.seasonal), window.seasonal_mask], dim=1).flatten(1)
        median = self.from_context(context) + self.from_seasons(seasons)
        offsets = self.head(window.features).reshape(-1, contract.HORIZON, len(contract.QUANTILE_LEVELS))
        return spread(median, offsets), None
