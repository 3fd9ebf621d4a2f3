"""Trains the multivariate model: `python -m foresail_models.workload.train --config … --data … --out …`.

A batch is drawn from (seed, step), so a run that resumes goes on as if it had never stopped.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import sys
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .. import checkpoint, contract, losses
from ..files import write_atomic
from . import export, plots, signals
from .model import WorkloadForecast, WorkloadModel, squashed_target

CHUNK = 256


@dataclass(frozen=True)
class Config:
    name: str
    version: str
    seed: int
    steps: int
    batch: int
    learning_rate: float
    weight_decay: float
    warmup: int
    clip: float
    validate_every: int
    patience: int
    validation_windows: int
    width: int
    hidden: int
    head_hidden: int

    def fingerprint(self) -> str:
        return hashlib.sha256(json.dumps(dataclasses.asdict(self), sort_keys=True).encode()).hexdigest()


def load_config(path: Path) -> Config:
    """Reads `path`; raises ValueError that names the keys at fault."""
    values = tomllib.loads(path.read_text())
    expected = set(Config.__dataclass_fields__)
    if unlike := set(values) ^ expected:
        raise ValueError(f"{path}: unknown or missing keys {sorted(unlike)}")
    return Config(**values)


def loss_of(forecast: WorkloadForecast, target: Tensor) -> Tensor:
    y, known = squashed_target(target, forecast)
    each = losses.pinball(forecast.squashed, y, torch.tensor(contract.QUANTILE_LEVELS)).mean(2) * known
    return each.sum() / known.sum().clamp(min=1.0)


class Trainer:
    """One training run; `step` advances it, `state` and `restore` carry it over a restart."""

    def __init__(self, cfg: Config, services: list[signals.Service]) -> None:
        torch.manual_seed(cfg.seed)
        self.cfg, self.services = cfg, services
        self.origins = signals.split(services, "train")
        self.model = WorkloadModel(cfg.width, cfg.hidden, cfg.head_hidden)
        self.optimiser = torch.optim.AdamW(self.model.parameters(), lr=cfg.learning_rate, weight_decay=cfg.weight_decay)
        self.done = 0

    def learning_rate(self) -> float:
        """Rises over the warm-up, then falls as a cosine to a hundredth."""
        if self.done < self.cfg.warmup:
            return self.cfg.learning_rate * (self.done + 1) / self.cfg.warmup
        share = (self.done - self.cfg.warmup) / max(1, self.cfg.steps - self.cfg.warmup)
        return self.cfg.learning_rate * max(0.01, 0.5 * (1 + float(np.cos(np.pi * share))))

    def step(self) -> float:
        rng = np.random.default_rng((self.cfg.seed, self.done))
        rows = rng.integers(0, self.origins.minute.size, self.cfg.batch)
        window, target = signals.cut(self.services, self.origins.service[rows], self.origins.minute[rows])
        # Some windows lose a whole channel: a metric that is not there must not break a forecast.
        lost = rng.random((self.cfg.batch, 1, window.shape[2])) < 0.03
        window = np.where(lost, np.float32(np.nan), window)
        loss = loss_of(self.model(torch.from_numpy(window)), torch.from_numpy(target))
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), self.cfg.clip)
        for group in self.optimiser.param_groups:
            group["lr"] = self.learning_rate()
        self.optimiser.step()
        self.done += 1
        return loss.item()

    def state(self) -> dict[str, Any]:
        return {"done": self.done, "model": self.model.state_dict(), "optimiser": self.optimiser.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        self.done = state["done"]
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])


def validate(model: WorkloadModel, services: list[signals.Service], cfg: Config) -> float:
    """Loss on an even sample of the validation part, always the same."""
    origins = signals.split(services, "validation")
    rows = np.linspace(0, origins.minute.size - 1, min(cfg.validation_windows, origins.minute.size)).astype(int)
    total = 0.0
    model.eval()
    with torch.no_grad():
        for at in range(0, rows.size, CHUNK):
            part = rows[at : at + CHUNK]
            window, target = signals.cut(services, origins.service[part], origins.minute[part])
            total += loss_of(model(torch.from_numpy(window)), torch.from_numpy(target)).item() * part.size
    model.train()
    return total / rows.size


def run(cfg: Config, folder: Path, out: Path) -> Path:
    """Trains to the end or until validation stops improving; returns the ONNX file."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    services = signals.read(folder)
    trainer = Trainer(cfg, services)
    log: dict[str, Any] = {"history": [], "best": None, "cpu_s": 0.0, "wall_s": 0.0}
    best: dict[str, Tensor] | None = None
    checkpoints = checkpoint.Checkpoints(out / "checkpoints", keep=1)
    if state := checkpoint.restored(checkpoints.newest(), cfg.fingerprint()):
        trainer.restore(state["trainer"])
        log, best = json.loads(state["log"]), state["best"]
        print(f"resuming at step {trainer.done}")
    cpu, wall = time.process_time(), time.monotonic()
    recent: list[float] = []
    while trainer.done < cfg.steps:
        if best is not None and trainer.done - log["best"]["step"] >= cfg.patience * cfg.validate_every:
            print("validation no longer improves, stopping")
            break
        recent.append(trainer.step())
        _show(trainer, recent)
        if trainer.done % cfg.validate_every and trainer.done < cfg.steps:
            continue
        entry = {"step": trainer.done, "train": float(np.mean(recent)), "validation": validate(trainer.model, services, cfg)}
        recent = []
        log["history"].append(entry)
        if log["best"] is None or entry["validation"] < log["best"]["validation"]:
            log["best"] = entry
            best = {k: v.clone() for k, v in trainer.model.state_dict().items()}
        now_cpu, now_wall = time.process_time(), time.monotonic()
        log["cpu_s"] += now_cpu - cpu
        log["wall_s"] += now_wall - wall
        cpu, wall = now_cpu, now_wall
        saved = {"fingerprint": cfg.fingerprint(), "trainer": trainer.state(), "log": json.dumps(log), "best": best}
        checkpoints.save(trainer.done, checkpoint.pack(saved), attempt=1)
        print(f"\nstep {trainer.done}: train {entry['train']:.4f}, validation {entry['validation']:.4f}", flush=True)
    assert best is not None
    trainer.model.load_state_dict(best)
    proto = export.to_onnx(trainer.model, cfg.name, cfg.version)
    sample = signals.split(services, "validation")
    window, _ = signals.cut(services, sample.service[::997], sample.minute[::997])
    difference = export.difference(trainer.model, proto, window)
    if not difference <= export.TOLERANCE:
        raise ValueError(f"the ONNX file differs from the model by {difference:.2g}, more than {export.TOLERANCE}")
    data = proto.SerializeToString(deterministic=True)
    write_atomic(out / f"{cfg.name}.onnx", data)
    report = log | {
        "name": cfg.name,
        "version": cfg.version,
        "seed": cfg.seed,
        "sha256": hashlib.sha256(data).hexdigest(),
        "bytes": len(data),
        "onnx_difference": difference,
        "parameters": sum(p.numel() for p in trainer.model.parameters()),
        "config_sha256": cfg.fingerprint(),
        "applications": {a: sum(s.application == a for s in services) for a in sorted({s.application for s in services})},
        "torch": torch.__version__,
    }
    write_atomic(out / "training.json", (json.dumps(report, indent=1) + "\n").encode())
    plots.losses(log["history"], out / "loss.png")
    return out / f"{cfg.name}.onnx"


def _show(trainer: Trainer, recent: list[float]) -> None:
    if sys.stderr.isatty() and trainer.done % 5 == 0:
        share = trainer.done / trainer.cfg.steps
        bar = "#" * int(30 * share)
        print(f"\r[{bar:<30}] {trainer.done}/{trainer.cfg.steps} loss {np.mean(recent[-50:]):.4f} ", end="", file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True, help="folder with the k8s_* files")
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoint, model and log")
    arguments = parser.parse_args()
    try:
        print(f"wrote {run(load_config(arguments.config), arguments.data, arguments.out)}")
    except (ValueError, OSError) as error:
        sys.exit(f"workload: {error}")


if __name__ == "__main__":
    main()
