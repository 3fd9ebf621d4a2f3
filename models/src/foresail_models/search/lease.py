"""Who is at work: one small file per running trial, written anew again and again by the worker that runs it.

Whether a worker lives is judged by one's own clock, from the last change that one saw: clocks of nodes differ. A lease
only says when to try a trial again. That a trial ends once is the journal's doing, so a worker that was merely slow does no harm.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..files import write_synced

BEATS = 6


@contextmanager
def pulse(beat: Callable[[int], None], stale_s: float, fails: type[Exception]) -> Iterator[None]:
    """Calls `beat` with 1, 2, … several times within `stale_s`, in a thread of its own, while in the block.

    One that `fails` is passed over: the next may succeed, and if none does, another worker runs the trial again.
    """
    over = threading.Event()

    def run() -> None:
        count = 1
        while True:
            with suppress(fails):
                beat(count)
            if over.wait(stale_s / BEATS):
                return
            count += 1

    thread = threading.Thread(target=run, daemon=True, name="pulse")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextmanager
def lease(path: Path, worker: str, stale_s: float) -> Iterator[None]:
    """Held while in the block."""
    path.parent.mkdir(parents=True, exist_ok=True)

    def beat(count: int) -> None:  # in place: a reader of half a line still sees a change
        write_synced(path, f"{worker} {os.getpid()} {count}\n".encode())

    try:
        with pulse(beat, stale_s, OSError):
            yield
    finally:
        path.unlink(missing_ok=True)


def last_beat(path: Path) -> float | None:
    """When the lease was last written, by the clock of its volume, in seconds since the epoch; None where there is none."""
    try:
        return path.stat().st_mtime
    except OSError:
        return None


class Watch:
    """What this worker saw of the leases of others."""

    def __init__(self, stale_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.stale_s, self._clock = stale_s, clock
        self._seen: dict[Path, tuple[bytes | None, float]] = {}

    def is_stale(self, path: Path) -> bool:
        """Whether nothing changed at `path` for `stale_s` since this worker looked first."""
        try:
            content = path.read_bytes()
        except OSError:  # none, or none that can be read now: both are news only once
            content = None
        now = self._clock()
        before, since = self._seen.get(path, (content, now))
        if before != content:
            since = now
        self._seen[path] = (content, since)
        return now - since >= self.stale_s
