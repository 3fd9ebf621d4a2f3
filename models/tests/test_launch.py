"""The launcher: what PET_* ask for, and that a node ends as its processes end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from foresail_models import launch
from foresail_models.errors import ConfigError
from foresail_models.launch import Plan

from . import runs


def test_a_place_for_each_process():
    env = {"PET_NNODES": "3", "PET_NPROC_PER_NODE": "2", "PET_NODE_RANK": "1", "PET_MASTER_ADDR": "t-0.t", "PET_MASTER_PORT": "29400"}
    assert Plan.from_env(env).env_of(1) == {
        "RANK": "3", "WORLD_SIZE": "6", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "t-0.t", "MASTER_PORT": "29400",
    }  # fmt: skip
    alone = Plan.from_env({})
    assert (alone.nodes, alone.procs, alone.node, alone.address) == (1, 1, 0, "127.0.0.1")


@pytest.mark.parametrize(
    "env, message",
    [
        ({"PET_NNODES": "1:4"}, "PET_NNODES: '1:4'"),
        ({"PET_NPROC_PER_NODE": "gpu"}, "PET_NPROC_PER_NODE: 'gpu'"),
        ({"PET_NNODES": "2", "PET_NODE_RANK": "2"}, "PET_NODE_RANK: 2 is not below PET_NNODES, 2"),
        ({"PET_NNODES": "2"}, "PET_MASTER_ADDR: missing"),
    ],
)
def test_what_cannot_be_is_named(env, message):
    with pytest.raises(ConfigError, match=f"^{message}"):
        Plan.from_env(env)


def test_one_process_is_this_one():
    env = {"PET_NNODES": "2", "PET_NODE_RANK": "1", "PET_MASTER_ADDR": "a"}
    assert launch.start(env, []) is None
    assert (env["RANK"], env["WORLD_SIZE"]) == ("1", "2")
    assert launch.start({}, []) is None
    assert launch.start({"RANK": "0", "PET_NPROC_PER_NODE": "8"}, []) is None, "started by torchrun, or by the launcher"


def supervise(folder, *codes):
    """The exit code of a node whose processes run these lines of Python, in a folder of their own."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    head = "import os, signal, sys, time\n"
    try:
        return launch._supervise([
            subprocess.Popen([sys.executable, "-c", head + code], cwd=folder, stderr=subprocess.DEVNULL) for code in codes
        ])
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


# Each that listens, or does not want to, leaves a file.
READY = "open(str(os.getpid()), 'w').close(); "
WAITS = f"signal.signal(signal.SIGTERM, lambda *_: sys.exit(75)); {READY}time.sleep(60)"
IGNORES = f"signal.signal(signal.SIGTERM, signal.SIG_IGN); {READY}"
LATER = "while not os.listdir(): time.sleep(0.02)\n"


@pytest.mark.parametrize(
    "codes, expected",
    [
        (("", ""), 0),
        (("sys.exit(78)", "sys.exit(78)"), 78),
        (("sys.exit(1)", WAITS), 1),
        (("os.kill(os.getpid(), 9)", WAITS), 137),
        # The first process finds out that it is fenced; the others see only that it is gone.
        ((IGNORES + "time.sleep(1); sys.exit(79)", LATER + "sys.exit(1)"), 79),
        (("sys.exit(75)", "sys.exit(75)"), 75),
    ],
)
def test_a_node_ends_as_its_processes_end(tmp_path, codes, expected):
    assert supervise(tmp_path, *codes) == expected


def test_one_that_does_not_listen_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(launch, "GRACE_S", 0.5)
    assert supervise(tmp_path, LATER + "sys.exit(3)", IGNORES + "time.sleep(60)") == 3


def test_sigterm_is_handed_on(tmp_path):
    before, over = signal.getsignal(signal.SIGTERM), threading.Event()

    def ask():
        """Once all listen: sooner it would end this process, or a child without a word."""
        while not over.wait(0.02):
            if signal.getsignal(signal.SIGTERM) != before and len(os.listdir(tmp_path)) == 2:
                return os.kill(os.getpid(), signal.SIGTERM)

    asks = threading.Thread(target=ask)
    asks.start()
    try:
        assert supervise(tmp_path, WAITS, WAITS) == 75
    finally:
        over.set()
        asks.join()


def test_processes_do_not_outlive_a_killed_launcher(tmp_path):
    code = f"""
import subprocess, sys
from foresail_models import launch
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], preexec_fn=launch._die_with_parent)
print(child.pid, flush=True)
launch._supervise([child])
"""
    launcher = subprocess.Popen([sys.executable, "-c", code], env=runs.environment(), stdout=subprocess.PIPE, text=True)
    child = int(launcher.stdout.readline())
    launcher.kill()
    launcher.communicate()
    for _ in range(500):
        try:
            state = Path(f"/proc/{child}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except (FileNotFoundError, ProcessLookupError):  # the latter between opening and reading
            return
        if state == "Z":
            return
        time.sleep(0.02)
    raise AssertionError("still there")
