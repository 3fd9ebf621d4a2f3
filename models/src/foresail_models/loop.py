"""The training loop, for one process or many: steps, validation, checkpoints, and the ways to end early.

Every process runs it in the same order; what only one may do (write, report) is done by the one that leads.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from . import checkpoint
from .checkpoint import Checkpoints
from .errors import CheckpointFailed, ConfigError, Fenced, Stopped
from .fence import Fence
from .gang import Gang
from .steplog import StepLog
from .trainer import Trainer
from .validate import Validation


@dataclass
class Writer:
    """What the leading process alone has: the folder of the run."""

    checkpoints: Checkpoints
    fence: Fence
    steps: StepLog
    every_s: float


@dataclass
class Progress:
    """Where a run stands; handed to whoever shows or reports it."""

    step: int
    total: int
    loss: float
    score: float | None
    checkpoint_step: int | None
    samples_per_second: float
    eta_s: float | None
    # A checkpoint was just written.
    at_once: bool = False
    # Why the newest try at one was in vain.
    failed: str | None = None


@dataclass
class Loop:
    trainer: Trainer
    validation: Validation
    # Of configuration and data: a checkpoint of others is not resumed.
    fingerprint: str
    attempt: int = 1
    # None on all processes but the first.
    writer: Writer | None = None
    # Whether an end was asked for, here or by the operator; looked at between steps.
    asked: Callable[[], bool] = lambda: False
    over: Callable[[], bool] = lambda: False
    show: Callable[[Progress], None] = lambda _: None
    # Hears each validation, on the first process.
    validated: Callable[[dict[str, float]], None] = lambda _: None
    say: Callable[[str], None] = print

    log: dict[str, Any] = field(default_factory=lambda: {"history": [], "best": None, "cpu_s": 0.0, "wall_s": 0.0, "recent": [], "attempts": []})
    best: dict[str, Any] | None = None

    _fenced: Fenced | None = None
    _checkpoint_step: int | None = None
    _failed: str | None = None

    def __post_init__(self) -> None:
        self.gang: Gang = self.trainer.gang
        self.cfg = self.trainer.cfg

    def resume(self) -> None:
        """Takes up the newest whole checkpoint. The first process reads it for all."""
        data = self.gang.from_lead(self.writer.checkpoints.newest() if self.writer else None)
        state = checkpoint.restored(data, self.fingerprint)
        if state is not None:
            self.trainer.restore(state["trainer"])
            done, starts = self.trainer.done, min(self.trainer.decay_starts(), int(state["steps"] * (1 - self.cfg.decay)))
            if state["steps"] != self.cfg.steps and done > starts:
                raise ConfigError(f"steps: at step {done} the rate already decays, so the run keeps its {state['steps']} steps")
            self.log, self.best = json.loads(state["log"]), state["best"]
            self._checkpoint_step = done
            if self.writer:
                self.say(f"resuming at step {done}")
        if self.attempt not in self.log["attempts"]:
            self.log["attempts"].append(self.attempt)

    def run(self) -> None:
        """Trains to the end, or until validation stops improving. Raises Stopped, Fenced, CheckpointFailed, PeerLost."""
        self._since = self._saved = time.monotonic()
        self._cpu, self._begun, self._first = time.process_time(), self._since, self.trainer.done
        while True:
            asked, over = self.gang.any(bool(self.asked()), bool(self.over()) or self._fenced is not None)
            if over:
                raise self._fenced or Fenced("this attempt is over")
            if asked:
                self._stop()
            if self._finished():
                break
            self._step()
        if self._checkpoint_step != self.trainer.done:
            self._save()  # publishing can fail: what is trained is trained
        self._check_fence()
        assert self.best is not None
        self.trainer.average.load_state_dict(self.best)

    def _finished(self) -> bool:
        done, best = self.trainer.done, self.log["best"]
        if best is not None and done - best["step"] >= self.cfg.patience * self.cfg.validate_every:
            if self.writer:
                self.say("validation no longer improves, stopping")
            return True
        return done >= self.cfg.steps

    def _step(self) -> None:
        loss = self.trainer.step()
        done = self.trainer.done
        if not np.isfinite(loss):  # on every process alike, and again at every attempt
            raise ConfigError(f"learning_rate: the loss is {loss} at step {done}; lower the rate or raise warmup")
        self.log["recent"].append(loss)
        if self.writer:
            self.writer.steps.add(done, loss)
        if done % self.cfg.validate_every == 0 or done >= self.cfg.steps:
            self._validate()
        due = self.writer is not None and time.monotonic() - self._saved >= self.writer.every_s
        written = due and self._save()
        self.show(self._progress(loss, written))

    def _validate(self) -> None:
        scores = self.validation.score(self.trainer.average, self.gang)
        if not np.isfinite(scores["score"]):  # the last update has broken what the loss before it did not show
            raise ConfigError(f"learning_rate: the score is {scores['score']} at step {self.trainer.done}; lower the rate or raise warmup")
        entry = {"step": self.trainer.done, "train": float(np.mean(self.log["recent"])), **scores}
        self.log["recent"] = []
        self.log["history"].append(entry)
        if self.log["best"] is None or scores["score"] < self.log["best"]["score"]:
            self.log["best"] = {"step": self.trainer.done, **scores}
            self.best = {k: v.clone() for k, v in self.trainer.average.state_dict().items()}
        if self.writer:
            self.validated(entry)
            self.say(f"step {self.trainer.done}: {json.dumps({k: round(v, 4) for k, v in entry.items()})}")

    def _save(self) -> bool:
        """Whether a checkpoint was written. A disk that is full, or away, costs the checkpoint and not the run."""
        if self.writer is None:
            return False
        now, cpu = time.monotonic(), time.process_time()
        self.log["wall_s"] += now - self._since
        self.log["cpu_s"] += cpu - self._cpu
        self._since, self._cpu = now, cpu
        state = {
            "fingerprint": self.fingerprint,
            "steps": self.cfg.steps,
            "trainer": self.trainer.state(),
            "log": json.dumps(self.log),
            "best": self.best,
        }
        self._failed = None
        try:
            self.writer.checkpoints.save(self.trainer.done, checkpoint.pack(state), self.attempt, self.writer.fence.check)
            self._checkpoint_step = self.trainer.done
        except Fenced as error:
            self._fenced = error
        except OSError as error:
            self._failed = f"checkpoint at step {self.trainer.done} not written: {error}"
            self.say(f"{self._failed}; the ones before it are intact, training goes on")
        self._saved = time.monotonic()
        return self._checkpoint_step == self.trainer.done

    def _check_fence(self) -> None:
        if self.writer:
            try:
                self.writer.fence.check()
            except Fenced as error:
                self._fenced = error
        (fenced,) = self.gang.any(self._fenced is not None)
        if fenced:
            raise self._fenced or Fenced("this attempt is over")

    def _stop(self) -> None:
        if self._checkpoint_step != self.trainer.done:  # else it is saved already
            self._save()
        fenced, failed = self.gang.any(self._fenced is not None, self._failed is not None)
        if fenced:
            raise self._fenced or Fenced("this attempt is over")
        if failed:
            raise CheckpointFailed(self._failed or "the checkpoint was not written")
        raise Stopped(f"stopped at step {self.trainer.done}, checkpoint written")

    def _progress(self, loss: float, at_once: bool) -> Progress:
        done, spent = self.trainer.done, time.monotonic() - self._begun
        rate = (done - self._first) / max(spent, 1e-9)
        best = self.log["best"]
        return Progress(
            done,
            self.cfg.steps,
            loss,
            None if best is None else best["score"],
            self._checkpoint_step,
            rate * self.cfg.batch,
            (self.cfg.steps - done) / rate,
            at_once,
            self._failed,
        )
