"""SIGTERM asks for a checkpoint and an end. While steps run it is noticed between two of them; before the first one
there is nothing to save, so the process ends where it stands."""

from __future__ import annotations

import signal
import sys
from types import FrameType

from .errors import Stopped


class Interrupt:
    """Truthy once asked. Ctrl-C asks as well; a second one ends the process at once."""

    def __init__(self) -> None:
        # From here on someone looks at this object; until then an ask raises SystemExit.
        self.watched = False
        self._asked = False

    def install(self) -> Interrupt:
        signal.signal(signal.SIGTERM, self._ask)
        signal.signal(signal.SIGINT, self._ask)
        return self

    def _ask(self, number: int, _: FrameType | None) -> None:
        if not self.watched:
            print("foresail-train: stopped before the first step", file=sys.stderr, flush=True)
            raise SystemExit(Stopped.exit_code)
        self._asked = True
        if number == signal.SIGINT:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def __bool__(self) -> bool:
        return self._asked
