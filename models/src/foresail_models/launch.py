"""Starts the processes of this node as PET_* ask for, and ends as they end.

The variables are torchrun's, in and out, so a pod may as well run `torchrun -m foresail_models.train`. What a static
gang without restarts needs of torchrun is little, and it would cost each node a second import of PyTorch (seconds, some
hundred megabytes) and the exit code of the worker, which says whether trying again can help. A node with one process
starts none: it is that process.
"""

from __future__ import annotations

import ctypes
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass

from .errors import ConfigError

# Seconds that the other processes get once one has failed.
GRACE_S = 30.0
# Of the codes of one node the one that tells most: fenced, configuration, no room, then whoever failed first.
TELLING = (79, 78, 74)


@dataclass(frozen=True)
class Plan:
    nodes: int
    procs: int
    node: int
    address: str
    port: int

    @staticmethod
    def from_env(env: Mapping[str, str]) -> Plan:
        """Raises ConfigError that names the variable."""

        def whole(key: str, default: int, least: int) -> int:
            text = env.get(key, str(default))
            if not text.isdecimal() or int(text) < least:
                raise ConfigError(f"{key}: {text!r} is not a whole number from {least} on")
            return int(text)

        nodes, procs = whole("PET_NNODES", 1, 1), whole("PET_NPROC_PER_NODE", 1, 1)
        node = whole("PET_NODE_RANK", 0, 0)
        if node >= nodes:
            raise ConfigError(f"PET_NODE_RANK: {node} is not below PET_NNODES, {nodes}")
        address = env.get("PET_MASTER_ADDR", "" if nodes > 1 else "127.0.0.1")
        if not address:
            raise ConfigError("PET_MASTER_ADDR: missing, the nodes cannot find each other")
        port = whole("PET_MASTER_PORT", 29400, 1) if nodes > 1 or "PET_MASTER_PORT" in env else _free_port()
        return Plan(nodes, procs, node, address, port)

    def env_of(self, local: int) -> dict[str, str]:
        """What the process `local` of this node is told."""
        return {
            "RANK": str(self.node * self.procs + local),
            "WORLD_SIZE": str(self.nodes * self.procs),
            "LOCAL_RANK": str(local),
            "LOCAL_WORLD_SIZE": str(self.procs),
            "MASTER_ADDR": self.address,
            "MASTER_PORT": str(self.port),
        }


def start(env: MutableMapping[str, str], arguments: list[str]) -> int | None:
    """The exit code of this node's processes, or None where this process is the one to train."""
    if "RANK" in env:
        return None
    plan = Plan.from_env(env)
    if plan.procs == 1:
        if plan.nodes > 1:
            env.update(plan.env_of(0))
        return None
    command = [sys.executable, "-m", "foresail_models.train", *arguments]
    return _supervise([
        subprocess.Popen(command, env={**env, **plan.env_of(local)}, preexec_fn=_die_with_parent) for local in range(plan.procs)
    ])


def _supervise(children: list[subprocess.Popen[bytes]]) -> int:
    """Waits for all; a failure of one ends the others. SIGTERM and SIGINT are handed on."""
    asked: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda got, _: asked.append(got))
    codes: list[int] = []
    running, deadline = list(children), None
    while running:
        for number in asked[:]:
            asked.remove(number)
            _send(running, number)
        for child in [c for c in running if c.poll() is not None]:
            running.remove(child)
            code = child.returncode
            codes.append(code if code >= 0 else 128 - code)
            if code and deadline is None:
                _send(running, signal.SIGTERM)
                deadline = time.monotonic() + GRACE_S
        if deadline is not None and time.monotonic() > deadline:
            _send(running, signal.SIGKILL)
        time.sleep(0.05)
    failed = [code for code in codes if code]
    return next((code for code in TELLING if code in failed), failed[0] if failed else 0)


def _send(children: list[subprocess.Popen[bytes]], number: int) -> None:
    for child in children:
        child.send_signal(number)


def _die_with_parent() -> None:
    """A launcher that is killed takes its processes with it. 1 is PR_SET_PDEATHSIG."""
    ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGTERM)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
