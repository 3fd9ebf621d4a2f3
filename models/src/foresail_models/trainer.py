"""One update after another. A batch is drawn from (seed, step, shard), whoever computes the shard.

So a run that resumes goes on exactly as if it had never stopped, and a run of many processes sees the very
batches of a run of one. On a CPU shards are computed by threads with one core each: on a busy machine that
wastes less than splitting every matrix product. On CUDA a process computes its shards as one batch.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from . import augment, contract, data, losses, models, sampling
from .config import Recipe
from .errors import ConfigError
from .gang import Gang, Place


def set_up_process() -> None:
    """Once per process, before the first tensor."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    try:
        # glibc keeps freed tensors: returning and faulting them in again costs a third.
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(-4, 0)  # M_MMAP_MAX
        libc.mallopt(-1, 1 << 30)  # M_TRIM_THRESHOLD
    except OSError:
        pass


def cores(local_world: int = 1) -> int:
    """Threads for this process: what OMP_NUM_THREADS grants, else an even share of the machine."""
    granted = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, int(granted) if granted.isdecimal() else len(os.sched_getaffinity(0)) // local_world)


def pairwise(parts: Sequence[Tensor]) -> Tensor:
    """The sum as a balanced tree: two processes with half of the parts each get the bits of one with all."""
    while len(parts) > 1:
        parts = [torch.add(*parts[i : i + 2]) if i + 1 < len(parts) else parts[i] for i in range(0, len(parts), 2)]
    return parts[0]


class Trainer:
    """One training run; `step` advances it, `state` and `restore` carry it over a restart."""

    def __init__(self, cfg: Recipe, corpus: data.Corpus, gang: Gang | None = None, threads: int | None = None) -> None:
        torch.manual_seed(cfg.seed)
        self.cfg, self.corpus = cfg, corpus
        self.gang = gang or Gang(Place(), torch.device("cpu"))
        self.device = self.gang.device
        try:
            self.model = models.build(cfg.family, cfg.model).to(self.device)
        except (ValueError, RuntimeError) as error:
            raise ConfigError(f"model: {error}") from error
        self.average = models.build(cfg.family, cfg.model).to(self.device)
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
        self.levels = torch.tensor(contract.QUANTILE_LEVELS, device=self.device)
        weight = losses.horizon_weights(cfg.horizon_power)[:, None] * losses.level_weights(cfg.upper_weight)
        self.weight = weight.to(self.device)
        self.half = cfg.precision == "bfloat16" or (cfg.precision == "auto" and self.device.type == "cuda")
        self.sampler = sampling.Sampler(cfg.sampling, corpus)
        self.done = 0
        rank, world = self.gang.rank, self.gang.world
        if world > cfg.shards:  # said by all alike, not only by those that would be idle
            raise ConfigError(f"shards: {cfg.shards} cannot be dealt to {world} processes")
        own = range(rank * cfg.shards // world, (rank + 1) * cfg.shards // world)
        # Computed together on a device that is fast only with much to do.
        self.groups = [list(own)] if self.device.type == "cuda" else [[shard] for shard in own]
        self.pool = ThreadPoolExecutor(
            min(len(self.groups), threads or cores()), initializer=torch.set_num_threads, initargs=(1,)
        )

    def _batch(self, step: int, shard: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Context, seasons, target, and the view that each window was cut from."""
        rng = np.random.default_rng((self.cfg.seed, step, shard))
        size = self.cfg.batch // self.cfg.shards
        cut, view = self.corpus.draw(rng, size, augment.histories(rng, size, self.cfg.augment), self.sampler.weight)
        cut = augment.augment(rng, cut, self.cfg.augment)
        return cut.context, cut.seasonal, cut.target, view

    def _group(self, shards: list[int]) -> tuple[Tensor | None, list[Tensor]]:
        """What the sampler learns from `shards`; the sum of their losses and its gradients."""
        drawn = [np.concatenate(a) for a in zip(*(self._batch(self.done, shard) for shard in shards))]
        context, seasonal, target = (torch.from_numpy(a).to(self.device) for a in drawn[:3])
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half):
            forecast = self.model(context, seasonal)
        y, known = losses.squashed_target(target, forecast.window)
        each = losses.pinball(forecast.squashed.float(), y, self.levels) * self.weight * known.unsqueeze(-1)
        # Each shard is divided by its own count: the loss of a batch does not depend on who computed it.
        total, count = (a.reshape(len(shards), -1).sum(1) for a in (each, known))
        loss = (total / (count.clamp(min=1.0) * self.levels.numel())).sum()
        tally = None
        if self.sampler.active:
            tally = self.sampler.tally(drawn[3], sampling.signal(self.sampler.mode, forecast.squashed, each, known))
        return tally, [loss.detach(), *torch.autograd.grad(loss, self.parameters)]

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
        """One update by all processes; returns the loss of the whole batch.

        Not by DistributedDataParallel: it hooks one backward pass of one thread, and here several run at a time.
        One sum of one flat buffer moves the same bytes.
        """
        tallies, groups = zip(*self.pool.map(self._group, self.groups))
        sums = [pairwise(parts) for parts in zip(*groups)]
        if self.gang.world > 1:
            flat = self.gang.sum(torch.cat([part.flatten() for part in sums]))
            sums = [part.view_as(like) for part, like in zip(flat.split([s.numel() for s in sums]), sums)]
        loss, *gradients = (part / self.cfg.shards for part in sums)
        for parameter, gradient in zip(self.parameters, gradients):
            parameter.grad = gradient
        nn.utils.clip_grad_norm_(self.parameters, self.cfg.clip)
        for group in self.optimiser.param_groups:
            group["lr"] = self.learning_rate()
        self.optimiser.step()
        self.done += 1
        if self.sampler.active:
            self.sampler.add(self.gang.sum(torch.stack(tallies).sum(0).to(self.device)).cpu(), self.done)
        # A young average follows closely, an old one smooths.
        keep = min(self.cfg.ema, (1 + self.done) / (10 + self.done))
        with torch.no_grad():
            for slow, fast in zip(self.average.parameters(), self.parameters):
                slow.lerp_(fast, 1 - keep)
        return float(loss)

    def state(self) -> dict[str, Any]:
        return {
            "done": self.done,
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "sampler": self.sampler.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.done = state["done"]
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.sampler.restore(state["sampler"])
