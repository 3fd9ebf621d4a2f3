"""Models that come and go while callers send."""

from __future__ import annotations

import threading
import time
import warnings

import numpy as np
import pytest

from .conftest import LOADCAST, identity_model, put, serving

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    http = pytest.importorskip("tritonclient.http")
    from tritonclient.utils import InferenceServerException

pytestmark = pytest.mark.filterwarnings("default")


def request():
    inputs = []
    for name, shape in {"context": [1, 512], "seasonal": [1, 4, 128]}.items():
        one = http.InferInput(name, shape, "FP32")
        one.set_data_from_numpy(np.full(shape, 5, np.float32))
        inputs.append(one)
    return inputs


def test_a_new_version_takes_over_without_a_failed_request(tmp_path):
    put(tmp_path, "loadcast", "1", LOADCAST.read_bytes())
    versions: list[str] = []
    failures: list[Exception] = []
    done = threading.Event()

    def send(address: str) -> None:
        with http.InferenceServerClient(address) as client:
            while not done.is_set():
                try:
                    versions.append(client.infer("loadcast", request()).get_response()["model_version"])
                except Exception as error:
                    failures.append(error)

    with serving(tmp_path, "--poll", "200ms") as server:
        callers = [threading.Thread(target=send, args=[server.http]) for _ in range(2)]
        for caller in callers:
            caller.start()
        put(tmp_path, "loadcast", "2", LOADCAST.read_bytes())
        deadline = time.monotonic() + 60
        while versions[-1:] != ["2"] and time.monotonic() < deadline:
            time.sleep(0.05)
        done.set()
        for caller in callers:
            caller.join()
    assert failures == []
    assert versions[-1] == "2"
    assert versions[0] == "1"


def test_callers_load_and_unload_where_that_is_allowed(tmp_path):
    put(tmp_path, "loadcast", "1", LOADCAST.read_bytes())
    with serving(tmp_path, "--allow-repository-control") as server, http.InferenceServerClient(server.http) as client:
        assert client.is_model_ready("loadcast")
        client.unload_model("loadcast")
        assert not client.is_model_ready("loadcast")
        with pytest.raises(InferenceServerException, match="404"):
            client.infer("loadcast", request())
        client.load_model("loadcast")
        assert client.infer("loadcast", request()).as_numpy("quantiles").shape == (1, 64, 13)
        put(tmp_path, "identity", "1", identity_model())
        client.load_model("identity")
        assert client.is_model_ready("identity", "1")
        with pytest.raises(InferenceServerException, match="no model"):
            client.load_model("nobody")
