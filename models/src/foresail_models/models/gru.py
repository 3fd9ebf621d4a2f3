"""A gated recurrent unit over patches; its last state is the summary of the window.

Cho et al. 2014 (arXiv 1406.1078).
"""

from __future__ import annotations

from torch import nn
from torch.nn import functional as F

from ..normalise import FEATURES, Normalised
from .base import BlendingFamily, Encoded
from .tokens import Sequence


class Gru(BlendingFamily):
    """See the head of this file. Inputs and output as in `contract`."""

    def __init__(self, patch: int = 16, width: int = 64, hidden: int = 128, head_hidden: int = 256) -> None:
        super().__init__()
        self.sequence = Sequence(patch, width)
        self.recurrence = nn.GRU(width, hidden, batch_first=True)
        self.norm = nn.LayerNorm(hidden)
        self.head_in = nn.Linear(hidden, head_hidden)
        self.head_features = nn.Linear(FEATURES, head_hidden)
        self.add_heads(head_hidden)

    def encode(self, window: Normalised) -> Encoded:
        states, _ = self.recurrence(self.sequence(window))
        return Encoded(F.relu(self.head_in(self.norm(states[:, -1])) + self.head_features(window.features)))
