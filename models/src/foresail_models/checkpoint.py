"""Checkpoints that a crash cannot tear: temp file, fsync, rename."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch

from .files import write_atomic


def save(path: Path, state: dict[str, Any]) -> None:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    write_atomic(path, buffer.getvalue())


def load(path: Path, fingerprint: str) -> dict[str, Any] | None:
    """The state to resume from, or None without one. Never unpickles code.

    Raises ValueError when the checkpoint belongs to another configuration.
    """
    if not path.is_file():
        return None
    state = torch.load(path, weights_only=True)
    if state["fingerprint"] != fingerprint:
        raise ValueError(f"{path} was written with another configuration; use another --out or remove it")
    return state
