"""What a retrain costs against the size of its data, and what that says of a thousand workloads. CPU time, so that
other programs on the machine disturb little; each size in a process of its own, so that peaks of memory are its own."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from ..dataset.bench import peak_kib, write

WORKLOADS, DAYS, STEP_S = 1000, 60, 60
Row = tuple[str, ...]


def cost(pipe: Connection, values: dict[str, Any], work: Path, steps: int) -> None:
    """Sends CPU seconds of each part of a run, and the peak of memory in MiB."""
    import torch

    from .. import checkpoint, config, material
    from ..gang import Gang, Place
    from ..trainer import Trainer, set_up_process

    set_up_process()
    spent: dict[str, float] = {}

    @contextlib.contextmanager
    def part(name: str) -> Iterator[None]:
        begun, wall = time.process_time(), time.perf_counter()
        yield
        spent[name], spent[f"{name} wall"] = time.process_time() - begun, time.perf_counter() - wall

    run = config.parse(values, "bench")
    gang = Gang(Place(), torch.device("cpu"))
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        with part("prepare"):
            material.gather(run, work, None, gang)
        with part("read"):  # as an attempt does that finds the data prepared
            found = material.gather(run, work, None, gang)
    trainer = Trainer(run.recipe, found.corpus, gang, 1)
    trainer.step()
    with part("step"):
        for _ in range(steps):
            trainer.step()
    spent["step"] /= steps
    spent["step wall"] /= steps
    with part("validation"):
        found.validation.score(trainer.average)
    with part("checkpoint"):
        state = {"fingerprint": "", "trainer": trainer.state(), "log": "{}", "best": trainer.average.state_dict()}
        checkpoint.Checkpoints(work / "checkpoints", 3).save(1, checkpoint.pack(state), 1, lambda: None)
    pipe.send(spent | {"peak": peak_kib() / 1024, "views": float(found.corpus.weight.size)})


def measure(values: dict[str, Any], folder: Path, sizes: list[int], steps: int) -> dict[int, dict[str, float]]:
    processes = multiprocessing.get_context("spawn")
    made: dict[int, dict[str, float]] = {}
    for size in sizes:
        source = folder / f"{size}.parquet"
        writer = processes.Process(target=write, args=(source, size, DAYS, STEP_S))
        writer.start()
        writer.join()
        own = values | {"data": {"from": "uri", "uri": f"file://{source}", "windowHours": 24 * DAYS}}
        receive, give = processes.Pipe(duplex=False)
        process = processes.Process(target=cost, args=(give, own, folder / f"size-{size}", steps))
        process.start()
        give.close()
        made[size] = receive.recv()
        process.join()
        source.unlink()
    return made


def table(made: dict[int, dict[str, float]]) -> list[Row]:
    """CPU seconds."""
    head = ("series", "prepare", "read", "one step", "a validation", "peak MiB")
    return [head, *((str(n), *(f"{c[k]:.{d}f}" for k, d in (("prepare", 1), ("read", 1), ("step", 3), ("validation", 1), ("peak", 0)))) for n, c in made.items())]


def checkpoints(made: dict[int, dict[str, float]], every_s: float) -> list[Row]:
    each = list(made.values())[-1]
    share = each["checkpoint wall"] / (every_s + each["checkpoint wall"])
    return [
        ("checkpoint", "to write (s)", f"share of a run, one every {every_s:g} s", "in steps"),
        ("state of the box model", f"{each['checkpoint wall']:.3f}", f"{100 * share:.3f} %", f"{each['checkpoint wall'] / each['step wall']:.2f}"),
    ]


def extrapolate(made: dict[int, dict[str, float]], steps: int, validate_every: int, cores: int) -> list[Row]:
    """A straight line through the smallest and the largest size. Preparing and reading use one core, steps all of them."""
    low, high = min(made), max(made)

    def at(key: str) -> float:
        slope = (made[high][key] - made[low][key]) / (high - low) if high > low else made[high][key] / high
        return made[high][key] + slope * (WORKLOADS - high)

    # The largest size speaks for a step: it hardly grows with the data, and a line through noise would.
    parts = {"prepare": at("prepare"), "read": at("read")}
    parts["steps"] = steps * made[high]["step"] / cores
    parts["validations"] = -(-steps // validate_every) * made[high]["validation"]
    total = sum(parts.values())
    return [
        (f"{WORKLOADS} workloads x {DAYS} days on {cores} cores (min)", *parts, "together", "peak GiB"),
        (f"{steps} steps, a validation every {validate_every}", *(f"{s / 60:.1f}" for s in parts.values()), f"{total / 60:.1f}", f"{at('peak') / 1024:.1f}"),
    ]
