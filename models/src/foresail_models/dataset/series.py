"""What a source of data hands over, before anything is judged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class Listed:
    """A series as its source announces it. Times are seconds since the epoch, both ends included."""

    name: str
    source: str
    first: int
    last: int
    # What people call it; the name where nothing better is known.
    label: str = ""


@dataclass(frozen=True)
class Raw:
    """Stamps and values in the order in which they came; NaN is unknown."""

    t: np.ndarray  # int64 [N], seconds
    v: np.ndarray  # float32 [N]
    # Seconds; None where it has to be read off the stamps.
    step: int | None = None


@dataclass(frozen=True)
class SourceInfo:
    """Whose data these are. Sources are split by time each for itself: their clocks need not have met."""

    name: str
    licence: str
    citation: str = ""


class Origin(Protocol):
    """A place that data come from. `read` yields one Raw per listed series, in the order of the list."""

    def sources(self) -> list[SourceInfo]: ...

    def listing(self) -> list[Listed]: ...

    def future(self) -> list[Listed]:
        """Series left out of the list because all of their stamps lie in the future."""
        ...

    def read(self, first: dict[str, int]) -> Iterator[Raw]:
        """`first`: per source, the oldest second that is asked for."""
        ...
