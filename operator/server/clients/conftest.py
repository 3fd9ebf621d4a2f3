"""A real `foresail serve` on the loopback, for clients that nobody of this project wrote."""

from __future__ import annotations

import json
import signal
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np
import pytest

ROOT = Path(__file__).parents[3]
LOADCAST = ROOT / "models" / "loadcast" / "loadcast.onnx"

# Every datatype that onnxruntime-node runs, and what numpy calls it. FP16 is refused by its binding.
DATATYPES = {
    "BOOL": np.bool_,
    "INT8": np.int8,
    "INT16": np.int16,
    "INT32": np.int32,
    "INT64": np.int64,
    "UINT8": np.uint8,
    "UINT16": np.uint16,
    "UINT32": np.uint32,
    "UINT64": np.uint64,
    "FP32": np.float32,
    "FP64": np.float64,
    "BYTES": np.object_,
}


@dataclass(frozen=True)
class Server:
    http: str
    grpc: str


def identity_model() -> bytes:
    """One input and one output per datatype, each passed through."""
    from onnx import TensorProto, helper

    types = {
        name: TensorProto.STRING if name == "BYTES" else helper.np_dtype_to_tensor_dtype(np.dtype(kind))
        for name, kind in DATATYPES.items()
    }
    model = helper.make_model(
        helper.make_graph(
            [helper.make_node("Identity", [name], [f"{name}_out"]) for name in types],
            "identity",
            [helper.make_tensor_value_info(name, kind, ["n", 2]) for name, kind in types.items()],
            [helper.make_tensor_value_info(f"{name}_out", kind, ["n", 2]) for name, kind in types.items()],
        ),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=10,
    )
    return model.SerializeToString()


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    repository = tmp_path_factory.mktemp("repository")
    put(repository, "loadcast", "1", LOADCAST.read_bytes())
    put(repository, "identity", "3", identity_model())
    with serving(repository) as found:
        yield found


def put(repository: Path, name: str, version: str, content: bytes) -> None:
    """As a mounted volume does it: the version is there with its file or not at all."""
    (repository / name).mkdir(exist_ok=True)
    written = repository / name / f".{version}"
    written.mkdir()
    (written / "model.onnx").write_bytes(content)
    written.rename(repository / name / version)


@contextmanager
def serving(repository: Path, *flags: str | Path, tls: ssl.SSLContext | None = None):
    """A server that is ready; it has to end in order."""
    command = [ROOT / "bin" / "foresail", "serve", "--model-repository", repository, *flags]
    ports = ["--host", "127.0.0.1", "--http-port", "0", "--grpc-port", "0"]
    # Appended to, for the server shares its position with the reader.
    with TemporaryFile("a+") as log:
        process = subprocess.Popen([*command, *ports, "--drain", "0s", "--accelerator", "cpu"], stderr=log)
        try:
            found = addresses(process, log)
            wait_ready(found.http, tls)
            yield found
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
        finally:
            process.kill()
            process.wait()


def addresses(process: subprocess.Popen, log) -> Server:
    """What the server says that it listens on."""
    entry = said(process, log, "serving")
    return Server(entry["http"].partition("://")[2], entry.get("grpc", ""))


def said(process: subprocess.Popen, log, message: str) -> dict:
    """The first line of its log with this message; raises with the whole log when it ends without one."""
    while True:
        ended = process.poll() is not None
        log.seek(0)
        lines = log.read().splitlines(keepends=True)
        for line in lines:
            entry = json.loads(line) if line.startswith("{") and line.endswith("\n") else {}
            if entry.get("message") == message:
                return entry
        if ended:
            raise RuntimeError(f"it ended before it said {message!r}: {''.join(lines)}")
        time.sleep(0.05)


def wait_ready(http: str, tls: ssl.SSLContext | None = None) -> None:
    scheme = "http" if tls is None else "https"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{scheme}://{http}/v2/health/ready", context=tls) as response:
                if response.status == 200:
                    return
        except urllib.error.HTTPError:
            time.sleep(0.1)
    raise RuntimeError("the server did not become ready")


def values(datatype: str) -> np.ndarray:
    """Two rows with the extremes of the datatype."""
    kind = DATATYPES[datatype]
    if datatype == "BOOL":
        return np.array([[True, False], [False, True]])
    if datatype == "BYTES":
        return np.array([["", "ü"], ["a" * 1000, "\n"]], dtype=np.object_)
    if np.issubdtype(kind, np.integer):
        info = np.iinfo(kind)
        return np.array([[info.min, info.max], [0, 1]], dtype=kind)
    info = np.finfo(kind)
    return np.array([[info.min, info.max], [info.tiny, -0.1]], dtype=kind)
