"""Small runs for the tests, in this process or as the processes that a pod would start."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).parents[1] / "src"
TINY = {"width": 8, "blocks": 1, "token_hidden": 8, "channel_hidden": 8, "head_hidden": 8}
RECIPE: dict[str, Any] = {
    "steps": 8,
    "batch": 32,
    "shards": 8,
    "warmup": 1,
    "validate_every": 4,
    "validation_windows": 32,
    "steps_s": [300, 600],
    "model": TINY,
}


def values(folder: Path, recipe: dict[str, Any] | None = None, **blocks: Any) -> dict[str, Any]:
    """A configuration as the operator would write it."""
    return {
        "name": "small",
        "family": "patch-mixer",
        "seed": 7,
        "hyperparameters": RECIPE | (recipe or {}),
        "data": {"from": "folder", "path": str(folder)},
        **blocks,
    }


def write(path: Path, config: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(config))
    return path


def environment(**more: str) -> dict[str, str]:
    """Without what a launcher around the tests may have set; one core a process, loopback only."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PET_", "FORESAIL_", "RANK", "WORLD_SIZE"))}
    return kept | {"PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo", "PYTHONWARNINGS": "ignore"} | more


def start(config: Path, work: Path, **env: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "foresail_models.train", "--config", str(config), "--work", str(work)],
        env=environment(**env),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


class Pod:
    """A process of `foresail-train` that need not import PyTorch anew: forked from one that has, and is otherwise idle.

    Real in all else: a program with its own memory, environment, signals and exit code. Looks like a Popen.
    """

    def __init__(self, config: Path, work: Path, log: Path, **env: str) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["foresail_models.publish", "foresail_models.material", "foresail_models.trainer", "torch.distributed"])
        # What the fork server inherits when it starts.
        os.environ["PYTHONPATH"] = str(SOURCE)
        self.log = log
        self._process = context.Process(target=_main, args=(["--config", str(config), "--work", str(work)], environment(**env), log))
        self._process.start()
        self.pid = self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    returncode = property(poll)

    def send_signal(self, number: int) -> None:
        os.kill(self._process.pid, number)

    def kill(self) -> None:
        self._process.kill()

    def communicate(self, timeout: float | None = None) -> tuple[str, None]:
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("foresail-train", timeout or 0)
        return self.read(), None

    def read(self) -> str:
        return self.log.read_text()

    stdout = property(lambda self: self)


def _main(arguments: list[str], env: dict[str, str], log: Path) -> None:
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    sys.stdout = sys.stderr = open(2, "w", buffering=1, closefd=False)
    os.environ.clear()
    os.environ.update(env)
    from foresail_models import train

    sys.exit(train.main(arguments))


def finish(process: subprocess.Popen[str] | Pod, seconds: float = 600) -> tuple[int, str]:
    """(exit code, all that it printed)"""
    try:
        text, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        text, _ = process.communicate()
        raise AssertionError(f"still running after {seconds} s:\n{text}") from None
    return process.returncode, text


def until(holds: Callable[[], bool], process: subprocess.Popen[str] | Pod, seconds: float = 300) -> None:
    end = time.monotonic() + seconds
    while not holds():
        # It may have come between the two looks.
        if (process.poll() is not None or time.monotonic() > end) and not holds():
            raise AssertionError(f"exit {process.poll()} before it came:\n{process.stdout.read() if process.poll() is not None else ''}")
        time.sleep(0.02)


def free_port() -> int:
    """Below the ports of outgoing connections and of NodePorts: one of those may be taken again before it is used."""
    while True:
        port = random.SystemRandom().randrange(20_000, 30_000)
        with socket.socket() as probe:
            try:
                probe.bind(("", port))
                return port
            except OSError:
                pass
