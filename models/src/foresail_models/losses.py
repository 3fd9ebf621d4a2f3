"""Pinball loss behind asinh, the quantity that training minimises."""

from __future__ import annotations

import torch
from torch import Tensor

from . import contract
from .normalise import Normalised, squash


def squashed_target(target: Tensor, window: Normalised) -> tuple[Tensor, Tensor]:
    """target [B, H] as the network sees it, and a 0/1 mask of the known steps."""
    known = (target == target).to(target.dtype)
    value = torch.where(known > 0, target, window.last)
    return squash((value - window.last) / window.scale).clamp(-12, 12), known


def pinball(z: Tensor, y: Tensor, levels: Tensor) -> Tensor:
    """z [B, H, Q], y [B, H] -> [B, H, Q]; Koenker & Bassett 1978."""
    error = y.unsqueeze(-1) - z
    return torch.maximum(levels * error, (levels - 1.0) * error)


def level_weights(upper: float) -> Tensor:
    """[Q] mean 1; levels from 0.9 up count `upper` times: they carry the capacity decision."""
    weight = torch.tensor([upper if q >= 0.9 else 1.0 for q in contract.QUANTILE_LEVELS])
    return weight / weight.mean()


def horizon_weights(power: float) -> Tensor:
    """[H] mean 1, falling as steps^-power: near steps decide more often than far ones."""
    weight = torch.arange(1, contract.HORIZON + 1, dtype=torch.float32) ** -power
    return weight / weight.mean()
