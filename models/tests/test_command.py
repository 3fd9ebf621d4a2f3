"""How a command ends: the code, what the operator is told, and that nothing from outside changes either."""

from __future__ import annotations

import errno
import os
import signal

import pytest

from foresail_models import command
from foresail_models.errors import ConfigError, Fenced, PeerLost, RunError, Stopped
from foresail_models.interrupt import Interrupt
from foresail_models.reports import Reports


@pytest.fixture
def interrupt():
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield Interrupt().install()
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def told():
    """Reports to nobody, and what they were told."""
    reports, seen = Reports(None, None), []
    reports.error = lambda code, message: seen.append((code, message))
    return reports, seen


def fails(error):
    def run():
        raise error

    return run


@pytest.mark.parametrize(
    "error, code, report",
    [
        (ConfigError("seed: no number"), 78, ("CONFIG_INVALID", "seed: no number")),
        (Stopped("stopped at step 4"), 75, None),
        (Fenced("attempt 2 has taken over"), 79, None),
        (RunError("odd"), 1, ("FAILED", "odd")),
        (KeyError("x"), 1, ("FAILED", "'x'")),
        (MemoryError(), 1, ("FAILED", "MemoryError")),
    ],
)
def test_each_error_has_its_code_and_its_words(interrupt, told, capfd, error, code, report):
    reports, seen = told
    assert command.ended("prog", fails(error), reports, interrupt) == code
    assert seen == ([] if report is None else [report])
    text = capfd.readouterr().err
    assert "prog: " in text and ("Traceback" in text) == (not isinstance(error, RunError))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_volume_is_said_in_words(interrupt, told, number):
    reports, seen = told
    code = command.ended("prog", fails(OSError(number, os.strerror(number), "/work/out/model.onnx")), reports, interrupt)
    ((name, message),) = seen
    assert code == 74 and name == "VOLUME_FULL" and "/work/out/model.onnx" in message and "larger" in message


def test_whoever_takes_the_pod_away_while_it_says_why_does_not_make_it_a_stop(interrupt, told):
    """The first pod of a gang that fails takes the others with it: SIGTERM comes just then."""
    reports, _ = told
    reports.error = lambda code, message: os.kill(os.getpid(), signal.SIGTERM)
    assert command.ended("prog", fails(ConfigError("seed: no number")), reports, interrupt) == 78


def test_one_that_lost_a_peer_lets_it_go_first_until_it_is_told_to_go(interrupt, told, monkeypatch):
    pauses = []

    def sleep(seconds):
        pauses.append(seconds)
        if len(pauses) == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(command.time, "sleep", sleep)
    monkeypatch.setattr(command, "PEER_GRACE_S", 1e9)
    assert command.ended("prog", fails(PeerLost("rank 1 lost a peer")), told[0], interrupt) == 1
    assert len(pauses) == 3


def test_options_that_nobody_knows_are_not_tried_again(interrupt, told):
    reports, seen = told
    parser = command.options("prog", "", "")
    for arguments in ([], ["--config", "x", "--stepps", "3"]):
        assert command.ended("prog", lambda: parser.parse_args(arguments) and 0, reports, interrupt) == 78
    assert "--config" in seen[0][1] and "--stepps" in seen[1][1] and "prog --help" in seen[1][1]
