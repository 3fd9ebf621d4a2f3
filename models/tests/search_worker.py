"""A worker of a search whose trials only wait: what is tested is what kills do to it, and that needs many trials in little time."""

from __future__ import annotations

import math
import sys
import time
from contextlib import suppress
from pathlib import Path

from optuna.exceptions import UpdateFinishedTrialError

from foresail_models.search import pruning
from foresail_models.search.address import Address
from foresail_models.search.database import Database, Patience, prefix_of
from foresail_models.search.desk import Desk, Done
from foresail_models.search.settings import Range, Search
from foresail_models.search.store import Store
from foresail_models.search.volume_store import VolumeStore

STUDY = prefix_of("run") + "study"
PATIENCE = Patience(120, 120)


def database(address: Address, stale_s: float = 0.6, patience: Patience = PATIENCE, study: str = STUDY) -> Database:
    return Database(address, study, "config", stale_s, lambda: None, patience)


def desk(where: Path | Address, store: Store | None = None, **search: float) -> Desk:
    """where  the folder or the database in which workers meet"""
    space = {"learning_rate": Range(1e-4, 1e-2, log=True), "clip": Range(0.1, 3.0)}
    asked = Search(space, startup_trials=4, **{"stale_s": 0.6} | search)
    study = STUDY if isinstance(where, Address) else "study"
    if store is None:
        store = database(where, asked.stale_s) if isinstance(where, Address) else VolumeStore(where, study, asked.stale_s)
    return Desk(store, study, asked, 7, pruning.PRUNERS["none"](), {}, "test")


def score(params: dict[str, float]) -> float:
    return 1 + (math.log10(params["learning_rate"]) + 3) ** 2 + (params["clip"] - 1) ** 2 / 10


def main(trials: str, folder: str | None = None) -> None:
    """Without a folder in the database that the environment names."""
    here = desk(Address.from_env() if folder is None else Path(folder), trials=int(trials), stale_s=3)
    while True:
        try:
            trial = here.take()
        except Done:
            here.conclude("config")
            return
        if trial is None:
            time.sleep(0.05)
            continue
        with here.alive(trial):
            value = score(trial.params)
            with suppress(UpdateFinishedTrialError):  # on a busy machine it may well be taken for lost
                for rung in range(1, 6):
                    time.sleep(0.01)
                    here.report(trial, rung, [value], value + 1 / rung)
                here.finish(trial, value)


if __name__ == "__main__":
    main(*sys.argv[1:])
