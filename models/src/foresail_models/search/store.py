"""Where the workers of a search meet: what desk and ledger ask of it. On a shared volume (`volume_store.py`) or in a database
(`database.py`); both give the same promises, so that there is one desk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar

from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, Trial

T = TypeVar("T")


class Store(Protocol):
    # Trials, as Optuna keeps them.
    storage: BaseStorage

    def decide(self, decision: Callable[[], T]) -> T:
        """What `decision` returns, made while no other worker decides.

        It sees all that was decided before. It may be begun anew where the store was lost in its middle, so it must read what
        it decides upon; nothing that it writes after it has lost its turn is kept.
        """

    def patiently(self, act: Callable[[], T]) -> T:
        """What `act` returns, tried again while the store is away; what it did in vain may have happened all the same."""

    def begun(self, trial_id: int) -> None:
        """In the decision that made the trial: from here on a worker without a sign of life is a lost one."""

    def alive(self, trial: Trial | FrozenTrial, worker: str) -> AbstractContextManager[None]:
        """Gives signs of life of the worker that runs `trial`, while in the block."""

    def silent(self, running: Iterable[FrozenTrial]) -> list[tuple[FrozenTrial, float | None]]:
        """Those whose workers gave no sign of life for too long, with the time of the last one in seconds since the epoch
        (None: not known). Asked in a decision."""

    def lost(self, trial: Trial | FrozenTrial) -> None:
        """Its worker is not waited for any more."""

    def publish(self, document: dict[str, Any]) -> None:
        """Keeps the result where `foresail-train` looks for it."""
