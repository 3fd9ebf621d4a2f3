"""Where the training part of a source ends and where its validation part ends: by wall time, never shuffled."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from .errors import DataInvalid
from .series import Listed
from .settings import DataConfig, Split


@dataclass(frozen=True)
class Bounds:
    """Seconds since the epoch. Training: [first, train_end); validation: [train_end, validate_end); test: the rest."""

    first: int
    train_end: int
    validate_end: int
    last: int


def bounds(source: str, series: list[Listed], config: DataConfig, split: Split) -> Bounds:
    """Looks at stamps alone: no value can move a bound."""
    last = max(s.last for s in series)
    first = max(min(s.first for s in series), last - round(config.window_hours * 3600))
    if last <= first:
        raise DataInvalid(f"source {source}: its data span no time at all, from {iso(first)} to {iso(last)}")
    span = last - first
    train_end = first + round(span * split.train)
    validate_end = first + round(span * (split.train + split.validate))
    return Bounds(first, train_end, validate_end, last)


def iso(t: int) -> str:
    """`2026-11-21T00:00:00Z`"""
    return datetime.fromtimestamp(t, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
