"""The router in front of the server, for a client that is given a URL alone (HTTP) or an authority (gRPC)."""

from __future__ import annotations

import json
import signal
import subprocess
import warnings
from tempfile import TemporaryFile

import numpy as np
import pytest

from .conftest import DATATYPES, ROOT, Server, said, values

with warnings.catch_warnings():
    # What its dependencies deprecate is not ours to fix.
    warnings.simplefilter("ignore")
    http = pytest.importorskip("tritonclient.http")
    grpc = pytest.importorskip("tritonclient.grpc")
    from tritonclient.utils import InferenceServerException

pytestmark = pytest.mark.filterwarnings("default")

PREFIX = "namespaces/shop/modeldeployments/models"


@pytest.fixture(scope="module")
def router(server, tmp_path_factory):
    routes = tmp_path_factory.mktemp("routes") / "routes.yaml"
    version = {
        "version": 4,
        "weight": 100,
        "endpoints": [f"http://{server.http}"],
        "grpcEndpoints": [f"http://{server.grpc}"],
    }
    route = {"namespace": "shop", "name": "models", "stable": 4, "versions": [version]}
    routes.write_text(json.dumps({"routes": [route]}))
    ports = [part for name in ("port", "grpc-port", "admin-port") for part in (f"--{name}", "0")]
    command = [ROOT / "bin" / "foresail", "router", "--config", routes, "--host", "127.0.0.1", *ports]
    with TemporaryFile("a+") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            yield addresses(process, log)
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 0
        finally:
            process.kill()
            process.wait()


def addresses(process: subprocess.Popen, log) -> Server:
    entry = said(process, log, "routing")
    return Server(entry["url"].partition("://")[2], entry["grpc"].partition("://")[2])


@pytest.fixture(params=["http", "grpc"])
def protocol(request):
    return {"http": http, "grpc": grpc}[request.param]


@pytest.fixture
def client(protocol, router):
    if protocol is http:
        made = http.InferenceServerClient(f"{router.http}/{PREFIX}")
    else:
        authority = [("grpc.default_authority", "models.shop")]
        made = grpc.InferenceServerClient(router.grpc, channel_args=authority)
    with made as client:
        yield client


@pytest.mark.parametrize("datatype", sorted(DATATYPES))
def test_every_datatype_comes_back_as_it_went(client, protocol, datatype):
    sent = values(datatype)
    tensor = protocol.InferInput(datatype, list(sent.shape), datatype)
    tensor.set_data_from_numpy(sent)
    others = []
    for name in DATATYPES:
        if name == datatype:
            continue
        other = values(name)
        given = protocol.InferInput(name, list(other.shape), name)
        given.set_data_from_numpy(other)
        others.append(given)
    result = client.infer("identity", [tensor, *others])
    got = result.as_numpy(f"{datatype}_out")
    if datatype == "BYTES":
        got = np.array([[item.decode() for item in row] for row in got], dtype=np.object_)
    np.testing.assert_array_equal(got, sent)


def test_what_the_server_refuses_is_refused_with_its_word(client, protocol):
    tensor = protocol.InferInput("nothing", [1], "FP32")
    tensor.set_data_from_numpy(np.zeros(1, np.float32))
    with pytest.raises(InferenceServerException, match="nothing|input"):
        client.infer("identity", [tensor])


def test_readiness_and_metadata(client):
    assert client.is_server_ready()
    assert client.is_model_ready("loadcast")
    assert client.get_model_metadata("loadcast")
