"""A Transformer encoder over patches with time features, read by one token per part of the
horizon.

Time features come from the contract's own inputs, none is added: every token carries its
age at the origin as cyclic features with the periods that a day has at common steps, and
the tokens of a season carry the age of the time they stand for plus which lag they are. So
a token that forecasts the time in 20 steps finds "the same time yesterday" by its age. The
hour of day is not needed: only differences of time of day matter to a shape that is given.

Vaswani et al. 2017 (arXiv 1706.03762), pre-norm; patches: PatchTST (arXiv 2211.14730).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .. import contract
from ..normalise import FEATURES, Normalised
from .base import BlendingFamily, Encoded
from .tokens import context_patches, season_lag_patches

# Steps of a quarter, half and whole day at 1 h, 30, 15, 10, 5 and 1 min, and of an hour at 5 min.
PERIODS = (6.0, 12.0, 24.0, 48.0, 72.0, 96.0, 144.0, 288.0, 720.0, 1440.0)
TIME_FEATURES = 2 * len(PERIODS) + 1


def time_features(age: Tensor) -> Tensor:
    """age [tokens] in steps before the origin (negative: ahead) -> [tokens, TIME_FEATURES]."""
    angle = 2 * math.pi * age.unsqueeze(1) / torch.tensor(PERIODS)
    slow = torch.sign(age) * torch.log1p(age.abs()) / math.log(contract.CONTEXT_LENGTH)
    return torch.cat([torch.sin(angle), torch.cos(angle), slow.unsqueeze(1)], dim=1)


def middles(first: int, count: int, patch: int) -> Tensor:
    """Ages of the middles of `count` patches; `first` is the age of the first one's first step."""
    return torch.tensor([first - i * patch - (patch - 1) / 2 for i in range(count)])


class EncoderLayer(nn.Module):
    """Self-attention, then a feed-forward net; pre-norm, residual. Returns its attention too."""

    def __init__(self, width: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.forward_norm = nn.LayerNorm(width)
        self.forward_in = nn.Linear(width, hidden)
        self.forward_out = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        tokens, width = x.shape[1], x.shape[2]
        parts = self.qkv(self.norm(x)).reshape(-1, tokens, 3, self.heads, width // self.heads)
        q, k, v = (parts[:, :, i].transpose(1, 2) for i in range(3))  # [B, heads, tokens, width / heads]
        weights = torch.softmax(torch.matmul(q, k.transpose(2, 3)) / math.sqrt(width // self.heads), dim=3)
        mixed = torch.matmul(weights, v).transpose(1, 2).reshape(-1, tokens, width)
        x = x + self.out(mixed)
        return x + self.forward_out(F.relu(self.forward_in(self.forward_norm(x)))), weights


class Transformer(BlendingFamily):
    """See the head of this file. Inputs and output as in `contract`."""

    def __init__(
        self,
        patch: int = 16,
        width: int = 64,
        layers: int = 2,
        heads: int = 4,
        hidden: int = 128,
        readout_patch: int = 8,
        head_hidden: int = 256,
    ) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"width {width} is not a multiple of heads {heads}")
        lags, window = len(contract.SEASON_LAGS_DAYS), contract.SEASON_WINDOW
        self.patch = patch
        self.readouts = contract.HORIZON // readout_patch
        season_ages = middles(window - 1, 2 * window // patch, patch)
        ages = [
            middles(-1, self.readouts, readout_patch),
            middles(contract.CONTEXT_LENGTH - 1, contract.CONTEXT_LENGTH // patch, patch),
            season_ages.repeat(lags),
        ]
        # Constants of the graph, not state to be saved.
        self.register_buffer("time", time_features(torch.cat(ages)), persistent=False)
        self.embed_time = nn.Linear(TIME_FEATURES, width)
        self.embed_context = nn.Linear(2 * patch, width)
        self.embed_season = nn.Linear(2 * patch, width)
        self.lag = nn.Parameter(torch.randn(lags, 1, width) * 0.02)
        self.embed_features = nn.Linear(FEATURES, width)
        self.layers = nn.ModuleList(EncoderLayer(width, heads, hidden) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.head_in = nn.Linear(self.readouts * width, head_hidden)
        self.head_features = nn.Linear(FEATURES, head_hidden)
        self.add_heads(head_hidden)

    def encode(self, window: Normalised) -> Encoded:
        context = self.embed_context(context_patches(window, self.patch))
        seasons = (self.embed_season(season_lag_patches(window, self.patch)) + self.lag).flatten(1, 2)
        readout = self.embed_features(window.features).unsqueeze(1).expand(-1, self.readouts, -1)
        x = torch.cat([readout, context, seasons], dim=1) + self.embed_time(self.time)
        weights = None
        for layer in self.layers:
            x, weights = layer(x)
        read = self.norm(x[:, : self.readouts]).flatten(1)
        # What the readouts looked at in the last layer, mean over heads and parts of the horizon.
        attention = weights[:, :, : self.readouts].mean(dim=(1, 2))
        return Encoded(F.relu(self.head_in(read) + self.head_features(window.features)), attention)
