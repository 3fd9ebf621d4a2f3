"""The patch mixer: MLP-mixer blocks over patches of the context and of the seasons.

Mixer: Tolstikhin et al. 2021 (arXiv 2105.01601); patches for series: PatchTST
(arXiv 2211.14730), TSMixer (arXiv 2306.09364).
"""

from __future__ import annotations

import onnx
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .. import contract
from ..normalise import FEATURES, Normalised
from . import patch_mixer_graph
from .base import BlendingFamily, Encoded
from .tokens import context_patches, season_patches


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


class PatchMixer(BlendingFamily):
    """See the head of this file. Inputs and output as in `contract`."""

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
        tokens = (contract.CONTEXT_LENGTH + 2 * contract.SEASON_WINDOW) // patch
        self.embed_context = nn.Linear(2 * patch, width)
        self.embed_season = nn.Linear(2 * patch * lags, width)
        self.embed_features = nn.Linear(FEATURES, width)
        self.position = nn.Parameter(torch.randn(tokens, width) * 0.02)
        self.blocks = nn.ModuleList(
            MixerBlock(tokens, width, token_hidden, channel_hidden, dropout) for _ in range(blocks)
        )
        self.head_norm = nn.LayerNorm(tokens * width)
        self.head_in = nn.Linear(tokens * width, head_hidden)
        self.head_features = nn.Linear(FEATURES, head_hidden)
        self.add_heads(head_hidden)

    def encode(self, window: Normalised) -> Encoded:
        patches, seasons = context_patches(window, self.patch), season_patches(window, self.patch)
        x = torch.cat([self.embed_context(patches), self.embed_season(seasons)], dim=1)
        x = x + self.position + self.embed_features(window.features).unsqueeze(1)
        for block in self.blocks:
            x = block(x)
        return Encoded(F.relu(self.head_in(self.head_norm(x.flatten(1))) + self.head_features(window.features)))

    def inference_graph(self) -> onnx.ModelProto:
        return patch_mixer_graph.build(self)
