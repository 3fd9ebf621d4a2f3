"""Tracking by a server that is ill, slow or away: the log suffers, the run does not. A real one: `make test-mlflow`."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from foresail_models import config, tracking
from foresail_models.tracking import Tracker, Tracking

from . import runs


class Faulty:
    """Answers as it is told, (status, body), once it may."""

    def __init__(self):
        self.seen, self.answer, self.may = [], (200, {}), threading.Event()
        self.may.set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def handle_any(self):
                outer.seen.append((self.command, self.path, dict(self.headers)))
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                outer.may.wait()
                status, body = outer.answer
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", "/elsewhere")
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            do_GET = do_POST = do_PUT = handle_any

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.tracking = Tracking.parse({"uri": f"http://127.0.0.1:{self.server.server_port}"})
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def faulty():
    faulty = Faulty()
    yield faulty
    faulty.may.set()
    faulty.server.shutdown()
    faulty.server.server_close()


@pytest.mark.parametrize("status", [401, 404, 500, 302])
def test_a_server_that_refuses_is_told_once_and_asked_no_more(faulty, tmp_path, capfd, status, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "s3cret")
    faulty.answer = (status, {"error_code": "X", "message": "no"})
    tracker = Tracker(faulty.tracking, tmp_path, "small", {})
    for step in range(3):
        tracker.validated({"step": step, "score": 1.0})
    tracker.close("FINISHED")
    said = capfd.readouterr().err
    assert said.count("tracking:") == 1 and str(status) in said and "this run is not logged" in said
    assert "s3cret" not in said
    assert len(faulty.seen) == 1 and faulty.seen[0][2]["Authorization"] == "Bearer s3cret", "a redirect is not followed"


def test_a_server_that_does_not_answer_is_not_waited_for(faulty, tmp_path, capfd):
    faulty.may.clear()
    tracker = Tracker(faulty.tracking, tmp_path, "small", {}, patience_s=0.2)
    tracker.validated({"step": 1, "score": 1.0})
    tracker.close("FINISHED")
    assert "too slow" in capfd.readouterr().err


def test_who_was_asked_to_stop_waits_less_than_its_pod_has(faulty, tmp_path, capfd, monkeypatch):
    monkeypatch.setattr(tracking, "STOP_PATIENCE_S", 0.2)
    faulty.may.clear()
    tracker = Tracker(faulty.tracking, tmp_path, "small", {}, patience_s=1e6)
    tracker.close()
    assert "too slow" in capfd.readouterr().err


def test_nobody_at_the_address(tmp_path, capfd):
    Tracker(Tracking("http://127.0.0.1:9"), tmp_path, "small", {}).close("FINISHED")
    assert "this run is not logged" in capfd.readouterr().err


def test_artifacts_that_lie_elsewhere_are_named():
    with pytest.raises(ValueError, match="s3://, and only a server that passes them on"):
        tracking.Server("http://127.0.0.1:9").upload("s3://bucket/run", "model.onnx", b"")


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ({"experiment": "shop"}, "tracking.uri: not the http"),
        ({"uri": "file:///tmp"}, "tracking.uri: not the http"),
        ({"uri": "http://me:pw@mlflow"}, "tracking.uri: has credentials"),
        ({"uri": "http://mlflow", "token": "x"}, "tracking.token: unknown key"),
        ({"uri": 5}, "tracking.uri: 5 is not a text"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, block, message):
    with pytest.raises(ValueError, match=message):
        config.parse(runs.values(tmp_path) | {"tracking": block}, "small")
