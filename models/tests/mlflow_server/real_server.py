"""Tracking against a real MLflow server, read back by MLflow's own client: `make test-mlflow`.

Not collected with the other tests: the server brings pandas, scikit-learn and its own pyarrow, which would double their environment.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from foresail_models import contract
from foresail_models.tracking import Tracker, Tracking

LOADCAST = Path(__file__).parents[2] / "loadcast"
PARAMS = {"family": "patch-mixer", "learning_rate": 0.002, "model": {f"key{i}": i for i in range(150)}}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def uri(tmp_path_factory):
    folder, port = tmp_path_factory.mktemp("server"), free_port()
    uri = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    stores = ["--backend-store-uri", f"sqlite:///{folder}/db", "--artifacts-destination", str(folder / "artifacts")]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen([*command, *stores], stdout=log, stderr=log, start_new_session=True)
    end = time.monotonic() + 180
    while True:
        try:
            urllib.request.urlopen(f"{uri}/health", timeout=5).close()
            break
        except OSError:
            assert server.poll() is None and time.monotonic() < end, (folder / "log").read_text()
            time.sleep(0.5)
    yield uri
    import os
    import signal

    os.killpg(server.pid, signal.SIGTERM)
    server.wait(30)


@pytest.fixture
def client(uri, monkeypatch):
    import mlflow

    mlflow.set_tracking_uri(uri)
    return mlflow.MlflowClient(uri)


@pytest.fixture
def out(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    shutil.copy(LOADCAST / "loadcast.onnx", folder / "model.onnx")
    for name in ("card.md", "lineage.json", "loss.png"):
        (folder / name).write_text(name)
    return folder


def document(sha256="a" * 64):
    scores = {"step": 20, "validation": {"later": 0.6, "unseen": 0.7, "score": 0.65}}
    return {
        "name": "loadcast", "sha256": sha256, "createdAt": "2026-11-22T00:00:00Z", "scores": scores,
        "data": {"sha256": "b" * 64}, "code": {"sha256": "c" * 64},
    }  # fmt: skip


def test_a_run_of_two_attempts_is_one_run_and_each_run_a_version(uri, client, out, tmp_path):
    tracking = Tracking.parse({"uri": uri, "experiment": "shop"})
    first = Tracker(tracking, tmp_path, "loadcast", PARAMS)
    first.validated({"step": 10, "train": 0.5, "later": 0.8, "unseen": 0.9, "score": 0.85})
    first.close()
    second = Tracker(tracking, tmp_path, "loadcast", PARAMS)
    second.validated({"step": 20, "train": 0.4, "later": 0.6, "unseen": 0.7, "score": 0.65})
    second.published(out, document())

    (run,) = client.search_runs([client.get_experiment_by_name("shop").experiment_id])
    assert run.info.status == "FINISHED" and run.info.run_name == "loadcast"
    assert run.data.params["learning_rate"] == "0.002" and run.data.params["model.key149"] == "149"
    history = client.get_metric_history(run.info.run_id, "score")
    assert [(m.step, m.value) for m in history] == [(10, 0.85), (20, 0.65)]
    assert {f.path for f in client.list_artifacts(run.info.run_id)} == {"card.md", "lineage.json", "loss.png", "model"}
    version = client.get_model_version("loadcast", "1")
    assert version.status == "READY" and version.run_id == run.info.run_id and version.tags["sha256"] == "a" * 64

    third = Tracker(tracking, tmp_path / "other", "loadcast", {})
    third.published(out, document("d" * 64))
    assert client.get_model_version("loadcast", "2").tags["sha256"] == "d" * 64


def test_what_was_registered_loads_and_forecasts(uri, client):
    import mlflow
    import onnxruntime

    folder = Path(mlflow.artifacts.download_artifacts("models:/loadcast/1"))
    assert (folder / "model.onnx").read_bytes() == (LOADCAST / "loadcast.onnx").read_bytes()
    model = mlflow.onnx.load_model("models:/loadcast/1")
    session = onnxruntime.InferenceSession(model.SerializeToString())
    case = json.loads((LOADCAST / "golden.json").read_text())["cases"][0]
    context = np.array(case["context"], np.float32)[None]
    seasonal = np.array(case["seasonal"], np.float32)[None]
    (got,) = session.run(["quantiles"], {contract.INPUT_CONTEXT: context, contract.INPUT_SEASONAL: seasonal})
    assert np.isfinite(got).all()


def test_a_run_that_was_deleted_there_is_told_and_does_not_stop_training(uri, client, out, tmp_path, capfd):
    (tmp_path / "tracking.json").write_text(json.dumps({"uri": uri, "experiment": "shop", "run": "0" * 32}))
    tracker = Tracker(Tracking.parse({"uri": uri, "experiment": "shop"}), tmp_path, "loadcast", {})
    tracker.published(out, document())
    assert "not found" in capfd.readouterr().err
