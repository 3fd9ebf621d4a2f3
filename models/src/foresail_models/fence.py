"""One attempt of a run may write at a time. The highest number in the file `attempt` is the one that may."""

from __future__ import annotations

from pathlib import Path

from .errors import Fenced
from .files import write_atomic


class Fence:
    """Checked before every rename. A zombie that is frozen between check and rename may still write one
    checkpoint; training is deterministic, so that one holds the same weights as its heir's of the same step. It removes none
    of its heir's."""

    def __init__(self, work: Path, attempt: int | None) -> None:
        """`attempt` None: the next one, for runs that nobody numbers."""
        self.path = work / "attempt"
        self.attempt = self._written() + 1 if attempt is None else attempt
        self._claimed = False

    def claim(self) -> None:
        """Raises Fenced when a newer attempt was here."""
        self.check()
        self._write()
        self._claimed = True

    def check(self) -> None:
        """Raises Fenced when a newer attempt has claimed the folder."""
        newest = self._written()
        if newest > self.attempt:
            raise Fenced(f"attempt {newest} has taken over from attempt {self.attempt}")
        if newest < self.attempt and self._claimed:
            self._write()  # an older one looked before our claim and wrote after it: from now on it sees ours

    def _write(self) -> None:
        write_atomic(self.path, f"{self.attempt}\n".encode())

    def _written(self) -> int:
        try:
            return int(self.path.read_text())
        except FileNotFoundError:
            return 0
