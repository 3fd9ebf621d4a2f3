"""Workers that share a volume: the journal, a lock beside it, a small file per running trial, and `best.json`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TypeVar

from optuna.storages import JournalStorage
from optuna.trial import FrozenTrial, Trial

from ..files import write_atomic
from .found import BEST
from .journal import Backend, held, lock_for
from .lease import Watch, last_beat, lease

JOURNAL = "journal.log"

T = TypeVar("T")


class VolumeStore:
    def __init__(self, folder: Path, study: str, stale_s: float) -> None:
        self.folder, self.storage = folder, JournalStorage(Backend(folder / JOURNAL))
        self.watch = Watch(stale_s)
        self._lock, self._study, self._stale_s = lock_for(folder / "desk.lock"), study, stale_s

    def decide(self, decision: Callable[[], T]) -> T:
        with held(self._lock):
            return decision()

    def patiently(self, act: Callable[[], T]) -> T:
        """A volume that is away holds its readers until it is back."""
        return act()

    def begun(self, trial_id: int) -> None:
        """A watch takes a lease that is not there yet for news."""

    def alive(self, trial: Trial | FrozenTrial, worker: str) -> AbstractContextManager[None]:
        return lease(self.path(trial.number), worker, self._stale_s)

    def silent(self, running: Iterable[FrozenTrial]) -> list[tuple[FrozenTrial, float | None]]:
        return [(trial, last_beat(path)) for trial in running if self.watch.is_stale(path := self.path(trial.number))]

    def lost(self, trial: Trial | FrozenTrial) -> None:
        self.path(trial.number).unlink(missing_ok=True)

    def publish(self, document: dict[str, Any]) -> None:
        write_atomic(self.folder / BEST, (json.dumps(document, indent=1) + "\n").encode())

    def path(self, number: int) -> Path:
        """Of the lease of a trial."""
        return self.folder / "leases" / f"{self._study[:12]}-{number}"
