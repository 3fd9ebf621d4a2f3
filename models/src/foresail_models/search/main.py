"""`foresail-search --config FILE`: searches the hyperparameters of a run, alone or beside any number of the same command.

Workers meet in `search/journal.log` in the folder of the run, or in a database, and come and go as they like; each ends when all
trials have. The exit codes are those of `foresail-train`, which then trains what was found.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import os
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import command, config
from ..dataset.agreed import Agreement
from ..errors import ConfigError, Fenced, Stopped
from ..interrupt import Interrupt
from ..reports import Reports
from . import found, volume

if TYPE_CHECKING:
    from optuna.trial import Trial

    from ..gang import Gang
    from ..material import Material
    from ..validate import Validation
    from .database import Database
    from .desk import Desk
    from .store import Store

OTHER_DATA = "search: the data have changed since the search began; for the same hyperparameters this worker scores a little unlike the others"


def main(arguments: list[str] | None = None) -> int:
    """The exit code of this worker."""
    reports, interrupt = Reports.from_env(), Interrupt().install()

    def begin() -> int:
        about = "Searches hyperparameters; start it as often as there are cores to use."
        options = command.options("foresail-search", about, "TOML or JSON with a block `search`").parse_args(arguments)
        folder = {} if options.data is None else {"data": {"from": "folder", "path": str(options.data)}}
        run = config.load(options.config, **folder)
        if run.search is None:
            raise ConfigError("search: missing; say for how long to search")
        search(run, options.work, reports, interrupt)
        return 0

    return command.ended("foresail-search", begin, reports, interrupt)


def search(run: config.Run, work: Path, reports: Reports, interrupt: Interrupt) -> dict[str, Any]:
    """Runs trials until none is left; returns what was found. Raises what `errors` lists."""
    from ..gang import Gang, Place, pick_device
    from ..trainer import set_up_process

    assert run.search is not None
    set_up_process()
    place = Place()
    device = pick_device(run.accelerator, place)
    if device.type == "cpu" and run.search.trials is None and run.search.max_s is None:
        raise ConfigError("search.gpuHours: there is no GPU here, so they would never be spent; set trials or maxSeconds as well")
    gang = Gang(place, device)
    folder = work / found.FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    fixed = found.fingerprint(run)
    look = functools.partial(_look, reports, interrupt)

    def go_on(store: Store, study: str, material: Material) -> dict[str, Any]:
        desk = _desk(run, store, study, device.type)
        interrupt.watched = True
        _Worker(run, material, desk, gang, reports, look).work()
        return desk.conclude(fixed)

    if run.search.storage == "rdb":
        with contextlib.closing(_database(run, fixed, look)) as database:
            material = _gather(run, work, gang, reports, Agreement(database.study, lambda spans: database.agree("foresail:spans", spans)))
            if database.agree("foresail:data", material.sha256) != material.sha256:
                print(OTHER_DATA, file=sys.stderr, flush=True)
            return go_on(database, database.study, material)
    from .volume_store import VolumeStore

    volume.check(folder, int(os.environ.get("PET_NNODES", "1")))
    material = _gather(run, work, gang, reports)
    study = _study(run, fixed, material.sha256)
    return go_on(VolumeStore(folder, study, run.search.stale_s), study, material)


def _gather(run: config.Run, work: Path, gang: Gang, reports: Reports, agreement: Agreement | None = None) -> Material:
    """One worker of a folder fetches the data, the others find it."""
    from ..material import gather
    from .journal import held, lock_for

    with held(lock_for(work / found.FOLDER / "data.lock")):
        return gather(
            run,
            work,
            reports.control,
            gang,
            lambda done, total: _prepared(done, reports, gang.device.type),
            lambda size: _prepared(size >> 20, reports, gang.device.type),
            agreement,
        )


def _desk(run: config.Run, store: Store, study: str, device: str) -> Desk:
    from .desk import Desk
    from .pruning import DEFAULT, PRUNERS

    assert run.search is not None
    return Desk(
        store,
        study,
        run.search,
        run.recipe.seed,
        PRUNERS[DEFAULT](),
        {key: config.hyperparameter(run.recipe, key) for key in run.search.space},
        f"{socket.gethostname()}/{os.environ.get('FORESAIL_ATTEMPT', '')}",
        int(device == "cuda"),
    )


def _study(run: config.Run, fixed: str, data: str) -> str:
    """Another configuration or other data begin another search."""
    return hashlib.sha256(f"{fixed} {found.steps_of(run)} {data}".encode()).hexdigest()


def _database(run: config.Run, fixed: str, look: Callable[[], None]) -> Database:
    from .. import data
    from .address import Address
    from .database import Database, prefix_of

    assert run.search is not None
    address = Address.from_env()
    lying = data.read_manifest(run.data.path)[1] if isinstance(run.data, config.Folder) else ""
    study = prefix_of(found.name_of(run)) + _study(run, fixed, lying)
    return Database(address, study, fixed, run.search.stale_s, look)


def _look(reports: Reports, interrupt: Interrupt) -> None:
    """Whether this worker is to go on."""
    if reports.over.is_set():
        raise Fenced("this attempt is over")
    if interrupt:
        raise Stopped("stopped; what was running is left to be run again")


def _prepared(done: int, reports: Reports, device: str) -> None:
    """Before the first trial there is no other progress."""
    reports.progress({"step": 0, "total": 1, "rank": 0, "workers": 1, "loss": None, "score": None, "prepared": done, "device": device})


@dataclasses.dataclass
class _Worker:
    run: config.Run
    material: Material
    desk: Desk
    gang: Gang
    reports: Reports
    look: Callable[[], None]

    def work(self) -> None:
        from .desk import Done

        assert self.run.search is not None
        over = self._folds()
        while True:
            self.look()
            try:
                trial = self.desk.take()
            except Done:
                self._tell(over=True)
                return
            if trial is None:
                time.sleep(min(1.0, self.run.search.stale_s / 10))
                continue
            self._try(trial, over)
            self._tell()

    def _folds(self) -> list[Validation]:
        from .. import models
        from . import backtest

        recipe = self.run.recipe
        try:
            untrained = models.build(recipe.family, recipe.model).to(self.gang.device)
        except (ValueError, RuntimeError) as error:
            raise ConfigError(f"model: {error}") from error
        return backtest.folds(self.material.held, recipe.seed, recipe.validation_windows, untrained, self.gang)

    def _try(self, trial: Trial, over: list[Validation]) -> None:
        from optuna import TrialPruned
        from optuna.exceptions import UpdateFinishedTrialError

        from ..trainer import cores
        from . import backtest
        from . import trial as short

        def told(rung: int, each: list[float], last: bool) -> None:
            self.desk.report(trial, rung, each, backtest.mean(each))
            self._progress()
            if not last and self.desk.should_prune(trial):
                raise TrialPruned

        with self.desk.alive(trial):
            try:
                recipe = short.recipe_of(self.run.recipe, trial.params, found.steps_of(self.run))
                score = short.run(recipe, self.material.corpus, over, self.gang, cores(), told, lambda step, loss: self.look())
                self._say(trial, f"{score:.4f}", self.desk.finish(trial, score))
            except TrialPruned:
                self._say(trial, "pruned", self.desk.finish(trial, None))
            except short.Unfit as error:
                self._say(trial, f"failed, {error}", self.desk.finish(trial, None, str(error)))
            except UpdateFinishedTrialError:
                self._say(trial, "", False)
            except (Stopped, Fenced):
                self.desk.give_up(trial)
                raise

    def _say(self, trial: Trial, what: str, counts: bool) -> None:
        print(f"trial {trial.number}: {what if counts else 'another worker took it for lost'}", flush=True)

    def _tell(self, over: bool = False) -> None:
        from . import ledger

        result = ledger.result(self.desk.trials())
        (self.reports.searched if over else self.reports.trials)(result)
        self._progress()

    def _progress(self) -> None:
        """In rungs: a trial may last longer than the operator waits for a step."""
        from . import ledger
        from .trial import RUNGS

        assert self.run.search is not None
        trials = self.desk.trials()
        done = ledger.rungs(trials, RUNGS)
        best = ledger.best(trials)
        self.reports.progress(
            {
                "step": done if self.run.search.trials is None else min(done, self.run.search.trials * RUNGS),
                "total": max(done, 1) if self.run.search.trials is None else self.run.search.trials * RUNGS,
                "rank": int(os.environ.get("PET_NODE_RANK", "0")),
                "workers": int(os.environ.get("PET_NNODES", "1")),
                "loss": None,
                "score": None if best is None else best.value,
                "checkpointStep": None,
                "samplesPerSecond": None,
                "etaSeconds": None,
                "device": self.gang.device.type,
            }
        )


if __name__ == "__main__":
    sys.exit(main())
