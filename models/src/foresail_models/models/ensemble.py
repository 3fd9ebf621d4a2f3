"""Several trained families in one file: the weighted mean of their quantiles.

Averaging quantiles level by level (Vincent 1912) keeps the shape of a band, where a mixture
of the distributions would widen it, and a mean of curves that do not cross does not cross.
Members share the normalisation, so the graph holds it once.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ..normalise import Normalised
from .base import Family


class Ensemble(Family):
    """members: [{family, options}, …]; weights: one per member, positive, scaled to sum 1."""

    def __init__(self, members: list[dict[str, Any]], weights: list[float] | None = None) -> None:
        super().__init__()
        from . import build

        if not members:
            raise ValueError("an ensemble needs at least one member")
        weights = weights or [1.0] * len(members)
        if len(weights) != len(members) or min(weights) < 0 or sum(weights) <= 0:
            raise ValueError(f"{len(members)} members need as many weights >= 0 with a positive sum, not {weights}")
        self.members = nn.ModuleList(build(m["family"], m.get("options", {})) for m in members)
        self.register_buffer("weights", torch.tensor(weights) / sum(weights))

    def squashed(self, window: Normalised) -> tuple[Tensor, Tensor | None]:
        each = torch.stack([member.squashed(window)[0] for member in self.members], dim=0)
        return (self.weights.reshape(-1, 1, 1, 1) * each).sum(0), None
