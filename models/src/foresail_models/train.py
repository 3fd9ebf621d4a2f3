"""`foresail-train --config FILE`: trains a model, alone or as one of many processes, and may be killed at any time.

The folder of a run (`--work`, `$FORESAIL_WORK`) holds its checkpoints, its step log and, in the end, `out/`; the same command
goes on where it stopped. The exit code tells whether trying again can help: see `errors`. PyTorch is loaded only once
the configuration is known to be good.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import bar, command, config, launch
from .errors import ConfigError
from .interrupt import Interrupt
from .reports import Reports
from .search import found

if TYPE_CHECKING:
    from .gang import Gang
    from .loop import Progress, Writer

# Of the reason why no checkpoint is written, which stands in a condition.
MOST_WORDS = 200


def main(arguments: list[str] | None = None) -> int:
    """The exit code of the run."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if os.environ.get("FORESAIL_STAGE") == "search":  # a runtime has one command for both
        from .search.main import main as search

        return search(arguments)
    reports, interrupt = Reports.from_env(), Interrupt().install()

    def begin() -> int:
        options = _parser().parse_args(arguments)
        run = found.applied(_load(options), options.work)
        code = launch.start(os.environ, arguments)
        return train(run, options.work, reports, interrupt) if code is None else code

    return command.ended("foresail-train", begin, reports, interrupt)


def _parser() -> argparse.ArgumentParser:
    parser = command.options("foresail-train", "Trains a forecaster; the same command goes on where it stopped.", "TOML or JSON")
    parser.add_argument("--steps", type=int, help="fewer or more updates than the configuration says")
    return parser


def _load(options: argparse.Namespace) -> config.Run:
    changed: dict[str, Any] = {} if options.steps is None else {"steps": options.steps}
    folder = {} if options.data is None else {"data": {"from": "folder", "path": str(options.data)}}
    run = config.load(options.config, **changed, **folder)
    return dataclasses.replace(run, overrides=tuple(f"--{key} {value}" for key, value in changed.items()))


def train(run: config.Run, work: Path, reports: Reports, interrupt: Interrupt) -> int:
    """One process of the run, from data to published model. Raises what `errors` lists."""
    from . import checkpoint, incumbent, material, publish
    from .gang import Gang, Place, pick_device
    from .loop import Loop
    from .tracking import Tracker
    from .trainer import Trainer, cores, set_up_process

    set_up_process()
    place = Place.from_env(os.environ)
    device = pick_device(run.accelerator, place)
    writer = _open(run, work) if place.rank == 0 else None
    gang = Gang.join(place, device, run.distributed)
    tracker = None
    try:
        found = material.gather(
            run,
            work,
            reports.control,
            gang,
            lambda done, total: _prepared(run, done, total, gang, reports),
            lambda size: _fetched(run, size, gang, reports),
            check=writer.fence.check if writer is not None else lambda: None,
        )
        beside = incumbent.beside(run.incumbent, found.validation) if writer is not None else {}
        trainer = Trainer(run.recipe, found.corpus, gang, cores(place.local_world))
        loop = Loop(
            trainer,
            found.validation,
            checkpoint.fingerprint(run.recipe, found.sha256),
            0 if writer is None else writer.fence.attempt,
            writer,
            asked=lambda: bool(interrupt),
            over=reports.over.is_set,
            show=lambda progress: _show(progress, gang, reports),
        )
        if writer is not None and run.tracking is not None:
            tracker = Tracker(run.tracking, work, run.recipe.name, {**dataclasses.asdict(run.recipe), "data": found.lineage})
            loop.validated = tracker.validated
        loop.resume()
        interrupt.watched = True
        loop.run()
        if writer is not None:
            document = publish.write_run(run, loop, found, beside, work / "out")
            path = work / "out" / publish.MODEL
            reports.result(document["sha256"], path.stat().st_size, document)
            print(f"wrote {path}", flush=True)
            if tracker is not None:
                tracker.published(work / "out", document)
        return 0
    finally:
        if tracker is not None:
            tracker.close()
        if writer is not None:
            writer.steps.close()


def _open(run: config.Run, work: Path) -> Writer:
    """What the first process writes with. Raises Fenced when a newer attempt was here."""
    from .checkpoint import Checkpoints
    from .fence import Fence
    from .loop import Writer
    from .steplog import StepLog

    text = os.environ.get("FORESAIL_ATTEMPT", "")
    if text and not text.isdecimal():
        raise ConfigError(f"FORESAIL_ATTEMPT: {text!r} is not a whole number")
    work.mkdir(parents=True, exist_ok=True)
    fence = Fence(work, int(text) if text else None)
    fence.claim()
    checkpoints = Checkpoints(work / "checkpoints", run.checkpoint.keep)
    return Writer(checkpoints, fence, StepLog(work / "steps.jsonl", fence.attempt), run.checkpoint.everySeconds)


def _prepared(run: config.Run, done: int, total: int, gang: Gang, reports: Reports) -> None:
    """Preparing many series takes longer than a run may be silent."""
    bar.prepared(done, total)
    _before_steps(run, done, gang, reports)


def _fetched(run: config.Run, size: int, gang: Gang, reports: Reports) -> None:
    """And so does fetching large files. The operator looks only at whether the number changes: here MiB, then series."""
    bar.fetched(size)
    _before_steps(run, size >> 20, gang, reports)


def _before_steps(run: config.Run, number: int, gang: Gang, reports: Reports) -> None:
    at = {"step": 0, "total": run.recipe.steps, "rank": gang.rank, "workers": gang.world, "loss": None, "score": None}
    reports.progress(at | {"prepared": number, "device": gang.device.type})


def _show(progress: Progress, gang: Gang, reports: Reports) -> None:
    if not gang.leads:
        return
    bar.show(progress)
    reports.progress(
        {
            "step": progress.step,
            "total": progress.total,
            "rank": gang.rank,
            "workers": gang.world,
            "loss": progress.loss,
            "score": progress.score,
            "checkpointStep": progress.checkpoint_step,
            "samplesPerSecond": round(progress.samples_per_second, 1),
            "etaSeconds": None if progress.eta_s is None else round(progress.eta_s),
            "checkpointError": None if progress.failed is None else progress.failed[:MOST_WORDS],
            "device": gang.device.type,
        },
        progress.at_once,
    )


if __name__ == "__main__":
    sys.exit(main())
