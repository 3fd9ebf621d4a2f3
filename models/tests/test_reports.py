"""Reports to the operator: bounded, in order, with the token, and never in the way of training."""

from __future__ import annotations

import json
import os
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from foresail_models import reports
from foresail_models.dataset.control import Control
from foresail_models.reports import Reports


class Operator:
    """An operator that answers as it is told, and remembers what it was sent."""

    def __init__(self):
        self.seen, self.answers = [], []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.seen.append((self.path, self.headers["Authorization"], body))
                code = outer.answers.pop(0) if outer.answers else 204
                self.send_response(code)
                if code == 302:
                    self.send_header("Location", f"{outer.url}/elsewhere")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def operator():
    operator = Operator()
    yield operator
    operator.server.shutdown()
    operator.server.server_close()


@pytest.fixture
def make(operator, tmp_path):
    (tmp_path / "token").write_text("s3cret\n")
    (tmp_path / "log").touch()
    made = []

    def make(patience_s=5.0):
        made.append(Reports(Control(f"{operator.url}/base", tmp_path / "token"), tmp_path / "log", patience_s))
        return made[-1]

    yield make
    for each in made:
        each.close()


def wait(holds):
    end = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_progress_is_sent_now_and_then_and_only_the_newest(operator, make, monkeypatch):
    monkeypatch.setattr(reports, "INTERVAL_S", 0.3)
    sender = make()
    begun = time.monotonic()
    sender.progress({"step": 1})
    wait(lambda: operator.seen)
    for step in range(2, 400):
        sender.progress({"step": step})
        time.sleep(0.002)
    sender.close()
    steps = [body["step"] for _, _, body in operator.seen]
    assert steps[0] == 1 and steps[-1] == 399 and steps == sorted(steps)
    assert len(steps) <= 2 + (time.monotonic() - begun) / 0.3
    assert {(path, token) for path, token, _ in operator.seen} == {("/base/progress", "Bearer s3cret")}


def test_a_checkpoint_is_told_at_once(operator, make, monkeypatch):
    monkeypatch.setattr(reports, "INTERVAL_S", 60.0)
    sender = make()
    sender.progress({"step": 1})
    wait(lambda: len(operator.seen) == 1)
    sender.progress({"step": 2})
    sender.progress({"step": 3, "checkpointStep": 3}, at_once=True)
    wait(lambda: len(operator.seen) == 2)
    assert operator.seen[-1][2]["checkpointStep"] == 3


def test_an_operator_that_is_away_or_ill_does_not_disturb(operator, make, monkeypatch, capfd):
    monkeypatch.setattr(reports, "INTERVAL_S", 0.01)
    operator.answers = [503, 500, 401, 422]
    sender = make()
    for step in range(6):
        sender.progress({"step": step, "loss": float("nan") if step == 5 else 0.1})
        wait(lambda: sender._latest is None)
        time.sleep(0.05)
    assert not sender.over.is_set()
    away = Reports(Control("http://127.0.0.1:9/base", make().control.token_file), None)
    away.progress({"step": 1})
    away.close()
    assert "s3cret" not in capfd.readouterr().err


@pytest.mark.parametrize("code", [404, 409])
def test_an_attempt_that_is_over_is_told_so(operator, make, code):
    operator.answers = [code]
    sender = make()
    sender.progress({"step": 1})
    assert sender.over.wait(10)


def test_the_result_is_repeated_until_it_is_taken(operator, make, tmp_path):
    operator.answers = [503, 503]
    make(patience_s=60.0).result("ab", 12, {"schema": 1, "config": {"x": 1}, "scores": {}})
    assert [path for path, _, _ in operator.seen] == ["/base/result"] * 3
    assert operator.seen[-1][2] == {"sha256": "ab", "sizeBytes": 12, "lineage": {"schema": 1, "config": {"x": 1}, "scores": {}}}
    assert json.loads((tmp_path / "log").read_text()) == {"result": operator.seen[-1][2]}


def test_an_error_is_cut_to_what_is_taken_and_a_refusal_is_final(operator, make, tmp_path):
    operator.answers = [422]
    make().error("CONFIG_INVALID", "ä" * 2000)
    ((path, _, body),) = operator.seen
    assert path == "/base/error" and body == {"code": "CONFIG_INVALID", "message": "ä" * 512}
    assert json.loads((tmp_path / "log").read_text()) == {"error": body}


def test_giving_up_ends(operator, make):
    operator.answers = [503] * 1000
    make(patience_s=1.0).result("ab", 12, {"schema": 1})
    assert 1 <= len(operator.seen) < 10


def test_a_path_that_is_no_text_does_not_silence_an_error(operator, make, tmp_path):
    make().error("DATA_INVALID", os.fsdecode(b"/work/\xff.csv: no column t"))
    assert operator.seen[0][2]["message"] == "/work/?.csv: no column t"
    assert json.loads((tmp_path / "log").read_text())["error"]["message"] == "/work/?.csv: no column t"


def test_what_can_never_be_sent_is_not_tried_again(operator, make, capfd):
    make().result("ab", 12, {"schema": 1, "scores": {"later": float("nan")}})
    assert operator.seen == [] and capfd.readouterr().err.count("result: ") == 1


def test_a_redirect_does_not_carry_the_token_away(operator, make):
    operator.answers = [302]
    make().error("X", "y")
    assert [path for path, _, _ in operator.seen] == ["/base/error"]


def test_a_termination_message_fits(make, tmp_path):
    def written(lineage):
        make().result("ab", 1, lineage)
        data = (tmp_path / "log").read_bytes()
        assert len(data) <= 4096
        return json.loads(data)["result"]["lineage"]

    assert written({"config": {"x": "y" * 5000}, "scores": {}, "sha256": "ab"}) == {"scores": {}, "sha256": "ab"}
    assert written({"config": {}, "scores": {"x": "y" * 5000}, "sha256": "ab"}) == {"sha256": "ab"}
    assert written({"data": "y" * 5000}) is None


def test_without_an_operator_nothing_is_sent_or_written(tmp_path):
    nobody = Reports.from_env({"FORESAIL_TERMINATION_LOG": str(tmp_path / "none")})
    nobody.progress({"step": 1})
    nobody.error("X", "y")
    nobody.result("ab", 1, {})
    nobody.close()
    assert list(tmp_path.iterdir()) == []


def test_a_trial_is_told_once_and_only_the_end_of_the_attempt_ends_the_search(operator, make, tmp_path):
    reports, told = make(), {"finished": 1, "pruned": 0, "failed": 0, "best": None}
    operator.answers = [503, 404, 204]
    for _ in range(3):  # an operator that is away, one that knows no trials, one that does
        reports.trials(told)
        assert not reports.over.is_set()
    assert [body for *_, body in operator.seen] == [told] * 3
    operator.answers = [409]
    reports.searched(told)
    assert reports.over.is_set()
    assert json.loads((tmp_path / "log").read_text()) == {"trials": told}
