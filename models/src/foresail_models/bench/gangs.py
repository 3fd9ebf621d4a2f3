"""One process against two, and a kill: what `foresail-train` itself does, watched from outside through its step log."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from ..steplog import read

Row = tuple[str, ...]


def start(config: Path, work: Path, processes: int, env: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
    """One core a process, on this machine alone."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PET_", "FORESAIL_", "RANK", "WORLD_SIZE"))}
    own = {"OMP_NUM_THREADS": "1", "PET_NPROC_PER_NODE": str(processes), "GLOO_SOCKET_IFNAME": "lo"}
    command = [sys.executable, "-W", "ignore", "-m", "foresail_models.train", "--config", str(config), "--work", str(work)]
    return subprocess.Popen(command, env=clean | own | (env or {}), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def reached(work: Path, process: subprocess.Popen[bytes], rows: int) -> float:
    """The moment at which the step log has so many lines. Raises RuntimeError when the process ends before."""
    path = work / "steps.jsonl"
    while not path.is_file() or len(read(path)) < rows:
        if process.poll() not in (None, 0):
            raise RuntimeError(f"foresail-train ended with {process.returncode}")
        time.sleep(0.01)
    return time.monotonic()


def scaling(values: dict[str, Any], folder: Path, rounds: int) -> list[Row]:
    """Samples a second of one process and of two, in turn; the losses must be the same."""
    steps, batch, warm = values["hyperparameters"]["steps"], values["hyperparameters"]["batch"], 3
    config = folder / "scaling.json"
    config.write_text(json.dumps(values))
    rates: dict[int, list[float]] = {1: [], 2: []}
    losses: dict[int, list[float]] = {}
    for round_ in range(rounds):
        for processes in (1, 2) if round_ % 2 == 0 else (2, 1):
            work = folder / f"scaling-{round_}-{processes}"
            process = start(config, work, processes)
            begun = reached(work, process, warm)
            rates[processes].append((steps - warm) * batch / (reached(work, process, steps) - begun))
            process.wait()
            losses[processes] = [row["loss"] for row in read(work / "steps.jsonl")]
    one, two = max(rates[1]), max(rates[2])
    apart = max(abs(a - b) for a, b in zip(losses[1], losses[2], strict=True))
    return [
        ("samples/s", "one process", "two", "two against one", "largest difference of a loss"),
        ("best of the rounds", f"{one:.0f}", f"{two:.0f}", f"{two / one:.2f}", f"{apart:g}"),
    ]


def resume(values: dict[str, Any], folder: Path) -> list[Row]:
    """Seconds from the start of the command to a new line in the step log: at first, and after SIGKILL."""
    values = values | {"hyperparameters": values["hyperparameters"] | {"steps": 10**6, "validate_every": 10**6}, "checkpoint": {"everySeconds": 1}}
    config, work = folder / "resume.json", folder / "resume"
    config.write_text(json.dumps(values))
    times: list[float] = []
    repeated: int | str = "-"
    for attempt in (1, 2):
        before = read(work / "steps.jsonl") if attempt > 1 else []
        begun = time.monotonic()
        process = start(config, work, 1, {"FORESAIL_ATTEMPT": str(attempt)})
        times.append(reached(work, process, len(before) + 1) - begun)
        if before:
            repeated = before[-1]["step"] - read(work / "steps.jsonl")[len(before)]["step"] + 1
        while process.poll() is None and not list((work / "checkpoints").glob("step-*/manifest.json")):
            time.sleep(0.05)
        process.kill()
        process.wait()
    first, again = times
    return [
        ("start of the command to its first step (s)", "first start", "after SIGKILL", "against the first", "steps done again"),
        ("one process", f"{first:.1f}", f"{again:.1f}", f"{again / first:.2f}", str(repeated)),
    ]
