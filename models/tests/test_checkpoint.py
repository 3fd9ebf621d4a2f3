"""Checkpoints under what befalls them: kills in the middle of a save, torn and altered files, a full disk, a zombie."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time

import pytest

from foresail_models import checkpoint
from foresail_models.checkpoint import MANIFEST, STATE, Checkpoints
from foresail_models.errors import Fenced
from foresail_models.fence import Fence
from foresail_models.steplog import StepLog, read, repeated

from . import runs


@pytest.fixture
def warnings():
    return []


@pytest.fixture
def store(tmp_path, warnings):
    return Checkpoints(tmp_path / "checkpoints", keep=2, warn=warnings.append)


def names(store):
    return sorted(p.name for p in store.folder.iterdir())


def test_the_newest_is_resumed_and_the_oldest_go(store, warnings):
    assert store.newest() is None
    for step in (5, 10, 100):
        store.save(step, f"state {step}".encode(), 1)
    assert store.newest() == b"state 100" and warnings == []
    assert names(store) == ["step-10", "step-100"]


def test_each_new_name_is_on_the_disk_before_a_save_ends(store, monkeypatch):
    """That of the folder of all checkpoints, too: a power cut may otherwise take it with what is in it."""
    synced, sync = [], checkpoint.sync_folder
    monkeypatch.setattr(checkpoint, "sync_folder", lambda path: (synced.append(path), sync(path)))
    for step in (1, 2):
        store.save(step, b"x", 1)
    making = [store.folder / f".making-{step}-1" for step in (1, 2)]
    assert synced == [store.folder.parent, making[0], store.folder, making[1], store.folder]


def test_a_zombie_removes_nothing_of_its_heir(store):
    """Frozen when it had looked whether it may write, it goes on behind the heir."""
    store.save(400, b"shared", 1)
    store.save(900, b"the heir's", 2)
    (store.folder / ".making-950-2").mkdir()
    store.save(500, b"the zombie's", 1)
    assert store.newest() == b"the heir's"
    assert names(store) == [".making-950-2", "step-400", "step-500", "step-900"]
    store.save(1000, b"later", 2)
    assert names(store) == ["step-1000", "step-900"]


@pytest.mark.parametrize("harm", ["state cut", "state altered", "no state", "no manifest", "manifest torn", "empty folder", "another's manifest", "manifest of nothing"])
def test_a_harmed_one_is_passed_over_with_a_warning(store, warnings, harm):
    store.save(10, b"good", 1)
    store.save(20, b"harmed" * 100, 1)
    folder = store.folder / "step-20"
    state, manifest = folder / STATE, folder / MANIFEST
    if harm == "state cut":
        os.truncate(state, 30)
    elif harm == "state altered":
        state.write_bytes(b"X" + state.read_bytes()[1:])
    elif harm == "no state":
        state.unlink()
    elif harm == "no manifest":
        manifest.unlink()
    elif harm == "manifest torn":
        os.truncate(manifest, 20)
    elif harm == "empty folder":
        state.unlink(), manifest.unlink()
    elif harm == "manifest of nothing":
        manifest.write_text("null")
    else:
        for name in (STATE, MANIFEST):
            (folder / name).write_bytes((store.folder / "step-10" / name).read_bytes())
    assert store.newest() == b"good"
    assert len(warnings) == 1 and warnings[0].startswith("checkpoint step-20 passed over: ")
    store.save(20, b"again", 2)
    assert store.newest() == b"again", "its place is taken by the one that comes there next"


def test_after_one_is_passed_over_those_beyond_do_not_count_as_newer(store):
    """Training goes on from 10: a harmed 30 must neither be resumed nor displace what is good."""
    for step in (10, 30):
        store.save(step, b"%d" % step, 1)
    (store.folder / "step-30" / STATE).write_bytes(b"")
    store.save(12, b"12", 2)
    store.save(14, b"14", 2)
    assert store.newest() == b"14" and names(store) == ["step-12", "step-14"]


SAVER = """
import sys
from pathlib import Path
from foresail_models.checkpoint import Checkpoints
store, step = Checkpoints(Path(sys.argv[1]), keep=2), 0
while True:
    step += 1
    store.save(step, step.to_bytes(8, "big") * 200_000, 1)
    print(step, flush=True)
"""


def test_kills_at_any_moment_of_a_save_leave_a_whole_one(store, tmp_path, warnings):
    """What was reported as saved, or the one that was about to be."""
    for wait in (0.0, 0.003, 0.011, 0.017, 0.029):
        process = subprocess.Popen(
            [sys.executable, "-c", SAVER, str(store.folder)], env=runs.environment(), stdout=subprocess.PIPE, text=True
        )
        for _ in range(3):
            process.stdout.readline()
        time.sleep(wait)
        process.send_signal(signal.SIGKILL)
        said = [int(line) for line in process.communicate()[0].split()]
        data = store.newest()
        step = int.from_bytes(data[:8], "big")
        assert data == step.to_bytes(8, "big") * 200_000
        assert step in ([said[-1], said[-1] + 1] if said else [3, 4])
        assert warnings == []
        for path in store.folder.glob("step-*"):
            subprocess.run(["rm", "-r", path], check=True)


def test_a_disk_that_takes_no_more_leaves_the_old_ones(store):
    """The kernel refuses a file beyond a limit just as it does on a full disk: in the middle of a write."""
    store.save(10, b"old", 1)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
        with pytest.raises(OSError, match="File too large"):
            store.save(20, b"n" * 1_000_000, 1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert store.newest() == b"old" and names(store) == ["step-10"], "and nothing half written stays"


def test_an_older_attempt_is_fenced(store, tmp_path):
    first = Fence(tmp_path, 1)
    first.claim()
    store.save(10, b"one", 1, first.check)
    second = Fence(tmp_path, 2)
    second.claim()
    with pytest.raises(Fenced, match="attempt 2 has taken over from attempt 1") as caught:
        store.save(20, b"zombie", 1, first.check)
    assert caught.value.exit_code == 79
    assert store.newest() == b"one" and names(store) == ["step-10"]
    with pytest.raises(Fenced):
        Fence(tmp_path, 1).claim()
    store.save(20, b"two", 2, second.check)
    assert store.newest() == b"two"


def test_two_attempts_that_claim_at_once_are_told_apart(tmp_path):
    """Both look before either writes, and the older one writes last."""
    older, newer = Fence(tmp_path, 1), Fence(tmp_path, 2)
    older.check()
    newer.claim()
    older._write()
    older._claimed = True
    newer.check()
    with pytest.raises(Fenced):
        older.check()


def test_runs_that_nobody_numbers_take_the_next_number(tmp_path):
    for expected in (1, 2, 3):
        fence = Fence(tmp_path, None)
        fence.claim()
        assert fence.attempt == expected


def test_repeated_steps_can_be_counted(tmp_path):
    path = tmp_path / "steps.jsonl"
    log = StepLog(path, 1)
    for step in (1, 2, 3):
        log.add(step, 0.5)
    log.close()
    with open(path, "a") as file:
        file.write('{"step": 4, "lo')  # killed here
    log = StepLog(path, 2)
    for step in (3, 4):
        log.add(step, 0.25)
    log.close()
    rows = read(path)
    assert [(row["step"], row["attempt"]) for row in rows] == [(1, 1), (2, 1), (3, 1), (3, 2), (4, 2)]
    assert repeated(rows) == 1
    assert json.loads(path.read_text().splitlines()[-1]) == {"step": 4, "loss": 0.25, "attempt": 2}


def test_a_full_disk_costs_the_step_log_lines_and_not_the_run(tmp_path, capsys):
    path = tmp_path / "steps.jsonl"
    path.write_text('{"step": 1, "lo')  # torn, so that even its opening writes
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size, before[1]))
        log = StepLog(path, 1)
        for step in (2, 3):
            log.add(step, 0.5)
        log.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert capsys.readouterr().err.count("lines are missing from here on") == 1
