"""Model families behind one interface.

A family is a `Family` (see `base`): a `torch.nn.Module` with

    forward(context [B, 512], seasonal [B, 4, 128]) -> Forecast

whose quantiles are in the unit of the input and never cross. Adding one means adding a file
here and a line to `FAMILIES`; data, loss, training, export and scoring do not change.
"""

from __future__ import annotations

from typing import Any

from .base import Family, Forecast
from .bilstm import BiLstm
from .ensemble import Ensemble
from .gru import Gru
from .linear import Linear
from .patch_mixer import PatchMixer
from .transformer import Transformer

__all__ = ["FAMILIES", "Family", "Forecast", "build"]

FAMILIES: dict[str, type[Family]] = {
    "linear": Linear,
    "patch-mixer": PatchMixer,
    "gru": Gru,
    "bilstm": BiLstm,
    "transformer": Transformer,
    "ensemble": Ensemble,
}


def build(family: str, options: dict[str, Any]) -> Family:
    """The untrained model `family`; raises ValueError with the known names."""
    if family not in FAMILIES:
        raise ValueError(f"unknown model family {family!r}, known: {', '.join(sorted(FAMILIES))}")
    return FAMILIES[family](**options)
