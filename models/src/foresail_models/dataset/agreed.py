"""The same data for workers that have no folder in common. Each fetches for itself, later ones at a later time: so the first one
says which series it takes, from when to when, and the others take those and no more.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from .series import Listed, Origin, Raw, SourceInfo
from .settings import DataConfig

# Of the window: the operator's moves on with time, and what is at its old edge now is not to be had in an hour.
EDGE = 0.02

# [source, name, first, last] of a series.
Span = tuple[str, str, int, int]


@dataclass(frozen=True)
class Agreement:
    # Of what the workers work at together.
    name: str
    # Hears the spans that this worker would take; returns those of the first one.
    on: Callable[[list[Span]], list[Span]]


class Agreed:
    """An origin cut to what was agreed on. A series that is no longer to be had is left out, and that is said."""

    def __init__(self, origin: Origin, config: DataConfig, agreement: Agreement) -> None:
        self._origin, self._own = origin, origin.listing()
        agreed = {(source, name): (first, last) for source, name, first, last in agreement.on(_spans(self._own))}
        self._cut = {
            (s.source, s.name): dataclasses.replace(s, first=agreed[s.source, s.name][0], last=agreed[s.source, s.name][1])
            for s in self._own
            if (s.source, s.name) in agreed
        }
        newest = max((last for _, last in agreed.values()), default=0)
        self._edge = newest - round(config.window_hours * 3600 * (1 - EDGE)) if config.origin == "operator" else 0
        if gone := len(agreed) - len(self._cut):
            print(f"data: {gone} of {len(agreed)} series that were agreed on are no longer there", file=sys.stderr, flush=True)

    def sources(self) -> list[SourceInfo]:
        return self._origin.sources()

    def listing(self) -> list[Listed]:
        """With the spans agreed on, by which the parts are told from each other: less the edge, they would end later."""
        return list(self._cut.values())

    def future(self) -> list[Listed]:
        """What lies behind what was agreed on is nobody's."""
        return []

    def read(self, first: dict[str, int]) -> Iterator[Raw]:
        for own, raw in zip(self._own, self._origin.read(first), strict=True):
            cut = self._cut.get((own.source, own.name))
            if cut is not None:
                inside = (raw.t >= max(cut.first, self._edge)) & (raw.t <= cut.last)
                yield dataclasses.replace(raw, t=raw.t[inside], v=raw.v[inside])


def _spans(own: list[Listed]) -> list[Span]:
    return [(s.source, s.name, s.first, s.last) for s in own]
