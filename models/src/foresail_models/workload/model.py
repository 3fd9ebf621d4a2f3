"""The multivariate BiLSTM with attention. Raw signals in, quantiles out: every feature is
computed in the graph, so nothing has to be defined a second time where it runs.

A channel is centred on its last value and divided by its own mean deviation in the window,
so no scaler is fitted on data, and a service that was never seen needs nothing.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .. import contract
from ..models.base import spread
from ..models.bilstm import AttentionPool
from ..normalise import squash, unsquash
from .signals import CHANNELS, LEADS, TARGETS, WINDOW

# Channels that also enter as change, rolling mean and rolling deviation.
DERIVED = ("cpu_m", "mem_mi", "net_tx", "ops", "client_p99_s", "application_ops")
ROLLING = 5
FEATURES_PER_STEP = len(CHANNELS) + 3 * len(DERIVED)
# Means of the newest minutes that a forecast is blended from; 1 is the last value.
BLEND = (1, 5, 15, 60)
MAGNITUDE_SHARE = 1e-3
_OUT = len(TARGETS) * len(LEADS)
_TARGET_COLUMNS = [CHANNELS.index(name) for name in TARGETS]


class WorkloadForecast(NamedTuple):
    quantiles: Tensor  # [B, targets, leads, levels] in the unit of the source
    squashed: Tensor  # [B, targets * leads, levels] behind asinh
    attention: Tensor  # [B, WINDOW] sums to 1, oldest minute first
    last: Tensor  # [B, targets] newest known value of each target
    scale: Tensor  # [B, targets] > 0
    known: Tensor  # [B, targets] 1 where the window has the target at all


class Features(NamedTuple):
    steps: Tensor  # [B, WINDOW, FEATURES_PER_STEP]
    mask: Tensor  # [B, WINDOW, CHANNELS]
    level: Tensor  # [B, 2 * CHANNELS] relative deviation and share of known minutes
    centred: Tensor  # [B, WINDOW, CHANNELS] (x - last) / scale, 0 where unknown
    last: Tensor  # [B, CHANNELS]
    scale: Tensor  # [B, CHANNELS]


def features(signals: Tensor) -> Features:
    """signals [B, WINDOW, CHANNELS], NaN where unknown."""
    valid = signals.abs() < contract.MAGNITUDE_LIMIT
    mask = valid.to(signals.dtype)
    x = torch.where(valid, signals, torch.zeros_like(signals))
    position = torch.arange(1, WINDOW + 1, dtype=x.dtype).reshape(1, -1, 1)
    newest = (position * mask).amax(dim=1, keepdim=True)
    last = (x * mask * (position == newest).to(x.dtype)).sum(1)
    count = mask.sum(1).clamp(min=1.0)
    mean = x.sum(1) / count
    deviation = ((x - mean.unsqueeze(1)).abs() * mask).sum(1) / count
    scale = torch.maximum(deviation, torch.clamp(MAGNITUDE_SHARE * x.abs().amax(dim=1), min=1e-9))
    centred = (x - last.unsqueeze(1)) / scale.unsqueeze(1) * mask

    columns = [CHANNELS.index(name) for name in DERIVED]
    part, part_mask = centred[:, :, columns], mask[:, :, columns]
    change = (part[:, 1:] - part[:, :-1]) * part_mask[:, 1:] * part_mask[:, :-1]
    change = F.pad(change, (0, 0, 1, 0))
    near, near_mask = _rolling(part), _rolling(part_mask)
    seen = near_mask.sum(0).clamp(min=1.0)
    rolling = near.sum(0) / seen
    # Centred before it is squared: the short formula loses all digits on a flat signal.
    variance = ((near - rolling).square() * near_mask).sum(0) / seen
    spread_ = torch.sqrt(variance + 1e-4)
    steps = torch.cat([squash(centred), squash(change), squash(rolling), squash(spread_)], dim=2)
    # Not `+ 1e-9`: the exporter takes a summand that small for zero and drops it.
    relative = torch.log(scale / mean.abs().clamp(min=1e-9) + 1e-3).clamp(-10, 10)
    return Features(steps, mask, torch.cat([relative, mask.mean(1)], dim=1), centred, last, scale)


def _rolling(x: Tensor) -> Tensor:
    """[ROLLING, B, WINDOW, ...]: each minute and the ROLLING - 1 before it, 0 before the window."""
    padded = F.pad(x, (0, 0, ROLLING - 1, 0))
    return torch.stack([padded[:, i : i + WINDOW] for i in range(ROLLING)], dim=0)


class WorkloadModel(nn.Module):
    """signals [B, WINDOW, CHANNELS] -> WorkloadForecast."""

    def __init__(self, width: int = 48, hidden: int = 48, head_hidden: int = 96) -> None:
        super().__init__()
        self.embed = nn.Linear(FEATURES_PER_STEP + len(CHANNELS), width)
        self.recurrence = nn.LSTM(width, hidden, batch_first=True, bidirectional=True)
        self.pool = AttentionPool(2 * hidden, hidden)
        self.norm = nn.LayerNorm(4 * hidden)
        self.head_in = nn.Linear(4 * hidden, head_hidden)
        self.head_level = nn.Linear(2 * len(CHANNELS), head_hidden)
        self.gate = nn.Linear(head_hidden, _OUT * len(BLEND))
        self.head = nn.Linear(head_hidden, _OUT * len(contract.QUANTILE_LEVELS))
        nn.init.normal_(self.gate.weight, std=1e-3)
        nn.init.normal_(self.head.weight, std=1e-3)
        with torch.no_grad():
            self.gate.bias.zero_()
            bias = self.head.bias.view(_OUT, -1)
            bias.fill_(-2.0)
            bias[:, contract.MEDIAN] = 0.0

    def forward(self, signals: Tensor) -> WorkloadForecast:
        f = features(signals)
        states, _ = self.recurrence(F.relu(self.embed(torch.cat([f.steps, f.mask], dim=2))))
        pooled, attention = self.pool(states)
        summary = self.norm(torch.cat([pooled, states[:, -1]], dim=1))
        hidden = F.relu(self.head_in(summary) + self.head_level(f.level))
        median = squash(self._blend(f, hidden)).reshape(-1, _OUT)
        z = spread(median, self.head(hidden).reshape(-1, _OUT, len(contract.QUANTILE_LEVELS)))
        last, scale = f.last[:, _TARGET_COLUMNS], f.scale[:, _TARGET_COLUMNS]
        known = (f.mask[:, :, _TARGET_COLUMNS].sum(1) > 0).to(z.dtype)
        value = unsquash(z).reshape(-1, len(TARGETS), len(LEADS), len(contract.QUANTILE_LEVELS))
        value = last.reshape(-1, len(TARGETS), 1, 1) + value * scale.reshape(-1, len(TARGETS), 1, 1)
        unknown = torch.full_like(value, float("nan"))
        value = torch.where(known.reshape(-1, len(TARGETS), 1, 1) > 0, value, unknown)
        return WorkloadForecast(value, z, attention, last, scale, known)

    def _blend(self, f: Features, hidden: Tensor) -> Tensor:
        """[B, targets, leads] convex combination of the last value and recent means."""
        x, mask = f.centred[:, :, _TARGET_COLUMNS], f.mask[:, :, _TARGET_COLUMNS]
        means = [torch.zeros_like(x[:, 0])]  # the newest known value is the centre
        means += [x[:, -n:].sum(1) / mask[:, -n:].sum(1).clamp(min=1.0) for n in BLEND[1:]]
        candidates = torch.stack(means, dim=-1).unsqueeze(2)  # [B, targets, 1, blend]
        logits = self.gate(hidden).reshape(-1, len(TARGETS), len(LEADS), len(BLEND))
        return (torch.softmax(logits, dim=3) * candidates).sum(3)


def squashed_target(target: Tensor, forecast: WorkloadForecast) -> tuple[Tensor, Tensor]:
    """target [B, targets, leads] behind asinh as [B, targets * leads], and a 0/1 mask of the known."""
    known = (target == target).to(target.dtype) * forecast.known.unsqueeze(2)
    value = torch.where(known > 0, target, forecast.last.unsqueeze(2).expand_as(target))
    z = squash((value - forecast.last.unsqueeze(2)) / forecast.scale.unsqueeze(2)).clamp(-10, 10)
    return z.flatten(1), known.flatten(1)
