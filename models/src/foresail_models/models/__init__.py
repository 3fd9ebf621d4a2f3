"""Model families behind one interface.

A family is a `torch.nn.Module` with

    forward(context [B, 512], seasonal [B, 4, 128]) -> Forecast

whose quantiles are in the unit of the input. Adding one means adding a file here and a
line to `FAMILIES`; data, loss, training, export and scoring do not change.
"""

from __future__ import annotations

from typing import Any

from torch import nn

from .patch_mixer import PatchMixer

FAMILIES: dict[str, type[nn.Module]] = {"patch-mixer": PatchMixer}


def build(family: str, options: dict[str, Any]) -> nn.Module:
    """The untrained model `family`; raises ValueError with the known names."""
    if family not in FAMILIES:
        raise ValueError(f"unknown model family {family!r}, known: {', '.join(sorted(FAMILIES))}")
    return FAMILIES[family](**options)
