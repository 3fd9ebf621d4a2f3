"""Trains a model: `python -m foresail_models.train --config … --data … --out …`.

A batch is drawn from (seed, step, shard), so a run that resumes from its checkpoint goes
on exactly as if it had never stopped. Shards are computed by threads with one core each:
on a busy machine that wastes less than splitting every matrix product.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from . import augment, checkpoint, config, contract, data, export, golden, losses, models, plot
from .files import write_atomic
from .validate import Validation


def keep_memory() -> None:
    """Tells glibc to keep freed tensors: returning and faulting them in again costs a third."""
    try:
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(-4, 0)  # M_MMAP_MAX
        libc.mallopt(-1, 1 << 30)  # M_TRIM_THRESHOLD
    except OSError:
        pass


class Trainer:
    """One training run; `step` advances it, `state` and `restore` carry it over a restart."""

    def __init__(self, cfg: config.Config, corpus: data.Corpus) -> None:
        torch.manual_seed(cfg.seed)
        self.cfg, self.corpus = cfg, corpus
        self.model = models.build(cfg.family, cfg.model)
        self.average = models.build(cfg.family, cfg.model)
        self.average.load_state_dict(self.model.state_dict())
        self.average.eval()
        self.parameters = list(self.model.parameters())
        decay = [p for p in self.parameters if p.ndim > 1]
        rest = [p for p in self.parameters if p.ndim <= 1]
        self.optimiser = torch.optim.AdamW(
            [{"params": decay, "weight_decay": cfg.weight_decay}, {"params": rest, "weight_decay": 0.0}],
            lr=cfg.learning_rate,
            betas=(0.9, 0.98),
        )
        self.levels = torch.tensor(contract.QUANTILE_LEVELS)
        self.weight = losses.horizon_weights(cfg.horizon_power)[:, None] * losses.level_weights(cfg.upper_weight)
        self.done = 0
        self.pool = ThreadPoolExecutor(cfg.shards, initializer=torch.set_num_threads, initargs=(1,))

    def _batch(self, step: int, shard: int) -> tuple[Tensor, Tensor, Tensor]:
        rng = np.random.default_rng((self.cfg.seed, step, shard))
        size = self.cfg.batch // self.cfg.shards
        cut, _ = self.corpus.sample(rng, size, augment.histories(rng, size, self.cfg.augment))
        cut = augment.augment(rng, cut, self.cfg.augment)
        return torch.from_numpy(cut.context), torch.from_numpy(cut.seasonal), torch.from_numpy(cut.target)

    def _shard(self, shard: int) -> tuple[float, tuple[Tensor, ...]]:
        context, seasonal, target = self._batch(self.done, shard)
        forecast = self.model(context, seasonal)
        y, known = losses.squashed_target(target, forecast.window)
        each = losses.pinball(forecast.squashed, y, self.levels) * self.weight * known.unsqueeze(-1)
        loss = each.sum() / (known.sum().clamp(min=1.0) * self.levels.numel())
        return loss.item(), torch.autograd.grad(loss, self.parameters)

    def decay_starts(self) -> int:
        return int(self.cfg.steps * (1 - self.cfg.decay))

    def learning_rate(self) -> float:
        """Warm-up, plateau, linear decay to a hundredth.

        Up to the decay nothing depends on the number of steps. So a run on a busy machine
        may be told a smaller or larger `--steps` when it resumes, and still ends like one
        that was given that number from the start.
        """
        if self.done < self.cfg.warmup:
            return self.cfg.learning_rate * (self.done + 1) / self.cfg.warmup
        left = (self.cfg.steps - self.done) / max(1, self.cfg.steps - self.decay_starts())
        return self.cfg.learning_rate * max(0.01, min(1.0, left))

    def step(self) -> float:
        """One update; returns the loss of its batch."""
        shards = list(self.pool.map(self._shard, range(self.cfg.shards)))
        for parameter, *parts in zip(self.parameters, *(gradients for _, gradients in shards)):
            parameter.grad = torch.stack(parts).mean(0) if len(parts) > 1 else parts[0]
        nn.utils.clip_grad_norm_(self.parameters, self.cfg.clip)
        for group in self.optimiser.param_groups:
            group["lr"] = self.learning_rate()
        self.optimiser.step()
        self.done += 1
        # A young average follows closely, an old one smooths.
        keep = min(self.cfg.ema, (1 + self.done) / (10 + self.done))
        with torch.no_grad():
            for slow, fast in zip(self.average.parameters(), self.parameters):
                slow.lerp_(fast, 1 - keep)
        return sum(loss for loss, _ in shards) / len(shards)

    def state(self) -> dict[str, Any]:
        return {
            "done": self.done,
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.done = state["done"]
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])


def run(cfg: config.Config, folder: Path, out: Path, overrides: tuple[str, ...] = ()) -> Path:
    """Trains to the end or until validation stops improving; returns the ONNX file.

    `overrides` are the options that changed the configuration, noted for the card.
    """
    keep_memory()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    sources = data.load_sources(folder, cfg.exclude)

    def part(which: str) -> data.Corpus:
        return data.build(sources, cfg.steps_s, cfg.source_weight, which, cfg.train_share, cfg.held_out_every)

    trainer = Trainer(cfg, part("train"))
    validation = Validation.draw({which: part(which) for which in ("later", "unseen")}, cfg.seed, cfg.validation_windows)
    path = out / "checkpoint.pt"
    log: dict[str, Any] = {"history": [], "best": None, "cpu_s": 0.0, "wall_s": 0.0}
    best: dict[str, Tensor] | None = None
    if state := checkpoint.load(path, cfg.fingerprint()):
        trainer.restore(state["trainer"])
        if state["steps"] != cfg.steps and trainer.done > min(trainer.decay_starts(), int(state["steps"] * (1 - cfg.decay))):
            raise ValueError(f"{path}: the rate already decays, so the run keeps its {state['steps']} steps")
        log, best = json.loads(state["log"]), state["best"]
        print(f"resuming at step {trainer.done}")
    cpu, wall = time.process_time(), time.monotonic()
    recent: list[float] = []
    while trainer.done < cfg.steps:
        recent.append(trainer.step())
        _show(trainer, recent, log, wall)
        if trainer.done % cfg.validate_every and trainer.done < cfg.steps:
            continue
        scores = validation.score(trainer.average)
        log["history"].append({"step": trainer.done, "train": float(np.mean(recent)), **scores})
        recent = []
        if log["best"] is None or scores["score"] < log["best"]["score"]:
            log["best"] = {"step": trainer.done, **scores}
            best = {k: v.clone() for k, v in trainer.average.state_dict().items()}
        now_cpu, now_wall = time.process_time(), time.monotonic()
        log["cpu_s"] += now_cpu - cpu
        log["wall_s"] += now_wall - wall
        cpu, wall = now_cpu, now_wall
        checkpoint.save(
            path,
            {"fingerprint": cfg.fingerprint(), "steps": cfg.steps, "trainer": trainer.state(), "log": json.dumps(log), "best": best},
        )
        print(f"\nstep {trainer.done}: {json.dumps({k: round(v, 4) for k, v in log['history'][-1].items()})}", flush=True)
        if trainer.done - log["best"]["step"] >= cfg.patience * cfg.validate_every:
            print("validation no longer improves, stopping")
            break
    assert best is not None
    trainer.average.load_state_dict(best)
    names = [source.name for source in sources]
    published = publish(trainer.average, cfg.name, cfg.version, names, out)
    report = log | {
        **published,
        "seed": cfg.seed,
        "overrides": list(overrides),
        "name": cfg.name,
        "family": cfg.family,
        "version": cfg.version,
        "config_sha256": cfg.fingerprint(),
        "parameters": sum(p.numel() for p in trainer.parameters),
        "sources": [
            {"name": s.name, "licence": s.licence, "citation": s.citation, "series": len(s.series)} for s in sources
        ],
        "torch": torch.__version__,
    }
    write_atomic(out / "training.json", (json.dumps(report, indent=1) + "\n").encode())
    plot.losses(log["history"], out / "loss.png")
    plot.forecasts(trainer.average, {name: cut for name, (cut, _) in validation.parts.items()}, out / "forecasts.png")
    return out / f"{cfg.name}.onnx"


def publish(model: models.Family, name: str, version: str, sources: list[str], out: Path) -> dict[str, Any]:
    """Writes the ONNX file and its golden vectors; raises ValueError when it answers unlike the model."""
    proto = export.to_onnx(model, name, version, sources)
    difference = export.difference(model, proto)
    if not difference <= golden.TOLERANCE:
        raise ValueError(f"the ONNX file differs from the model by {difference:.2g}, more than {golden.TOLERANCE}")
    sha256 = export.save(proto, out / f"{name}.onnx")
    write_atomic(out / "golden.json", golden.build(out / f"{name}.onnx", sha256).encode())
    return {"sha256": sha256, "onnx_difference": difference}


def _show(trainer: Trainer, recent: list[float], log: dict[str, Any], since: float) -> None:
    if not sys.stderr.isatty() or trainer.done % 10:
        return
    share = trainer.done / trainer.cfg.steps
    spent = log["wall_s"] + time.monotonic() - since
    bar = "#" * int(30 * share)
    left = spent / share - spent
    best = f"best {log['best']['score']:.4f}" if log["best"] else "no validation yet"
    print(
        f"\r[{bar:<30}] {trainer.done}/{trainer.cfg.steps} loss {np.mean(recent[-100:]):.4f} {best} {left / 60:.0f} min left ",
        end="",
        file=sys.stderr,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True, help="folder with manifest.json and Parquet files")
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoint, model and log")
    parser.add_argument("--steps", type=int, help="fewer or more updates than the configuration says")
    arguments = parser.parse_args()
    changed = {} if arguments.steps is None else {"steps": arguments.steps}
    try:
        cfg = config.load(arguments.config, **changed)
        options = tuple(f"--{name} {value}" for name, value in changed.items())
        print(f"wrote {run(cfg, arguments.data, arguments.out, options)}")
    except (ValueError, OSError) as error:
        sys.exit(f"train: {error}")


if __name__ == "__main__":
    main()
