"""From raw load to what a network can digest, and back. Part of the exported graph.

A window is centred on its last valid value and divided by a scale that estimates how far
the load moves in a few steps; values then pass through asinh, which is linear near the
last value and logarithmic far from it, so one spike cannot flatten the rest of a window.
Quantiles are equivariant under monotone maps, so a quantile learned behind asinh is the
quantile in the unit of the load after sinh.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from . import contract

# The scale is the mean absolute change over this many steps.
CHANGE_STEPS = 8
# Floors of the scale: share of the mean absolute deviation, share of the largest value.
SPREAD_SHARE = 0.05
MAGNITUDE_SHARE = 1e-4
SMALLEST_SCALE = 1e-9
# asinh of any normalised input stays below this, because of MAGNITUDE_SHARE.
SQUASH_LIMIT = 11.0
RECENT_STEPS = 64
# Periods that scheduled work keeps at common steps: an hour of 5 min, an hour of minutes.
PERIODS = (12, 60)


class Normalised(NamedTuple):
    """Shapes for batch B, context T, lags L, season window S."""

    last: Tensor  # [B, 1] last valid value, 0 without one
    scale: Tensor  # [B, 1] > 0
    any_valid: Tensor  # [B, 1] bool
    context: Tensor  # [B, T] (x - last) / scale, 0 where missing
    context_mask: Tensor  # [B, T] float 0/1
    seasonal: Tensor  # [B, L, S]
    seasonal_mask: Tensor  # [B, L, S]
    features: Tensor  # [B, FEATURES] window-level numbers


FEATURES = 10 + len(PERIODS) + 3 * len(contract.SEASON_LAGS_DAYS)


def squash(v: Tensor) -> Tensor:
    """asinh, written with operations every ONNX runtime vectorises."""
    magnitude = v.abs()
    return torch.sign(v) * torch.log(magnitude + torch.sqrt(magnitude * magnitude + 1.0))


def unsquash(z: Tensor) -> Tensor:
    """sinh, on the range that `squash` can produce."""
    z = torch.clamp(z, -SQUASH_LIMIT, SQUASH_LIMIT)
    return 0.5 * (torch.exp(z) - torch.exp(-z))


def _split_missing(x: Tensor) -> tuple[Tensor, Tensor]:
    # NaN compares false, so one comparison finds missing, infinite and absurd values.
    valid = x.abs() < contract.MAGNITUDE_LIMIT
    return torch.where(valid, x, torch.zeros_like(x)), valid.to(x.dtype)


def _mean(total: Tensor, count: Tensor) -> Tensor:
    return total.sum(-1, keepdim=True) / count.sum(-1, keepdim=True).clamp(min=1.0)


def _mean_change(x: Tensor, mask: Tensor, steps: int) -> Tensor:
    both = mask[:, steps:] * mask[:, :-steps]
    return _mean((x[:, steps:] - x[:, :-steps]).abs() * both, both)


def _season_errors(x: Tensor, mask: Tensor, seasonal: Tensor, seasonal_mask: Tensor) -> tuple[Tensor, Tensor]:
    """How far each season missed the last steps, as it was and moved to their level: [B, L] twice.

    The same time then lies in the first half of `seasonal`, step for step beside the context.
    """
    steps = contract.SEASON_WINDOW
    both = mask[:, -steps:].unsqueeze(1) * seasonal_mask[:, :, :steps]
    count = both.sum(2, keepdim=True).clamp(min=1.0)
    error = (x[:, -steps:].unsqueeze(1) - seasonal[:, :, :steps]) * both
    moved = (error - error.sum(2, keepdim=True) / count) * both
    raw, level_free = (torch.log(e.abs().sum(2) / count.squeeze(2) + 1e-3) for e in (error, moved))
    return raw, level_free


def normalise(context: Tensor, seasonal: Tensor) -> Normalised:
    """context [B, T] and seasonal [B, L, S] in any unit, NaN where unknown."""
    x, mask = _split_missing(context)
    s, s_mask = _split_missing(seasonal)
    length = context.shape[1]

    position = torch.arange(1, length + 1, dtype=x.dtype, device=x.device)
    newest = (position * mask).amax(dim=1, keepdim=True)
    last = (x * mask * (position == newest).to(x.dtype)).sum(1, keepdim=True)

    s_flat, s_flat_mask = s.flatten(1), s_mask.flatten(1)
    everything = torch.cat([x, s_flat], dim=1)
    everything_mask = torch.cat([mask, s_flat_mask], dim=1)
    mean = _mean(everything * everything_mask, everything_mask)
    spread = _mean((everything - mean).abs() * everything_mask, everything_mask)
    magnitude = everything.abs().amax(dim=1, keepdim=True)
    change = _mean_change(x, mask, CHANGE_STEPS)
    scale = torch.maximum(
        torch.maximum(change, SPREAD_SHARE * spread),
        torch.clamp(MAGNITUDE_SHARE * magnitude, min=SMALLEST_SCALE),
    )

    v = (x - last) / scale * mask
    w = (s - last.unsqueeze(-1)) / scale.unsqueeze(-1) * s_mask
    one_step = (v[:, 1:] - v[:, :-1]) * mask[:, 1:] * mask[:, :-1]
    pairs = mask[:, 1:] * mask[:, :-1]
    recent, recent_mask = v[:, -RECENT_STEPS:], mask[:, -RECENT_STEPS:]

    def log_share(t: Tensor) -> Tensor:
        return torch.log(t / scale + 1e-3)

    features = torch.cat(
        [
            log_share(change),
            log_share(spread),
            torch.log(_mean(one_step.abs(), pairs) + 1e-3),
            torch.log(_mean(one_step[:, -RECENT_STEPS:].abs(), pairs[:, -RECENT_STEPS:]) + 1e-3),
            torch.log(_mean_change(recent, recent_mask, CHANGE_STEPS) + 1e-3),
            _mean((one_step == 0).to(x.dtype) * pairs, pairs),  # share of flat steps
            squash(last / scale),  # where zero lies: load is seldom negative
            squash(_mean(v, mask)),
            (length - newest) / RECENT_STEPS,  # age of the last value
            mask.mean(1, keepdim=True),
            *(torch.log(_mean_change(v, mask, period) + 1e-3) for period in PERIODS),
            s_mask.mean(2),  # one per lag
            *_season_errors(recent, recent_mask, w, s_mask),
        ],
        dim=1,
    )
    any_valid = newest > 0
    return Normalised(last, scale, any_valid, v, mask, w, s_mask, features)


def denormalise(z: Tensor, window: Normalised) -> Tensor:
    """Squashed quantiles z [B, H, Q] back in the unit of the load; NaN without any valid value."""
    value = window.last.unsqueeze(-1) + unsquash(z) * window.scale.unsqueeze(-1)
    return torch.where(window.any_valid.unsqueeze(-1), value, torch.full_like(value, float("nan")))
