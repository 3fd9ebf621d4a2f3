"""Runs as pods start them: real processes over loopback, told to stop, killed, frozen, fenced; the model is the same."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import time

import pytest

from foresail_models.steplog import read, repeated

from . import runs

# Some seconds of steps: a test that is held up still finds its pods at work.
LONG = {"steps": 120, "validate_every": 60}


@pytest.fixture
def config(folder, tmp_path):
    return runs.write(tmp_path / "long.json", runs.values(folder, LONG, distributed={"peerTimeoutSeconds": 20}))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """What one process makes of a configuration in one go. All tests have the same one, over the same data."""
    made = {}

    def of(config):
        if not made:
            from foresail_models import config as configs
            from foresail_models import train
            from foresail_models.interrupt import Interrupt
            from foresail_models.reports import Reports

            work = tmp_path_factory.mktemp("undisturbed")
            train.train(configs.load(config), work, Reports(None, None), Interrupt())
            made.update(sha256=model_of(work), losses=losses_of(work))
        return made

    return of


def model_of(work):
    return json.loads((work / "out" / "lineage.json").read_text())["sha256"]


def losses_of(work):
    return {row["step"]: row["loss"] for row in read(work / "steps.jsonl")}


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def nodes(config, work, attempt):
    """Two pods with one process each."""
    env = {"PET_NNODES": "2", "PET_MASTER_ADDR": "localhost", "PET_MASTER_PORT": str(runs.free_port()), "FORESAIL_ATTEMPT": str(attempt)}
    return [runs.Pod(config, work, config.with_name(f"log-{work.name}-{attempt}-{node}"), PET_NODE_RANK=str(node), **env) for node in range(2)]


def stepped(work, count, attempt):
    path = work / "steps.jsonl"
    return lambda: path.is_file() and sum(row["attempt"] == attempt for row in read(path)) >= count


def test_two_processes_make_the_model_of_one(config, tmp_path, undisturbed):
    """Bit for bit: shards are summed as a balanced tree, and a sum of two does not depend on their order."""
    code, text = runs.finish(runs.start(config, tmp_path / "two", PET_NPROC_PER_NODE="2"))
    assert code == 0, text
    one = undisturbed(config)
    assert losses_of(tmp_path / "two") == one["losses"]
    assert model_of(tmp_path / "two") == one["sha256"]


def test_stopped_fenced_killed_and_with_another_number_of_processes_the_model_is_the_same(config, tmp_path, undisturbed):
    work = tmp_path / "work"
    # Attempt 1: SIGTERM to the pod that writes nothing. Both stop at the same step, with a checkpoint.
    pods = nodes(config, work, 1)
    runs.until(stepped(work, 5, 1), pods[0])
    pods[1].send_signal(signal.SIGTERM)
    ends = [runs.finish(pod) for pod in pods]
    assert [code for code, _ in ends] == [75, 75], ends
    steps = read(work / "steps.jsonl")
    assert (work / "checkpoints" / f"step-{steps[-1]['step']}" / "manifest.json").is_file()
    # Attempt 2: asked to stop as well, when a newer attempt is there already. It writes nothing, and says why.
    pods = nodes(config, work, 2)
    runs.until(stepped(work, 3, 2), pods[0])
    (work / "attempt").write_text("3\n")
    pods[0].send_signal(signal.SIGTERM)
    ends = [runs.finish(pod) for pod in pods]
    assert [code for code, _ in ends] == [79, 79], ends
    assert "attempt 3 has taken over from attempt 2" in ends[0][1]
    # Attempt 3: the one that writes is killed. The other cannot go on, and says so soon.
    pods = nodes(config, work, 3)
    runs.until(stepped(work, 4, 3), pods[0])
    pods[0].kill()
    code, text = runs.finish(pods[1])
    runs.finish(pods[0])
    assert code == 1 and "lost a peer" in text, text
    # Attempt 4: only one node is left. Elastic by restart: the batches stay.
    code, text = runs.finish(runs.Pod(config, work, tmp_path / "log", FORESAIL_ATTEMPT="4"))
    assert code == 0, text
    rows = read(work / "steps.jsonl")
    assert len({row["step"] for row in rows}) == LONG["steps"]
    assert repeated(rows) == sum(row["attempt"] in (2, 3) for row in rows), "what was stopped was saved, the rest was done again"
    assert losses_of(work) == undisturbed(config)["losses"]
    assert model_of(work) == undisturbed(config)["sha256"]
    assert json.loads((work / "out" / "lineage.json").read_text())["attempts"] == [1, 4]


def test_a_frozen_peer_is_an_error_and_not_a_wait_for_ever(folder, tmp_path):
    config = runs.write(
        tmp_path / "c.json",
        runs.values(folder, {"steps": 100_000, "validate_every": 100_000}, distributed={"peerTimeoutSeconds": 15}),
    )
    pods = nodes(config, tmp_path / "work", 1)
    try:
        runs.until(stepped(tmp_path / "work", 3, 1), pods[0])
        os.kill(pods[1].pid, signal.SIGSTOP)
        begun = time.monotonic()
        code, text = runs.finish(pods[0])
        assert code == 1 and "lost a peer" in text, text
        assert time.monotonic() - begun < 60
    finally:
        pods[1].kill()
        pods[1].communicate()


def test_bad_data_end_all_processes_and_the_node_says_78(folder, tmp_path):
    (folder / "manifest.json").write_text("{")
    config = runs.write(tmp_path / "c.json", runs.values(folder))
    code, text = runs.finish(runs.start(config, tmp_path / "work", PET_NPROC_PER_NODE="2"))
    assert code == 78, text
    assert "manifest.json" in text


def test_a_stop_before_the_first_step_ends_at_once(folder, tmp_path):
    """The gang waits for a node that does not come: no wait inside PyTorch may hold a signal back."""
    config = runs.write(tmp_path / "c.json", runs.values(folder))
    port = runs.free_port()
    env = {"PET_NNODES": "2", "PET_NODE_RANK": "0", "PET_MASTER_ADDR": "localhost", "PET_MASTER_PORT": str(port)}
    pod = runs.Pod(config, tmp_path / "work", tmp_path / "log", **env)
    runs.until(lambda: listens(port), pod)
    time.sleep(1)  # past the connection, into the wait
    pod.send_signal(signal.SIGTERM)
    code, text = runs.finish(pod)
    assert code == 75, text


def test_more_processes_than_shards_is_said_by_all_of_them(folder, tmp_path):
    """Not by the one alone that would have nothing to do: the others would only see that it is gone."""
    config = runs.write(tmp_path / "c.json", runs.values(folder, {"shards": 1}))
    ends = [runs.finish(pod) for pod in nodes(config, tmp_path / "work", 1)]
    assert [code for code, _ in ends] == [78, 78], ends


def test_the_one_that_knows_why_goes_first(folder, tmp_path):
    """Kubernetes judges a gang by the first pod that fails: 78 is not tried again, 1 is."""
    config = runs.write(tmp_path / "c.json", runs.values(folder, incumbent={"path": str(folder / "manifest.json")}))
    knows, lost = nodes(config, tmp_path / "work", 1)
    code, text = runs.finish(knows)
    assert (code, lost.poll()) == (78, None), text
    code, text = runs.finish(lost)
    # By whichever of them it waited for when the other went.
    assert code == 1 and re.search("rank 0 ended|lost rank 0|lost a peer", text), text
