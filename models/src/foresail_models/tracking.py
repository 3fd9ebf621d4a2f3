"""Logs a run to an MLflow server and registers its model there, when `tracking.uri` is set.

Spoken is MLflow's REST interface. Its client would do, too, but brings thirty packages (an SDK of one vendor, a web
server, git) into a pod that needs eight calls, and retries for minutes while training waits. Here a thread of its own
does the talking, and whatever goes wrong costs the log and never the run.
"""

from __future__ import annotations

import base64
import json
import os
import queue
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import ConfigError
from .files import write_atomic

TIMEOUT_S = 30.0
# How long the end of a run waits for what is still to be sent.
PATIENCE_S = 120.0
# The same where the run is to go on: whoever asked it to stop kills it soon.
STOP_PATIENCE_S = 15.0
# What the server takes in one call.
_PARAMS, _METRICS = 100, 1000
MARKER = "tracking.json"


@dataclass(frozen=True)
class Tracking:
    """The block `tracking`. Credentials are not in it: MLFLOW_TRACKING_TOKEN, or _USERNAME and _PASSWORD, as MLflow has them."""

    uri: str
    experiment: str = "foresail"

    @staticmethod
    def parse(values: Mapping[str, Any]) -> Tracking:
        """Raises ConfigError that names the key."""
        if unknown := sorted(set(values) - {"uri", "experiment"}):
            raise ConfigError(f"tracking.{unknown[0]}: unknown key; known are experiment, uri")
        for key, value in values.items():
            if not isinstance(value, str) or not value:
                raise ConfigError(f"tracking.{key}: {value!r} is not a text")
        try:
            url = urllib.parse.urlsplit(values.get("uri", ""))
        except ValueError:
            url = urllib.parse.urlsplit("")
        if url.scheme not in ("http", "https") or not url.hostname:
            raise ConfigError("tracking.uri: not the http:// or https:// address of an MLflow server")
        if url.username or url.password or url.query or url.fragment:
            raise ConfigError("tracking.uri: has credentials or a query; credentials belong into MLFLOW_TRACKING_TOKEN")
        return Tracking(values["uri"].rstrip("/"), values.get("experiment", "foresail"))


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:  # credentials are for one host alone
        return None


class Server:
    """The calls; each raises OSError or ValueError. Names of paths and fields are MLflow's."""

    def __init__(self, uri: str, env: Mapping[str, str] = os.environ) -> None:
        self._uri = uri
        self._opener = urllib.request.build_opener(_NoRedirect)
        self._headers = _authorization(env)

    def call(self, path: str, body: dict[str, Any], method: str = "POST") -> dict[str, Any]:
        url, data = f"{self._uri}/api/2.0/mlflow/{path}", None
        if method == "GET":
            url += "?" + urllib.parse.urlencode(body)
        else:
            data = json.dumps(body, allow_nan=False).encode()
        answer: dict[str, Any] = json.loads(self._send(url, data, method, "application/json") or b"{}")
        return answer

    def upload(self, artifact_uri: str, path: str, data: bytes) -> None:
        """Through the server. Raises ValueError where it does not pass artifacts on."""
        root = urllib.parse.urlsplit(artifact_uri)
        if root.scheme != "mlflow-artifacts":
            raise ValueError(f"artifacts lie at {root.scheme}://, and only a server that passes them on (--serve-artifacts) can take them")
        place = urllib.parse.quote(f"{root.path.strip('/')}/{path}")
        self._send(f"{self._uri}/api/2.0/mlflow-artifacts/artifacts/{place}", data, "PUT", "application/octet-stream")

    def _send(self, url: str, data: bytes | None, method: str, kind: str) -> bytes:
        request = urllib.request.Request(url, data, self._headers | {"Content-Type": kind}, method=method)
        try:
            with self._opener.open(request, timeout=TIMEOUT_S) as answer:
                text: bytes = answer.read()
                return text
        except urllib.error.HTTPError as error:
            with error:
                raise Refused(error.code, error.read(2048).decode(errors="replace")) from error


class Refused(OSError):
    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"the server answers {status}: {text:.300}")
        try:
            self.code = json.loads(text).get("error_code", "")
        except (ValueError, AttributeError):
            self.code = ""


class Tracker:
    """The log of one run. `work` remembers which it is, so that a later attempt goes on with it."""

    def __init__(self, tracking: Tracking, work: Path, name: str, params: Mapping[str, Any], patience_s: float = PATIENCE_S) -> None:
        self._tracking, self._work, self._name, self._params = tracking, work, name, params
        self._patience_s = patience_s
        self._server = Server(tracking.uri)
        self._run: dict[str, str] = {}
        self._given_up = False
        self._todo: queue.SimpleQueue[tuple[str, Callable[[], None]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work_off, daemon=True, name="tracking")
        self._thread.start()
        self._do("run", self._open)

    def validated(self, entry: Mapping[str, float]) -> None:
        """The scores of a validation and its step."""
        values = {key: float(value) for key, value in entry.items() if key != "step"}
        now = int(time.time() * 1000)
        metrics = [{"key": k, "value": v, "timestamp": now, "step": int(entry["step"])} for k, v in values.items() if v == v]
        self._do("metrics", lambda: self._batch(metrics=metrics))

    def published(self, out: Path, document: Mapping[str, Any]) -> None:
        """The end of a run: all of `out`, and a version of the model `document["name"]`."""
        self._do("artifacts", lambda: self._publish(out, document))
        self.close("FINISHED")

    def close(self, status: str | None = None) -> None:
        """Sends what is left, for as long as is worth waiting. Without `status` a later attempt goes on with the run."""
        if not self._thread.is_alive():
            return
        if status is not None:
            self._do("end", lambda: self._end(status))
        self._todo.put(None)
        self._thread.join(self._patience_s if status is not None else min(self._patience_s, STOP_PATIENCE_S))
        if self._thread.is_alive():
            _warn(f"{self._tracking.uri} is too slow; the end of this run is not logged")

    def _do(self, what: str, action: Callable[[], None]) -> None:
        self._todo.put((what, action))

    def _work_off(self) -> None:
        while (task := self._todo.get()) is not None:
            if self._given_up:
                continue
            what, action = task
            try:
                action()
            except Exception as error:  # whatever it is, training goes on
                self._given_up = what == "run"
                _warn(f"{what}: {error}" + ("; this run is not logged" if self._given_up else ""))

    def _open(self) -> None:
        marker = self._work / MARKER
        known = json.loads(marker.read_text()) if marker.is_file() else {}
        if known.get("uri") == self._tracking.uri and known.get("experiment") == self._tracking.experiment:
            self._run = self._server.call("runs/get", {"run_id": known["run"]}, "GET")["run"]["info"]
            return
        body = {"experiment_id": self._experiment(), "run_name": self._name, "start_time": int(time.time() * 1000)}
        self._run = self._server.call("runs/create", body)["run"]["info"]
        kept = {"uri": self._tracking.uri, "experiment": self._tracking.experiment, "run": self._run["run_id"]}
        write_atomic(marker, json.dumps(kept).encode())
        params = [{"key": key, "value": str(value)[:6000]} for key, value in _flat(self._params)]
        for at in range(0, len(params), _PARAMS):
            self._batch(params=params[at : at + _PARAMS])

    def _experiment(self) -> str:
        name = self._tracking.experiment
        try:
            found = self._server.call("experiments/get-by-name", {"experiment_name": name}, "GET")
            return str(found["experiment"]["experiment_id"])
        except Refused as refused:
            if refused.code != "RESOURCE_DOES_NOT_EXIST":
                raise
        return str(self._server.call("experiments/create", {"name": name})["experiment_id"])

    def _batch(self, **what: list[dict[str, Any]]) -> None:
        self._server.call("runs/log-batch", {"run_id": self._run["run_id"], **what})

    def _publish(self, out: Path, document: Mapping[str, Any]) -> None:
        root, run = self._run["artifact_uri"], self._run["run_id"]
        for path in sorted(out.iterdir()):
            if path.is_file():
                self._server.upload(root, f"model/{path.name}" if path.suffix == ".onnx" else path.name, path.read_bytes())
        self._server.upload(root, "model/MLmodel", _described(run, document).encode())
        scores = {f"best_{key}": value for key, value in document["scores"]["validation"].items()}
        self.validated({"step": document["scores"]["step"]} | scores)
        name = document["name"]
        try:
            self._server.call("registered-models/create", {"name": name})
        except Refused as refused:
            if refused.code != "RESOURCE_ALREADY_EXISTS":
                raise
        tags = {"sha256": document["sha256"], "data_sha256": document["data"]["sha256"], "code_sha256": document["code"]["sha256"]}
        body = {"name": name, "source": f"{root}/model", "run_id": run, "tags": [{"key": k, "value": v} for k, v in tags.items()]}
        self._server.call("model-versions/create", body)

    def _end(self, status: str) -> None:
        self._server.call("runs/update", {"run_id": self._run["run_id"], "status": status, "end_time": int(time.time() * 1000)})


def _described(run: str, document: Mapping[str, Any]) -> str:
    """The file MLmodel, by which MLflow loads an ONNX model. It is YAML, and so is JSON."""
    onnx = {"data": "model.onnx", "onnx_version": "1", "providers": ["CPUExecutionProvider"], "code": None}
    function = {"loader_module": "mlflow.onnx", "data": "model.onnx", "env": {}, "python_version": "3.11"}
    made = {"artifact_path": "model", "flavors": {"onnx": onnx, "python_function": function}, "run_id": run}
    return json.dumps(made | {"utc_time_created": document["createdAt"].replace("T", " ").rstrip("Z")}, indent=1)


def _flat(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    pairs: list[tuple[str, Any]] = []
    for key, value in values.items():
        pairs += _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else [(f"{prefix}{key}", value)]
    return pairs


def _authorization(env: Mapping[str, str]) -> dict[str, str]:
    if token := env.get("MLFLOW_TRACKING_TOKEN"):
        return {"Authorization": f"Bearer {token}"}
    if name := env.get("MLFLOW_TRACKING_USERNAME"):
        pair = f"{name}:{env.get('MLFLOW_TRACKING_PASSWORD', '')}"
        return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
    return {}


def _warn(text: str) -> None:
    print(f"tracking: {text}", file=sys.stderr, flush=True)
