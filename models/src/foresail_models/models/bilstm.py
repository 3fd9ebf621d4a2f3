"""A bidirectional LSTM over patches whose states are pooled by attention.

The whole window is known at the origin, so reading it backwards as well sees nothing of the
future. LSTM: Hochreiter & Schmidhuber 1997; additive attention: Bahdanau et al. 2014
(arXiv 1409.0473).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..normalise import FEATURES, Normalised
from .base import BlendingFamily, Encoded
from .tokens import Sequence


class AttentionPool(nn.Module):
    """[B, tokens, width] -> (weighted mean [B, width], weights [B, tokens])."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.score_in = nn.Linear(width, hidden)
        self.score_out = nn.Linear(hidden, 1, bias=False)

    def forward(self, states: Tensor) -> tuple[Tensor, Tensor]:
        weights = torch.softmax(self.score_out(torch.tanh(self.score_in(states))).squeeze(-1), dim=1)
        return (weights.unsqueeze(-1) * states).sum(1), weights


class BiLstm(BlendingFamily):
    """See the head of this file. Inputs and output as in `contract`."""

    def __init__(self, patch: int = 16, width: int = 64, hidden: int = 80, head_hidden: int = 256) -> None:
        super().__init__()
        self.sequence = Sequence(patch, width)
        self.recurrence = nn.LSTM(width, hidden, batch_first=True, bidirectional=True)
        self.pool = AttentionPool(2 * hidden, hidden)
        # Pooled states and the newest one: attention finds the pattern, the newest says where it stands.
        self.norm = nn.LayerNorm(4 * hidden)
        self.head_in = nn.Linear(4 * hidden, head_hidden)
        self.head_features = nn.Linear(FEATURES, head_hidden)
        self.add_heads(head_hidden)

    def encode(self, window: Normalised) -> Encoded:
        states, _ = self.recurrence(self.sequence(window))
        pooled, weights = self.pool(states)
        summary = self.norm(torch.cat([pooled, states[:, -1]], dim=1))
        return Encoded(F.relu(self.head_in(summary) + self.head_features(window.features)), weights)
